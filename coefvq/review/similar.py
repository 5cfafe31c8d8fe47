"""Videos that look like one: the same footage first, then by what their frames have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from coefvq.review import blinding, copies, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.copy_views import SameFootage
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

    First come those that a search for copies has found footage of, the surest first, then the
    same bytes, then the likest pictures.

    Raises:
        StoreError: There is no such video.
    """
    require(actor, Permission.VIEW)
    blinding.prepare(store, settings)
    with store.read() as session:
        video = videos.get(session, video_id)
        footage = copies.footage_with(session, settings, actor, video)
        wanted = embeddings.newest(session, video.sha256)
        alike = {video.sha256: 1.0}
        if wanted is not None:
            alike |= dict(embeddings.nearest(session, wanted, limit * _SPARE))
        hidden = queues.hidden_videos(session, actor)
        rows = _videos(session, alike, video.id, hidden, footage)[:limit]
        shares = {row.id: alike[row.sha256] for row in rows if row.sha256 in alike}
        items = items_of(session, settings, actor, rows, similarity=shares)
        return SimilarPage(
            video_id=video.id,
            title=video.title or video.original_name,
            items=tuple(replace(item, footage=footage.get(item.video_id)) for item in items),
            compared=wanted is not None,
            unknown=_unknown(session, wanted.version) if wanted is not None else 0,
            copies=sum(row.id in footage for row in rows),
        )


def _videos(
    session: Session,
    alike: Mapping[str, float],
    but: str,
    where: Sequence[ColumnElement[bool]],
    footage: Mapping[str, SameFootage],
) -> Sequence[VideoRow]:
    """Uploads of some media, shared footage first, then the likest; then the newest first."""
    query = select(VideoRow).where(
        or_(VideoRow.sha256.in_(alike), VideoRow.id.in_(footage)),
        VideoRow.id != but,
        VideoRow.status.not_in(videos.UNLISTED),
        *where,
    )

    def rank(row: VideoRow) -> tuple[float, float]:
        shared = footage.get(row.id)
        return -shared.score if shared else 0.0, -alike.get(row.sha256, 0.0)

    return sorted(session.scalars(query.order_by(VideoRow.id.desc())), key=rank)


def _unknown(session: Session, version: str) -> int:
    media = session.scalar(select(func.count()).select_from(MediaRow)) or 0
    query = select(func.count()).where(EmbeddingRow.version == version)
    return max(0, media - (session.scalar(query) or 0))
