"""An escalation threshold that holds a share of MLLM calls item by item, while the scores drift.

A pure step function: the caller keeps the state (``to_json``, ``from_json``); equal scores in equal
order give equal answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from coefvq.errors import RoutingError
from coefvq.routing.budget import ROUNDING, must_be_share, read_state, unit_hash

# Chosen on synthetic drift: the share of any 2,000 videos stays within 1 point, and the escalated
# items score 98.5 % or more of what the best choice in hindsight would.
WINDOW = 256
STEP_SIZE = 0.03
BURST = 20.0
TOP_SEVERITY = 5
# Share of the burst that is kept back from the lowest severity, for the higher ones.
RESERVED = 0.25


@dataclass(frozen=True)
class Escalation:
    """One answer of the tracker.

    Attributes:
        due: The score reached the threshold, or the escalation was forced.
        shed: Due, but over the cap: no call. The caller sends it to a person or keeps its route.
        threshold: On the scale of the scores; what the score was compared with.
    """

    due: bool
    shed: bool
    threshold: float

    @property
    def call(self) -> bool:
        """Whether the MLLM is to run."""
        return self.due and not self.shed


@dataclass(frozen=True)
class QuantileTracker:
    """An escalation threshold that holds a share of calls while the scores drift.

    A score becomes its rank u in 0..1 among the last ``len(window)`` scores, so any scale of scores
    will do. It is due where u >= level, and the level follows adaptive conformal inference (Gibbs
    and Candes, NeurIPS 2021, eq. 2): level += step_size * (due - share). Since the steps add up to
    the level's own movement, which stays within a step of 0..1, the share that is due over T items
    is off by at most (1 + 2 * step_size) / (step_size * T), whatever the scores do, while the gaps
    that are forced stay below the share.

    The cap is a token bucket: any run of L items gets at most share * L + burst calls. Low
    severities must leave a reserve in it (up to a quarter of the burst), so that what is shed
    is shed by severity and not by order of arrival.

    Attributes:
        share: Target and cap, 0..1.
        window: The last scores, a ring; starts as quantiles of the fitted scores.
        level: Rank from which an item is due, within a step of 0..1.
        tokens: Calls that may be made now, 0..burst.
        burst: Most tokens that can be saved up, >= 1.
        step_size: Of the level. Larger follows faster and picks less exactly.
        rolling: False freezes the window to the fitted scores.
        seen, calls, shed: Counts since the start.
    """

    share: float
    window: tuple[float, ...]
    level: float
    tokens: float
    burst: float = BURST
    step_size: float = STEP_SIZE
    rolling: bool = True
    seen: int = 0
    calls: int = 0
    shed: int = 0

    def __post_init__(self) -> None:
        must_be_share("budget", self.share)
        if not self.window or not all(map(math.isfinite, self.window)):
            raise RoutingError("a quantile tracker needs finite scores to rank against")
        if not (self.burst >= 1 and 0 < self.step_size < 1 and math.isfinite(self.level)):
            raise RoutingError("burst must be >= 1, step_size in 0..1 (exclusive), level finite")
        if not -ROUNDING <= self.tokens <= self.burst:
            raise RoutingError(f"tokens must be in 0..{self.burst:g}, got {self.tokens}")

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        share: float,
        *,
        size: int = WINDOW,
        burst: float = BURST,
        step_size: float = STEP_SIZE,
        rolling: bool = True,
    ) -> QuantileTracker:
        """Start at the threshold that would have met ``share`` on the fitted scores (n,)."""
        must_be_share("budget", share)
        fitted = np.asarray(scores, dtype=np.float64).ravel()
        if fitted.size == 0 or not np.isfinite(fitted).all() or size < 1:
            raise RoutingError("a quantile tracker needs at least one fitted score, all finite")
        # Scrambled, so that new scores replace low and high ones alike.
        ranks = (np.arange(size) * _stride(size) % size + 0.5) / size
        window = tuple(float(q) for q in np.quantile(fitted, ranks))
        return cls(share, window, 1.0 - share, burst, burst, step_size, rolling)

    def step(
        self,
        score: float | None,
        *,
        key: str | None = None,
        severity: int | None = None,
        forced: bool = False,
    ) -> tuple[QuantileTracker, Escalation]:
        """Decide one item and return the state after it.

        Args:
            score: The rule's score; ``None`` only where ``forced``.
            key: Item id that breaks ties between equal scores; the running number without one.
            severity: 1..5 of the policy at stake; ``None`` sheds in order of arrival.
            forced: A gap that must be escalated whatever its score. It counts in the budget, and
                over the cap it is shed too: then it needs a person.

        Raises:
            RoutingError: For a score that is no number and not forced, or a severity out of range.
        """
        rank = self._rank(score, key)
        if rank is None and not forced:
            raise RoutingError(f"score {score!r} is no number: escalate it as a gap (forced)")
        due = forced or (rank is not None and rank >= self.level)
        tokens = min(self.burst, self.tokens + self.share)
        call = due and tokens >= 1.0 + self._reserve(severity) - ROUNDING
        after = replace(
            self,
            window=self.window if rank is None else self._remember(score),
            level=self._moved(due),
            tokens=tokens - call,
            seen=self.seen + 1,
            calls=self.calls + call,
            shed=self.shed + (due and not call),
        )
        threshold = _quantile(sorted(self.window), self.level)
        return after, Escalation(due, due and not call, threshold)

    def _moved(self, due: bool) -> float:
        """The level after one item. Only an excess of forced items ever meets the outer bounds."""
        level = self.level + self.step_size * (due - self.share)
        return min(1.0 + self.step_size, max(-self.step_size, level))

    def _rank(self, score: float | None, key: str | None) -> float | None:
        """Conformal rank in 0..1, ties spread evenly by a hash of the key; ``None`` without one."""
        if score is None or not math.isfinite(score):
            return None
        value = float(score)
        below = sum(map(value.__gt__, self.window))
        part = unit_hash(str(self.seen) if key is None else key)
        return (below + part * (self.window.count(value) + 1)) / (len(self.window) + 1)

    def _remember(self, score: float | None) -> tuple[float, ...]:
        if not self.rolling or score is None:
            return self.window
        place = self.seen % len(self.window)
        return (*self.window[:place], float(score), *self.window[place + 1 :])

    def _reserve(self, severity: int | None) -> float:
        if severity is None:
            return 0.0
        if not 1 <= severity <= TOP_SEVERITY:
            raise RoutingError(f"severity must be 1..{TOP_SEVERITY}, got {severity}")
        lower = (TOP_SEVERITY - severity) / (TOP_SEVERITY - 1)
        return RESERVED * lower * (self.burst - 1)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the database; about 5 kB with the default window."""
        return {**asdict(self), "window": list(self.window)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> QuantileTracker:
        """The inverse of ``to_json``; ``RoutingError`` for values that do not fit."""
        return read_state(cls, {**raw, "window": tuple(raw.get("window", ()))})


def _stride(size: int) -> int:
    """A step near the golden section of ``size`` that visits every place of a ring once."""
    step = max(1, round(size * 0.618))
    while math.gcd(step, size) != 1:
        step += 1
    return step


def _quantile(ordered: Sequence[float], level: float) -> float:
    """The value at rank ``level`` of sorted values."""
    return ordered[max(0, min(len(ordered) - 1, int(level * len(ordered))))]
