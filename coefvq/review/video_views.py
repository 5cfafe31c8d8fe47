"""One upload with the files that show it, out of the store's rows."""

from __future__ import annotations

from sqlalchemy.orm import Session

from coefvq.review.case_views import VideoView
from coefvq.settings import Settings
from coefvq.store import videos
from coefvq.store.tables import VideoRow


def video_view(session: Session, settings: Settings, video: VideoRow) -> VideoView:
    """One upload and its files."""
    media, info = video.media, video.media.info or {}
    folder = settings.previews_dir
    return VideoView(
        id=video.id,
        sha256=video.sha256,
        title=video.title,
        caption=video.caption,
        original_name=video.original_name,
        uploader=video.uploader,
        uploaded_at=video.uploaded_at,
        duration_s=info.get("duration_s"),
        width=info.get("width"),
        height=info.get("height"),
        fps=info.get("fps"),
        has_audio=info.get("has_audio"),
        warnings=tuple(info.get("warnings", ())),
        proxy=folder / media.proxy if media.proxy else None,
        poster=folder / media.poster if media.poster else None,
        contact_sheet=folder / media.contact_sheet if media.contact_sheet else None,
        copies=tuple(videos.copies(session, video)),
    )
