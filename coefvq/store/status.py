"""How much of everything there is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.store import cases, decisions, jobs, videos
from coefvq.store.tables import VideoRow


def totals(session: Session) -> dict[str, Any]:
    """``videos`` of the library, ``jobs`` and ``cases`` by state, ``decisions`` that stand."""
    listed = VideoRow.status.not_in(videos.UNLISTED)
    return {
        "videos": session.scalar(select(func.count()).select_from(VideoRow).where(listed)) or 0,
        "jobs": jobs.counts(session),
        "cases": cases.counts(session),
        "decisions": decisions.count(session),
    }
