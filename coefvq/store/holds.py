"""Legal holds as rows: a video under one is not deleted."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store.tables import HoldRow, VideoRow


class Held(StoreError):
    """A legal hold stands: the video stays."""

    code = "held"


def get(session: Session, hold_id: str, *, lock: bool = False) -> HoldRow:
    """Look one up.

    Raises:
        StoreError: There is no such hold.
    """
    row = session.get(HoldRow, hold_id, with_for_update=True if lock else None)
    if row is None:
        raise StoreError(f"There is no hold {hold_id}. Reload the list.")
    return row


def listed(
    session: Session, *, released: bool = False, video_id: str | None = None
) -> list[tuple[HoldRow, VideoRow]]:
    """Holds with their videos, newest first; ``released``: those that ended, too."""
    query = select(HoldRow, VideoRow).join(VideoRow, VideoRow.id == HoldRow.video_id)
    if not released:
        query = query.where(HoldRow.released_at.is_(None))
    if video_id is not None:
        query = query.where(HoldRow.video_id == video_id)
    return list(session.execute(query.order_by(HoldRow.id.desc())))


def require_free(session: Session, video_id: str) -> None:
    """Refuse to delete a video under a hold. Call it in the transaction that deletes.

    The bytes are held with it: other uploads of the same bytes may go, the bytes may not.

    Raises:
        Held: A hold stands.
    """
    standing = listed(session, video_id=video_id)
    if standing:
        hold = standing[0][0]
        raise Held(
            f"Video {video_id} is under a legal hold by {hold.placed_by} since "
            f"{hold.placed_at:%Y-%m-%d}: it is not deleted. A lead can release the hold."
        )
