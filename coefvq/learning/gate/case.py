"""What is compared with what, and what was found of it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Stage
from coefvq.errors import RoutingError, TrainingError
from coefvq.learning.gate.choose import Chosen
from coefvq.learning.gate.judge import Judgement
from coefvq.learning.gate.limits import Cuts, Limits
from coefvq.learning.gate.stages import Rule
from coefvq.learning.registry import code_version, covers_of, in_force, serving
from coefvq.mllm.profiles import parse_profile
from coefvq.routing.entropy import EntropyRouting, unsure_band
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store import routing_policies, trained_models
from coefvq.store.session import Store


@dataclass(frozen=True)
class Case:
    """What is compared with what, as it was when the gate began."""

    store: Store
    settings: Settings
    version: str
    stage: Stage
    against: str
    other: str
    covers: frozenset[str]
    covered: frozenset[str]
    snapshot_id: str | None
    routing: Mapping[str, RoutingPolicy]
    limits: Limits

    @classmethod
    def of(cls, store: Store, settings: Settings, version: str, limits: Limits) -> Case:
        with store.read() as session:
            row = trained_models.get(session, version)
            stage, force = Stage(row.stage), in_force(session)
            routing = _routing(session)
            others = serving(session, settings)
            covered = covers_of(session, force[stage])
        if force[stage] == version:
            raise TrainingError(f"{version} is in force already: there is nothing to compare with.")
        if stage is Stage.MLLM and parse_profile(settings.mllm).kind != "embedded":
            raise TrainingError(
                f"COEFVQ_MLLM is {parse_profile(settings.mllm).kind}: only the embedded MLLM is "
                "trained and compared here."
            )
        other = others[Stage.MLLM if stage is Stage.PREFILTER else Stage.PREFILTER]
        return cls(store, settings, version, stage, force[stage], other, frozenset(row.covers),
                   covered, row.snapshot_id, routing, limits)  # fmt: skip

    @property
    def entropy(self) -> EntropyRouting:
        """The rule of tasks without a published policy."""
        chosen = self.settings
        return EntropyRouting(chosen.entropy_threshold, chosen.human_entropy_threshold)

    def rules(self) -> dict[str, Rule]:
        """By task, the routing in force."""
        return {task: self.routing.get(task) or self.entropy for task in taxonomy.tasks()}

    def cuts(self) -> dict[str, Cuts]:
        """Thresholds by policy: of its task's published routing, else of the settings."""
        found: dict[str, Cuts] = {}
        for task in taxonomy.tasks().values():
            mine = self._cut(task.id)
            found |= {policy.id: mine for policy in task.policies}
        return found

    def _cut(self, task: str) -> Cuts:
        policy = self.routing.get(task)
        if policy is not None:
            at = policy.thresholds
            return Cuts(at.call_from, at.pass_below, policy.version)
        rule = self.entropy
        bits = rule.threshold if self.stage is Stage.PREFILTER else rule.human_threshold
        band = unsure_band(bits)
        return Cuts(pass_below=0.5 if band is None else band[0])


def _routing(session: Any) -> dict[str, RoutingPolicy]:
    found: dict[str, RoutingPolicy] = {}
    for task in routing_policies.versions_in_force(session):
        row = routing_policies.in_force(session, task)
        if row is None or task not in taxonomy.tasks():
            continue
        try:
            found[task] = RoutingPolicy.from_json(row.document)
        except RoutingError as error:
            raise TrainingError(
                f"The routing policy of task {task} cannot be read: {error}"
            ) from None
    return found


@dataclass
class Found:
    """What the gate found so far."""

    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    chosen: Chosen | None = None
    unreadable: int = 0
    judgement: Judgement | None = None
    tasks: list[dict[str, Any]] = field(default_factory=list)
    snapshot: dict[str, Any] | None = None

    def document(self, case: Case) -> dict[str, Any]:
        """The report as it is kept; every key is always there."""
        judged, limits = self.judgement, case.limits
        overall = {
            "gain": None if judged is None or judged.gain is None else judged.gain.to_json(),
            "calibration": None
            if judged is None or judged.calibration is None
            else judged.calibration.to_json(),
        }
        cost = None if judged is None or judged.cost is None else judged.cost
        return {
            "version": case.version,
            "stage": case.stage.value,
            "against": case.against,
            "with": case.other,
            "passed": not self.reasons,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "snapshot": self.snapshot,
            "videos": self._videos(),
            "overall": overall,
            "policies": [
                each.to_json(limits.margin) for each in (judged.policies if judged else ())
            ],
            "tasks": self.tasks,
            "slices": [each.to_json() for each in (judged.slices if judged else ())],
            "cost": None if cost is None else {"old_ms": cost[0], "new_ms": cost[1]},
            "limits": limits.to_json(),
            "code": code_version(case.stage),
        }

    def _videos(self) -> dict[str, int]:
        if self.chosen is None:
            return {"n": 0, "unreadable": 0}
        n = len(self.chosen.items) - self.unreadable
        return {"n": n, "unreadable": self.unreadable, "of": self.chosen.of, **self.chosen.counts}
