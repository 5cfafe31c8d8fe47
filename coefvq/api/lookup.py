"""What the API reads of the store: a page at a time, and never past what the caller may see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.api import shapes
from coefvq.api.errors import BadRequest
from coefvq.errors import SettingsError, StoreError, did_you_mean
from coefvq.review import blinding, library, looks, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.library_items import items_of
from coefvq.settings import Settings
from coefvq.store import videos
from coefvq.store.periods import made_in
from coefvq.store.session import Store
from coefvq.store.tables import AssessmentRow, CaseRow, CaseState, VerdictRow, VideoRow

ID = re.compile(r"[0-9a-z]{1,32}")
PAGE, MOST = 50, 200
_AFTER_ALL = "z" * 16
Answer = dict[str, Any]


def known_id(text: str, what: str) -> str:
    """Pass an id on that could be one.

    Raises:
        StoreError: Nothing has an id like that.
    """
    if not ID.fullmatch(text):
        raise StoreError(f"There is no such {what}.")
    return text


def cursor_of(text: str | None) -> str | None:
    """Read a ``cursor``: the id of the last item of the page before.

    Raises:
        BadRequest: It is none.
    """
    if text is not None and not ID.fullmatch(text):
        raise BadRequest("cursor: pass on what the page before gave as 'next'.")
    return text


def plain(text: str | None, name: str) -> str | None:
    """A filter's text.

    Raises:
        BadRequest: It is longer than any, or holds control characters.
    """
    if text is not None and (len(text) > 200 or not text.isprintable()):
        raise BadRequest(f"{name}: at most 200 characters, none of them a control character.")
    return text or None


def moment(text: str | None, name: str) -> datetime | None:
    """Read a time with its zone.

    Raises:
        BadRequest: It is none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadRequest(f"{name}: a time such as 2026-10-01T12:00:00Z, with its zone.")
    return found


def page(items: Sequence[Answer], limit: int) -> Answer:
    """One page of a list that was read one item further; ``next`` is the cursor of the next."""
    shown = list(items[:limit])
    return {"items": shown, "next": shown[-1]["id"] if len(items) > limit else None}


def list_videos(
    store: Store, settings: Settings, actor: Actor, cursor: str | None, limit: int, **wanted: Any
) -> Answer:
    """Videos of the library, newest first; filters as in ``library.list_videos``."""
    require(actor, Permission.VIEW)
    _prepare(store, settings, actor)
    before = cursor or _AFTER_ALL
    found = library.list_videos(store, settings, actor, limit=limit, before=before, **wanted)
    items = [shapes.item(each) for each in found.items]
    return {"items": items, "next": items[-1]["id"] if found.following else None}


def video(store: Store, settings: Settings, actor: Actor, video_id: str) -> Answer:
    """One video with the machine's newest answers.

    Raises:
        StoreError: There is no such video in the library (any more).
        NotAllowed: A case of it stands in a restricted queue.
    """
    require(actor, Permission.VIEW)
    _prepare(store, settings, actor)
    with store.read() as session:
        row = videos.get(session, video_id)
        if row.status in videos.UNLISTED:
            raise StoreError(f"Video {video_id} is not in the library; it may have been deleted.")
        queues.require_open_video(session, actor, video_id)
        (listed,) = items_of(session, settings, actor, [row])
        found = list(videos.cases_of(session, [video_id])[video_id])
        blind = unseen(session, settings, actor, found)
        verdicts = {case.task: _verdict(session, case) for case in found}
        newest = next((each for each in verdicts.values() if each is not None), None)
        first = session.get(AssessmentRow, newest.prefilter_id) if newest else None
        made = shapes.video(row, listed, first)
        made["tasks"] = {
            case.task: shapes.hidden(case) if case.id in blind else shapes.task(case, answer)
            for case in found
            if (answer := verdicts[case.task]) is not None
        }
        made["models"] = dict(newest.models) if newest else {}
        return made


def list_cases(
    store: Store,
    settings: Settings,
    actor: Actor,
    cursor: str | None,
    limit: int,
    *,
    state: str | None,
    task: str | None,
    queue: str | None,
    video_id: str | None,
) -> Answer:
    """Cases, newest first.

    Raises:
        SettingsError: There is no such task or state.
    """
    require(actor, Permission.VIEW)
    _prepare(store, settings, actor)
    query = select(CaseRow)
    if state:
        states = [each.value for each in CaseState]
        if state not in states:
            raise SettingsError(f"Unknown state '{state}'.{did_you_mean(state, states)}")
        query = query.where(CaseRow.state == state)
    if task:
        query = query.where(CaseRow.task == taxonomy.task(task).id)
    if queue:
        query = query.where(CaseRow.queue == queue)
    if video_id:
        query = query.where(CaseRow.video_id == video_id)
    if cursor:
        query = query.where(CaseRow.id < cursor)
    with store.read() as session:
        query = query.where(queues.visible(session, actor), *_in_library())
        rows = list(session.scalars(query.order_by(CaseRow.id.desc()).limit(limit + 1)))
        blind = unseen(session, settings, actor, rows)
        untold = looks.concealed(session, actor, [row.id for row in rows if row.decision_id])
        return page([shapes.case(row, row.id in blind, row.id in untold) for row in rows], limit)


def list_verdicts(
    store: Store,
    settings: Settings,
    actor: Actor,
    cursor: str | None,
    limit: int,
    *,
    task: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Answer:
    """The machine's answers, oldest first, also those that later ones replaced.

    An answer that the caller is not to see before they decide is told without what it says.
    """
    require(actor, Permission.VIEW)
    _prepare(store, settings, actor)
    query = select(VerdictRow, CaseRow).join(CaseRow, CaseRow.id == VerdictRow.case_id)
    query = query.where(made_in(VerdictRow.id, VerdictRow.created_at, since, until))
    if task:
        query = query.where(CaseRow.task == taxonomy.task(task).id)
    if cursor:
        query = query.where(VerdictRow.id > cursor)
    with store.read() as session:
        query = query.where(queues.visible(session, actor), *_in_library())
        rows = session.execute(query.order_by(VerdictRow.id).limit(limit + 1)).all()
        blind = unseen(session, settings, actor, [case for _, case in rows])
        items = [shapes.verdict(answer, case, hide=case.id in blind) for answer, case in rows]
        return page(items, limit)


def unseen(
    session: Session, settings: Settings, actor: Actor, rows: Sequence[CaseRow]
) -> frozenset[str]:
    """Cases that the caller answers before they see the machine's answer; leads see all."""
    if actor.may(Permission.LEAD):
        return frozenset()
    return blinding.among(session, settings, actor, rows)


def _prepare(store: Store, settings: Settings, actor: Actor) -> None:
    """Only who decides answers anything blind."""
    if actor.may(Permission.DECIDE):
        blinding.prepare(store, settings)


def _verdict(session: Session, case: CaseRow) -> VerdictRow | None:
    return session.get(VerdictRow, case.verdict_id) if case.verdict_id else None


def _in_library() -> list[Any]:
    """Conditions on ``CaseRow``: its video was not deleted."""
    gone = select(VideoRow.id).where(VideoRow.status == videos.DELETED)
    return [CaseRow.video_id.not_in(gone)]
