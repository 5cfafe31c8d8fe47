"""How long scoring will take, from how long it took."""

from __future__ import annotations

import statistics

from sqlalchemy import select

from coefvq.review.access import Actor, Permission, require
from coefvq.store.jobs import PRIORITY
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow, JobState

RECENT = 40
"""Finished jobs that the estimate looks at."""


def seconds_a_video(store: Store, actor: Actor) -> float | None:
    """Mean seconds of work a video over the last jobs; ``None`` before the first is done."""
    require(actor, Permission.VIEW)
    total = 0.0
    with store.read() as session:
        for kind in (JobKind.INGEST, JobKind.FINGERPRINT, JobKind.SCORE):
            query = (
                select(JobRow.started_at, JobRow.finished_at)
                # The priority follows from the kind; with it an index gives the last ones at once.
                .where(JobRow.state == JobState.DONE.value, JobRow.priority == PRIORITY[kind])
                .where(JobRow.kind == kind.value)
                .order_by(JobRow.id.desc())
                .limit(RECENT)
            )
            took = [
                (end - start).total_seconds() for start, end in session.execute(query)
                if start is not None and end is not None
            ]  # fmt: skip
            if kind is JobKind.SCORE and not took:
                return None
            total += statistics.fmean(took) if took else 0.0
    return total
