"""Videos that look like one: the same bytes first, then by what their frames have in common."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from coefvq.review import queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.library_items import items_of
from coefvq.review.library_views import SimilarPage
from coefvq.settings import Settings
from coefvq.store import embeddings, videos
from coefvq.store.session import Store
from coefvq.store.tables import EmbeddingRow, MediaRow, VideoRow

_SPARE = 2
"""Some media have no video in the library, only a kept answer."""


def similar_to(
    store: Store, settings: Settings, actor: Actor, video_id: str, limit: int = 12
) -> SimilarPage:
    """Find the videos that look most like one, without itself.

    Raises:
        StoreError: There is no such video.
    """
    require(actor, Permission.VIEW)
    with store.read() as session:
        video = videos.get(session, video_id)
        wanted = embeddings.newest(session, video.sha256)
        alike = {video.sha256: 1.0}
        if wanted is not None:
            alike |= dict(embeddings.nearest(session, wanted, limit * _SPARE))
        hidden = queues.hidden_videos(session, actor)
        rows = _videos(session, alike, video.id, hidden)[:limit]
        shares = {row.id: alike[row.sha256] for row in rows}
        return SimilarPage(
            video_id=video.id,
            title=video.title or video.original_name,
            items=items_of(session, settings, actor, rows, similarity=shares),
            compared=wanted is not None,
            unknown=_unknown(session, wanted.version) if wanted is not None else 0,
        )


def _videos(
    session: Session, alike: dict[str, float], but: str, where: Sequence[ColumnElement[bool]]
) -> Sequence[VideoRow]:
    """Uploads of some media, the likest first, of the same media the newest first."""
    query = select(VideoRow).where(
        VideoRow.sha256.in_(alike), VideoRow.id != but, VideoRow.status != videos.KEPT, *where
    )
    rows = session.scalars(query.order_by(VideoRow.id.desc()))
    return sorted(rows, key=lambda row: -alike[row.sha256])


def _unknown(session: Session, version: str) -> int:
    media = session.scalar(select(func.count()).select_from(MediaRow)) or 0
    query = select(func.count()).where(EmbeddingRow.version == version)
    return max(0, media - (session.scalar(query) or 0))
