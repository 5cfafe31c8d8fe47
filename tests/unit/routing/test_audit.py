"""Who is drawn for an audit: repeatable, independent of order, at the stated rate."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chisquare

from coefvq.errors import RoutingError
from coefvq.routing import audit
from coefvq.routing.audit import AuditPlan, draw, draws

KEYS = [f"video-{number}/icd" for number in range(20_000)]
shares = st.floats(0.0, 1.0, exclude_max=True)


def _within_chance(count: int, n: int, share: float) -> bool:
    low, high = binom.ppf([1e-4, 1 - 1e-4], n, share)
    return bool(low <= count <= high)


@given(st.text(max_size=20), shares, st.text(max_size=8))
def test_a_draw_repeats_and_is_the_hash_it_says(key: str, share: float, salt: str) -> None:
    digest = hashlib.sha256(salt.encode() + b"\0" + key.encode()).digest()
    uniform = (int.from_bytes(digest[:8], "big") >> 11) / 2**53
    if abs(uniform - share) > 1e-15:
        assert draw(key, share, salt) is (uniform < share)
    assert draw(key, share, salt) is draw(key, share, salt)


@given(st.lists(st.text(max_size=12), max_size=30), shares)
def test_many_draws_are_single_draws(keys: list[str], share: float) -> None:
    assert draws(keys, share, "salt").tolist() == [draw(key, share, "salt") for key in keys]


def test_texts_in_an_array_are_texts() -> None:
    expected = draws(KEYS[:500], 0.3, "salt")
    np.testing.assert_array_equal(draws(np.array(KEYS[:500]), 0.3, "salt"), expected)
    np.testing.assert_array_equal(draws(np.array(KEYS[:500], dtype=object), 0.3, "salt"), expected)


@given(st.permutations(range(40)))
def test_the_order_of_items_does_not_matter(order: list[int]) -> None:
    drawn = draws(KEYS[:40], 0.5, "salt")
    assert draws([KEYS[i] for i in order], 0.5, "salt").tolist() == drawn[order].tolist()


@given(st.text(), shares, shares)
def test_who_is_drawn_at_a_small_share_is_drawn_at_a_larger_one(
    key: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    assert draw(key, large, "salt") or not draw(key, small, "salt")


@pytest.mark.parametrize("kind", ["texts", "integers"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.999], ids=str)
def test_the_share_is_kept(kind: str, share: float) -> None:
    keys = KEYS if kind == "texts" else np.arange(200_000)
    drawn = draws(keys, share, "people")
    assert _within_chance(int(drawn.sum()), len(keys), share)
    assert drawn.dtype == np.bool_ and drawn.shape == (len(keys),)


@pytest.mark.parametrize("kind", ["texts", "integers"])
def test_different_salts_draw_independently(kind: str) -> None:
    keys = KEYS if kind == "texts" else np.arange(len(KEYS))
    both = draws(keys, 0.3, "people") & draws(keys, 0.3, "mllm")
    assert _within_chance(int(both.sum()), len(KEYS), 0.09)


def test_neighbouring_integers_are_drawn_evenly() -> None:
    drawn = np.flatnonzero(draws(np.arange(1_000_000), 0.02, "salt"))
    parts = np.histogram(drawn, bins=50, range=(0, 1_000_000))[0]
    assert chisquare(parts).pvalue > 1e-4
    assert chisquare(np.bincount(drawn % 16, minlength=16)).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.uint64, np.int64], ids=str)
def test_the_width_of_integers_does_not_matter(dtype: type) -> None:
    expected = draws(np.arange(100), 0.4, "salt")
    np.testing.assert_array_equal(draws(np.arange(100).astype(dtype), 0.4, "salt"), expected)


def test_negative_integers_are_keys_too() -> None:
    drawn = draws(np.arange(-5000, 5000), 0.5, "salt")
    assert _within_chance(int(drawn.sum()), 10_000, 0.5)


def test_salt_and_key_cannot_be_shifted_into_each_other() -> None:
    keys = [str(number) for number in range(200)]
    one = draws(["b" + key for key in keys], 0.5, "a")
    other = draws(keys, 0.5, "ab")
    assert one.tolist() != other.tolist()


def test_no_keys_no_draws() -> None:
    assert draws([], 0.5, "salt").shape == (0,)
    assert draws(np.array([], dtype=int), 0.5, "salt").shape == (0,)


BAD_SHARES = [-0.1, 1.0, 2.0, float("nan")]


@pytest.mark.parametrize("share", BAD_SHARES, ids=str)
def test_shares_outside_0_1_are_refused(share: float) -> None:
    with pytest.raises(RoutingError, match="at least 0 and below 1"):
        draw("key", share, "salt")
    for name in ("people", "mllm"):
        with pytest.raises(RoutingError, match=name):
            AuditPlan(**{name: share})


def test_keys_that_are_not_whole_numbers_are_refused() -> None:
    with pytest.raises(RoutingError, match="float64"):
        draws(np.array([0.5]), 0.5, "salt")


@pytest.mark.parametrize("plan", [AuditPlan(), AuditPlan(0.0, 0.0), AuditPlan(0.02, 0.002)])
def test_a_plan_survives_json(plan: AuditPlan) -> None:
    assert AuditPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_the_default_plan_audits_one_in_a_hundred() -> None:
    assert AuditPlan().to_json() == {"people": 0.01, "mllm": 0.002}


@pytest.mark.parametrize(
    "data",
    [{"people": "many"}, {"people": None}, {"persons": 0.1}, {"people": 1.0}, [0.1], 3],
    ids=str,
)
def test_what_is_no_plan_is_refused(data: object) -> None:
    with pytest.raises(RoutingError):
        AuditPlan.from_json(data)  # type: ignore[arg-type]


def test_the_estimate_is_reachable_from_the_module() -> None:
    assert {"estimate", "AuditEstimate", "draw", "draws", "AuditPlan"} <= set(audit.__all__)
    assert callable(audit.estimate)
