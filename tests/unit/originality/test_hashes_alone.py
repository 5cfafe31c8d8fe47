"""Originals of which only hashes are known: what proves a copy, and what does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.hashes_alone import LEAST_LOOKS, agreements
from coefvq.originality.hashing import hashes_of_small, turned
from coefvq.originality.index import Index
from tests.unit.originality.originals_factory import flipped, made, random_hashes

FILM = random_hashes(1, 40)
SCENE = flipped(np.repeat(random_hashes(2, 1), 40, axis=0), 20, 3)
"""One scene that changes a little: neighbours are some 20 bits from the scene, 37 apart."""
STILL = np.repeat(random_hashes(4, 1), 40, axis=0)


def shuffled(hashes: np.ndarray) -> np.ndarray:
    return hashes[np.random.default_rng(5).permutation(len(hashes))]


def faster(hashes: np.ndarray, speed: float) -> np.ndarray:
    """A look a second at the film played so many times as fast."""
    at = np.arange(int(len(hashes) / speed)) * speed
    return hashes[np.minimum(at.round().astype(int), len(hashes) - 1)]


FOUND = {
    "the same": (FILM, (0, 39, 0, 39), 1.0),
    "a few bits off": (flipped(FILM, 16), (0, 39, 0, 39), 1.0),
    "an excerpt": (FILM[10:22], (0, 11, 10, 21), 1.0),
    "in other footage": (np.concatenate([random_hashes(9, 8), FILM[5:25]]), (8, 27, 5, 24), 1.0),
    "some looks lost": (np.where(np.arange(40)[:, None] % 7 == 3, 0, FILM), (0, 39, 0, 39), 1.0),
    "faster": (faster(FILM, 1.25), (0, 31, 0, 39), 1.25),
    "slower": (faster(FILM, 0.8), (0, 49, 0, 39), 0.8),
    "a scene that changes": (SCENE, (0, 39, 0, 39), 1.0),
}
REFERENCES = {"a scene that changes": SCENE}


def index_of(*hashes: np.ndarray) -> Index:
    index = Index()
    index.add_many(enumerate(made(each) for each in hashes))
    return index


@pytest.mark.parametrize("name", FOUND)
def test_hashes_in_order_are_a_copy(name: str) -> None:
    hashes, span, speed = FOUND[name]
    index = index_of(random_hashes(77, 40), REFERENCES.get(name, FILM))
    (found,) = agreements(made(hashes.astype(np.uint8)), index)
    assert (found.key, found.speed, found.transform) == (1, speed, ())
    times = (
        found.query_start_s,
        found.query_end_s,
        found.reference_start_s,
        found.reference_end_s,
    )
    assert times == pytest.approx(span, abs=1.0)
    assert found.share > 0.8


NOT_FOUND = {
    "another film": (random_hashes(6, 40), FILM),
    "the pictures in another order": (shuffled(FILM), FILM),
    "too few": (FILM[: LEAST_LOOKS - 1], FILM),
    "every third look": (np.where(np.arange(40)[:, None] % 3 == 0, FILM, 0), FILM),
    "one still picture": (STILL, STILL),
    "a still picture in a film": (STILL, np.concatenate([FILM, STILL[:9]])),
    "too many bits off": (flipped(FILM, 28), FILM),
}


@pytest.mark.parametrize("name", NOT_FOUND)
def test_less_than_that_proves_nothing(name: str) -> None:
    hashes, reference = NOT_FOUND[name]
    assert agreements(made(hashes.astype(np.uint8)), index_of(reference)) == []


@pytest.mark.parametrize(
    ("variant", "kinds"),
    [(1, ("rotate",)), (2, ("rotate",)), (4, ("mirror",)), (6, ("mirror", "rotate"))],
)
def test_turned_and_mirrored_footage_is_found_from_its_pictures(
    variant: int, kinds: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(8)
    thumbs = rng.integers(0, 256, (12, 6, 6), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    query = dataclasses.replace(made(hashes_of_small(thumbs)), thumbs=thumbs)
    index = index_of(hashes_of_small(turned(thumbs, variant)))
    (found,) = agreements(query, index)
    assert (found.transform, found.looks) == (kinds, 12)


def test_unclear_looks_count_for_nothing() -> None:
    query: Fingerprint = made(FILM, quality=np.array([100] * 30 + [10] * 10, np.uint8))
    (found,) = agreements(query, index_of(FILM))
    assert (found.looks, found.share, found.query_end_s) == (30, 1.0, 29.0)
    assert agreements(made(FILM, quality=0), index_of(FILM)) == []
