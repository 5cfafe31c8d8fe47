"""Miss rate, calibration, agreement and ledger out of columns made by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from coefvq.domain import RouteName
from coefvq.routing.reliability import wilson
from coefvq.routing.route import HUMAN, PASS
from coefvq.settings import Settings
from coefvq.store.outcomes import Hour, Open
from coefvq.store.queues import Waiting
from coefvq.work.figures import flow
from coefvq.work.figures.calibration import calibration
from coefvq.work.figures.machine import machine_agreement
from coefvq.work.figures.misses import misses
from coefvq.work.routing_history import NO_AUDIT, NOT_DRAWN
from tests.unit.work.figures.columns import decided

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
PASSED = RouteName.AUTO_PASS.value


def audited(missed: int, fine: int, sent: int, share: float = 0.1):  # type: ignore[no-untyped-def]
    """Random audits of passed videos, and violations that were sent to people."""
    n = missed + fine
    return decided(
        [1] * missed + [0] * fine + [1] * sent,
        audit=[True] * n + [False] * sent,
        weight=[1 / share] * n + [1.0] * sent,
        outcome=[PASS] * n + [HUMAN] * sent,
    )


def test_the_miss_rate_counts_each_audit_for_many() -> None:
    found = misses(audited(2, 98, 60), [Open(PASSED, 0.1, False, (900,))], 0)
    # 1,000 passed, 2 % of them violations, beside 60 that people saw.
    assert found["miss_rate"][0] == pytest.approx(20 / 80)
    assert found["naive"]["rate"][0] == pytest.approx(2 / 62)
    assert (found["items"], found["labelled"], found["audits"]) == (1060, 160, 100)
    assert found["outcomes"]["auto_pass"] == {"items": 1000, "labelled": 100, "violations": 2}
    low, high = found["miss_rate"][1:]
    assert low < 0.25 < high
    assert found["audits_missing"] == math.ceil(100 * (((high - low) / 2 / 0.05) ** 2 - 1))


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        pytest.param(audited(0, 10, 60), True, id="none found yet"),
        pytest.param(audited(0, 5, 0), None, id="nothing known of violations"),
        pytest.param(audited(0, 40_000, 4_000, 0.9), False, id="enough"),
    ],
)
def test_how_many_audits_are_missing(rows, missing) -> None:
    found = misses(rows, [Open(PASSED, 0.1, False, (900,))], 0)["audits_missing"]
    assert found is None if missing is None else (found > 0) is missing


def test_what_was_found_by_search_is_an_item_and_no_label() -> None:
    rows = decided([1, 1], why=["", NOT_DRAWN], outcome=[HUMAN, PASS], weight=[1.0, 10.0])
    found = misses(rows, [Open(PASSED, 0.1, False, (8,))], 0)
    assert (found["items"], found["labelled"]) == (10, 1)
    assert found["miss_rate"][0] is None or math.isnan(found["miss_rate"][0])


def test_outcomes_that_could_not_be_drawn_are_left_out_and_counted() -> None:
    found = misses(audited(1, 9, 5), [Open(PASSED, 1.0, False, (7,))], 0)
    assert found["left_out"] == {NO_AUDIT: 7} and found["items"] == 15


def test_windows_count_their_own() -> None:
    waiting = [Open(PASSED, 0.1, True, (3, 5)), Open("human", 1.0, False, (2, 2))]
    assert [misses(audited(1, 9, 5), waiting, at)["items"] for at in (0, 1)] == [20, 22]
    assert misses(audited(1, 9, 5), waiting, 0)["audits_waiting"] == 3


def test_without_a_decision_there_is_a_reason() -> None:
    found = misses(decided([]), [Open(PASSED, 0.1, False, (5,))], 0)
    assert "No case" in found["why"] and found["naive"]["rate"] is None


def test_calibrated_probabilities_have_no_error_and_skewed_ones_have() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0.05, 0.95, 4000)
    y = (rng.random(4000) < p).astype(int)
    found = calibration(decided(y, prefilter=p, mllm=np.clip(p + 0.2, 0, 1)))
    task = found["subjects"][""]
    assert task["prefilter"]["ece"] < 0.03 and task["mllm"]["ece"] > 0.12
    assert [stage["n"] for stage in task.values()] == [4000] * 3
    assert sum(row[0] for row in task["prefilter"]["bins"]) == 4000
    assert all(low <= rate <= high for _, _, rate, low, high in task["prefilter"]["bins"])


def test_a_stage_that_gave_no_probability_says_so() -> None:
    rows = decided([0, 1] * 40, mllm=[math.nan] * 80)
    found = calibration(rows)["subjects"][""]
    assert "gave no probability" in found["mllm"]["why"] and found["prefilter"]["why"] is None
    assert found["final"]["n"] == 80, "the prefilter's where the MLLM did not run"


def test_corrections_are_counted_apart_for_audits() -> None:
    label = [1, 0, 1, 0, 1]
    final = [0.9, 0.9, 0.1, 0.1, 0.1]
    policies = np.stack([label, final, final, final], 1)[:, None]
    rows = decided(label, policies=policies, audit=[False] * 3 + [True] * 2,
                   reviewer=["ann", "bob", "ann", "bob", "bob"],
                   correction=[False, True, True, False, True])  # fmt: skip
    found = machine_agreement(rows)
    (policy,) = found["policies"]
    assert (policy["sent"]["n"], policy["sent"]["hits"]) == (3, 2)
    assert (policy["audits"]["n"], policy["audits"]["hits"]) == (2, 1)
    assert policy["sent"]["rate"] == pytest.approx([2 / 3, *wilson(2, 3)])
    assert (policy["missed"]["n"], policy["missed"]["hits"]) == (3, 2)
    assert (found["all"]["hits"], found["reviewers"]) == (3, 2)


def hour(at: datetime, videos: int = 1, calls: int = 0) -> Hour:
    spent = (1.0 * videos, 2.0 * videos, 3.0 * calls, 4.0 * calls)
    return Hour(at.strftime("%Y-%m-%d %H"), videos, spent, calls, 100 * calls, 10 * calls)


def test_days_without_anything_are_zero_and_not_left_out() -> None:
    scored = [hour(NOW - timedelta(days=3), 5), hour(NOW, 2)]
    waiting = [Waiting(None, "icd", 4, NOW - timedelta(hours=2), 1)]
    found = flow.throughput(scored, [], [decided([1, 0])], waiting, NOW)
    assert [number for _, number in found["days"]["videos"]] == [5, 0, 0, 2]
    assert found["days"]["videos"][-1][0] == datetime(2026, 3, 10, tzinfo=UTC).timestamp()
    hours = [number for _, number in found["hours"]["videos"]]
    assert (len(hours), sum(hours), hours[-1]) == (flow.HOURS, 2, 2)
    assert found["queue"] == {"waiting": 4, "late": 1, "oldest_s": 7200.0, "by_task": {"icd": 4}}


def test_an_empty_store_has_no_days() -> None:
    found = flow.throughput([], [], [decided([])], [], NOW)
    assert found["days"] == {"videos": [], "decisions": []} and found["waits"] == []
    assert found["queue"]["oldest_s"] is None


def test_the_ledger_adds_up_the_hours_of_its_window(tmp_path) -> None:
    settings = Settings(home=tmp_path, gpu_price_per_hour=3600.0, mllm_price_per_1k_tokens=1.0)
    scored = [hour(NOW - timedelta(days=9), 10, 10), hour(NOW - timedelta(days=1), 4, 2)]
    since = (NOW - timedelta(days=7)).timestamp()
    found = flow.ledger(scored, np.array([10.0, math.nan, 30.0]), 3, since, settings)
    assert (found["videos"], found["calls"]) == (4, 2)
    assert [row["seconds"] for row in found["stages"]] == [4.0, 8.0, 6.0, 8.0]
    assert (found["tokens_in"], found["tokens_out"]) == (200, 20)
    assert found["mllm_money"] == pytest.approx(8.0 + 0.22)
    assert (found["timed"], found["reviewer_s"], found["people_s"]) == (2, 20.0, 60.0)
    assert found["people_money"] is None
    unit = flow.unit(found, since, scored and flow.moment(scored[0].hour), NOW, settings)
    assert unit.videos_a_day == pytest.approx(4 / 7)
    assert unit.mllm_s == pytest.approx(7.0) and unit.tokens == pytest.approx(110.0)


def test_working_time_is_from_the_last_own_claim_and_has_an_end() -> None:
    at = NOW.timestamp()
    rows = decided([1, 0, 1], decided_at=[at, at, at], reviewer=["ann", "ann", "bob"])
    claims = [
        ("c0", "ann", NOW - timedelta(seconds=500)),
        ("c0", "ann", NOW - timedelta(seconds=40)),
        ("c0", "bob", NOW - timedelta(seconds=5)),
        ("c0", "ann", NOW + timedelta(seconds=9)),
        ("c1", "ann", NOW - timedelta(hours=3)),
    ]
    (found,) = flow.worked([rows], claims)
    np.testing.assert_allclose(found, [40.0, flow.LONGEST_S, math.nan])
