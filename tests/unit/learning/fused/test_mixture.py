from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from coefvq.errors import SettingsError
from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.example import ALWAYS, HELD, PLACES, Example
from coefvq.learning.fused.mixture import ALIGN_VIDEO, build_mixture, clip_folds
from coefvq.learning.text_corpora import HATE, SCAM
from tests.unit.learning.fused import toys


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toys.write_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def mixture(data: Path) -> list[Example]:
    return build_mixture(data, toys.clips())


def test_all_parts_are_there_and_ids_are_unique(mixture: list[Example]) -> None:
    parts = Counter(one.part for one in mixture)
    assert parts["video"] == parts["video_moved"] == 40
    assert parts["comment"] == 80 and parts["fights"] == parts["fights_words"] == 20
    assert parts["tweet_held"] == 200 and parts["headline_held"] == 150
    assert all(parts[f"composed_{place}"] for place in PLACES)
    assert any(part.endswith("_steered") for part in parts)
    assert any(part.endswith("_padded") for part in parts)
    assert max(Counter(one.id for one in mixture).values()) == 1


def test_the_same_seed_gives_the_same_list(data: Path, mixture: list[Example]) -> None:
    assert build_mixture(data, toys.clips()) == mixture
    assert build_mixture(data, toys.clips(), seed=1) != mixture


def test_scale_keeps_a_share(data: Path, mixture: list[Example]) -> None:
    few = build_mixture(data, toys.clips(), scale=0.1)
    assert 0.05 < len(few) / len(mixture) < 0.2


def test_groups_never_sit_on_both_sides_of_a_fold(mixture: list[Example]) -> None:
    folds: dict[str, set[int]] = {}
    for one in mixture:
        folds.setdefault(one.group, set()).add(one.fold)
    assert all(len(found) == 1 for found in folds.values())


def test_footage_with_a_label_stays_in_its_own_fold(mixture: list[Example]) -> None:
    folds = clip_folds(toys.clips(), 0)
    for one in mixture:
        if one.footage and one.targets.keys() & {VIOLENCE}:
            assert one.fold == folds[one.footage]


def test_a_video_over_a_fight_is_labelled_for_both(mixture: list[Example]) -> None:
    labels = {clip.id: clip.labels for clip in toys.clips()}
    over = [one for one in mixture if one.part == "video_moved" and one.footage]
    assert over
    for one in over:
        assert one.targets[VIOLENCE] == labels[one.footage or ""][VIOLENCE]
        assert HATE in one.targets


def test_the_first_phase_sees_nothing_that_figures_come_from(mixture: list[Example]) -> None:
    taught = [one for one in mixture if one.align]
    assert {one.part.split("_")[0] for one in taught} == {"composed", "comment", "headline"}
    assert not any(one.fold == HELD for one in taught)
    assert not any(VIOLENCE in one.targets for one in taught)
    for one in taught:
        if one.part.startswith("comment"):
            assert one.fold == ALIGN_VIDEO
        if HATE in one.targets:
            assert one.fold == ALWAYS


def test_held_out_texts_are_in_no_example_that_is_trained_on(mixture: list[Example]) -> None:
    def words(one: Example) -> set[str]:
        found = {toys.text_of(one, place) for place in PLACES}
        return {text for text in found if any(bad in text.split() for bad in toys.BAD)}

    held = {text for one in mixture if one.fold == HELD for text in words(one)}
    taught = {text for one in mixture if one.fold != HELD for text in words(one)}
    assert held and not held & taught


def test_harmless_slices_are_harmless_and_unused(mixture: list[Example]) -> None:
    slices = [one for one in mixture if one.part in ("tweet_held", "headline_held")]
    assert {label for one in slices for label in one.targets.values()} == {0}
    assert {one.fold for one in slices} == {HELD}
    used = {one.id.rpartition("/")[2] for one in mixture if one.part.startswith("composed_")}
    assert not used & {one.id.rpartition("/")[2] for one in slices if one.part == "tweet_held"}


def test_weak_labels_count_less(mixture: list[Example]) -> None:
    videos = [one for one in mixture if one.part == "video"]
    assert all(one.weights == {SCAM: 0.3} and one.targets[SCAM] == 0 for one in videos)


def test_clips_of_one_source_share_a_fold() -> None:
    clips = toys.clips()
    folds = clip_folds(clips, 0)
    by_group: dict[str, set[int]] = {}
    for clip in clips:
        by_group.setdefault(clip.group, set()).add(folds[clip.id])
    assert all(len(found) == 1 for found in by_group.values())
    assert set(folds.values()) == set(range(5))


def test_missing_sets_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--data"):
        build_mixture(tmp_path, [replace(clip) for clip in toys.clips()])
