"""Routes every task of a video: by its published policy, or by the settings' entropy rule."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from coefvq.domain import Route, RouteName, ShadowRoute
from coefvq.escalations import Asking, Escalations, StateKeeper
from coefvq.routing.audit import AuditPlan, draw
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.limits import UploaderLimits
from coefvq.routing.one_video import Outcome, Seen, SettingsRouting, TaskRouting
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.published import Learnt, PublishedRouting
from coefvq.settings import Settings

_AUTOMATIC = (RouteName.AUTO_PASS, RouteName.AUTO_FLAG)


@dataclass(frozen=True)
class Trial:
    """A second routing policy beside the one in force of a task.

    Attributes:
        id: Salt of the split; a new trial draws other uploaders.
        policy: What is tried.
        share: Of the uploaders that it decides for, in (0, 1); 0 for a shadow, which decides
            nothing.
    """

    id: str
    policy: RoutingPolicy
    share: float = 0.0


def in_split(unit: str, trial_id: str, share: float, salt: str) -> bool:
    """Whether a trial's policy decides for an uploader: always the same answer in one trial.

    Args:
        unit: The uploader, or the media's SHA-256 where nobody is named.
        salt: The store's secret, so that nobody outside can choose an arm.
    """
    return draw(unit, share, f"{salt} split {trial_id}")


@dataclass(frozen=True)
class _InForce:
    """All that decides, replaced as a whole: who looks sees one state and no mixture of two."""

    published: Mapping[str, PublishedRouting] = field(default_factory=dict)
    splits: Mapping[str, Trial] = field(default_factory=dict)
    shadows: Mapping[str, Trial] = field(default_factory=dict)


class Router:
    """Holds what is in force for each task.

    It may be told anything at any time by another thread. ``for_video`` gives what one video is
    routed by, from its first stage to its audit.

    Args:
        entropy: The settings' rule, for tasks without a published policy.
        audit_share: Share of that rule's automatic outcomes that a person looks at.
        escalations: Who keeps budgets and limits; by default this process's memory.
        salt: Secret of the random draws. Without one nothing is drawn: whoever keeps no record
            has nobody who would look.
        learns: Whether thresholds that were learnt from decisions count.
    """

    def __init__(
        self,
        entropy: EntropyRouting,
        audit_share: float = 0.0,
        escalations: Escalations | None = None,
        salt: str | None = None,
        learns: bool = True,
    ):
        self._entropy = entropy
        self._default = SettingsRouting(entropy, AuditPlan(people=audit_share, mllm=0.0))
        self._escalations = escalations or Escalations()
        self._salt = salt
        self._learns = learns
        self._shadow_budgets = Escalations()
        self._now = _InForce()

    @classmethod
    def from_settings(cls, settings: Settings) -> Router:
        """As the settings say, without any published policy yet."""
        hourly = settings.escalations_per_uploader_hour
        limits = UploaderLimits(hourly, max(1, round(hourly))) if hourly else None
        return cls(
            EntropyRouting(settings.entropy_threshold, settings.human_entropy_threshold),
            settings.audit_share,
            Escalations(limits=limits),
            learns=settings.learn_online,
        )

    def remember(self, states: StateKeeper, salt: str) -> None:
        """Keep budgets and limits there from now on, and draw audits with this secret."""
        self._escalations.keep_in(states)
        self._shadow_budgets.keep_in(states)
        self._salt = salt

    def use(self, policies: Mapping[str, RoutingPolicy]) -> None:
        """Put these policies in force, by task, in place of those before; trials are over."""
        self.follow(policies, {})

    def learn(self, learnt: Mapping[str, Learnt]) -> None:
        """Use these thresholds by task; a task without any has its policy's own."""
        known, now = learnt if self._learns else {}, self._now
        published = {
            task: replace(routing, learnt=known.get(task))
            for task, routing in now.published.items()
        }
        self._now = replace(now, published=published)

    def follow(
        self,
        policies: Mapping[str, RoutingPolicy],
        learnt: Mapping[str, Learnt],
        splits: Mapping[str, Trial] | None = None,
        shadows: Mapping[str, Trial] | None = None,
    ) -> None:
        """Put policies, learnt thresholds and trials in force in one step, all by task.

        A task without a published policy can have trials too: beside the settings' rule.
        """
        known = learnt if self._learns else {}
        published = {
            task: PublishedRouting(policy, self._entropy, known.get(task))
            for task, policy in policies.items()
        }
        self._now = _InForce(published, dict(splits or {}), dict(shadows or {}))

    def for_video(self, unit: str) -> Router:
        """What routes one video: as it is now, whatever is published meanwhile.

        Args:
            unit: The uploader, or the media's SHA-256 where nobody is named: a split decides by it.
        """
        now, pinned = self._now, copy.copy(self)
        arms = {
            task: PublishedRouting(trial.policy, self._entropy)
            for task, trial in now.splits.items()
            if self._salt and in_split(unit, trial.id, trial.share, self._salt)
        }
        pinned._now = replace(now, published={**now.published, **arms}, splits={})
        return pinned

    def version(self, task: str) -> str:
        """What is in force for a task."""
        return self._of(task).version

    def after_prefilter(
        self, seen: Mapping[str, Seen], uploader: str | None = None, spend: bool = True
    ) -> dict[str, Outcome]:
        """Route all tasks of one video after the first stage.

        Args:
            seen: By task.
            uploader: Whose limit counts; ``None``: nobody's.
            spend: Whether calls that are due are taken from the budgets.
        """
        asked = {task: self._asking(task, each) for task, each in seen.items()}
        grants = self._escalations.decide(asked, uploader, spend)
        return {
            task: each.routing.after_prefilter(each.seen, each.demand, grants[task])
            for task, each in asked.items()
        }

    def after_mllm(self, task: str, first: Seen, second: Seen, before: Route) -> Outcome:
        """Route one task after the second stage."""
        return self._of(task).after_mllm(first, second, before)

    @property
    def watched(self) -> bool:
        """Whether any trial runs in the shadow."""
        return bool(self._now.shadows)

    def shadows(
        self, seen: Mapping[str, Seen], after: Mapping[str, Seen] | None, due: Mapping[str, bool]
    ) -> dict[str, ShadowRoute]:
        """Where the shadows of running trials would have sent a video; nothing follows from it.

        A shadow has a budget of its own; the limit of one uploader's calls is not applied to it.
        Where it would have asked the MLLM and nobody did, its route stays ``mllm``.

        Args:
            seen: What the first stage left, by task.
            after: What the second stage left; ``None`` where it did not run.
            due: By task, whether the policy that decides asked for the MLLM.
        """
        found = {}
        for task, trial in self._now.shadows.items():
            if task in seen:
                others = any(asked for name, asked in due.items() if name != task)
                ran = None if after is None else after.get(task)
                found[task] = ShadowRoute(
                    trial.id, self._shadow(task, trial, seen[task], ran, others)
                )
        return found

    def _shadow(
        self, task: str, trial: Trial, seen: Seen, after: Seen | None, others: bool
    ) -> Route:
        routing = PublishedRouting(trial.policy, self._entropy)
        asking = self._asked(routing, seen)
        grant = self._shadow_budgets.decide({f"{trial.id} {task}": asking}, None)
        before = routing.after_prefilter(seen, asking.demand, grant[f"{trial.id} {task}"]).route
        runs = before.escalated or (others and seen.mllm_covers)
        return routing.after_mllm(seen, after, before).route if runs and after else before

    def audited(self, task: str, key: str, route: Route) -> Route:
        """A final route with its audit: drawn or not, and with which probability."""
        share = self._of(task).audit.people
        if route.name not in _AUTOMATIC or not self._salt or share == 0.0:
            return route
        drawn = draw(key, share, f"{self._salt} people")
        return replace(route, audit=drawn, propensity=share)

    def _asking(self, task: str, seen: Seen) -> Asking:
        return self._asked(self._of(task), seen)

    def _asked(self, routing: TaskRouting, seen: Seen) -> Asking:
        share, salt = routing.audit.mllm, f"{self._salt} mllm {routing.version}"
        drawn = bool(self._salt) and share > 0.0 and draw(seen.key, share, salt)
        return Asking(routing, seen, routing.demand(seen, drawn))

    def _of(self, task: str) -> TaskRouting:
        return self._now.published.get(task, self._default)
