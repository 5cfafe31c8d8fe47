"""The gate's judgement on made-up answers: better ones pass, every kind of worse is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from coefvq.learning.gate.judge import judge
from coefvq.learning.gate.limits import Limits
from coefvq.learning.gate.sheet import Sheet

N = 600
POLICIES = ("hate_harassment", "scam_spam")


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def sheet(old_skill: float = 1.0, new_skill: float = 1.8, n: int = N, seed: int = 0) -> Sheet:
    """Two calibrated models of different skill on the same videos.

    A model that sees ``skill`` times a standard normal trait of each video, and labels drawn from
    what is seen with more skill yet: both probabilities are true ones.
    """
    rng = np.random.default_rng(seed)
    shape = (n, len(POLICIES))
    seen, more, rest = (rng.standard_normal(shape) for _ in range(3))
    new_logit = old_skill * seen + np.sqrt(max(0.0, new_skill**2 - old_skill**2)) * more
    label = (rng.random(shape) < sigmoid(1.5 * new_logit + 0.3 * rest - 0.5)).astype(float)
    attenuated = 1.5 * old_skill / np.sqrt(1 + 0.35 * (new_skill**2 - old_skill**2) * 1.5**2)
    return Sheet(
        policies=POLICIES,
        label=label,
        old=sigmoid(attenuated * seen - 0.4),
        new=sigmoid(1.5 * new_logit - 0.5),
        weight=np.ones(shape),
        drawn=np.ones(n, dtype=bool),
        group=np.array([f"g{i % (n // 2)}" for i in range(n)]),
        slices={"language en": rng.random(n) < 0.5},
        old_ms=np.full(n, 1.0),
        new_ms=np.full(n, 1.1),
    )


def column(found: Sheet, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Sheet:
    """The candidate's answers on one policy changed."""
    new, at = found.new.copy(), POLICIES.index(name)
    new[:, at] = change(new[:, at])
    return replace(found, new=new)


def swapped(found: Sheet) -> Sheet:
    return replace(found, old=found.new, new=found.old)


def lost(found: Sheet, share: float) -> Sheet:
    rng = np.random.default_rng(5)
    return column(found, "scam_spam", lambda p: np.where(rng.random(len(p)) < share, np.nan, p))


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def shuffled(p: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).permutation(p)


def in_slice_worse(found: Sheet) -> Sheet:
    """Better everywhere but in a tenth, where it answers at random."""
    part = np.arange(len(found)) % 8 == 0
    new = np.where(part[:, None], shuffled(found.new), found.new)
    return replace(found, new=new, slices={"language xx": part})


BAD = {
    "worse": (swapped(sheet()), "Overall it is worse"),
    "the same": (replace(sheet(), new=sheet().old), "answers as the model in force does"),
    "one policy ruined": (column(sheet(), "scam_spam", shuffled), "scam_spam: worse than its"),
    "turned round": (column(sheet(), "scam_spam", lambda p: 1 - p), "scam_spam: worse than its"),
    "calibration shifted": (
        column(sheet(), "hate_harassment", lambda p: sigmoid(logit(p) + 2)),
        "probabilities come true less often",
    ),
    "too sure": (
        column(sheet(1.0, 1.2), "hate_harassment", lambda p: sigmoid(6 * logit(p))),
        "probabilities come true less often",
    ),
    "misses more": (
        column(sheet(1.0, 1.1), "scam_spam", lambda p: sigmoid(logit(p) - 2)),
        "misses more at the threshold",
    ),
    "no answers on some": (lost(sheet(), 0.1), "gives no answer on"),
    "no answers on any": (lost(sheet(), 1.0), "gives no answer on 600 of 600"),
    "NaN": (replace(sheet(), odd=3), "3 answers that are no probabilities"),
    "slow": (replace(sheet(), new_ms=np.full(N, 9.0)), "9.0 ms of processor time"),
    "slice": (in_slice_worse(sheet()), "Worse on the slice “language xx”"),
    "nothing held out": (sheet(n=2).__class__(POLICIES, *(np.zeros((0, 2)),) * 3,
                         np.zeros((0, 2)), np.zeros(0, bool), np.zeros(0, str)),
                         "There is no held-out video"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_candidate_is_refused_with_the_reason(found: Sheet, reason: str) -> None:
    judged = judge(found)
    assert not judged.passed
    assert any(reason in each for each in judged.reasons), judged.reasons


@pytest.mark.parametrize("seed", range(4))
def test_a_better_candidate_passes(seed: int) -> None:
    judged = judge(sheet(seed=seed))
    assert judged.passed, judged.reasons
    assert judged.gain is not None and judged.gain.low > 0
    assert {each.status for each in judged.policies} == {"better"}


def test_a_policy_that_does_not_change_needs_no_labels() -> None:
    made = sheet()
    same = np.column_stack([made.old[:, 0], made.new[:, 1]])
    label = made.label.copy()
    label[:, 0] = np.nan
    judged = judge(replace(made, new=same, label=label))
    assert judged.passed, judged.reasons
    assert judged.policies[0].status == "unchanged"


@pytest.mark.parametrize(
    ("violations", "others", "wanted"),
    [(3, 200, "2 more violations"), (200, 4, "1 more others"), (0, 0, "5 more violations and 5")],
    ids=["few violations", "few others", "none"],
)
def test_too_few_labels_say_how_many_more(violations: int, others: int, wanted: str) -> None:
    made = sheet()
    label, at = made.label.copy(), 1
    for value, keep in ((1, violations), (0, others)):
        rows = np.flatnonzero(made.label[:, at] == value)[keep:]
        label[rows, at] = np.nan
    judged = judge(replace(made, label=label))
    assert any("scam_spam" in each and wanted in each for each in judged.reasons), judged.reasons
    assert judged.policies[1].more


def test_a_noisy_policy_asks_for_labels_and_is_not_waved_through() -> None:
    made = sheet()
    label = made.label.copy()
    rows = [np.flatnonzero(made.label[:, 1] == value)[9:] for value in (0, 1)]
    label[np.concatenate(rows), 1] = np.nan
    rng = np.random.default_rng(1)
    noisy = column(
        replace(made, label=label), "scam_spam",
        lambda p: sigmoid(logit(made.old[:, 1]) + rng.standard_normal(len(p))),
    )  # fmt: skip
    found = judge(noisy).policies[1]
    assert found.status in ("unknown", "worse") and found.reasons


def test_a_policy_that_is_new_is_held_against_chance() -> None:
    made = sheet()
    old = made.old.copy()
    old[:, 1] = np.nan
    fresh = replace(made, old=old)
    assert judge(fresh).passed
    assert judge(fresh).policies[1].status == "new"
    useless = column(fresh, "scam_spam", shuffled)
    assert not judge(useless).passed


def test_the_same_candidate_is_judged_alike_twice() -> None:
    one, two = judge(sheet(1.0, 1.1)), judge(sheet(1.0, 1.1))
    assert one.reasons == two.reasons and one.gain == two.gain


def test_a_miss_counts_for_the_traffic_that_it_stands_for() -> None:
    made = sheet()
    weight = np.where(made.new < 0.3, 50.0, 1.0)
    rate = [judge(replace(made, weight=w)).policies[1].new["miss_rate"].value
            for w in (made.weight, weight)]  # fmt: skip
    assert rate[1] > 4 * rate[0] > 0


def test_golden_cases_do_not_count_in_rates() -> None:
    made = sheet()
    found = judge(replace(made, drawn=np.zeros(N, dtype=bool)))
    assert "miss_rate" not in found.policies[0].new and "auc" in found.policies[0].new


def test_the_limits_are_kept_with_every_report() -> None:
    assert Limits().to_json()["margin"] == pytest.approx(0.03)
