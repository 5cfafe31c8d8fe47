"""Is a candidate better, and is it worse nowhere? From two models' answers to reasons in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from coefvq.learning.gate import resample
from coefvq.learning.gate.limits import Cuts, Limits
from coefvq.learning.gate.policies import LOST, UNCHANGED, PolicyResult, judge_policy
from coefvq.learning.gate.resample import Figure, Vector
from coefvq.learning.gate.sheet import Sheet


@dataclass(frozen=True)
class SliceResult:
    """The mean gain of AUC on a part of the videos, over policies that can be told there."""

    name: str
    n: int
    policies: tuple[str, ...]
    gain: Figure | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """A row of the gate's list of slices."""
        gain = None if self.gain is None else self.gain.to_json()
        return {
            "slice": self.name,
            "n": self.n,
            "policies": list(self.policies),
            "gain": gain,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Judgement:
    """What the gate thinks.

    Attributes:
        reasons: Why the candidate is refused; empty: it passes.
        gain: Mean gain of AUC over the policies that change and can be told.
        calibration: Mean change of the Brier score over them; below 0 is better.
        cost: Median milliseconds of processor time a video: in force, candidate.
    """

    policies: tuple[PolicyResult, ...]
    slices: tuple[SliceResult, ...]
    gain: Figure | None
    calibration: Figure | None
    cost: tuple[float, float] | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the candidate."""
        return not self.reasons


@dataclass
class _Docket:
    """What is collected on the way."""

    sheet: Sheet
    weights: Vector
    limits: Limits
    reasons: list[str] = field(default_factory=list)


def judge(
    sheet: Sheet,
    cuts: Mapping[str, Cuts] | None = None,
    limits: Limits | None = None,
    seed: int = 0,
) -> Judgement:
    """Judge a candidate by what both models said of the same held-out videos.

    Better overall: the mean gain of AUC over the policies that change lies above 0, or the mean
    Brier score falls, with ``confidence`` for both together (each is tested at half the error).

    Args:
        cuts: Thresholds by policy; those of the settings where one is missing.
    """
    limits = limits or Limits()
    docket = _Docket(sheet, resample.draws(sheet.group.tolist(), seed=seed), limits)
    found = tuple(
        judge_policy(sheet, column, docket.weights, (cuts or {}).get(name, Cuts()), limits)
        for column, name in enumerate(sheet.policies)
    )
    if sheet.odd:
        docket.reasons.append(
            f"The candidate gives {sheet.odd:,} answers that are no probabilities (NaN or outside "
            "0..1)."
        )
    docket.reasons += [reason for each in found for reason in each.reasons]
    gain, calibration = _overall(docket, found)
    slices = tuple(_slices(docket, found))
    docket.reasons += [each.reason for each in slices if each.reason]
    cost = _cost(docket)
    return Judgement(found, slices, gain, calibration, cost, tuple(docket.reasons))


def _overall(docket: _Docket, found: Sequence[PolicyResult]) -> tuple[Figure | None, Figure | None]:
    changed = [each for each in found if each.status != UNCHANGED]
    told = [each for each in changed if each.gain is not None]
    if not told:
        docket.reasons.append(_nothing(docket, changed))
        return None, None
    gains = _mean([each.gain for each in told if each.gain is not None])
    losses = _mean([each.loss for each in told if each.loss is not None])
    tail = (1 - docket.limits.confidence) / 2
    ranks, comes_true = resample.bound(gains, tail), resample.bound(losses, 1 - tail)
    gain, calibration = resample.figure(gains), resample.figure(losses)
    if not (ranks > 0 or comes_true < 0):
        word = "worse" if gain.high < 0 else "not shown to be better"
        docket.reasons.append(
            f"Overall it is {word} than the model in force: AUC {gain.value:+.3f} on average over "
            f"{len(told)} {'policies' if len(told) > 1 else 'policy'} ({gain.low:+.3f} to "
            f"{gain.high:+.3f}), Brier score {calibration.value:+.4f} ({calibration.low:+.4f} to "
            f"{calibration.high:+.4f}; lower is better).{_more(docket, gains, told)}"
        )
    return gain, calibration


def _nothing(docket: _Docket, changed: Sequence[PolicyResult]) -> str:
    if not len(docket.sheet):
        return (
            "There is no held-out video to compare on. Decide more cases, make golden ones, and "
            "make a new snapshot."
        )
    if not changed:
        return "The candidate answers as the model in force does: there is nothing to promote."
    if any(each.status == LOST for each in changed):
        return "No policy that both models answer changes."
    return "No policy that changes has enough held-out labels to be compared."


def _more(docket: _Docket, gains: Vector, told: Sequence[PolicyResult]) -> str:
    """How many labels would show a gain of this size; nothing where there is no gain."""
    value, error = float(gains[0]), resample.spread(gains)
    if value <= 0.002 or not error > 0:
        return ""
    times = (1.96 * error / value) ** 2
    if times <= 1:
        return ""
    each = ", ".join(
        f"{max(1, round((times - 1) * one.violations)):,} of {one.policy}" for one in told
    )
    return f" To show a gain of this size takes about so many more held-out violations: {each}."


def _slices(docket: _Docket, found: Sequence[PolicyResult]) -> list[SliceResult]:
    told = [each.policy for each in found if each.gain is not None and each.status != UNCHANGED]
    rows = []
    for name, member in sorted(docket.sheet.slices.items()):
        gains, policies = _slice_gains(docket, member, told)
        gain = resample.figure(gains) if gains is not None else None
        rows.append((SliceResult(name, int(member.sum()), policies, gain), gains))
    error = (1 - docket.limits.confidence) / max(1, sum(gains is not None for _, gains in rows))
    return [_slice_judged(docket, row, gains, error) for row, gains in rows]


def _slice_gains(
    docket: _Docket, member: np.ndarray, told: Sequence[str]
) -> tuple[Vector | None, tuple[str, ...]]:
    """The mean gain of AUC in a slice on every draw, over policies with labels enough there."""
    sheet, least, gains, names = docket.sheet, docket.limits.least, [], []
    for name in told:
        column = sheet.policies.index(name)
        label, old, new = (p[:, column] for p in (sheet.label, sheet.old, sheet.new))
        at = np.flatnonzero(member & ~np.isnan(label) & ~np.isnan(old) & ~np.isnan(new))
        bad = int((label[at] == 1).sum())
        if min(bad, len(at) - bad) >= least:
            w = docket.weights[:, at]
            gains.append(resample.auc(w, label[at], new[at]) - resample.auc(w, label[at], old[at]))
            names.append(name)
    return (_mean(gains) if gains else None), tuple(names)


def _slice_judged(
    docket: _Docket, row: SliceResult, gains: Vector | None, error: float
) -> SliceResult:
    if gains is None or row.gain is None:
        return row
    if row.gain.value < -docket.limits.slice_margin and resample.bound(gains, 1 - error) < 0:
        why = (
            f"Worse on the slice “{row.name}” ({row.n:,} videos): AUC {row.gain.value:+.3f} "
            f"({row.gain.low:+.3f} to {row.gain.high:+.3f}) over {', '.join(row.policies)}."
        )
        return replace(row, reason=why)
    return row


def _cost(docket: _Docket) -> tuple[float, float] | None:
    sheet, limits = docket.sheet, docket.limits
    times = [part[~np.isnan(part)] for part in (sheet.old_ms, sheet.new_ms)]
    if min(map(len, times)) < limits.fewest_videos:
        return None
    old, new = (float(np.median(part)) for part in times)
    if new > max(limits.cost * old, old + limits.cost_floor_ms):
        docket.reasons.append(
            f"It takes {new:.1f} ms of processor time a video, the model in force {old:.1f} ms: "
            f"more than {limits.cost:g} times as much."
        )
    return old, new


def _mean(rows: Sequence[Vector]) -> Vector:
    """Mean over policies of every draw; a draw without both classes leaves a policy out."""
    stacked = np.stack(rows)
    known = ~np.isnan(stacked)
    total = np.where(known, stacked, 0.0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(total.shape, np.nan), where=known.any(0))
