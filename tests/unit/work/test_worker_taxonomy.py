"""A worker follows the taxonomy: from one job to the next."""

from __future__ import annotations

from coefvq import taxonomy
from coefvq.review import taxonomies
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import jobs
from coefvq.store.session import Store
from coefvq.store.tables import JobKind
from coefvq.work.worker import Worker
from tests import taxonomy_factory as make
from tests.store_factory import FixedCascade, upload

LEA = Actor("lea", frozenset({"lead"}))


def test_the_next_job_is_done_under_what_was_published(store: Store, settings: Settings) -> None:
    video_id = upload(store, settings)
    with store.write() as session:
        while (job := jobs.claim_next(session, "other", 60.0)) is not None:
            jobs.finish(session, job.lease)
        jobs.enqueue(session, JobKind.SCORE, video_id=video_id)
    version = taxonomies.publish(store, LEA, make.with_policy("gambling"), "why").version
    taxonomy.install(None)  # as in a process that has not looked since
    seen: list[str] = []

    def answer(sha256: str) -> object:
        seen.append(taxonomy.version())
        return FixedCascade().answer(sha256)

    Worker(settings, store, lambda _: FixedCascade(answer)).run_once()  # type: ignore[arg-type]
    assert seen == [version]
