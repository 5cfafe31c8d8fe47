"""Cases that were scored and decided, for tests of what leads see of routing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from coefvq.domain import Route, RouteName, ShadowRoute
from coefvq.review import decide, queue
from coefvq.review.access import LOCAL
from coefvq.review.priority import of as priority_of
from coefvq.review.views import DecisionForm
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store import cases, results, videos
from coefvq.store.session import Store
from coefvq.work import routing_versions
from tests.store_factory import ANN, _finish_ingest, result, route, upload

HUMAN = route(RouteName.HUMAN)
DRAWN = route(RouteName.AUTO_PASS, audit=True, propensity=0.5, escalated=False)
FLAGGED = route(RouteName.AUTO_FLAG, audit=True, propensity=0.5, escalated=False)


@dataclass
class Largest:
    """A prefilter as far as history needs it."""

    version: str = "prefilter-test"

    def task_probability(self, task_id: str, probabilities: Mapping[str, float]) -> float:
        return max(probabilities.values())


@dataclass
class Past:
    """Scores cases and decides them."""

    store: Store
    settings: Settings
    number: int = 0

    def case(
        self,
        way: Route = HUMAN,
        violation: bool | None = None,
        uploader: str = LOCAL.name,
        shadow: ShadowRoute | None = None,
        title: str | None = None,
        **how: object,
    ) -> str:
        """One upload's ``icd`` case."""
        self.number += 1
        content = f"video {self.number}".encode()
        video_id = upload(self.store, self.settings, content, title=title, uploader=uploader)
        with self.store.write() as session:
            _finish_ingest(session)
            row = videos.get(session, video_id)
            made = result(row.sha256, routes={"icd": way}, **how)  # type: ignore[arg-type]
            icd = replace(made.tasks["icd"], shadow=shadow)
            made = replace(made, tasks={**made.tasks, "icd": icd})
            payloads = {(made.sha256, made.expensive.extractor): b"x"} if made.expensive else {}
            kept = results.record(session, row, made, payloads=payloads,  # type: ignore[arg-type]
                                  priority=priority_of, actor="worker-test")  # fmt: skip
        if violation is not None:
            self.decide(kept.case_ids["icd"], violation)
        return kept.case_ids["icd"]

    def decide(self, case_id: str, violation: bool) -> None:
        """As a reviewer does."""
        view = queue.open_case(self.store, self.settings, ANN, case_id)
        assert view.lease is not None and view.lease.token is not None
        reasons = {"hate_harassment": view.policies[1].reasons[0]} if violation else {}
        action = "remove" if violation else "keep"
        form = DecisionForm({"hate_harassment": violation}, action, reasons)
        decide.submit(self.store, self.settings, ANN, case_id, view.lease.token, form)

    def video(self, case_id: str) -> str:
        """A case's video."""
        with self.store.read() as session:
            return cases.get(session, case_id).video_id


def keep(store: Store, made: RoutingPolicy) -> str:
    """Bring a policy in."""
    return routing_versions.keep(store, LOCAL, made)


def publish(store: Store, made: RoutingPolicy, expected: str = "settings") -> str:
    """Bring a policy in and put it in force for ``icd``."""
    version = keep(store, made)
    routing_versions.publish(store, LOCAL, "icd", version, "why", expected)
    return version
