from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from coefvq.domain import TimedText
from coefvq.errors import MediaError, SettingsError
from coefvq.learning import recognised
from coefvq.learning.clip_corpora import ClipItem
from coefvq.learning.recognised import Recognised, Recogniser, footage_frames, hear, see
from coefvq.learning.spoken import PROGRAM
from tests import media_factory

needs_espeak = pytest.mark.skipif(
    shutil.which(PROGRAM) is None and "CI" not in os.environ,
    reason="espeak-ng is not installed",
)
PAIRS = [("one line", 1), ("another line", 2), ("one line", 2)]


def _result(text: str) -> Recognised:
    states = np.arange(4 * 384, dtype=np.float16).reshape(4, 384)
    line = TimedText(0.5, 1.5, f"heard {text}", -0.3, (0.1, 0.2, 0.3, 0.4))
    return Recognised((line,), 2.0, states)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Replaces the recognisers; texts with ``broken`` fail."""
    made: list[tuple[str, int]] = []

    def fake(text: str, seed: int, *_: object) -> Recognised:
        made.append((text, seed))
        if "broken" in text:
            raise MediaError("cannot be read")
        return _result(text)

    monkeypatch.setattr(recognised, "hear", fake)
    monkeypatch.setattr(recognised, "see", fake)
    return made


def _frame(seed: int) -> NDArray[np.uint8]:
    return media_factory.moving(0.3, 320, 240)


@needs_espeak
def test_speech_is_heard_at_its_time_with_states() -> None:
    heard = hear("RT @x: please subscribe to my channel and like this video", 9)
    assert "subscribe" in heard.text.lower()
    assert 0 <= heard.lines[0].start_s < heard.lines[-1].end_s <= heard.duration_s + 0.5
    assert heard.sound_states is not None and heard.sound_states.dtype == np.float16
    assert heard.sound_states.shape == (int(np.ceil(heard.duration_s * 2)), 384)


def test_nothing_to_say_gives_no_lines() -> None:
    heard = hear("\U0001f602 http://t.co/a", 1)
    assert heard.lines == () and heard.duration_s > 0


def test_written_text_is_read_with_times_and_boxes() -> None:
    seen = [see("subscribe to my channel", seed, _frame(seed)) for seed in range(3)]
    assert sum("subscribe" in one.text.lower() for one in seen) >= 2
    for one in seen:
        assert one.sound_states is None and 3 <= one.duration_s <= 30
        for line in one.lines:
            assert 0 <= line.start_s < line.end_s <= one.duration_s
            assert line.box is not None and 0 <= min(line.box) <= max(line.box) <= 1


def test_results_are_kept_and_read_back(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    first = Recogniser(tmp_path).hear_all(PAIRS)
    assert calls == PAIRS
    again = Recogniser(tmp_path).hear_all([*PAIRS, ("new", 3)])
    assert calls == [*PAIRS, ("new", 3)]
    for one, other in zip(first, again, strict=False):
        assert (one.lines, one.duration_s) == (other.lines, other.duration_s)
        np.testing.assert_array_equal(one.sound_states, other.sound_states)


@pytest.mark.parametrize("change", ["kind", "text", "seed", "recipe"])
def test_a_file_answers_only_for_its_own_text(
    change: str, tmp_path: Path, calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Recogniser(tmp_path, frame_of=_frame)
    made.hear_all([("one line", 1)])
    assert made.cached("hear", "one line", 1) is not None
    if change == "recipe":
        monkeypatch.setitem(recognised.RECIPES, "hear", "hear-next")
    kind = "see" if change == "kind" else "hear"
    text, seed = "two" if change == "text" else "one line", 2 if change == "seed" else 1
    assert made.cached(kind, text, seed) is None


def test_trouble_with_one_text_does_not_end_the_run(
    tmp_path: Path, calls: list[tuple[str, int]]
) -> None:
    said: list[str] = []
    pairs = [("fine", 1), ("broken secret", 2), ("fine too", 3)]
    found = Recogniser(tmp_path, frame_of=_frame).see_all(pairs, said.append)
    assert [len(one.lines) for one in found] == [1, 0, 1]
    assert any("seed 2" in line for line in said) and not any("secret" in line for line in said)
    assert "see: 3/3" in said[-1]


def test_a_damaged_file_is_made_again(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    Recogniser(tmp_path).hear_all(PAIRS[:1])
    file = next(tmp_path.rglob("*.npz"))
    file.write_bytes(file.read_bytes()[:100])
    assert Recogniser(tmp_path).hear_all(PAIRS[:1])[0].text == "heard one line"
    assert len(calls) == 2


def test_seeing_without_frames_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="frame_of"):
        Recogniser(tmp_path).see_all(PAIRS)


def test_frames_are_drawn_by_seed_from_every_group(tiny_data: Path) -> None:
    films = sorted((tiny_data / "fights").glob("*.mp4"))[:2]
    frame_of = footage_frames([ClipItem(p.name, p.name, "x", p) for p in films])
    frames = [frame_of(seed) for seed in range(12)]
    assert {frame.shape for frame in frames} == {(120, 160, 3)}
    np.testing.assert_array_equal(frames[0], frame_of(0))
    assert len({frame.tobytes() for frame in frames}) == 2


def test_no_footage_is_an_error() -> None:
    with pytest.raises(SettingsError, match="no footage"):
        footage_frames([])
