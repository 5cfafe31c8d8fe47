from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coefvq.domain import TimedText
from coefvq.errors import MediaError
from coefvq.learning.clip_corpora import ClipItem
from coefvq.learning.fused import media
from coefvq.learning.fused.example import Recognised
from coefvq.learning.fused.media import Footage, footage_of, item_of
from coefvq.learning.recognised import Recognised as Heard
from coefvq.mllm.senses import SOUND_STATES_PER_SECOND
from tests.unit.learning.fused import toys

SAID, DRAWN = Recognised("hear", "spoken words", 1), Recognised("see", "written words", 2)
HEARD = {
    SAID: Heard((TimedText(1.0, 9.0, "spoken word"),), 10.0, np.ones((20, 384), np.float16)),
    DRAWN: Heard((TimedText(0.0, 4.0, "written words"),), 4.0),
}
SEEN = {
    "clip": Footage(
        np.zeros((3, 1280, 7, 7), np.float16), np.array([0.0, 1.0, 2.0]), np.ones(5, np.float32)
    )
}


def test_words_are_what_the_recogniser_made_of_them() -> None:
    one = toys.example(speech=SAID, screen_text=DRAWN, title="t", caption="c", footage="clip")
    item = item_of(one, SEEN, HEARD)
    assert [line.text for line in item.speech or ()] == ["spoken word"]
    assert [line.text for line in item.screen_text or ()] == ["written words"]
    assert (item.posted.title, item.posted.caption) == ("t", "c")
    assert item.sound_states is not None and item.sound_states.shape == (20, 384)
    assert item.states_per_second == SOUND_STATES_PER_SECOND
    assert item.motion is SEEN["clip"].motion


def test_footage_plays_as_long_as_the_words_take() -> None:
    item = item_of(toys.example(speech=SAID, footage="clip"), SEEN, HEARD)
    assert np.allclose(np.asarray(item.frame_times_s), [0.0, 4.5, 9.0])
    alone = item_of(toys.example(footage="clip"), SEEN, HEARD)
    assert np.allclose(np.asarray(alone.frame_times_s), [0.0, 1.0, 2.0])


@pytest.mark.parametrize("key", [None, "unreadable"])
def test_without_footage_there_is_nothing_to_see(key: str | None) -> None:
    item = item_of(toys.example(speech=(), footage=key), SEEN, HEARD)
    assert item.frame_features is None and item.frame_times_s is None and item.motion is None
    assert item.speech == () and item.screen_text is None and item.sound_states is None


class Tower(torch.nn.Module):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.asked = 0

    @property
    def network(self) -> Tower:
        return self

    def feature_map(self, pixels: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return pixels


def _clips(folder: Path) -> list[ClipItem]:
    found = []
    for name in ("good", "broken"):
        (folder / name).write_bytes(name.encode())
        found.append(ClipItem(name, name, "fights", folder / name))
    return found


def _sample(*_: Any) -> Any:
    class Seen:
        frames, times_s = (np.zeros((4, 4, 3)),), (0.5,)

    return Seen


def test_clips_are_looked_at_once_and_broken_ones_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(path: Path, _: Any) -> Path:
        if path.name == "broken":
            raise MediaError("broken: cannot be read")
        return path

    monkeypatch.setattr(media, "probe", probe)
    monkeypatch.setattr(media, "sample_pictures", _sample)
    monkeypatch.setattr(media, "read_action", lambda *_: None)
    tower = Tower()

    def processor(**_: Any) -> dict[str, torch.Tensor]:
        return {"pixel_values": torch.ones(1, 2, 3, 3)}

    for _ in range(2):
        found = footage_of(_clips(tmp_path), tmp_path / "kept", tower, processor, lambda _: None)
        assert set(found) == {"good"}
        assert found["good"].maps.dtype == np.float16 and found["good"].motion is None
        assert found["good"].times_s.tolist() == [0.5]
    assert tower.asked == 1
