"""A published routing policy as the cascade uses it: one task of one video at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coefvq.domain import Route, RouteName
from coefvq.errors import RoutingError
from coefvq.routing import published_budget
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import MIN_LABEL_MASS, EntropyRouting, binary_entropy
from coefvq.routing.one_video import DRAWN, Demand, Grant, Outcome, Seen, State
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.route import ROUTES, ends

_NOTHING = np.array([np.nan])
BETWEEN = "between the thresholds to pass and to flag"


@dataclass(frozen=True)
class Learnt:
    """Thresholds that decisions have moved since the policy was published.

    Attributes:
        pass_below: Takes the place of the policy's where it is lower.
        flag_from: Takes the place of the policy's where it is higher.
        steps: Decisions learnt from; names the state, which the same decisions give again.
    """

    pass_below: float
    flag_from: float
    steps: int

    def on(self, cut: Thresholds) -> Thresholds:
        """The thresholds in force: never bolder than the policy's, whatever was learnt."""
        least, most = min(cut.pass_below, self.pass_below), max(cut.flag_from, self.flag_from)
        return replace(cut, pass_below=least, flag_from=most)

    def __str__(self) -> str:
        cuts = f"pass below {self.pass_below:.6g}, flag from {self.flag_from:.6g}"
        return f"thresholds learnt online, step {self.steps}: {cuts}"


@dataclass(frozen=True)
class PublishedRouting:
    """A routing policy, and the settings' rule for what it leaves open.

    Attributes:
        policy: In force for the task.
        entropy: The settings' thresholds. They decide after the MLLM where the policy has no
            human step of its own, so that a review queue remains.
        learnt: What decisions have made of the thresholds; ``None``: nothing.
    """

    policy: RoutingPolicy
    entropy: EntropyRouting
    learnt: Learnt | None = None
    budgeted: bool = True

    @property
    def version(self) -> str:
        """The policy's."""
        return self.policy.version

    @property
    def audit(self) -> AuditPlan:
        """The policy's."""
        return self.policy.audit

    def demand(self, seen: Seen, drawn: bool = False) -> Demand:
        """The rule's score. A gap is always due; a task that the MLLM does not know never is."""
        if seen.probability is None or seen.gaps:
            due = bool(seen.gaps) or seen.mllm_covers
            return Demand(None, due, gap=due)
        known = self.policy.first.know(np.array([seen.probability]), self._features(seen))
        score = float(self.policy.score(known)[0])
        if not seen.mllm_covers:
            return Demand(None, False, known=known)
        due = published_budget.worth(self.policy, score)
        return Demand(score, due, drawn=drawn, known=known)

    def reserve(self, state: State, seen: Seen, demand: Demand) -> tuple[dict[str, Any], Grant]:
        """Step the budget's tracker; see ``published_budget``."""
        return published_budget.reserve(self.policy, state, demand, seen.key, seen.severity)

    def refund(self, state: State) -> dict[str, Any]:
        """Give a call back."""
        return published_budget.refund(state)

    def after_prefilter(self, seen: Seen, demand: Demand, grant: Grant) -> Outcome:
        """The MLLM where it was granted, else where the policy's thresholds send the answer."""
        if demand.known is None:
            return self._unjudged(seen, grant)
        base = float(demand.known.base[0])
        if grant.call:
            reason = DRAWN if demand.drawn else "the rule expects the MLLM to change the answer"
            return Outcome(self._due(demand.score, grant.threshold, reason), base)
        code = ends(
            self._acting, demand.known.p1, _NOTHING, demand.known.base, np.array([False])
        )[0]  # fmt: skip
        name = RouteName.HUMAN if grant.person else ROUTES[code]
        why = BETWEEN if name is RouteName.HUMAN else "not due by the rule"
        if demand.score is None:
            why = "the MLLM covers nothing of this task"
        reason = self._traced(grant.refused or why)
        return Outcome(self._route(name, demand.score, grant.threshold, False, reason), base)

    def after_mllm(self, first: Seen, second: Seen, before: Route) -> Outcome:
        """Automatic by the combined probability, or a person.

        A task that was not escalated itself and only rides along is not sent to a person by the
        human step, and under a certificate it keeps its route: what was certified is the
        policy's own choice of items.
        """
        if self._untrusted(second):
            route = self.entropy.after_mllm(
                second.probability, second.gaps, second.label_mass, before.escalated
            )
            probability = None if second.probability is None else self._final(first, second)[1]
            return Outcome(self._stamped(route), probability)
        p1, final = self._final(first, second)
        if not before.escalated and not self.policy.tracked and not first.gaps:
            return Outcome(before, self._base(first))
        return Outcome(self._settled(p1, second, final, before.escalated), final)

    def _settled(self, p1: float, second: Seen, final: float, escalated: bool) -> Route:
        policy = self._acting if escalated else replace(self._acting, human=None)
        raw, end = np.array([second.probability]), np.array([final])
        name = ROUTES[ends(policy, np.array([p1]), raw, end, np.array([True]))[0]]
        score, limit = self._doubt(p1, raw, final, escalated)
        person = "still unsure after the MLLM"
        if policy.human is None and score > limit:
            name = RouteName.HUMAN
        elif name is RouteName.HUMAN and score <= limit:
            person = BETWEEN
        reason = person if name is RouteName.HUMAN else "sure after the MLLM"
        return self._route(name, score, limit, escalated, self._traced(reason))

    @property
    def _acting(self) -> RoutingPolicy:
        """The policy with what was learnt. Only for its thresholds: its version is another."""
        if self.learnt is None:
            return self.policy
        return replace(self.policy, thresholds=self.learnt.on(self.policy.thresholds))

    def _traced(self, reason: str) -> str:
        """A route's reason, with the learnt thresholds where they differ from the policy's."""
        moved = self.learnt and self.learnt.on(self.policy.thresholds) != self.policy.thresholds
        return f"{reason}; {self.learnt}" if moved else reason

    def _doubt(
        self, p1: float, raw: np.ndarray[Any, Any], final: float, escalated: bool
    ) -> tuple[float, float]:
        """What decides between automatic and a person after the MLLM, and its limit."""
        human = self.policy.human
        if human is not None and escalated:
            risk = human.risk(np.array([p1]), self.policy.mllm(raw), np.array([final]))
            return float(risk[0]), human.limit
        limit = self.entropy.human_threshold if escalated else self.entropy.threshold
        return binary_entropy(final), limit

    def _final(self, first: Seen, second: Seen) -> tuple[float, float]:
        """(p1, final); the MLLM alone counts where the prefilter had nothing or left a gap."""
        raw = np.array([second.probability])
        p2 = self.policy.mllm(raw)
        if first.probability is None or first.gaps:
            return float(p2[0]), float(p2[0])
        p1 = self.policy.first.calibration(np.array([first.probability]))
        return float(p1[0]), float(self.policy.final(p1, raw)[0])

    def _base(self, first: Seen) -> float | None:
        if first.probability is None:
            return None
        known = self.policy.first.know(np.array([first.probability]), self._features(first))
        return float(known.base[0])

    def _unjudged(self, seen: Seen, grant: Grant) -> Outcome:
        """Nobody has judged the video: the MLLM, or a person."""
        route = self._stamped(
            self.entropy.after_prefilter(seen.probability, seen.gaps, seen.mllm_covers)
        )
        if grant.refused:
            reason = f"{route.reason}; {grant.refused}"
            route = replace(route, name=RouteName.HUMAN, escalated=False, reason=reason)
        return Outcome(route, self._base(seen))

    def _features(self, seen: Seen) -> np.ndarray[Any, Any]:
        row = [seen.features.get(name, np.nan) for name in self.policy.features]
        return np.array([row], dtype=np.float64)

    def _untrusted(self, second: Seen) -> bool:
        low = second.label_mass is not None and second.label_mass < MIN_LABEL_MASS
        return second.probability is None or bool(second.gaps) or low

    def _due(self, score: float | None, threshold: float, reason: str) -> Route:
        return self._route(RouteName.MLLM, score, threshold, True, reason)

    def _route(
        self, name: RouteName, score: float | None, threshold: float, escalated: bool, reason: str
    ) -> Route:
        rule, version = self.policy.rule, self.version
        return Route(name, rule, version, score, threshold, escalated, reason=reason)

    def _stamped(self, route: Route) -> Route:
        """A route of the settings' rule that this policy stands for: its score means nothing."""
        threshold = self.policy.thresholds.escalate_from
        return replace(
            route, rule=self.policy.rule, version=self.version, score=None, threshold=threshold
        )


def refuse_unknown_features(policy: RoutingPolicy, known: Iterable[str]) -> None:
    """Check that every feature of a policy can be supplied when videos are scored.

    Raises:
        RoutingError: Some cannot; names them and what can.
    """
    names = sorted(known)
    missing = [name for name in policy.features if name not in names]
    if missing:
        listed = ", ".join(f"feature_{name}" for name in missing)
        there = ", ".join(f"feature_{name}" for name in names)
        raise RoutingError(
            f"The routing policy reads {listed}, which is not known when a video is scored. Fit it "
            f"again without them. Known are: {there}."
        )


def describe_certificate(certificate: Mapping[str, Any] | None) -> str:
    """A certificate in a few words, for lists: ``miss rate <= 0.05 at 0.9``."""
    if certificate is None:
        return "none"
    risks = certificate.get("risks", ())
    kept = [f"{risk['name'].replace('_', ' ')} <= {risk['target']:g}" for risk in risks]
    confidence = certificate.get("confidence")
    return ", ".join(kept) + ("" if confidence is None else f" at {confidence:g}")
