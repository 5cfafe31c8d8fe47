"""Users, their sign-ins, and what they were exposed to: rows in and out, no rule of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from coefvq.store.tables import EventRow, ExposureRow, SignInRow, UserRow

PAUSED = "exposure.paused"
"""Kind of the event that starts a pause; its subject is the reviewer."""


def any_user(session: Session) -> bool:
    """Tell whether anybody was set up, disabled people too."""
    return session.scalars(select(UserRow.name).limit(1)).first() is not None


def find(session: Session, name: str, *, lock: bool = False) -> UserRow | None:
    """Look a user up by the exact name; ``lock``: nobody else changes them meanwhile."""
    return session.get(UserRow, name, with_for_update=True if lock else None)


def alike(session: Session, name: str) -> str | None:
    """Name of a user that differs from this one at most in upper and lower case."""
    query = select(UserRow.name).where(func.lower(UserRow.name) == name.lower())
    return session.scalars(query).first()


def everyone(session: Session, *, lock: bool = False) -> list[UserRow]:
    """All users by name; ``lock``: nobody else changes one until this transaction ends."""
    query = select(UserRow).order_by(UserRow.name)
    return list(session.scalars(query.with_for_update() if lock else query))


def sign_in(session: Session, token_hash: str) -> tuple[SignInRow, UserRow] | None:
    """A sign-in and whose it is."""
    query = select(SignInRow, UserRow).join(UserRow, UserRow.name == SignInRow.user)
    found = session.execute(query.where(SignInRow.token_hash == token_hash)).first()
    return (found[0], found[1]) if found else None


def sign_ins(session: Session, now: datetime, idle_since: datetime) -> list[SignInRow]:
    """Sign-ins that hold, the last used first."""
    query = select(SignInRow).where(SignInRow.expires_at > now, SignInRow.last_seen_at > idle_since)
    return list(session.scalars(query.order_by(SignInRow.last_seen_at.desc())))


def end_sign_ins(
    session: Session, user: str, *, before: datetime | None = None, but: str = ""
) -> int:
    """Remove a user's sign-ins, or only those that end before a time; returns how many.

    Args:
        but: Hash of a token that stays.
    """
    query = select(SignInRow.token_hash).where(SignInRow.user == user, SignInRow.token_hash != but)
    if before is not None:
        query = query.where(SignInRow.expires_at <= before)
    hashes = list(session.scalars(query))
    session.execute(delete(SignInRow).where(SignInRow.token_hash.in_(hashes)))
    return len(hashes)


def end_sign_in(session: Session, token_hash: str) -> str | None:
    """Remove one sign-in; returns whose it was."""
    row = session.get(SignInRow, token_hash)
    if row is None:
        return None
    session.delete(row)
    session.flush()
    return row.user


def exposed(session: Session, reviewer: str, since: datetime) -> float:
    """Seconds that somebody was exposed after a time."""
    query = select(func.coalesce(func.sum(ExposureRow.seconds), 0.0)).where(
        ExposureRow.reviewer == reviewer, ExposureRow.at > since
    )
    return float(session.scalars(query).one())


def last_exposed(session: Session, reviewer: str) -> datetime | None:
    """When somebody's exposure was last noted."""
    return session.scalar(select(func.max(ExposureRow.at)).where(ExposureRow.reviewer == reviewer))


def exposed_people(session: Session, since: datetime) -> Sequence[str]:
    """Names of everyone with an exposure after a time."""
    query = select(ExposureRow.reviewer).where(ExposureRow.at > since).distinct()
    return sorted(session.scalars(query))


def last_pause(session: Session, reviewer: str) -> datetime | None:
    """When somebody's last pause began."""
    query = select(func.max(EventRow.seq)).where(
        EventRow.kind == PAUSED, EventRow.subject_id == reviewer
    )
    return session.scalars(select(EventRow.at).where(EventRow.seq.in_(query))).first()
