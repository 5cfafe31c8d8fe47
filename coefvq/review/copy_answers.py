"""Say of a match whether it is a copy. The newest answer on a pair of files counts, for good.

What an answer does to the banks is undone by the opposite answer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.errors import DecisionRefused, StoreError
from coefvq.originality import fingerprint
from coefvq.review import blinding, copies, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.copy_views import CopyPair, Proposal
from coefvq.review.footage import cut
from coefvq.review.views import CaseView
from coefvq.settings import Settings
from coefvq.store import cases, copy_scores, events, originals, videos
from coefvq.store import copies as rows_of
from coefvq.store.copies import Said, StoredMatch
from coefvq.store.session import Store
from coefvq.store.tables import CopyMatchRow, EventRow, OriginalRow
from coefvq.store.text import storable

CONFIRMED, REJECTED = "copy.confirmed", "copy.rejected"
REUPLOAD = "reupload"
"""The policy that a copy violates."""

IDENTICAL, EDITED = "identical copy", "edited copy"
"""The policy's reasons for a copy of which nothing or something was changed."""

_NO_EDIT = frozenset({"re_encode"})
_NAME_ROOM = 900


@dataclass(frozen=True)
class Answered:
    """What an answer has done.

    Attributes:
        added: Bank to the id of what was put into it.
        removed: Banks out of which something was taken that the opposite answer had put there.
        scored_again: Videos that wait to be scored again because of it.
    """

    match_id: str
    said: Said
    added: dict[str, int]
    removed: tuple[str, ...]
    scored_again: tuple[str, ...] = ()


def answer(
    store: Store,
    settings: Settings,
    actor: Actor,
    match_id: str,
    said: str,
    *,
    note: str = "",
    proves_nothing: bool = False,
) -> Answered:
    """Confirm or reject a match.

    A confirmed original that is in no bank of known originals is added to ``originals``. A
    rejected pair is never offered again. Videos whose score as a copy it changes are scored
    again, once nobody has a case of them open; decided cases keep the machine's answer that they
    were decided with.

    Args:
        said: ``confirmed`` or ``rejected``.
        proves_nothing: With a rejection, by a lead: the matched seconds of the original go into
            the bank ``do_not_match``.

    Raises:
        NotAllowed: The actor may not decide, or may not see one of the two videos.
        DecisionRefused: They answer a case of the video first, before they see what was found.
        StoreError: There is no such match, or no such answer.
    """
    require(actor, Permission.DECIDE)
    if proves_nothing:
        require(actor, Permission.LEAD)
    blinding.prepare(store, settings)
    with store.write() as session:
        stored = _reach(session, settings, actor, match_id)
        files = (stored.reference_sha256, stored.query_sha256)
        before = copy_scores.before_change(session, *files)
        kept = rows_of.answer(session, match_id, said, note, actor.name)
        if kept.said is Said.CONFIRMED:
            added, removed = _confirm(session, actor, stored)
        else:
            added, removed = _reject(session, actor, stored, proves_nothing)
        again = copy_scores.queue_changed(session, before, {*added, *removed})
        _tell(session, actor, stored, kept, added, removed)
        return Answered(match_id, kept.said, added, tuple(removed), tuple(again))


def proposal(case: CaseView, pair: CopyPair) -> Proposal | None:
    """What the decision form of a case is filled with once the pair is confirmed.

    ``None`` where the case's task does not ask about copies. The reason is empty where the policy
    does not list it any more.
    """
    policy = next((each for each in case.policies if each.id == REUPLOAD), None)
    if policy is None:
        return None
    span = copies.longest(pair.spans)
    reason = EDITED if set(pair.transform) - _NO_EDIT else IDENTICAL
    listed = reason if reason in policy.reasons else ""
    return Proposal(policy.id, listed, span.query_start_s, span.query_end_s)


def _reach(session: Session, settings: Settings, actor: Actor, match_id: str) -> StoredMatch:
    """The match, if both videos and what the machine says of them are open to the actor."""
    stored = rows_of.get(session, match_id)
    queues.require_open_video(session, actor, stored.video_id)
    found = list(cases.of_video(session, stored.video_id).values())
    if not copies.told(session, settings, actor, found, leads=False):
        raise DecisionRefused(
            f"Answer the case of video {stored.video_id} first. What it may be a copy of shows "
            "after that."
        )
    known = copies.uploads(session, stored)
    if known and not any(copies.is_open(session, actor, video.id) for video in known):
        queues.require_open_video(session, actor, known[0].id)
    return stored


def _confirm(
    session: Session, actor: Actor, stored: StoredMatch
) -> tuple[dict[str, int], list[str]]:
    removed = _take_back(session, actor, stored, originals.DO_NOT_MATCH, REJECTED)
    row = session.get_one(OriginalRow, stored.original_id)
    there = originals.KNOWN in copies.banks_of(session, stored.reference_sha256)
    if there or not row.fingerprint or row.bank == originals.DO_NOT_MATCH:
        return {}, removed
    made, new = originals.add(
        session,
        bank=originals.KNOWN,
        reference=row.reference,
        sha256=row.sha256,
        fingerprint=row.fingerprint,
        version=row.version,
        frames=row.frames,
        duration_s=row.duration_s,
        added_by=actor.name,
        video_id=row.video_id,
    )
    return ({originals.KNOWN: made.id} if new else {}), removed


def _reject(
    session: Session, actor: Actor, stored: StoredMatch, proves_nothing: bool
) -> tuple[dict[str, int], list[str]]:
    still = rows_of.confirmed_pairs(session, stored.reference_sha256)
    removed = [] if still else _take_back(session, actor, stored, originals.KNOWN, CONFIRMED)
    return (_put_away(session, actor, stored) if proves_nothing else {}), removed


def _put_away(session: Session, actor: Actor, stored: StoredMatch) -> dict[str, int]:
    """The matched seconds of the original prove nothing from now on."""
    row = session.get_one(OriginalRow, stored.original_id)
    if not row.fingerprint:
        raise StoreError(
            f"Match {stored.match_id}: the original was taken out of its bank, so its footage "
            "cannot be put away. Reject the match without that."
        )
    whole = fingerprint.from_bytes(row.fingerprint)
    start = min(span.reference_start_s for span in stored.spans)
    end = max(span.reference_end_s for span in stored.spans)
    spans = [(span.reference_start_s, span.reference_end_s) for span in stored.spans]
    part = cut(whole, start, end, only=spans)
    data = fingerprint.to_bytes(part)
    made, new = originals.add(
        session,
        bank=originals.DO_NOT_MATCH,
        reference=f"{row.reference[:_NAME_ROOM]} {start:.1f}-{end:.1f} s",
        sha256=hashlib.sha256(data).hexdigest(),
        fingerprint=data,
        version=part.version,
        frames=len(part.times_s),
        duration_s=part.duration_s,
        added_by=actor.name,
    )
    return {originals.DO_NOT_MATCH: made.id} if new else {}


def _take_back(
    session: Session, actor: Actor, stored: StoredMatch, bank: str, kind: str
) -> list[str]:
    """Take out of a bank what earlier answers on this pair had put there."""
    same = (
        select(CopyMatchRow.id)
        .join(OriginalRow, OriginalRow.id == CopyMatchRow.original_id)
        .where(
            CopyMatchRow.video_id == stored.video_id,
            OriginalRow.sha256 == stored.reference_sha256,
        )
    )
    query = select(EventRow).where(EventRow.kind == kind, EventRow.subject_id.in_(same))
    ids = [event.data.get("added", {}).get(bank) for event in session.scalars(query)]
    rows = [session.get(OriginalRow, each) for each in ids if each is not None]
    live = [row.id for row in rows if row is not None and row.removed_at is None]
    for each in live:
        originals.remove(session, each, actor.name)
    return [bank] if live else []


def _tell(
    session: Session,
    actor: Actor,
    stored: StoredMatch,
    kept: rows_of.Answer,
    added: dict[str, int],
    removed: list[str],
) -> None:
    original = session.get_one(OriginalRow, stored.original_id)
    video = videos.get(session, stored.video_id)
    data = {
        "video": video.id,
        "original": original.reference,
        "bank": original.bank,
        "reference_sha256": stored.reference_sha256,
        "score": stored.score,
        "note": storable(kept.note) or "",
        "added": added,
        "removed": removed,
    }
    kind = CONFIRMED if kept.said is Said.CONFIRMED else REJECTED
    events.append(session, actor.name, kind, "copy", stored.match_id, data)
