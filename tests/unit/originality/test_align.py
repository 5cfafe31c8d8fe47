"""Speed and offset are found from changes alone."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.originality.align import best_lines, changes


def pictures(times: np.ndarray, seed: int = 0) -> np.ndarray:
    """Pictures (n, 12, 12) whose parts change along smooth ways of their own."""
    rng = np.random.default_rng(seed)
    pace, phase = rng.uniform(0.5, 4.0, (3, 144)), rng.uniform(0, 6.3, (3, 144))
    waves = np.sin(pace[None] * times[:, None, None] + phase[None]).sum(axis=1)
    still = rng.uniform(0, 200, 144)
    return (still + 20 * waves).reshape(-1, 12, 12).astype(np.float32)


REFERENCE_S = np.arange(0, 40, 0.25, dtype=np.float32)


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.15, 1.25])
@pytest.mark.parametrize("offset_s", [-3.0, 0.0, 11.3])
def test_the_line_is_found(speed: float, offset_s: float) -> None:
    times = np.arange(4, 16, 0.25, dtype=np.float32)
    query = changes(times, 0.7 * pictures(offset_s + speed * times) + 10)
    found = best_lines(query, changes(REFERENCE_S, pictures(REFERENCE_S)))[0]
    assert found.speed == pytest.approx(speed, abs=0.02)
    middle = np.float32(10.0)
    assert found.at(np.array([middle]))[0] == pytest.approx(offset_s + speed * middle, abs=0.15)


def test_other_changes_score_little() -> None:
    times = np.arange(0, 12, 0.25, dtype=np.float32)
    reference = changes(REFERENCE_S, pictures(REFERENCE_S))
    true = best_lines(changes(times, pictures(times + 5)), reference)[0]
    false = best_lines(changes(times, pictures(times + 5, seed=1)), reference)[0]
    assert false.score < 0.6 * true.score


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pictures_give_no_line(count: int) -> None:
    few = np.arange(count, dtype=np.float32)
    reference = changes(REFERENCE_S, pictures(REFERENCE_S))
    assert best_lines(changes(few, pictures(few)), reference) == []


def test_hints_keep_the_search_near_them() -> None:
    times = np.arange(0, 8, 0.25, dtype=np.float32)
    reference = changes(REFERENCE_S, pictures(REFERENCE_S))
    query = changes(times, pictures(times + 20))
    near = best_lines(query, reference, np.array([[4.0, 24.0]], np.float32))[0]
    far = best_lines(query, reference, np.array([[4.0, 9.0]], np.float32))[0]
    assert near.offset_s == pytest.approx(20.0, abs=0.2)
    assert abs(far.offset_s - 5.0) < 6.0
