"""A video that takes several stretches of one original shows each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coefvq.originality.fingerprint import Fingerprint
from coefvq.originality.index import Index
from coefvq.originality.match import Found, find_copies
from tests.unit.originality.footage import Draw, changed, fingerprint, scene

Part = tuple[Draw, float, float]


def slowly(draw: Draw) -> Draw:
    """Four small pictures a second are kept of a long original: this moves as people do."""
    return lambda second, width, height: draw(0.5 * second, width, height)


ORIGINAL, OTHER = slowly(scene(11, 1)), scene(12, 5)


def edited(*parts: Part) -> Draw:
    """Cuts one after the other: what is shown, from when, for how many seconds."""

    def draw(second: float, width: int, height: int) -> np.ndarray:
        for shown, start_s, length_s in parts:
            if second < length_s:
                return shown(start_s + second, width, height)
            second -= length_s
        return parts[-1][0](parts[-1][1] + parts[-1][2], width, height)

    return draw


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Fingerprint]:
    folder = tmp_path_factory.mktemp("bank")
    return {
        1: fingerprint(folder / "1.mp4", ORIGINAL, 26.0),
        2: fingerprint(folder / "2.mp4", slowly(scene(11, 2)), 10.0),
    }


def ask(path: Path, bank: dict[int, Fingerprint], draw: Draw, seconds: float) -> list[Found]:
    index = Index()
    index.add_many(bank.items())
    return find_copies(fingerprint(path, draw, seconds), index, bank.__getitem__)


MIRRORED = changed(ORIGINAL, lambda picture: picture[:, ::-1])
CUTS: dict[str, tuple[tuple[Part, ...], list[tuple[float, float, float]]]] = {
    "two stretches": (
        ((ORIGINAL, 3.0, 5.0), (ORIGINAL, 20.0, 5.0)),
        [(0.0, 5.0, 3.0), (5.0, 10.0, 20.0)],
    ),
    "in another order": (
        ((ORIGINAL, 20.0, 5.0), (ORIGINAL, 3.0, 5.0)),
        [(0.0, 5.0, 20.0), (5.0, 10.0, 3.0)],
    ),
    "with something else between": (
        ((ORIGINAL, 3.0, 5.0), (OTHER, 0.0, 4.0), (ORIGINAL, 12.0, 4.0)),
        [(0.0, 5.0, 3.0), (9.0, 13.0, 12.0)],
    ),
    "three, mirrored": (
        ((MIRRORED, 15.0, 5.0), (MIRRORED, 2.0, 4.0), (MIRRORED, 9.0, 4.0)),
        [(0.0, 5.0, 15.0), (5.0, 9.0, 2.0), (9.0, 13.0, 9.0)],
    ),
    "one stretch": (((ORIGINAL, 6.0, 8.0),), [(0.0, 8.0, 6.0)]),
}


@pytest.mark.parametrize("name", list(CUTS))
def test_each_stretch_is_a_match(name: str, tmp_path: Path, bank: dict[int, Fingerprint]) -> None:
    parts, expected = CUTS[name]
    found = ask(tmp_path / "cut.mp4", bank, edited(*parts), sum(part[2] for part in parts))
    assert {one.key for one in found} == {1}
    told = sorted((one.query_start_s, one.query_end_s, one.reference_start_s) for one in found)
    assert len(told) == len(expected)
    assert np.array(told) == pytest.approx(np.array(expected), abs=0.7)
    assert all("excerpt" in one.transform for one in found)
    assert {"mirror" in one.transform for one in found} == {"mirrored" in name}
