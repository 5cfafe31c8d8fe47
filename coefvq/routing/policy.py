"""A routing policy: rule, calibrations, thresholds, budget, certificate; one immutable document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import ModelError, RoutingError
from coefvq.routing.audit import AuditPlan
from coefvq.routing.combination import Combination
from coefvq.routing.first_stage import FirstStage
from coefvq.routing.frozen import FrozenBaseline
from coefvq.routing.human import HumanStep
from coefvq.routing.objective import Objective
from coefvq.routing.scores import EscalationScore, score_from_json
from coefvq.routing.stage import StageCalibration

FORMAT = 1
RULES = ("auto", "entropy", "margin", "bayes_risk", "learned", "similar")
DAMAGE = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    OverflowError,
    ModelError,
)
"""What a document raises that says nothing or nonsense."""
NO_LEAST = -1e300
"""Stands for "no least score" in JSON, which has no infinity."""


@dataclass(frozen=True)
class Thresholds:
    """Where scores and probabilities are cut.

    Attributes:
        escalate_from: Score above which an item is due for the MLLM, where the policy starts; a
            tracker then holds the budget.
        escalate_least: Score at or below which escalation promises nothing, budget or not.
        call_from: Final probability from which the machine says "violation".
        pass_below: Final probability below which an item is passed without a person.
        flag_from: Final probability from which an item is flagged without a person.
    """

    escalate_from: float
    call_from: float
    pass_below: float
    flag_from: float
    escalate_least: float = NO_LEAST

    def to_json(self) -> dict[str, float]:
        """As stored in a routing policy."""
        return {
            "escalate_from": self.escalate_from,
            "escalate_least": self.escalate_least,
            "call_from": self.call_from,
            "pass_below": self.pass_below,
            "flag_from": self.flag_from,
        }


@dataclass(frozen=True)
class RoutingPolicy:
    """Everything that decides where a video goes for one task. Never changed once written.

    Attributes:
        rule: The rule in use: entropy, margin, bayes_risk, learned or similar.
        requested: The rule that was asked for; ``auto`` chooses.
        objective: What the fit was for.
        budget: Largest share of items that may go to the MLLM, 0..1, audits for it included.
        first: The prefilter's calibration and features.
        score: The escalation score.
        mllm: The MLLM's calibration.
        combination: Final probability of an escalated item.
        thresholds: Where scores and probabilities are cut.
        human: Who goes to a person after the MLLM; ``None``: as the settings say.
        audit: Shares of automatic outcomes that are looked at anyway.
        certificate: What was certified, as JSON; ``None`` if nothing was asked for.
        fitted_on: n, violations, digest of the predictions.
        choice: How ``auto`` chose, for people.
        notes: What a reader must know: fallbacks and warnings.
        baseline: What the prefilter's scores looked like, for drift monitors; ``None`` in
            documents from before there was one.
    """

    rule: str
    objective: Objective
    budget: float
    first: FirstStage
    score: EscalationScore
    mllm: StageCalibration
    combination: Combination
    thresholds: Thresholds
    requested: str = "auto"
    human: HumanStep | None = None
    audit: AuditPlan = field(default_factory=AuditPlan)
    certificate: Mapping[str, Any] | None = None
    fitted_on: Mapping[str, Any] = field(default_factory=dict)
    choice: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    baseline: FrozenBaseline | None = None

    @cached_property
    def version(self) -> str:
        """Names the policy by its content: the rule and ten hex digits."""
        return version_of(self.rule, self.to_json())

    @property
    def features(self) -> tuple[str, ...]:
        """Features that must be known to route, without their prefix."""
        return self.first.scaling.names

    @property
    def tracked(self) -> bool:
        """Whether the threshold may move to hold the budget: a certified one stays."""
        return self.certificate is None

    def final(self, p1: NDArray[np.float64], raw_mllm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Final probabilities of escalated items; NaN where the MLLM gave no score."""
        return self.combination(p1, self.mllm(raw_mllm))

    def to_json(self) -> dict[str, Any]:
        """The document that is stored; ``from_json`` reads it.

        Without a baseline there is no key for it, so that old documents keep their version.
        """
        more = {} if self.baseline is None else {"baseline": self.baseline.to_json()}
        return more | {
            "format": FORMAT,
            "rule": self.rule,
            "requested": self.requested,
            "objective": {
                "name": self.objective.name,
                "cost_fn": self.objective.cost_fn,
                "cost_fp": self.objective.cost_fp,
            },
            "budget": self.budget,
            "first": self.first.to_json(),
            "score": self.score.to_json(),
            "mllm": self.mllm.to_json(),
            "combination": self.combination.to_json(),
            "thresholds": self.thresholds.to_json(),
            "human": None if self.human is None else self.human.to_json(),
            "audit": self.audit.to_json(),
            "certificate": None if self.certificate is None else dict(self.certificate),
            "fitted_on": dict(self.fitted_on),
            "choice": [dict(row) for row in self.choice],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RoutingPolicy:
        """Read what ``to_json`` wrote.

        Raises:
            RoutingError: The document is of another format or lacks a part.
        """
        if data.get("format") != FORMAT:
            raise RoutingError(
                f"This routing policy has format {data.get('format')!r}, this version reads "
                f"{FORMAT}. Fit it again."
            )
        try:
            made = cls(
                rule=str(data["rule"]),
                requested=str(data["requested"]),
                objective=Objective.named(**data["objective"]),
                budget=float(data["budget"]),
                first=FirstStage.from_json(data["first"]),
                score=score_from_json(data["score"]),
                mllm=StageCalibration.from_json(data["mllm"]),
                combination=Combination.from_json(data["combination"]),
                thresholds=Thresholds(**{k: float(v) for k, v in data["thresholds"].items()}),
                human=None if data["human"] is None else HumanStep.from_json(data["human"]),
                audit=AuditPlan.from_json(data["audit"]),
                certificate=data["certificate"],
                fitted_on=data["fitted_on"],
                choice=tuple(data["choice"]),
                notes=tuple(data["notes"]),
                baseline=FrozenBaseline.from_json(data.get("baseline")),
            )
            made._try_out()
        except DAMAGE as error:
            raise RoutingError(
                f"The routing policy is damaged ({error!r}). Fit it again."
            ) from error
        return made

    def _try_out(self) -> None:
        """Answer for one item, so that a document that cannot is found here and not at work.

        Raises:
            ValueError: An answer or a number of the document is not finite, or out of range.
        """
        if self.rule not in RULES or self.requested not in RULES or not 0 <= self.budget <= 1:
            raise ValueError("rule or budget")
        if not self.version or not all(isinstance(note, str) for note in self.notes):
            raise ValueError("notes")
        known = self.first.know(np.full(1, 0.5), np.full((1, len(self.features)), np.nan))
        final = self.final(known.p1, np.full(1, 0.5))
        if not np.isfinite([*self.score(known), *known.base, *final]).all():
            raise ValueError("numbers that are not finite")

    def noted(self, *notes: str) -> RoutingPolicy:
        """The same policy with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def version_of(rule: str, document: Mapping[str, Any]) -> str:
    """Rule and ten hex digits of the document's SHA-256."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{rule}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def read_policy(path: str | Path) -> RoutingPolicy:
    """Read a routing policy file.

    Raises:
        RoutingError: The file is missing, is not JSON, or is not a routing policy.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RoutingError(f"{path.name}: there is no such file.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RoutingError(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise RoutingError(f"{path.name} is not a routing policy; `coefvq routing fit` writes one.")
    return RoutingPolicy.from_json(data)


def write_policy(policy: RoutingPolicy, path: str | Path) -> None:
    """Write a routing policy file, whole or not at all."""
    path = Path(path)
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(policy.to_json(), indent=1, allow_nan=False), encoding="utf-8")
    draft.replace(path)
