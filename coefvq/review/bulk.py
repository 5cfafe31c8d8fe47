"""One answer for a selection of cases, and sending a selection of videos to people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from coefvq.errors import CoefVQError, DecisionRefused
from coefvq.review import queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decide import check_undo_time, take_back
from coefvq.review.decision_rows import store_decision
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, leases, videos
from coefvq.store.session import Store
from coefvq.store.tables import CaseState, DecisionRow, new_id, utcnow

LIMIT = 500
_TITLE = "{title}"
_HOLD_S = 1.0  # given back at once: a batch is not worked on case by case
_SENDABLE = (CaseState.AUTO, CaseState.DECIDED)


@dataclass(frozen=True)
class Batch:
    """What became of a selection.

    Attributes:
        done: Cases that were decided.
        refused: The other cases, by id, with what stood against it.
    """

    batch_id: str
    done: int
    refused: dict[str, str]


def decide_many(
    store: Store, settings: Settings, actor: Actor, case_ids: Iterable[str], form: DecisionForm
) -> Batch:
    """Decide a selection with one form; what cannot be decided is refused, the others go on.

    Each case is its own transaction, so that other reviewers never wait for the whole batch. The
    notice may hold ``{title}``: each uploader reads the title of their own video.

    Args:
        case_ids: At most ``LIMIT``.
        form: Checked against each case's own task and length.

    Raises:
        DecisionRefused: Nothing is selected, or too much.
        NotAllowed: The actor may not decide many at once.
    """
    require(actor, Permission.DECIDE_MANY)
    chosen = _selection(case_ids, "case")
    batch_id, refused = new_id(), {}
    for case_id in chosen:
        try:
            _decide_one(store, settings, actor, case_id, form, batch_id)
        except CoefVQError as error:
            refused[case_id] = str(error)
    done = len(chosen) - len(refused)
    data = {"done": done, "refused": len(refused), "action": form.action}
    with store.write() as session:
        events.append(session, actor.name, "batch.decided", "batch", batch_id, data)
    return Batch(batch_id, done, refused)


def undo_batch(store: Store, actor: Actor, batch_id: str) -> int:
    """Take a batch back within ``decide.UNDO_S`` of its end; return how many cases were.

    Cases that somebody opened or decided since stay as they are.

    Raises:
        DecisionRefused: There is nothing of it to undo, it is somebody else's, or it is too late.
    """
    require(actor, Permission.DECIDE_MANY)
    with store.read() as session:
        rows = decisions.of_batch(session, batch_id)
    if not rows:
        raise DecisionRefused(f"Nothing of batch {batch_id} is left to undo.")
    if any(row.reviewer != actor.name for row in rows):
        raise DecisionRefused(f"Batch {batch_id} is {rows[0].reviewer}'s: only they can undo it.")
    instead = "Open the cases and decide them again."
    check_undo_time(max(row.decided_at for row in rows), utcnow(), instead)
    done = sum(_undo_one(store, actor, row) for row in rows)
    with store.write() as session:
        events.append(session, actor.name, "batch.undone", "batch", batch_id, {"undone": done})
    return done


def enqueue_videos(store: Store, actor: Actor, video_ids: Iterable[str]) -> int:
    """Send the scored cases of videos to people; return how many wait now that did not before.

    Raises:
        DecisionRefused: Nothing is selected, or too much.
        StoreError: There is no such video; none is sent.
    """
    require(actor, Permission.DECIDE)
    chosen = _selection(video_ids, "video")
    with store.write() as session:
        found = [cases.of_video(session, videos.get(session, each).id) for each in chosen]
        case_ids = sorted(case.id for by_task in found for case in by_task.values())
        # All are locked before the first event: who decides one of them cannot block this.
        locked = [queues.reach(session, actor, case_id, lock=True) for case_id in case_ids]
        sent = [case for case in locked if case.state in _SENDABLE]
        for case in sent:
            case.assigned_to = None
            cases.queue(session, case)
            events.append(session, actor.name, "case.sent", "case", case.id)
        return len(sent)


def _selection(ids: Iterable[str], thing: str) -> list[str]:
    chosen = list(dict.fromkeys(ids))
    if not chosen:
        raise DecisionRefused(f"No {thing} is selected: select some first.")
    if len(chosen) > LIMIT:
        raise DecisionRefused(
            f"{len(chosen)} {thing}s are selected; at most {LIMIT} go at once. Select fewer."
        )
    return chosen


def _decide_one(
    store: Store, settings: Settings, actor: Actor, case_id: str, form: DecisionForm, batch_id: str
) -> None:
    with store.write() as session:
        case = queues.reach(session, actor, case_id, lock=True)
        if case.state == CaseState.DECIDED.value:
            raise DecisionRefused("It is decided already. Open it to decide it again.")
        now = utcnow()
        ttl = settings.case_lease_s
        lease = leases.claim(session, leases.CASE, case_id, actor.name, ttl, now)
        if lease is None:
            holder = leases.current(session, leases.CASE, case_id, now)
            raise DecisionRefused(f"{holder.holder if holder else 'Somebody'} has it open.")
        video = cases.video_of(session, case)
        notice = form.notice.replace(_TITLE, video.title or video.original_name)
        filled = replace(form, notice=notice, verdict_id=None)
        store_decision(session, settings, actor, case, filled, token=lease.token, batch_id=batch_id)
        leases.release(session, leases.CASE, case_id, actor.name, lease.token)


def _undo_one(store: Store, actor: Actor, row: DecisionRow) -> int:
    try:
        with store.write() as session:
            now, found = utcnow(), session.get_one(DecisionRow, row.id)
            take_back(session, _HOLD_S, actor, found, now)
            held = leases.current(session, leases.CASE, row.case_id, now)
            if held is not None:
                leases.release(session, leases.CASE, row.case_id, actor.name, held.token)
    except DecisionRefused:
        return 0
    return 1
