"""A certificate as stored in a routing policy and shown to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from coefvq.errors import RoutingError
from coefvq.routing.conformal import Conformal

MISS_RATE = "miss_rate"
FALSE_REMOVAL_RATE = "false_removal_rate"
ESCALATION_RATE = "escalation_rate"

LEARN_THEN_TEST = "learn_then_test"
CONFORMAL_RISK_CONTROL = "conformal_risk_control"


@dataclass(frozen=True)
class CertifiedRisk:
    """One risk of a certificate.

    Attributes:
        n: Labelled items that the risk is conditioned on.
        errors: How many of them went wrong.
        p_value: Of "the risk is above its target"; ``None`` for conformal risk control.
        upper: Upper confidence bound of this risk alone (Clopper-Pearson for 0/1 losses);
            ``None`` for conformal risk control.
    """

    name: str
    target: float
    n: int
    errors: int
    p_value: float | None
    upper: float | None


@dataclass(frozen=True)
class Certificate:
    """What was promised, on which evidence.

    Attributes:
        method: ``learn_then_test`` or ``conformal_risk_control``.
        confidence: Probability of the promise; ``None`` for conformal risk control, which
            controls the mean over draws of the labels only.
        feasible: Whether some candidate passed.
    """

    method: str
    confidence: float | None
    risks: tuple[CertifiedRisk, ...]
    feasible: bool

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; ``miss_rate`` is its target and ``n`` the violations counted for it."""
        miss = next((risk for risk in self.risks if risk.name == MISS_RATE), None)
        return {
            "method": self.method,
            MISS_RATE: miss.target if miss else None,
            "confidence": self.confidence,
            "n": miss.n if miss else None,
            "feasible": self.feasible,
            "risks": [vars(risk).copy() for risk in self.risks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        """Read what ``to_json`` wrote.

        Raises:
            RoutingError: For a missing or misshapen key.
        """
        try:
            risks = tuple(CertifiedRisk(**risk) for risk in data["risks"])
            method, confidence = str(data["method"]), data["confidence"]
            return cls(method, confidence, risks, bool(data["feasible"]))
        except (KeyError, TypeError) as error:
            raise RoutingError(f"not a certificate: {error}. Fit the routing again.") from error


def conformal_certificate(
    name: str, losses: ArrayLike, target: float, found: Conformal
) -> Certificate:
    """The certificate of a threshold by conformal risk control (of the mean, no confidence).

    Args:
        name: The risk.
        losses: (items, candidates), as given to ``conformal``.
        target: As given to ``conformal``.
        found: What ``conformal`` returned.
    """
    values = np.atleast_2d(np.asarray(losses, dtype=float))[:, found.index or 0]
    row = CertifiedRisk(name, target, len(values), int(np.count_nonzero(values)), None, None)
    return Certificate(CONFORMAL_RISK_CONTROL, None, (row,), found.index is not None)
