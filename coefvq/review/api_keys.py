"""Keys with which programs come in: made once, shown once, revoked at once.

A key reads ``cvq_<id>_<secret>``. The store keeps only the secret's SHA-256: it has 256 random
bits, so a slow hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from coefvq.errors import SettingsError, StoreError, did_you_mean
from coefvq.review.access import Actor, Permission, require
from coefvq.review.users import NAME
from coefvq.store import api_keys as rows_of
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import ApiKeyRow, utcnow

SCOPES = {"read": "viewer", "submit": "uploader", "decide": "reviewer", "metrics": "monitor"}
"""Scope to the role that a program with it acts in."""
PREFIX = "cvq"
_SECRET_BYTES = 32
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class ApiKey:
    """A key as admins see it; its secret is nowhere.

    Attributes:
        state: ``active``, ``expired`` or ``revoked``.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    state: str
    made_by: str
    made_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class Caller:
    """A program that came in: its key, and whom it acts as (``key:NAME``)."""

    key_id: str
    actor: Actor


def create(
    store: Store, actor: Actor, name: str, scopes: Collection[str], days: float | None = None
) -> str:
    """Make a key; what is returned is shown this once.

    Args:
        name: Unique, also among revoked keys: events name it.
        days: How long it holds; ``None``: until it is revoked.

    Raises:
        NotAllowed: The actor is no admin.
        SettingsError: A scope or the name does not fit.
        StoreError: There is a key of that name.
    """
    require(actor, Permission.ADMINISTER)
    _check(name, scopes, days)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    until = None if days is None else utcnow() + timedelta(days=days)
    with store.write() as session:
        if any(row.name.lower() == name.lower() for row in rows_of.everyone(session)):
            raise StoreError(f"There is a key '{name}' already. Choose another name.")
        row = ApiKeyRow(
            name=name, digest=_digest(secret), scopes=sorted(set(scopes)), made_by=actor.name,
            expires_at=until,
        )  # fmt: skip
        session.add(row)
        session.flush()
        data = {"name": name, "scopes": row.scopes}
        events.append(session, actor.name, "key.created", "api_key", row.id, data)
        return f"{PREFIX}_{row.id}_{secret}"


def revoke(store: Store, actor: Actor, name: str) -> ApiKey:
    """End a key now; a second time changes nothing."""
    require(actor, Permission.ADMINISTER)
    with store.write() as session:
        row = rows_of.get(session, name)
        if row.revoked_at is None:
            row.revoked_at = utcnow()
            events.append(session, actor.name, "key.revoked", "api_key", row.id, {"name": name})
        return _view(row)


def list_keys(store: Store, actor: Actor) -> tuple[ApiKey, ...]:
    """All keys by name."""
    require(actor, Permission.ADMINISTER)
    with store.read() as session:
        return tuple(_view(row) for row in rows_of.everyone(session))


def caller(store: Store, key: str, now: datetime | None = None) -> Caller | None:
    """Who calls with this key; ``None``: it is wrong, expired or revoked."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret or len(key) > 200 or not key.isascii():
        return None
    moment = now or utcnow()
    with store.read() as session:
        row = rows_of.by_id(session, key_id)
    # Compared also where there is no such key: both take as long.
    fits = hmac.compare_digest(row.digest if row else "0" * 64, _digest(secret))
    if row is None or not fits or _state(row, moment) != "active":
        return None
    _seen(store, row, moment)
    roles = frozenset(SCOPES[scope] for scope in row.scopes if scope in SCOPES)
    return Caller(row.id, Actor(f"key:{row.name}", roles))


def _check(name: str, scopes: Collection[str], days: float | None) -> None:
    if not NAME.fullmatch(name):
        raise SettingsError(f"'{name}' is no name for a key: letters, digits, dots and dashes.")
    if not scopes:
        raise SettingsError(f"A key needs a scope: {', '.join(SCOPES)}.")
    for scope in scopes:
        if scope not in SCOPES:
            raise SettingsError(f"Unknown scope '{scope}'.{did_you_mean(scope, SCOPES)}")
    if days is not None and not 0 < days <= 36_500:
        raise SettingsError(f"{days} days: give more than 0.")


def _seen(store: Store, row: ApiKeyRow, now: datetime) -> None:
    if row.last_used_at is not None and now - row.last_used_at < _SEEN_EVERY:
        return
    with store.write() as session:
        session.get_one(ApiKeyRow, row.id).last_used_at = now


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii", "replace")).hexdigest()


def _state(row: ApiKeyRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "active"


def _view(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        row.id, row.name, tuple(row.scopes), _state(row, utcnow()), row.made_by, row.made_at,
        row.expires_at, row.last_used_at,
    )  # fmt: skip
