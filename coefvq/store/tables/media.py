"""Media (the bytes), videos (the uploads) and what was extracted from media."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from coefvq.store.tables.base import Base, new_id, utcnow


class MediaRow(Base):
    """One file's bytes, addressed by SHA-256.

    File names are relative to the media and previews folders, so that the data folder can move.
    ``info`` holds ``MediaInfo`` without ``path``; ``None`` until the file was probed.
    """

    __tablename__ = "media"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    file_name: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    info: Mapped[dict[str, Any] | None]
    proxy: Mapped[str | None]
    poster: Mapped[str | None]
    contact_sheet: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class VideoRow(Base):
    """One upload of a media. ``status``: waiting, scoring, scored or failed."""

    __tablename__ = "videos"
    __table_args__ = (Index("ix_videos_uploaded_at", "uploaded_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    sha256: Mapped[str] = mapped_column(ForeignKey("media.sha256"), index=True)
    title: Mapped[str | None]
    caption: Mapped[str | None]
    original_name: Mapped[str]
    uploader: Mapped[str]
    status: Mapped[str] = mapped_column(String(16), default="waiting", index=True)
    uploaded_at: Mapped[datetime] = mapped_column(default=utcnow)

    media: Mapped[MediaRow] = relationship(lazy="joined")


class CachedSignalsRow(Base):
    """Extracted signals of one media by one extractor version.

    ``readable`` repeats what people read (speech and screen-text lines), because ``payload``
    is in a format that only the signals package knows.
    """

    __tablename__ = "signals_cache"

    sha256: Mapped[str] = mapped_column(ForeignKey("media.sha256"), primary_key=True)
    extractor: Mapped[str] = mapped_column(String(128), primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    readable: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class EmbeddingRow(Base):
    """What a media looks like, as one small vector a prefilter version: float16 bytes."""

    __tablename__ = "embeddings"
    __table_args__ = (Index("ix_embeddings_version_created_at", "version", "created_at"),)

    sha256: Mapped[str] = mapped_column(ForeignKey("media.sha256"), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class VideoTextRow(Base):
    """All words of a video, for search. On SQLite an FTS5 table ``video_words`` follows it by
    triggers; PostgreSQL has a GIN index; see ``store.search``."""

    __tablename__ = "video_texts"

    number: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"), unique=True)
    words: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)
