"""Routes every task of a video: by its published policy, or by the settings' entropy rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from coefvq.domain import Route, RouteName
from coefvq.escalations import Asking, Escalations, StateKeeper
from coefvq.routing.audit import AuditPlan, draw
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.limits import UploaderLimits
from coefvq.routing.one_video import Outcome, Seen, SettingsRouting, TaskRouting
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.published import Learnt, PublishedRouting
from coefvq.settings import Settings

_AUTOMATIC = (RouteName.AUTO_PASS, RouteName.AUTO_FLAG)


class Router:
    """Holds what is in force for each task.

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
        self._published: dict[str, PublishedRouting] = {}

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
        self._salt = salt

    def use(self, policies: Mapping[str, RoutingPolicy]) -> None:
        """Put these policies in force, by task, in place of those before."""
        self._published = {
            task: PublishedRouting(policy, self._entropy) for task, policy in policies.items()
        }

    def learn(self, learnt: Mapping[str, Learnt]) -> None:
        """Use these thresholds by task; a task without any has its policy's own."""
        known = learnt if self._learns else {}
        self._published = {
            task: replace(routing, learnt=known.get(task))
            for task, routing in self._published.items()
        }

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

    def audited(self, task: str, key: str, route: Route) -> Route:
        """A final route with its audit: drawn or not, and with which probability."""
        share = self._of(task).audit.people
        if route.name not in _AUTOMATIC or not self._salt or share == 0.0:
            return route
        drawn = draw(key, share, f"{self._salt} people")
        return replace(route, audit=drawn, propensity=share)

    def _asking(self, task: str, seen: Seen) -> Asking:
        routing = self._of(task)
        share, salt = routing.audit.mllm, f"{self._salt} mllm {routing.version}"
        drawn = bool(self._salt) and share > 0.0 and draw(seen.key, share, salt)
        return Asking(routing, seen, routing.demand(seen, drawn))

    def _of(self, task: str) -> TaskRouting:
        return self._published.get(task, self._default)
