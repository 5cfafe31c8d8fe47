"""What the gate asks of a candidate, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Set by what can be told from a few hundred labels, not by any one set of candidates.

    Attributes:
        least: Held-out violations, and as many others, without which nothing is told of a policy.
            Five against five can be told apart from chance (p = 1/252 where all are in order).
        margin: AUC that a policy may seem to lose: below, the resampled difference is noise.
        confidence: With which the candidate must be better overall (one-sided).
        held: With which a policy must lie within its margin (one-sided).
        calibration: Brier score that a policy may lose by probabilities that do not come true.
        miss: Miss rate at the published threshold that a policy or task may lose.
        slice_margin: AUC that a slice may seem to lose.
        cost: Times the processor time a video of the model in force.
        cost_floor_ms: Milliseconds a video that are never refused.
        same: Largest difference of two probabilities that counts as no change.
        fewest_videos: Videos below which the cost says nothing.
    """

    least: int = 5
    margin: float = 0.03
    confidence: float = 0.95
    held: float = 0.9
    calibration: float = 0.005
    miss: float = 0.05
    slice_margin: float = 0.05
    cost: float = 2.0
    cost_floor_ms: float = 2.0
    same: float = 0.002
    fewest_videos: int = 5

    def to_json(self) -> dict[str, float]:
        """As kept with a report."""
        return dict(vars(self))


@dataclass(frozen=True)
class Cuts:
    """Where a policy's probabilities are cut: the published routing of its task, or the settings'.

    Attributes:
        call_from: From here on the machine says "violation".
        pass_below: Below it a video passes without a person.
        source: Version of the routing policy, or ``settings``.
    """

    call_from: float = 0.5
    pass_below: float = 0.3
    source: str = "settings"
