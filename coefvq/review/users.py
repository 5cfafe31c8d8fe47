"""People who sign in: add them, change what they may do, shut them out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from coefvq.errors import SettingsError, StoreError, did_you_mean
from coefvq.review import passwords
from coefvq.review.access import LOCAL, ROLES, Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import events, people
from coefvq.store.session import Store
from coefvq.store.tables import SignInRow, UserRow, utcnow

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OPERATOR = Actor("operator", frozenset({"admin"}))
"""Whoever runs the command line: they have the database anyway."""

RESERVED = frozenset({LOCAL.name, OPERATOR.name})
WORKERS = "worker-"
"""Start of the names that workers log events under."""

KEEP: Any = object()
"""Leave as it is, where ``None`` means something."""


@dataclass(frozen=True)
class Person:
    """A user as admins see them.

    Attributes:
        queues: Ids of the queues that they are given cases from; ``None``: all.
        locked_until: After too many wrong passwords; ``None`` or past: not locked.
        exposure_limit_s: Their own limit a shift, seconds; ``None``: the setting's.
    """

    name: str
    roles: tuple[str, ...]
    queues: tuple[str, ...] | None
    disabled: bool
    locked_until: datetime | None
    exposure_limit_s: float | None
    created_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True)
class SignedIn:
    """One browser in which somebody is signed in."""

    name: str
    since: datetime
    last_seen_at: datetime


def any_user(store: Store) -> bool:
    """Tell whether people were set up, so that everyone has to sign in. Open to all."""
    with store.read() as session:
        return people.any_user(session)


def list_people(store: Store, actor: Actor) -> list[Person]:
    """Everyone, by name.

    Raises:
        NotAllowed: The actor administers nobody.
    """
    require(actor, Permission.ADMINISTER)
    with store.read() as session:
        return [_person(row) for row in people.everyone(session)]


def signed_in(
    store: Store, settings: Settings, actor: Actor, now: datetime | None = None
) -> list[SignedIn]:
    """Who is signed in, the last seen first.

    Raises:
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    moment = now or utcnow()
    idle = moment - timedelta(seconds=settings.sign_in_idle_s)
    with store.read() as session:
        rows: list[SignInRow] = people.sign_ins(session, moment, idle)
        return [SignedIn(row.user, row.created_at, row.last_seen_at) for row in rows]


def add(
    store: Store,
    actor: Actor,
    name: str,
    password: str,
    roles: Iterable[str] = ("reviewer",),
    queues: Iterable[str] | None = None,
    exposure_limit_s: float | None = None,
) -> Person:
    """Add somebody.

    Raises:
        NotAllowed: The actor administers nobody.
        SettingsError: The name, password, a role or the limit does not fit.
        StoreError: The name is taken.
    """
    require(actor, Permission.ADMINISTER)
    row = UserRow(
        name=_name(name),
        password_hash=passwords.hash_of(passwords.check(name, password)),
        roles=_roles(roles),
        queues=_queues(queues),
        exposure_limit_s=_limit(exposure_limit_s),
        disabled=False,
        failures=0,
    )
    with store.write() as session:
        taken = people.alike(session, name)
        if taken is not None:
            raise StoreError(f"There is a user {taken} already. Choose another name.")
        _first_is_admin(session, actor, row)
        session.add(row)
        _log(session, actor, "user.added", name, roles=row.roles, queues=row.queues)
        return _person(row)


def change(
    store: Store,
    actor: Actor,
    name: str,
    *,
    roles: Iterable[str] | None = None,
    queues: Iterable[str] | None = KEEP,
    exposure_limit_s: float | None = KEEP,
) -> Person:
    """Change roles, queues or limit; what is left out stays. It counts from the next request.

    Raises:
        NotAllowed: The actor administers nobody.
        SettingsError: A value does not fit, or nobody would be admin any more.
        StoreError: There is no such user.
    """
    require(actor, Permission.ADMINISTER)
    changes: dict[str, Any] = {}
    if roles is not None:
        changes["roles"] = _roles(roles)
    if queues is not KEEP:
        changes["queues"] = _queues(queues)
    if exposure_limit_s is not KEEP:
        changes["exposure_limit_s"] = _limit(exposure_limit_s)
    with store.write() as session:
        row = _locked(session, name)
        if "roles" in changes and "admin" not in changes["roles"]:
            _keep_an_admin(session, row)
        for field, value in changes.items():
            setattr(row, field, value)
        _log(session, actor, "user.changed", row.name, **changes)
        return _person(row)


def set_password(store: Store, actor: Actor, name: str, password: str) -> None:
    """Give somebody a new password; it ends their sign-ins and a lock.

    Raises:
        NotAllowed: The actor administers nobody.
        SettingsError: The password does not fit.
        StoreError: There is no such user.
    """
    require(actor, Permission.ADMINISTER)
    made = passwords.hash_of(passwords.check(name, password))
    with store.write() as session:
        row = _locked(session, name)
        row.password_hash, row.failures, row.locked_until = made, 0, None
        ended = people.end_sign_ins(session, row.name)
        _log(session, actor, "user.password_set", row.name, sign_ins_ended=ended)


def disable(store: Store, actor: Actor, name: str) -> Person:
    """Shut somebody out, at once and in every browser.

    Raises:
        NotAllowed: The actor administers nobody.
        SettingsError: Nobody would be admin any more.
        StoreError: There is no such user.
    """
    require(actor, Permission.ADMINISTER)
    with store.write() as session:
        row = _locked(session, name)
        _keep_an_admin(session, row)
        row.disabled = True
        ended = people.end_sign_ins(session, row.name)
        _log(session, actor, "user.disabled", row.name, sign_ins_ended=ended)
        return _person(row)


def enable(store: Store, actor: Actor, name: str) -> Person:
    """Let somebody in again; a lock after wrong passwords goes as well.

    Raises:
        NotAllowed: The actor administers nobody.
        StoreError: There is no such user.
    """
    require(actor, Permission.ADMINISTER)
    with store.write() as session:
        row = _locked(session, name)
        row.disabled, row.failures, row.locked_until = False, 0, None
        _log(session, actor, "user.enabled", row.name)
        return _person(row)


def _locked(session: Session, name: str) -> UserRow:
    """Everyone is locked, because the last admin must be told from the others."""
    rows = {row.name: row for row in people.everyone(session, lock=True)}
    if name not in rows:
        raise StoreError(f"There is no user {name!r}.{did_you_mean(name, rows) if rows else ''}")
    return rows[name]


def _is_admin(row: UserRow) -> bool:
    return not row.disabled and "admin" in row.roles


def _keep_an_admin(session: Session, leaving: UserRow) -> None:
    others = (row for row in people.everyone(session) if row.name != leaving.name)
    if _is_admin(leaving) and not any(_is_admin(row) for row in others):
        raise SettingsError(f"{leaving.name} is the only admin. Make somebody else an admin first.")


def _first_is_admin(session: Session, actor: Actor, row: UserRow) -> None:
    """From the first user on everyone signs in: somebody must be able to add the others."""
    if actor.name == LOCAL.name and not people.any_user(session) and "admin" not in row.roles:
        raise SettingsError(
            "The first person must be an admin: from then on everyone signs in, and nobody else "
            "could add people."
        )


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"The name {name[:80]!r} does not fit: 1 to 64 letters (a-z), digits, dots, dashes "
            "and underscores, a letter or digit first."
        )
    if name.lower() in RESERVED or name.lower().startswith(WORKERS):
        raise SettingsError(f"The name '{name}' is taken by the program. Choose another one.")
    return name


def _roles(roles: Iterable[str]) -> list[Any]:
    given = set(roles)
    for role in given - set(ROLES):
        raise SettingsError(f"Unknown role '{role}'.{did_you_mean(role, ROLES)}")
    if not given:
        raise SettingsError(f"Give at least one role: {', '.join(ROLES)}.")
    return [role for role in ROLES if role in given]


def _queues(queues: Iterable[str] | None) -> list[Any] | None:
    return None if queues is None else sorted(set(queues))


def _limit(seconds: float | None) -> float | None:
    if seconds is not None and not 0 <= seconds <= 86400:
        raise SettingsError("The exposure limit is 0 to 86400 seconds a shift.")
    return seconds


def _log(session: Session, actor: Actor, kind: str, name: str, **data: Any) -> None:
    events.append(session, actor.name, kind, "user", name, data)


def _person(row: UserRow) -> Person:
    return Person(
        row.name,
        tuple(row.roles),
        None if row.queues is None else tuple(row.queues),
        row.disabled,
        row.locked_until,
        row.exposure_limit_s,
        row.created_at,
        row.last_seen_at,
    )
