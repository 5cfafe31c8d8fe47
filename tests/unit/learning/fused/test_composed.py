from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from coefvq.learning.fused.composed import (
    COMMENT_PAIRS,
    HELD_PAIRS,
    TRAIN_PAIRS,
    composed_hate,
    composed_scam,
)
from coefvq.learning.fused.example import ALWAYS, HELD, PLACES, Example, Recognised
from coefvq.learning.text_corpora import HATE, SCAM
from tests.unit.learning.fused import toys


@pytest.fixture(scope="module")
def hate() -> list[Example]:
    return composed_hate(toys.tweets(1800), toys.HOSTS, 0)


@pytest.fixture(scope="module")
def scam() -> list[Example]:
    found = toys.comments()
    return composed_scam(found, [int(item.group[-1]) for item in found], toys.HOSTS, 0)


def _twins(examples: list[Example]) -> list[tuple[Example, Example]]:
    """Violating and harmless, by group and place."""
    by_host: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for one in examples:
        by_host[one.group, one.part].append(one)
    assert all(len(pair) == 2 for pair in by_host.values())
    return [(pair[0], pair[1]) for pair in by_host.values()]


@pytest.fixture(params=["hate", "scam"])
def twins(request: pytest.FixtureRequest) -> list[tuple[Example, Example]]:
    return _twins(request.getfixturevalue(request.param))


def test_twins_share_everything_but_the_words_of_one_place(
    twins: list[tuple[Example, Example]],
) -> None:
    for bad, good in twins:
        place = bad.part.removeprefix("composed_")
        assert (bad.footage, bad.fold, bad.align) == (good.footage, good.fold, good.align)
        for other in {"title", *PLACES} - {place}:
            assert getattr(bad, other) == getattr(good, other)
        one, two = getattr(bad, place), getattr(good, place)
        assert one != two and type(one) is type(two)
        if isinstance(one, Recognised):
            assert (one.kind, one.seed) == (two.kind, two.seed)


def test_a_violating_text_is_in_one_place_of_one_twin_only(
    twins: list[tuple[Example, Example]],
) -> None:
    for bad, good in twins:
        place = bad.part.removeprefix("composed_")
        words = toys.text_of(bad, place)  # type: ignore[arg-type]
        everywhere = [toys.text_of(one, at) for one in (bad, good) for at in PLACES]
        assert words and Counter(everywhere)[words] == 1
        assert not any(set(toys.BAD) & set(toys.text_of(good, at).split()) for at in PLACES)


def test_only_the_violating_twin_has_evidence(twins: list[tuple[Example, Example]]) -> None:
    for bad, good in twins:
        place = bad.part.removeprefix("composed_")
        policy = HATE if HATE in bad.targets else SCAM
        assert (bad.targets[policy], good.targets[policy]) == (1, 0)
        assert bad.evidence == (policy, place) and good.evidence is None


def test_held_pairs_are_in_every_place_and_never_trained_on(hate: list[Example]) -> None:
    held = [one for one in hate if one.fold == HELD]
    places: dict[str, set[str]] = defaultdict(set)
    for one in held:
        places[one.group].add(one.part)
    assert len(places) == HELD_PAIRS
    assert all(found == {f"composed_{place}" for place in PLACES} for found in places.values())
    assert not any(one.align for one in held)
    assert {one.fold for one in hate} == {HELD, ALWAYS}


def test_a_training_pair_is_in_one_place_and_in_no_held_pair(hate: list[Example]) -> None:
    taught = [one for one in hate if one.fold == ALWAYS]
    assert len({one.group for one in taught}) == TRAIN_PAIRS == len(taught) // 2
    words = {toys.text_of(one, at) for one in taught for at in PLACES if _own(one, at)}
    unseen = {
        toys.text_of(one, at)
        for one in hate for at in PLACES if one.fold == HELD and _own(one, at)
    }  # fmt: skip
    assert not words & unseen


def _own(one: Example, place: str) -> bool:
    return one.part == f"composed_{place}"


def test_dialect_marks_are_not_used(hate: list[Example]) -> None:
    numbers = {int(one.id.split("/")[-1]) for one in hate}
    assert max(numbers) < 1800 - 30


def test_half_of_the_violating_tweets_are_hate_speech(hate: list[Example]) -> None:
    bad = {one.group: int(one.id.split("/")[-1]) % 3 for one in hate if one.targets[HATE]}
    assert Counter(bad.values()) == {1: 270, 2: 270}


def test_comments_stay_in_the_fold_of_their_video(scam: list[Example]) -> None:
    assert {one.fold for one in scam} == {0, 1, 2, 3}
    for one in scam:
        assert one.fold == int(one.id.split("/")[-1]) % 4
    assert max(Counter(one.fold for one in scam).values()) <= 2 * COMMENT_PAIRS


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: composed_hate(toys.tweets(1800), toys.HOSTS, seed),
        lambda seed: composed_scam(toys.comments(), [0] * 80, toys.HOSTS, seed),
    ],
    ids=["hate", "scam"],
)
def test_the_same_seed_gives_the_same_list(make: object) -> None:
    assert callable(make)
    assert make(3) == make(3) != make(4)


def test_texts_without_a_sentence_of_words_are_left_out() -> None:
    short = [t for t in toys.comments(8)]
    short = [type(t)(**{**t.__dict__, "caption": "two words"}) for t in short]
    assert composed_scam(short, [0] * 8, toys.HOSTS, 0) == []
