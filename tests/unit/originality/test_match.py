"""Copies are found with their edit and their times; what only looks alike is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coefvq.media.probe import probe
from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.index import Index
from coefvq.originality.match import Found, find_copies
from coefvq.signals.fingerprints import make_fingerprint
from tests.media_factory import black, clip, one_frame
from tests.unit.originality.footage import (
    SIZE,
    Draw,
    boxed,
    changed,
    cropped,
    fingerprint,
    noise,
    one_after_another,
    scene,
    turning,
    with_logo,
)

SECONDS = 6.0
ORIGINAL = scene(1, 1)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Fingerprint]:
    """Three originals: the first is copied, the second is another take of its scene."""
    folder = tmp_path_factory.mktemp("bank")
    takes = {1: ORIGINAL, 2: scene(1, 2), 3: scene(2, 1)}
    return {key: fingerprint(folder / f"{key}.mp4", take, SECONDS) for key, take in takes.items()}


def ask(query: Fingerprint, bank: dict[int, Fingerprint]) -> list[Found]:
    index = Index()
    index.add_many(bank.items())
    return find_copies(query, index, bank.__getitem__)


def at_speed(draw: Draw, speed: float, start_s: float = 0.0) -> Draw:
    return lambda second, width, height: draw(start_s + second * speed, width, height)


def joined(second: float, width: int, height: int) -> np.ndarray:
    if second < 3.0:
        return scene(7, 7)(second, width, height)
    return ORIGINAL(second - 3.0, width, height)


def picture_in_picture(second: float, width: int, height: int) -> np.ndarray:
    back, front = scene(9, 1)(second, width, height), ORIGINAL(second, width, height)
    inner = boxed(front, 0.15, 0.15)
    y, x = int(0.15 * height), int(0.15 * width)
    back[y : height - y, x : width - x] = inner[y : height - y, x : width - x]
    return back


EDITS = {
    "same": (ORIGINAL, set(), 0.0, 1.0),
    "mirror": (changed(ORIGINAL, lambda p: p[:, ::-1]), {"mirror"}, 0.0, 1.0),
    "upside down": (changed(ORIGINAL, lambda p: p[::-1, ::-1]), {"rotate"}, 0.0, 1.0),
    "crop": (changed(ORIGINAL, cropped), {"crop"}, 0.0, 1.0),
    "letterbox": (changed(ORIGINAL, lambda p: boxed(p, 0, 0.15)), {"letterbox"}, 0.0, 1.0),
    "border": (changed(ORIGINAL, lambda p: boxed(p, 0.12, 0.12, 250)), {"border"}, 0.0, 1.0),
    "speed": (at_speed(ORIGINAL, 1.25), {"speed"}, 0.0, 1.25),
    "grey": (
        changed(ORIGINAL, lambda p: np.repeat(p.mean(axis=2, keepdims=True), 3, 2).astype("u1")),
        {"recolour"},
        0.0,
        1.0,
    ),
    "darker": (changed(ORIGINAL, lambda p: (p * 0.7).astype("u1")), {"brightness"}, 0.0, 1.0),
    "logo": (changed(ORIGINAL, with_logo), {"overlay"}, 0.0, 1.0),
    "excerpt": (at_speed(ORIGINAL, 1.0, 1.7), {"excerpt"}, 1.7, 1.0),
    "joined": (joined, {"excerpt"}, -3.0, 1.0),
    "inset": (picture_in_picture, {"picture_in_picture"}, 0.0, 1.0),
}
LENGTHS = {"speed": 4.5, "excerpt": 3.0, "joined": 9.0}


@pytest.mark.parametrize("name", list(EDITS))
def test_a_copy_is_found_with_its_edit_and_its_times(
    name: str, tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    draw, names, offset_s, speed = EDITS[name]
    found = ask(fingerprint(tmp_path / "copy.mp4", draw, LENGTHS.get(name, SECONDS)), bank)
    assert [one.key for one in found] == [1]
    copy = found[0]
    middle = (copy.query_start_s + copy.query_end_s) / 2
    said = (copy.reference_start_s + copy.reference_end_s) / 2
    assert said == pytest.approx(offset_s + speed * middle, abs=0.5)
    assert names <= set(copy.transform)
    assert copy.speed == pytest.approx(speed, abs=0.06)
    assert copy.by == ("picture",)


def test_the_span_of_a_joined_clip_begins_where_it_was_joined(
    tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    found = ask(fingerprint(tmp_path / "copy.mp4", joined, 9.0), bank)
    assert found[0].query_start_s == pytest.approx(3.0, abs=0.6)
    assert found[0].query_end_s == pytest.approx(9.0, abs=0.6)


@pytest.mark.parametrize("take", [3, 4, 5])
def test_another_take_of_the_scene_is_no_copy(
    take: int, tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    assert ask(fingerprint(tmp_path / "take.mp4", scene(1, take), SECONDS), bank) == []


@pytest.mark.parametrize("degrees", [12, 18])
def test_the_same_movement_seen_from_another_side_is_no_copy(degrees: int, tmp_path: Path) -> None:
    bust = turning(0, (214, 170, 120), 60)
    original = fingerprint(tmp_path / "original.mp4", bust, SECONDS)
    other = turning(degrees, (150, 170, 200), 40)
    assert ask(fingerprint(tmp_path / "other.mp4", other, SECONDS), {1: original}) == []
    copy = fingerprint(tmp_path / "copy.mp4", changed(bust, cropped), SECONDS)
    assert [one.key for one in ask(copy, {1: original})] == [1]


def test_a_copy_that_was_only_encoded_again_is_called_that(
    tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    again = clip(tmp_path / "again.mp4", SECONDS, SIZE, fps=12, picture=ORIGINAL, codec="mpeg4")
    found = ask(make_fingerprint(probe(again)), bank)
    assert [one.transform for one in found] == [("re_encode",)]
    assert [one.transform for one in ask(bank[1], bank)] == [()]


def white(second: float, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


@pytest.mark.parametrize("draw", [black, white, noise], ids=["black", "white", "noise"])
def test_videos_that_show_nothing_never_match(draw: Draw, tmp_path: Path) -> None:
    first = fingerprint(tmp_path / "a.mp4", draw, 3.0)
    later = at_speed(draw, 1.0, 50.0)
    second = fingerprint(tmp_path / "b.mp4", later, 3.0)
    assert ask(second, {1: first}) == []


@pytest.mark.parametrize("make", [0.5, 0.3], ids=["half a second", "a third of a second"])
def test_a_video_shorter_than_a_second_is_compared(
    make: float, tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    short = fingerprint(tmp_path / "short.mp4", scene(2, 3), make)
    assert len(short.times_s) >= 1
    assert ask(short, bank) == []


def test_one_frame_matches_only_the_same_picture(tmp_path: Path) -> None:
    draw: Callable[..., np.ndarray] = scene(4, 1)
    still = fingerprint(tmp_path / "one.mp4", draw, 1 / 12)
    other = fingerprint(tmp_path / "other.mp4", scene(5, 1), 1 / 12)
    assert [one.key for one in ask(still, {1: still, 2: other})] == [1]
    plain = make_fingerprint(probe(one_frame(tmp_path / "plain.mp4")))
    assert [one.key for one in ask(plain, {1: still, 2: other})] == []


def test_two_copies_of_one_file_are_both_found(
    tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    found = ask(bank[1], {1: bank[1], 7: bank[1]})
    assert {one.key for one in found} == {1, 7}
    assert all(one.transform == () for one in found)


def test_excluded_originals_are_left_out(bank: dict[int, Fingerprint]) -> None:
    index = Index()
    index.add_many(bank.items())
    assert find_copies(bank[1], index, bank.__getitem__, exclude={1}) == []


def test_a_fingerprint_without_motion_is_still_compared(bank: dict[int, Fingerprint]) -> None:
    from dataclasses import replace

    bare = replace(bank[1], motion_times_s=np.zeros(0, "f4"), motion=np.zeros((0, 24, 24), "u1"))
    assert [one.key for one in ask(bare, {1: bare})] == [1]


@pytest.mark.parametrize("long_query", [True, False], ids=["compilation", "long original"])
def test_a_short_clip_is_found_in_a_long_video(
    long_query: bool, tmp_path: Path, bank: dict[int, Fingerprint]
) -> None:
    other = fingerprint(tmp_path / "other.mp4", scene(8, 1), 8.0)
    long = one_after_another([other] * 12 + [bank[1]] + [other] * 12)
    query, reference = (long, bank[1]) if long_query else (bank[1], long)
    found = ask(query, {1: reference})
    assert [one.key for one in found] == [1]
    start_s = found[0].query_start_s if long_query else found[0].reference_start_s
    assert start_s == pytest.approx(96.0, abs=0.6)
    assert found[0].query_end_s - found[0].query_start_s == pytest.approx(SECONDS, abs=0.8)
