"""Thresholds that learn from decisions as they come, inside the bounds that were certified.

A fitted routing policy certifies a whole range of each threshold at once (fixed-sequence testing
accepts every safer one too), so any choice inside it keeps the certificate, even one that looks at
the data. The steps here move within that range only; a threshold that wants to leave it is an
alarm: fit and certify anew.

Each labelled item is weighted by 1 / propensity. Cascaded Language Models for Human-AI Decision-
Making (arXiv 2506.11887) learns from the items that people reviewed as if they were all items;
those are the unsure ones, so its thresholds settle in the wrong place.

Pure: a state and an outcome give the next state. The same outcomes in the same order give the same
thresholds, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from coefvq.errors import RoutingError
from coefvq.routing.budget import read_state

AUTO_PASS, AUTO_FLAG, ESCALATION = "auto_pass", "auto_flag", "escalation"
STEP_SIZE = 0.02
WEIGHT_CAP = 100.0
# The soft edge of the escalation threshold, as a share of its certified range.
EDGE = 0.1


@dataclass(frozen=True)
class CertifiedBounds:
    """The range, ends included, in which every value of a threshold is certified."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise RoutingError(f"bounds must be finite, low <= high: got {self.low}, {self.high}")

    @property
    def width(self) -> float:
        """0 for a threshold that may not move."""
        return self.high - self.low

    def clip(self, value: float) -> float:
        """The nearest certified value."""
        return min(self.high, max(self.low, value))


@dataclass(frozen=True)
class LearntThreshold:
    """One threshold.

    Attributes:
        value: Inside ``bounds``.
        bounds: What was certified.
        updates: Outcomes that spoke to it.
        hits: How often it wanted to leave its bounds.
    """

    value: float
    bounds: CertifiedBounds
    updates: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.bounds.clip(self.value) != self.value:
            raise RoutingError(
                f"threshold {self.value} lies outside its certified bounds "
                f"{self.bounds.low}..{self.bounds.high}: start inside them or fit anew"
            )

    def moved(self, move: float) -> tuple[LearntThreshold, bool]:
        """Move by ``move`` times the certified width; also whether a bound stopped it."""
        wanted = float(self.value + move * self.bounds.width)
        value = self.bounds.clip(wanted)
        hit = value != wanted
        after = replace(self, value=value, updates=self.updates + 1, hits=self.hits + hit)
        return after, hit

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> LearntThreshold:
        """From what ``OnlineThresholds.to_json`` gives of it."""
        return read_state(
            cls, {**raw, "bounds": read_state(CertifiedBounds, raw.get("bounds", {}))}
        )


@dataclass(frozen=True)
class LearningTargets:
    """What the thresholds aim for.

    Attributes:
        miss_rate: Violations that may end in ``auto_pass`` / all violations, 0..1.
        false_removal_rate: Non-violations that may end in ``auto_flag`` / all of them, 0..1.
        call_cost: Of one MLLM call, in units of the dearest mistake, 0..1.
        step_size: Largest move of one outcome, as a share of the certified width, 0..1.
        weight_cap: Largest 1 / propensity, >= 1. Set it to 1 / audit share; a smaller cap counts
            audited items too little, and thresholds settle on the lax side.
    """

    miss_rate: float
    false_removal_rate: float
    call_cost: float = 0.0
    step_size: float = STEP_SIZE
    weight_cap: float = WEIGHT_CAP

    def __post_init__(self) -> None:
        rates = (self.miss_rate, self.false_removal_rate, self.call_cost, self.step_size)
        if not all(math.isfinite(r) and 0 <= r <= 1 for r in rates) or self.step_size == 0:
            raise RoutingError(
                "target rates, call cost and step size must be in 0..1, the step > 0"
            )
        if not (math.isfinite(self.weight_cap) and self.weight_cap >= 1):
            raise RoutingError(f"weight_cap must be a number >= 1, got {self.weight_cap}")


@dataclass(frozen=True)
class LabelledOutcome:
    """What one decision tells about the thresholds.

    Attributes:
        probability: What the automatic thresholds were compared with, 0..1.
        violation: The reviewer's answer.
        propensity: Probability with which the label was asked for, (0, 1].
        rule_score: What the escalation threshold was compared with; ``None`` without a score.
        gain: Loss of the prefilter's answer minus loss of the MLLM's, in units of the dearest
            mistake, -1..1; ``None`` where the MLLM did not run.
        gain_propensity: Probability with which label *and* MLLM answer were obtained; as
            ``propensity`` by default.
    """

    probability: float
    violation: bool
    propensity: float = 1.0
    rule_score: float | None = None
    gain: float | None = None
    gain_propensity: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("propensity", self.propensity), ("gain", self.gain_propensity)):
            if value is not None and not 0 < value <= 1:
                raise RoutingError(f"{name}: a propensity must be in (0, 1], got {value}")
        if not 0 <= self.probability <= 1:
            raise RoutingError(f"probability must be in 0..1, got {self.probability}")
        if self.gain is not None and not -1 <= self.gain <= 1:
            raise RoutingError(f"gain must be in -1..1, got {self.gain}")
        if self.rule_score is not None and not math.isfinite(self.rule_score):
            raise RoutingError(f"rule score must be finite or None, got {self.rule_score}")


@dataclass(frozen=True)
class OnlineThresholds:
    """The three thresholds of a routing policy and how far they have learnt.

    Attributes:
        auto_pass: A probability below it passes.
        auto_flag: A probability at or above it is flagged; never below ``auto_pass``.
        escalation: A rule's score at or above it goes to the MLLM.
        targets: What they aim for.
        applied: Outcomes so far.
        capped: Outcomes whose weight was cut; many of them mean a cap too small.
    """

    auto_pass: LearntThreshold
    auto_flag: LearntThreshold
    escalation: LearntThreshold
    targets: LearningTargets
    applied: int = 0
    capped: int = 0

    def __post_init__(self) -> None:
        if self.auto_pass.bounds.high > self.auto_flag.bounds.low:
            raise RoutingError(
                f"auto_pass may reach {self.auto_pass.bounds.high}, above the least auto_flag of "
                f"{self.auto_flag.bounds.low}: certify ranges that do not overlap"
            )

    def apply(self, outcome: LabelledOutcome) -> tuple[OnlineThresholds, tuple[str, ...]]:
        """Learn from one decision.

        ``auto_pass`` and ``auto_flag`` take the stochastic quantile step, whose rest point is
        P(p < auto_pass | violation) = miss_rate and P(p >= auto_flag | no violation) =
        false_removal_rate. ``escalation`` climbs E[(gain - cost) * sigmoid((score - t) / h)], a
        soft indicator as in arXiv 2506.11887, section on online learning: it rests where a call is
        just worth its cost.

        Returns:
            The new state, and the names of thresholds that a bound stopped: an alarm, refit.
        """
        share = self._weight(outcome.propensity)
        state = self
        hits: list[str] = []
        for name, move in (
            (AUTO_PASS, self._pass_move(outcome)),
            (AUTO_FLAG, self._flag_move(outcome)),
            (ESCALATION, self._escalation_move(outcome)),
        ):
            if move is None:
                continue
            weight = share
            if name == ESCALATION and outcome.gain_propensity is not None:
                weight = self._weight(outcome.gain_propensity)
            after, hit = getattr(self, name).moved(self.targets.step_size * weight * move)
            state = replace(state, **{name: after})
            hits += [name] if hit else []
        capped = self.capped + bool(1 / outcome.propensity > self.targets.weight_cap)
        return replace(state, applied=self.applied + 1, capped=capped), tuple(hits)

    def _weight(self, propensity: float) -> float:
        """1 / propensity as a share of the cap, so that no outcome moves more than a step."""
        cap = self.targets.weight_cap
        return min(1 / propensity, cap) / cap

    def _pass_move(self, outcome: LabelledOutcome) -> float | None:
        if not outcome.violation:
            return None
        return self.targets.miss_rate - (outcome.probability < self.auto_pass.value)

    def _flag_move(self, outcome: LabelledOutcome) -> float | None:
        if outcome.violation:
            return None
        return (outcome.probability >= self.auto_flag.value) - self.targets.false_removal_rate

    def _escalation_move(self, outcome: LabelledOutcome) -> float | None:
        width = self.escalation.bounds.width
        if outcome.gain is None or outcome.rule_score is None or width == 0:
            return None
        distance = abs(outcome.rule_score - self.escalation.value) / (EDGE * width)
        tail = math.exp(-distance)
        edge = 4 * tail / (1 + tail) ** 2  # 4 s (1 - s) of the sigmoid s: 1 at the threshold
        return (self.targets.call_cost - outcome.gain) / 2 * edge

    def to_json(self) -> dict[str, Any]:
        """Plain values for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> OnlineThresholds:
        """The inverse of ``to_json``.

        Raises:
            RoutingError: For values that do not fit.
        """
        missing = {AUTO_PASS, AUTO_FLAG, ESCALATION, "targets"} - set(raw)
        if missing:
            raise RoutingError(f"these are no saved thresholds: {sorted(missing)} missing")
        learnt = {n: LearntThreshold.from_json(raw[n]) for n in (AUTO_PASS, AUTO_FLAG, ESCALATION)}
        return read_state(
            cls, {**raw, **learnt, "targets": read_state(LearningTargets, raw["targets"])}
        )
