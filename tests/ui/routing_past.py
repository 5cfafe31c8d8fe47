"""Decided cases for the Routing page: a library that reviewers have worked on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from coefvq.domain import RouteName
from coefvq.review.access import LOCAL
from coefvq.review.priority import of as priority_of
from coefvq.store import decisions, jobs, results, videos
from coefvq.store.tables import DecisionRow, JobKind
from coefvq.work.task_probability import Recalibration
from tests.store_factory import result, route, upload
from tests.ui.world import HOSTILE, World


def decided(world: World, number: int = 60) -> None:
    """Uploads of which a third violates; most were sent to people, some were drawn."""
    dice, version = np.random.default_rng(1), Recalibration.shipped().version
    for place in range(number):
        bad, sent = place % 3 == 0, place % 4 != 3
        value = float(np.clip((0.66 if bad else 0.3) + dice.normal(0, 0.18), 0.02, 0.98))
        way = route(RouteName.HUMAN) if sent else route(
            RouteName.AUTO_PASS, audit=True, propensity=0.25, escalated=False)  # fmt: skip
        title = HOSTILE if place == 3 else f"clip {place}"
        content = f"decided {place}".encode()
        video = upload(world.store, world.settings, content, title=title, uploader=f"u{place % 20}")
        made = result(hashlib.sha256(content).hexdigest(), icd={"hate_harassment": value},
                      routes={"icd": way}, mllm=sent)  # fmt: skip
        made = replace(made, prefilter=replace(made.prefilter, model_version=version))
        _store(world, video, made, bad)


def _store(world: World, video: str, made, bad: bool) -> None:
    with world.store.write() as session:
        job = jobs.open_job(session, JobKind.INGEST, video_id=video)
        job.state = "done"
        row = videos.get(session, video)
        payloads = {(made.sha256, made.expensive.extractor): b"x"} if made.expensive else {}
        kept = results.record(session, row, made, payloads=payloads, priority=priority_of,
                              actor="worker-test")  # fmt: skip
        from coefvq.store import cases

        case = cases.get(session, kept.case_ids["icd"])
        labels = {"hate_harassment": decisions.VIOLATION if bad else decisions.OK}
        snapshot = {"route": made.tasks["icd"].route.__dict__ | {
            "name": made.tasks["icd"].route.name.value}}  # fmt: skip
        decisions.add(session, case, DecisionRow(
            case_id=case.id, verdict_id=case.verdict_id, task="icd", reviewer=LOCAL.name,
            role="reviewer", action="keep", labels=labels, reasons={}, comment="",
            correction=False, snapshot=snapshot,
        ))  # fmt: skip
