"""Copied stretches of sound: where they are, how fast, and what is none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from coefvq.originality.fingerprint import VERSION, Fingerprint
from coefvq.originality.index import Index
from coefvq.originality.match import Found, find_copies
from coefvq.originality.sound import Landmarks, landmarks
from coefvq.originality.sound_index import SoundIndex
from coefvq.originality.sound_match import SoundFound, sound_matches
from coefvq.originality.sound_proof import alone, picture_tells, sound_edits, with_sound
from tests.unit.originality.sounds import RATE, Sound, melody, noisy

ORIGINAL, OTHERS = 7, range(20, 32)


@cache
def _index() -> SoundIndex:
    index = SoundIndex()
    index.add(ORIGINAL, landmarks(melody(1, 30)))
    for key in OTHERS:
        index.add(key, landmarks(melody(key, 20)))
    return index


def _cut(start_s: float, end_s: float) -> Sound:
    return melody(1, 30)[int(start_s * RATE) : int(end_s * RATE)]


@pytest.mark.parametrize(
    ("sound", "query", "reference", "speed"),
    [
        pytest.param(lambda: melody(1, 30), (0, 30), (0, 30), 1.0, id="the very same"),
        pytest.param(lambda: _cut(11.3, 17.3), (0, 6), (11.3, 17.3), 1.0, id="six seconds"),
        pytest.param(lambda: noisy(_cut(5, 20), 15), (0, 15), (5, 20), 1.0, id="in noise"),
        pytest.param(
            lambda: np.concatenate([melody(90, 9), _cut(10, 20), melody(91, 9)]),
            (9, 19), (10, 20), 1.0, id="joined into another",
        ),
        pytest.param(
            lambda: _cut(0, 20) + melody(92, 20), (1, 19), (1, 19), 1.0, id="under another"
        ),
        pytest.param(lambda: melody(1, 30, 1.25), (0, 24), (0, 30), 1.25, id="faster"),
        pytest.param(lambda: melody(1, 30, 1.1), (0, 27.3), (0, 30), 1.1, id="a little faster"),
        pytest.param(lambda: melody(1, 30, 0.8), (0, 37.5), (0, 30), 0.8, id="slower"),
    ],
)  # fmt: skip
def test_a_copy_is_found_with_its_times(
    sound: object, query: tuple[float, float], reference: tuple[float, float], speed: float
) -> None:
    found = sound_matches(landmarks(sound()), _index())  # type: ignore[operator]
    assert {each.key for each in found} == {ORIGINAL}
    best = found[0]
    assert best.score > 0.9
    assert best.speed == pytest.approx(speed, abs=0.02)
    assert (best.query_start_s, best.query_end_s) == pytest.approx(query, abs=1.2)
    assert (best.reference_start_s, best.reference_end_s) == pytest.approx(reference, abs=1.2)


def test_a_stretch_used_twice_is_found_twice() -> None:
    twice = np.concatenate([_cut(4, 10), melody(93, 10), _cut(4, 10)])
    found = sound_matches(landmarks(twice), _index())
    assert sorted(round(each.query_start_s) for each in found) == pytest.approx([0, 16], abs=1)


def test_other_melodies_of_the_same_notes_are_no_copies() -> None:
    for seed in range(40, 52):
        assert sound_matches(landmarks(melody(seed, 20)), _index()) == []


@pytest.mark.parametrize(
    "none", [np.zeros((0, 2), np.uint32), np.array([[5, 3]], np.uint32)], ids=["none", "one"]
)
def test_hardly_any_landmarks_find_nothing(none: Landmarks) -> None:
    assert sound_matches(none, _index()) == []


def test_what_is_excluded_is_not_found() -> None:
    assert sound_matches(landmarks(melody(1, 30)), _index(), exclude=[ORIGINAL]) == []


@pytest.mark.parametrize("shift", [0, 2**31], ids=["as it is", "times of a damaged file"])
def test_damaged_landmarks_do_no_harm(shift: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2**32, (300, 2), dtype=np.uint32)
    rows[:, 1] = np.sort(rows[:, 1] // 2 + shift)
    index = SoundIndex()
    index.add(1, rows)
    index.add(2, landmarks(melody(1, 10)))
    assert {each.key for each in sound_matches(landmarks(melody(1, 10)), index)} == {2}
    sound_matches(rows, index)


def _fingerprint(marks: Landmarks | None, seconds: float, moving: bool = True) -> Fingerprint:
    rng = np.random.default_rng(0)
    count = max(int(seconds), 1)
    times = np.arange(count, dtype=np.float32)
    motion = rng.integers(0, 255, (count, 24, 24), dtype=np.uint8)
    return Fingerprint(
        VERSION, seconds, 1.0, times,
        np.zeros((count, 32), np.uint8), np.full(count, 100, np.uint8),
        np.zeros((count, 48, 48), np.uint8), times[:0], np.zeros((0, 6, 64), np.uint8), marks,
        times, motion if moving else motion[:1].repeat(count, axis=0),
    )  # fmt: skip


def _found(offset_s: float) -> Found:
    return Found(ORIGINAL, 0.99, 0.0, 15.0, offset_s, offset_s + 15, ("mirror",), 1.0,
                 ("picture",), 60)  # fmt: skip


@pytest.mark.parametrize(
    ("sound", "offset_s", "by", "transform"),
    [
        pytest.param(_cut(10, 25), 10, ("picture", "sound"), ("mirror",), id="its own sound"),
        pytest.param(
            _cut(10, 25), 2, ("picture",), ("mirror", "sound_replaced"), id="shifted by eight"
        ),
        pytest.param(
            melody(60, 15), 10, ("picture",), ("mirror", "sound_replaced"), id="another sound"
        ),
        pytest.param(np.zeros(15 * RATE, np.float32), 10, ("picture",), ("mirror",), id="silence"),
        pytest.param(None, 10, ("picture",), ("mirror",), id="no sound track"),
    ],
)
def test_what_the_sound_adds_to_a_copy_found_by_picture(
    sound: Sound | None, offset_s: float, by: tuple[str, ...], transform: tuple[str, ...]
) -> None:
    query = _fingerprint(None if sound is None else landmarks(sound), 15)
    reference = _fingerprint(landmarks(melody(1, 30)), 30)
    told = with_sound(_found(offset_s), query, reference)
    assert told == replace(_found(offset_s), by=by, transform=transform)


@pytest.mark.parametrize(
    ("moving", "quality", "count"),
    [
        pytest.param(True, 100, 0, id="footage of its own: a shared song proves nothing"),
        pytest.param(False, 100, 1, id="a still card"),
        pytest.param(True, 10, 1, id="black or flat"),
    ],
)
def test_the_sound_alone_counts_only_where_the_picture_tells_nothing(
    moving: bool, quality: int, count: int
) -> None:
    made = _fingerprint(landmarks(_cut(10, 25)), 15, moving)
    query = replace(made, quality=np.full_like(made.quality, quality))
    assert picture_tells(query) == (count == 0)
    found = alone(query, _index())
    assert [each.key for each in found] == [ORIGINAL] * count


def test_a_song_under_a_still_card_is_found_in_the_whole_search() -> None:
    song, index = landmarks(melody(1, 30)), Index(use_faiss=False)
    index.add(ORIGINAL, reference := _fingerprint(song, 30))
    for key in OTHERS[:3]:
        index.add(key, _fingerprint(landmarks(melody(key, 20)), 20))
    card = replace(
        _fingerprint(landmarks(_cut(0, 29)), 29, moving=False),
        hashes=np.tile(np.arange(32, dtype=np.uint8) * 37, (29, 1)),
    )
    (found,) = find_copies(card, index, lambda key: reference)
    assert (found.key, found.by, found.transform) == (ORIGINAL, ("sound",), ("picture_replaced",))
    assert found.query_end_s <= 29
    assert find_copies(card, index, lambda key: reference, exclude=[ORIGINAL]) == []


@pytest.mark.parametrize(
    ("start_s", "end_s", "speed", "names"),
    [
        pytest.param(0, 30, 1.0, ("picture_replaced",), id="all of it"),
        pytest.param(0, 24, 1.25, ("speed", "picture_replaced"), id="faster"),
        pytest.param(3, 13, 1.0, ("excerpt", "picture_replaced"), id="a part"),
    ],
)
def test_edits_of_a_copy_that_only_the_sound_shows(
    start_s: float, end_s: float, speed: float, names: tuple[str, ...]
) -> None:
    sound = SoundFound(ORIGINAL, start_s, end_s, start_s, end_s * speed, speed, 0.9, 40, 0.8)
    query = _fingerprint(None, 30 / speed)
    assert sound_edits(query, _fingerprint(None, 30), sound) == names
