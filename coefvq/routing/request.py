"""What a routing policy is asked to be, checked before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field

from coefvq.errors import RoutingError, did_you_mean
from coefvq.routing.audit import AuditPlan
from coefvq.routing.budget import Budget
from coefvq.routing.objective import Objective
from coefvq.routing.policy import RULES

CERTIFYING = 0.5
"""Share of the labels kept out of fitting for a certificate; more where the target needs more."""
MOST_CERTIFYING = 0.8

METHODS = ("ltt", "crc")


@dataclass(frozen=True)
class FitRequest:
    """What is wanted of a routing policy.

    Attributes:
        rule: One of ``policy.RULES``.
        objective: What routing is for.
        budget: Largest share of MLLM calls, 0..1.
        miss_rate: Largest miss rate to certify, between 0 and 1; ``None``: no certificate.
        confidence: Of the certificate, between 0 and 1.
        method: ``ltt`` (Learn then Test: with the confidence, the rates stay within their targets)
            or ``crc`` (conformal risk control: the miss rate's mean over many such fits does).
        false_removal: Largest false-removal rate to certify as well.
        human_share: Share of items that the human step may send to people after the MLLM.
        abstention_cost: Cost of asking a person instead, in the objective's cost units.
        audit: Shares of automatic outcomes that are checked at random.
        seed: Of everything random.
    """

    rule: str = "auto"
    objective: Objective = field(default_factory=Objective)
    budget: float = 0.3
    miss_rate: float | None = None
    confidence: float = 0.9
    method: str = "ltt"
    false_removal: float | None = None
    human_share: float | None = None
    abstention_cost: float | None = None
    audit: AuditPlan = field(default_factory=AuditPlan)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise RoutingError(f"There is no rule '{self.rule}'.{did_you_mean(self.rule, RULES)}")
        if self.method not in METHODS:
            hint = did_you_mean(self.method, METHODS)
            raise RoutingError(f"There is no method '{self.method}'.{hint}")
        if self.method == "crc" and (self.miss_rate is None or self.false_removal is not None):
            raise RoutingError("The method crc certifies a miss rate, and that alone.")
        Budget(self.budget, self.audit.mllm)
        if self.seed < 0:
            raise RoutingError(f"seed must be 0 or more, got {self.seed}.")
        for name in ("miss_rate", "confidence", "false_removal"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise RoutingError(f"{name} must lie between 0 and 1, got {value:g}.")
        if self.human_share is not None and not 0 <= self.human_share <= 1:
            raise RoutingError(f"human_share must be in 0..1, got {self.human_share:g}.")
        if self.human_share is not None and self.abstention_cost is not None:
            raise RoutingError("Give human_share or abstention_cost, not both.")

    @property
    def certified(self) -> bool:
        """Whether a certificate is asked for."""
        return self.miss_rate is not None or self.false_removal is not None

    @property
    def ruled_share(self) -> float:
        """Share of items that the rule itself may escalate, random draws left out of the budget."""
        return max(0.0, (self.budget - self.audit.mllm) / (1 - self.audit.mllm))
