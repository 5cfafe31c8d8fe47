"""Routing one video as it comes: what a rule is told, what it asks for, what it answers.

A task is routed by the settings' entropy rule until a routing policy is published for it. Both
answer the same three calls, in this order: ``demand`` (does this video want the MLLM?),
``after_prefilter`` (where it goes, now that budget and limits have had their say), and
``after_mllm``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from coefvq.domain import Route, RouteName
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.scores import Known

DRAWN = "drawn at random for the MLLM"
State = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """What a stage has left to route one task on.

    Attributes:
        probability: Task probability after the stage, uncalibrated by any routing policy;
            ``None`` where no policy of the task is covered.
        gaps: Policies that nobody has judged in this video, though a model was trained for them.
        mllm_covers: Whether the MLLM was trained for any policy of the task.
        key: Names the item and the task, for draws and ties.
        features: What is known before the MLLM, by name; NaN = absent.
        severity: 1..5 of the gravest policy at stake; ``None``: unknown.
        label_mass: After the MLLM: smallest share on the label tokens.
    """

    probability: float | None
    gaps: tuple[str, ...] = ()
    mllm_covers: bool = True
    key: str = ""
    features: Mapping[str, float] = field(default_factory=dict)
    severity: int | None = None
    label_mass: float | None = None


@dataclass(frozen=True)
class Demand:
    """What a task asks of the MLLM, before budget and limits have their say.

    Attributes:
        score: The rule's score; ``None`` where it has none.
        due: Whether the rule's own threshold asks for the MLLM.
        gap: The MLLM is asked because nobody has judged the video yet.
        drawn: The MLLM is asked by a random draw.
        known: What the rule read, for the next call.
    """

    score: float | None
    due: bool
    gap: bool = False
    drawn: bool = False
    known: Known | None = None


@dataclass(frozen=True)
class Grant:
    """The answer to a demand.

    Attributes:
        call: Whether the MLLM is to run.
        threshold: What the score was compared with.
        refused: Why there is no call though it was due; empty where it was not due.
        person: A refused item goes to a person whatever the prefilter thinks.
    """

    call: bool
    threshold: float
    refused: str = ""
    person: bool = False


@dataclass(frozen=True)
class Outcome:
    """Where a task goes, and the probability that counts."""

    route: Route
    probability: float | None


class TaskRouting(Protocol):
    """How one task is routed."""

    @property
    def version(self) -> str:
        """Names rule and thresholds."""

    @property
    def audit(self) -> AuditPlan:
        """Shares of automatic outcomes that are looked at anyway."""

    @property
    def budgeted(self) -> bool:
        """Whether ``reserve`` needs the state that it returned last."""

    def demand(self, seen: Seen, drawn: bool = False) -> Demand:
        """What the task asks for; ``drawn``: at random for the MLLM."""

    def reserve(self, state: State, seen: Seen, demand: Demand) -> tuple[dict[str, Any], Grant]:
        """Take a call from the budget where one is due; return the budget's next state."""

    def refund(self, state: State) -> dict[str, Any]:
        """The state after a call that was taken is given back."""

    def after_prefilter(self, seen: Seen, demand: Demand, grant: Grant) -> Outcome:
        """Route after the first stage."""

    def after_mllm(self, first: Seen, second: Seen, before: Route) -> Outcome:
        """Route after the second stage; ``before`` is the first one's route."""


@dataclass(frozen=True)
class SettingsRouting:
    """The settings' entropy rule: no budget, no features.

    Attributes:
        entropy: Thresholds.
        audit: Only its share for people is used.
    """

    entropy: EntropyRouting
    audit: AuditPlan = field(default_factory=lambda: AuditPlan(people=0.0, mllm=0.0))
    budgeted: bool = False

    @property
    def version(self) -> str:
        """Of the entropy rule."""
        return self.entropy.version

    def demand(self, seen: Seen, drawn: bool = False) -> Demand:
        """Due where the prefilter is unsure or left a gap."""
        route = self._first(seen)
        return Demand(route.score, route.escalated, bool(seen.gaps) or seen.probability is None)

    def reserve(self, state: State, seen: Seen, demand: Demand) -> tuple[dict[str, Any], Grant]:
        """Whatever is due is granted."""
        return dict(state), Grant(demand.due, self.entropy.threshold)

    def refund(self, state: State) -> dict[str, Any]:
        """There is nothing to give back."""
        return dict(state)

    def after_prefilter(self, seen: Seen, demand: Demand, grant: Grant) -> Outcome:
        """As the entropy rule says; a refused call goes to a person."""
        route = self._first(seen)
        if grant.refused:
            reason = f"{route.reason}; {grant.refused}"
            route = replace(route, name=RouteName.HUMAN, escalated=False, reason=reason)
        return Outcome(route, seen.probability)

    def after_mllm(self, first: Seen, second: Seen, before: Route) -> Outcome:
        """As the entropy rule says."""
        route = self.entropy.after_mllm(
            second.probability, second.gaps, second.label_mass, before.escalated
        )
        return Outcome(route, second.probability)

    def _first(self, seen: Seen) -> Route:
        return self.entropy.after_prefilter(seen.probability, seen.gaps, seen.mllm_covers)
