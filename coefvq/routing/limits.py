"""How often one uploader may force an MLLM call.

Whoever knows the routing rule can make videos that the prefilter is unsure of, and so spend the
budget of all ("Forced Deferral", arXiv 2606.15308). A token bucket per uploader stops that. It is
a pure function of a state and the time; the caller keeps one state per uploader.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from coefvq.errors import RoutingError
from coefvq.routing.budget import ROUNDING, read_state


class LimitAction(StrEnum):
    """What becomes of an escalation by rule."""

    ESCALATE = "escalate"
    HUMAN = "human"
    KEEP_ROUTE = "keep_route"


@dataclass(frozen=True)
class LimitState:
    """One uploader's bucket: tokens left at ``updated_s`` (seconds, any epoch)."""

    tokens: float
    updated_s: float

    def to_json(self) -> dict[str, float]:
        """Plain values for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> LimitState:
        """The inverse of ``to_json``; ``RoutingError`` for values that do not fit."""
        return read_state(cls, raw)


@dataclass(frozen=True)
class LimitDecision:
    """Whether an uploader's escalation is allowed, what to do, why, and seconds until one is."""

    allowed: bool
    action: LimitAction
    reason: str
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class UploaderLimits:
    """Token bucket on the escalations by rule of one uploader.

    Videos without an uploader share one bucket, ``absent_factor`` times as large: with no limit,
    leaving the name out would be the way around it; with a bucket of one uploader's size,
    one anonymous flood would lock out all the others at once.

    Attributes:
        per_hour: Escalations an uploader gets per hour in the long run, > 0.
        burst: Most at once, >= 1.
        over: Where an escalation over the limit goes: ``HUMAN`` or ``KEEP_ROUTE``.
        absent_factor: Size of the shared bucket; ``None`` does not limit absent uploaders.
    """

    per_hour: float
    burst: int
    over: LimitAction = LimitAction.HUMAN
    absent_factor: float | None = 20.0

    def __post_init__(self) -> None:
        sizes = (self.per_hour, self.burst, self.absent_factor or 1.0)
        if not all(map(math.isfinite, sizes)) or self.per_hour <= 0 or self.burst < 1:
            raise RoutingError("uploader limits need per_hour > 0 and burst >= 1")
        if self.absent_factor is not None and self.absent_factor < 1:
            raise RoutingError("absent_factor must be at least 1, or None for no limit")
        if self.over == LimitAction.ESCALATE:
            raise RoutingError("over the limit goes to 'human' or 'keep_route', not 'escalate'")

    def take(
        self, state: LimitState | None, now_s: float, *, absent: bool = False
    ) -> tuple[LimitState, LimitDecision]:
        """Ask for one escalation.

        Args:
            state: The uploader's bucket; ``None`` the first time.
            now_s: Seconds; a clock that went back refills nothing.
            absent: The video has no uploader; ``state`` is then the shared bucket.
        """
        if absent and self.absent_factor is None:
            free = LimitState(float(self.burst), now_s)
            return free, LimitDecision(True, LimitAction.ESCALATE, "no uploader, not limited")
        factor = (self.absent_factor or 1.0) if absent else 1.0
        state = self._refilled(state, now_s, factor)
        if state.tokens >= 1.0 - ROUNDING:
            after = replace(state, tokens=max(0.0, state.tokens - 1.0))
            return after, LimitDecision(True, LimitAction.ESCALATE, "within the uploader's limit")
        wait = (1.0 - state.tokens) * 3600 / (self.per_hour * factor)
        who = "uploads without an uploader" if absent else "this uploader"
        reason = (
            f"{who} used up {self.burst * factor:g} escalations at once and "
            f"{self.per_hour * factor:g} an hour; the next one in {math.ceil(wait)} s"
        )
        return state, LimitDecision(False, self.over, reason, wait)

    def _refilled(self, state: LimitState | None, now_s: float, factor: float) -> LimitState:
        full = self.burst * factor
        if state is None:
            return LimitState(full, now_s)
        hours = max(0.0, now_s - state.updated_s) / 3600
        tokens = min(full, state.tokens + hours * self.per_hour * factor)
        return LimitState(tokens, max(now_s, state.updated_s))
