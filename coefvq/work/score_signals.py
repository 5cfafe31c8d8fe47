"""Score signals that a program sent: the answer is kept for it, and nothing else."""

from __future__ import annotations

from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.given import item_of
from coefvq.results import result_json
from coefvq.store import callbacks
from coefvq.store.jobs import ClaimedJob
from coefvq.store.tables import SignalRequestRow, utcnow
from coefvq.work.bench import Apply, Bench, Report


def score_signals(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Run the cascade on a request's item; calls of the MLLM count in the budget like all others.

    Raises:
        SignalsError: The item does not follow the format.
        StoreError: The request was forgotten: its day is over.
    """
    request_id = str(job.payload.get("request"))
    with bench.store.read() as session:
        row = session.get(SignalRequestRow, request_id)
    if row is None:
        raise StoreError(f"Request {request_id} is over; send the signals again.")
    item = item_of(str(row.item["signals"]["id"]), row.item["signals"])
    wants_rationale = bool(row.item["rationale"])
    report(0.1, "loading models")
    cascade = bench.cascade()
    report(0.3, "scoring")
    result = cascade.assess_signals(
        item.id, item.posted, item.expensive, row.item["stage"], wants_rationale
    )
    answer = result_json(result, with_rationale=wants_rationale)

    def apply(session: Session) -> None:
        kept = session.get(SignalRequestRow, request_id)
        if kept is None:
            return
        kept.answer, kept.done_at = answer, utcnow()
        if kept.callback:
            about = {"request_id": kept.id}
            callbacks.send(session, kept.key_id, kept.callback, callbacks.SIGNALS, about)

    return apply
