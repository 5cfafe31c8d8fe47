"""Who may come in, what they set for themselves, and what they have been exposed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class UserRow(Base):
    """Somebody who signs in.

    ``roles`` are names out of ``review.access.ROLES``; ``queues`` the ids of the queues they are
    given cases from, ``None`` for all. ``exposure_limit_s``: seconds of severe material a shift;
    ``None`` for the setting's.
    """

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password_hash: Mapped[str]
    roles: Mapped[list[Any]]
    queues: Mapped[list[Any] | None]
    disabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    exposure_limit_s: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_seen_at: Mapped[datetime | None]


class SignInRow(Base):
    """One signed-in browser. ``token_hash`` is SHA-256 of the cookie's value."""

    __tablename__ = "sign_ins"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_seen_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]


class ExposureRow(Base):
    """How long somebody looked at a video of a severity, revealed."""

    __tablename__ = "exposures"
    __table_args__ = (Index("ix_exposures_reviewer_at", "reviewer", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    reviewer: Mapped[str] = mapped_column(String(200))
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    severity: Mapped[int]
    seconds: Mapped[float]
    at: Mapped[datetime] = mapped_column(default=utcnow)


class PreferenceRow(Base):
    """What one reviewer set for the pages: speed, sound, grey, the queue they work on."""

    __tablename__ = "preferences"

    reviewer: Mapped[str] = mapped_column(String(200), primary_key=True)
    values: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime] = mapped_column(default=utcnow)


class SavedFilterRow(Base):
    """A named set of filters of a page; ``shared`` ones are seen by all."""

    __tablename__ = "saved_filters"
    __table_args__ = (Index("ix_saved_filters_owner_page", "owner", "page"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner: Mapped[str] = mapped_column(String(200))
    page: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(80))
    query: Mapped[str]
    shared: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
