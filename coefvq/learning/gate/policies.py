"""One policy in the gate: both models' figures, their difference, and what it means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.learning.gate import resample
from coefvq.learning.gate.limits import Cuts, Limits
from coefvq.learning.gate.resample import Figure, Vector
from coefvq.learning.gate.sheet import Sheet
from coefvq.routing.calibration import fit_platt, log_odds
from coefvq.routing.reliability import debiased_ece

UNCHANGED, BETTER, HELD, WORSE, UNKNOWN = "unchanged", "better", "held", "worse", "unknown"
NEW, LOST = "new", "lost"
MEASURES = ("auc", "f1", "miss_rate", "omission_rate", "brier", "ece", "miscalibration")
CHANCE = 0.5


@dataclass(frozen=True)
class PolicyResult:
    """What came of one policy.

    Attributes:
        status: ``unchanged``, ``better``, ``held`` (within its margin), ``worse``, ``new`` (the
            model in force does not answer it), ``lost`` (the candidate does not) or ``unknown``.
        n, violations: Held-out videos with a label that were compared.
        old, new, difference: Figures by measure; a measure that is not defined is absent.
        words: What came of it, for people.
        reasons: Why the candidate is refused for this policy; empty: it is not.
        more: Labels that are missing, by kind; empty: enough.
        gain: Of the AUC, of every draw (R,); ``None`` where it was not compared.
        loss: Of the Brier score, likewise.
    """

    policy: str
    status: str
    n: int
    violations: int
    words: str
    old: Mapping[str, Figure] = field(default_factory=dict)
    new: Mapping[str, Figure] = field(default_factory=dict)
    difference: Mapping[str, Figure] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    more: Mapping[str, int] = field(default_factory=dict)
    gain: Vector | None = None
    loss: Vector | None = None

    def to_json(self, margin: float) -> dict[str, Any]:
        """A row of the gate's table."""
        columns = {"old": self.old, "new": self.new, "difference": self.difference}
        return {
            "policy": self.policy,
            "status": self.status,
            "n": self.n,
            "violations": self.violations,
            "margin": margin,
            "words": self.words,
            "reasons": list(self.reasons),
            "more": dict(self.more),
        } | {
            name: {key: each.to_json() for key, each in found.items()}
            for name, found in columns.items()
        }


def judge_policy(
    sheet: Sheet, column: int, weights: Vector, cuts: Cuts, limits: Limits
) -> PolicyResult:
    """Compare both models on one policy.

    Args:
        weights: Draws of ``resample.draws``, (R, n).
    """
    rows = _Rows.of(sheet, column)
    if rows.lost:
        return _lost(sheet, column, rows)
    if not rows.changed(limits.same):
        return _measured(rows, weights, cuts, UNCHANGED, "Both models answer alike.")
    missing = rows.missing(limits.least)
    if missing:
        return _too_few(rows, missing, weights, cuts)
    return _compared(rows, weights, cuts, limits)


@dataclass(frozen=True)
class _Rows:
    """What there is of a policy. ``at``: rows that both are compared on."""

    policy: str
    label: Vector
    old: Vector
    new: Vector
    at: NDArray[np.intp]
    capped: Vector
    weight: Vector
    drawn: NDArray[np.bool_]
    lost: int
    answered: int
    fresh: bool
    step: float

    @classmethod
    def of(cls, sheet: Sheet, column: int) -> _Rows:
        label, old, new = (part[:, column] for part in (sheet.label, sheet.old, sheet.new))
        has_old, has_new = ~np.isnan(old), ~np.isnan(new)
        fresh = bool(has_new.any() and not has_old.any())
        both = has_new & (has_old | fresh)
        at = np.flatnonzero(both & ~np.isnan(label))
        moved = np.abs(new - np.where(fresh, np.nan, old))[both & has_old]
        return cls(
            sheet.policies[column], label[at], np.full(len(at), CHANCE) if fresh else old[at],
            new[at], at, sheet.capped[at, column], sheet.weight[at, column], sheet.drawn[at],
            int((has_old & ~has_new).sum()), int(has_old.sum()), fresh,
            float(moved.max()) if len(moved) else 0.0,
        )  # fmt: skip

    @property
    def counts(self) -> tuple[int, int]:
        """Violations, others."""
        bad = int((self.label == 1).sum())
        return bad, len(self.label) - bad

    def changed(self, same: float) -> bool:
        return self.fresh or self.step > same

    def missing(self, least: int) -> dict[str, int]:
        found = dict(zip(("violations", "others"), self.counts, strict=True))
        return {name: least - number for name, number in found.items() if number < least}


def _lost(sheet: Sheet, column: int, rows: _Rows) -> PolicyResult:
    why = (
        f"{rows.policy}: the candidate gives no answer on {rows.lost:,} of {rows.answered:,} videos"
        " that the model in force answers."
    )
    return PolicyResult(rows.policy, LOST, len(rows.at), rows.counts[0], why, reasons=(why,))


def _too_few(rows: _Rows, missing: Mapping[str, int], weights: Vector, cuts: Cuts) -> PolicyResult:
    wanted = " and ".join(f"{number} more {kind}" for kind, number in missing.items())
    bad, others = rows.counts
    why = (
        f"{rows.policy}: its answers change, and with {bad} held-out violations and {others} others"
        f" nobody can tell how. Label {wanted} that the training leaves out."
    )
    found = _measured(rows, weights, cuts, UNKNOWN, why)
    return _with(found, reasons=(why,), more=dict(missing), gain=None, loss=None)


def _compared(rows: _Rows, weights: Vector, cuts: Cuts, limits: Limits) -> PolicyResult:
    found = _measured(rows, weights, cuts, HELD, "")
    assert found.gain is not None and found.loss is not None
    low = resample.bound(found.gain, 1 - limits.held)
    value, reasons, more = float(found.gain[0]), [], {}
    status, words = HELD, f"within its margin of {limits.margin:.2f}"
    if resample.bound(found.gain, 1 - limits.confidence) > 0:
        status, words = BETTER, "better"
    elif value < -limits.margin:
        status, words = WORSE, "worse"
        reasons.append(
            f"{rows.policy}: worse than its margin of {limits.margin:.2f} allows "
            f"(AUC {_pair(found, 'auc')})."
        )
    elif low < -limits.margin:
        status, words = UNKNOWN, "cannot be told"
        more = _needed(rows, value, resample.spread(found.gain), limits)
        wanted = " and ".join(f"about {number:,} more {kind}" for kind, number in more.items())
        reasons.append(
            f"{rows.policy}: with {rows.counts[0]} held-out violations it may be worse than its "
            f"margin of {limits.margin:.2f} (AUC {_pair(found, 'auc')}). Label {wanted} that the "
            "training leaves out."
        )
    reasons += _broken(rows, found, weights, cuts, limits)
    if reasons and status in (BETTER, HELD):
        status, words = WORSE, "worse"
    return _with(
        found, status=NEW if rows.fresh and status in (BETTER, HELD) else status,
        words=words, reasons=tuple(reasons), more=more,
    )  # fmt: skip


def _broken(
    rows: _Rows, found: PolicyResult, weights: Vector, cuts: Cuts, limits: Limits
) -> list[str]:
    """Calibration and miss rate: refused where they are surely worse, and by more than a little."""
    assert found.loss is not None
    reasons, tail = [], 1 - limits.confidence
    w = weights[:, rows.at]
    off = _miscalibration(rows, w, rows.new)
    if not rows.fresh:
        off = off - _miscalibration(rows, w, rows.old)
    if off[0] > limits.calibration and resample.bound(off, tail) > 0:
        reasons.append(
            f"{rows.policy}: its probabilities come true less often than they should: "
            f"recalibrating them would take {_pair(found, 'miscalibration')} off the Brier score."
        )
    if not rows.fresh and _misses_more(rows, w, cuts, limits):
        reasons.append(
            f"{rows.policy}: misses more at the threshold {cuts.pass_below:.2f} "
            f"({_pair(found, 'miss_rate')} of the violations pass), and not because it passes "
            f"more videos: {_pair(found, 'omission_rate')} of what passes is a violation."
        )
    return reasons


def _misses_more(rows: _Rows, w: Vector, cuts: Cuts, limits: Limits) -> bool:
    """Whether more violations pass, of all violations and of all that passes.

    A model that is surer passes more of everything at the same threshold, and so more violations:
    that alone is what the threshold asks for.
    """
    tail = 1 - limits.confidence
    missed = _missed(rows, w, rows.new, cuts) - _missed(rows, w, rows.old, cuts)
    if not (missed[0] > limits.miss and resample.bound(missed, tail) > 0):
        return False
    left = _omitted(rows, w, rows.new, cuts) - _omitted(rows, w, rows.old, cuts)
    return bool(resample.bound(left, tail) > 0)


def _measured(rows: _Rows, weights: Vector, cuts: Cuts, status: str, words: str) -> PolicyResult:
    w, bad = weights[:, rows.at], rows.counts[0]
    old, new = _values(rows, w, rows.old, cuts), _values(rows, w, rows.new, cuts)
    if rows.fresh:
        old = {"auc": old["auc"]} if "auc" in old else {}
    both = old.keys() & new.keys()
    difference = {name: new[name] - old[name] for name in MEASURES if name in both}
    return PolicyResult(
        rows.policy, status, len(rows.at), bad, words,
        {name: resample.figure(old[name]) for name in MEASURES if name in old},
        {name: resample.figure(new[name]) for name in MEASURES if name in new},
        {name: resample.figure(each) for name, each in difference.items()},
        gain=difference.get("auc"),
        loss=difference.get("brier", np.zeros(len(w))),
    )  # fmt: skip


def _values(rows: _Rows, w: Vector, scores: Vector, cuts: Cuts) -> dict[str, Vector]:
    """Every measure of one model on every draw; what is not defined is left out."""
    if not len(scores):
        return {}
    found = {
        "auc": resample.auc(w, rows.label, scores),
        "f1": resample.f1(w, rows.label, scores, cuts.call_from),
        "miss_rate": _missed(rows, w, scores, cuts),
        "brier": resample.brier(w * rows.capped, rows.label, scores),
        "omission_rate": _omitted(rows, w, scores, cuts),
        "miscalibration": _miscalibration(rows, w, scores),
        "ece": np.full(len(w), debiased_ece(rows.label, scores, weights=rows.capped)),
    }
    return {name: values for name, values in found.items() if not math.isnan(values[0])}


def _miscalibration(rows: _Rows, w: Vector, scores: Vector) -> Vector:
    """What a Platt map fitted on these very labels would take off the Brier score.

    Unlike the score itself it says nothing of how well violations are told apart, so that a better
    model cannot pay for probabilities that mislead. The map is fitted once, not on every draw.
    """
    logits = log_odds(scores)
    mended = fit_platt(logits, rows.label, rows.capped)(logits)
    gained = (scores - rows.label) ** 2 - (mended - rows.label) ** 2
    whole = w * rows.capped
    return resample.ratio(whole @ gained, whole.sum(1))


def _missed(rows: _Rows, w: Vector, scores: Vector, cuts: Cuts) -> Vector:
    """Share of the traffic's violations below the threshold (Hajek: weights 1 / propensity)."""
    whole = w * np.where(rows.drawn, rows.weight, 0.0)
    return resample.share(whole, scores < cuts.pass_below, rows.label == 1)


def _omitted(rows: _Rows, w: Vector, scores: Vector, cuts: Cuts) -> Vector:
    """Share of violations in what passes below the threshold; NaN where nothing does."""
    whole = w * np.where(rows.drawn, rows.weight, 0.0)
    return resample.share(whole, rows.label == 1, scores < cuts.pass_below)


def _needed(rows: _Rows, value: float, error: float, limits: Limits) -> dict[str, int]:
    """Labels of both kinds with which the difference's bound would lie within the margin."""
    room = max(value + limits.margin, limits.margin / 4)
    times = (NormalDist().inv_cdf(limits.held) * error / room) ** 2
    more = [max(1, math.ceil((times - 1) * number)) for number in rows.counts]
    return dict(zip(("violations", "others"), more, strict=True))


def _pair(found: PolicyResult, name: str) -> str:
    """``0.812 in force, 0.790 now`` with the difference's interval."""
    if name not in found.new:
        return "not defined"
    new, old = found.new[name].value, found.old.get(name)
    gap = found.difference.get(name)
    before = "none" if old is None else f"{old.value:.3f}"
    around = "" if gap is None else f", difference {gap.low:+.3f} to {gap.high:+.3f}"
    return f"{new:.3f} against {before}{around}"


def _with(found: PolicyResult, **changes: Any) -> PolicyResult:
    from dataclasses import replace

    return replace(found, **changes)
