from __future__ import annotations

from pathlib import Path

import pytest

from coefvq.errors import SettingsError
from coefvq.learning.clip_corpora import (
    MARKED_FIGHT_GROUPS,
    fights,
    footage,
    gradio_media,
    scenes,
)


def test_fights_carry_label_and_source(tiny_data: Path) -> None:
    items = fights(tiny_data)
    assert len(items) == 12
    assert items[1].labels == {"violence": 1} and items[0].labels == {"violence": 0}
    assert items[0].group == items[1].group == "fights/g0" != items[2].group


def test_missing_fights_say_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--data"):
        fights(tmp_path)


@pytest.mark.parametrize(
    ("name", "group", "labels"),
    [
        ("asl/yes.mkv", "scenes/asl", {"violence": 0}),
        ("scenes/street.mp4", "scenes/street", {"violence": 0}),
        ("copies/chair.mp4", "scenes/copies", {"violence": 0}),
        ("scenes/tears-battle.webm", "scenes/tears-battle", {}),
        ("copies/chair-with-logo.mp4", None, None),
        ("scenes/notes.txt", None, None),
    ],
)
def test_scenes_by_place_and_name(
    tmp_path: Path, name: str, group: str | None, labels: dict[str, int] | None
) -> None:
    path = tmp_path / "clips" / name
    path.parent.mkdir(parents=True)
    path.touch()
    found = [(item.group, item.labels) for item in scenes(tmp_path)]
    assert found == ([] if group is None else [(group, labels)])


def test_the_media_inside_gradio_is_found() -> None:
    items = gradio_media()
    assert {item.path.name for item in items} == {"a.mp4", "b.mp4", "world.mp4"}
    assert len({item.group for item in items}) == 2


def test_footage_has_no_marked_sources(tiny_data: Path) -> None:
    groups = {item.group for item in footage(tiny_data)}
    assert "fights/g0" in groups and "scenes/street" in groups
    assert not {f"fights/{name}" for name in MARKED_FIGHT_GROUPS} & groups
