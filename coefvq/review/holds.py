"""Legal holds: a lead places one on a video, and nothing deletes it until a lead releases it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from coefvq.errors import StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.store import events, videos
from coefvq.store import holds as rows_of
from coefvq.store.holds import Held as Held
from coefvq.store.holds import require_free as require_free
from coefvq.store.session import Store
from coefvq.store.tables import HoldRow, VideoRow, utcnow
from coefvq.store.text import storable

REASON_LIMIT = 2000


@dataclass(frozen=True)
class HoldView:
    """A hold on a video. Title and reason are hostile."""

    id: str
    video_id: str
    title: str
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None


def place(store: Store, actor: Actor, video_id: str, reason: str) -> HoldView:
    """Place a hold; several may stand on one video.

    Raises:
        StoreError: There is no such video, or no reason is given.
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    why = _needed(reason, "Say why the video is held.")
    with store.write() as session:
        video = videos.get(session, video_id)
        row = HoldRow(video_id=video.id, reason=why, placed_by=actor.name)
        session.add(row)
        session.flush()
        data = {"video": video.id, "reason": why}
        events.append(session, actor.name, "hold.placed", "hold", row.id, data)
        return _view(row, video)


def release(store: Store, actor: Actor, hold_id: str, reason: str) -> HoldView:
    """End a hold; the reason is kept in its event.

    Raises:
        StoreError: There is no such hold, it was released already, or no reason is given.
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    why = _needed(reason, "Say why the hold ends.")
    with store.write() as session:
        row = rows_of.get(session, hold_id, lock=True)
        if row.released_at is not None:
            raise StoreError(f"{row.released_by} has released hold {hold_id} already.")
        row.released_by, row.released_at = actor.name, utcnow()
        data = {"video": row.video_id, "reason": why}
        events.append(session, actor.name, "hold.released", "hold", row.id, data)
        return _view(row, videos.get(session, row.video_id))


def list_holds(store: Store, actor: Actor, released: bool = False) -> tuple[HoldView, ...]:
    """Holds that stand, newest first; with ``released`` those that ended, too."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        return tuple(_view(*pair) for pair in rows_of.listed(session, released=released))


def of_video(store: Store, actor: Actor, video_id: str) -> tuple[HoldView, ...]:
    """The holds that stand on a video."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        return tuple(_view(*pair) for pair in rows_of.listed(session, video_id=video_id))


def _needed(text: str, otherwise: str) -> str:
    words = storable(text)
    if words is None or len(words) > REASON_LIMIT:
        raise StoreError(f"{otherwise} A reason has 1 to {REASON_LIMIT} characters.")
    return words


def _view(row: HoldRow, video: VideoRow) -> HoldView:
    return HoldView(
        row.id,
        video.id,
        video.title or video.original_name,
        row.reason,
        row.placed_by,
        row.placed_at,
        row.released_by,
        row.released_at,
    )
