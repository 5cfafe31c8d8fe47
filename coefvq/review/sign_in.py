"""Signing in and out. The browser keeps a random token, the store only its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from coefvq.errors import CoefVQError, SettingsError
from coefvq.review import passwords
from coefvq.review.access import ROLES, Actor, Permission, require
from coefvq.review.users import NAME
from coefvq.settings import Settings
from coefvq.store import events, people
from coefvq.store.session import Store
from coefvq.store.tables import SignInRow, UserRow, utcnow

TOKEN_BYTES = 32
SEEN_EVERY = timedelta(minutes=1)
"""How exactly ``last_seen_at`` is kept: a page asks every few seconds."""


class SignInRefused(CoefVQError):
    """The one answer to every sign-in that fails: it does not tell which names exist."""

    code = "sign_in_refused"


def sign_in(
    store: Store,
    settings: Settings,
    name: str,
    password: str,
    now: datetime | None = None,
    *,
    replaces: str = "",
) -> str:
    """Check a name and a password; returns a new token for the browser.

    A try is counted before the password is looked at, so that many at once are not more tries.

    Args:
        replaces: The token that the browser had: it ends.

    Raises:
        SignInRefused: Unknown name, wrong password, disabled or locked.
    """
    moment = now or utcnow()
    stored, locks = _count_a_try(store, settings, name, moment)
    if not passwords.fits(stored, password):
        if locks:
            _log_lock(store, name, moment)
        raise _refused(settings)
    fresh = passwords.hash_of(password) if passwords.outdated(stored or "") else None
    return _let_in(store, settings, name, stored or "", fresh, moment, replaces)


def who(store: Store, settings: Settings, token: str, now: datetime | None = None) -> Actor | None:
    """Whose token this is; ``None`` where it is unknown, has ended, or its user is disabled.

    Roles and queues are read anew each time, so that a change counts at once.
    """
    if not token:
        return None
    moment = now or utcnow()
    with store.read() as session:
        found = people.sign_in(session, digest(token))
        if found is None or not _holds(*found, settings, moment):
            return None
        row, user = found
    if moment - row.last_seen_at >= SEEN_EVERY:
        _seen(store, row.token_hash, moment)
    return _actor(user)


def change_password(
    store: Store,
    settings: Settings,
    actor: Actor,
    token: str,
    old: str,
    new: str,
    now: datetime | None = None,
) -> None:
    """Give the actor the password they chose; it ends their sign-ins in other browsers.

    A wrong old password counts as a wrong sign-in.

    Args:
        token: This browser's; it stays signed in.

    Raises:
        NotAllowed: The actor may not even look.
        SignInRefused: The old password is wrong, or the account is locked.
        SettingsError: The new password does not fit, or is the old one.
    """
    require(actor, Permission.VIEW)
    made = passwords.hash_of(passwords.check(actor.name, new))
    if new == old:
        raise SettingsError("The new password is the old one. Choose another one.")
    moment = now or utcnow()
    stored, locks = _count_a_try(store, settings, actor.name, moment)
    if not passwords.fits(stored, old):
        if locks:
            _log_lock(store, actor.name, moment)
        raise SignInRefused("The old password is wrong, or the account is locked by now.")
    with store.write() as session:
        user = _find(session, actor.name)
        if user is None or user.disabled or user.password_hash != stored:
            raise _refused(settings)  # changed while the password was being checked
        user.password_hash, user.failures, user.locked_until = made, 0, None
        ended = people.end_sign_ins(session, actor.name, but=digest(token))
        data = {"sign_ins_ended": ended}
        events.append(session, actor.name, "user.password_changed", "user", actor.name, data)


def sign_out(store: Store, token: str) -> None:
    """End a sign-in; one that has ended already is fine."""
    if not token:
        return
    with store.write() as session:
        name = people.end_sign_in(session, digest(token))
        if name is not None:
            events.append(session, name, "user.signed_out", "user", name)


def digest(token: str) -> str:
    """What the store keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _count_a_try(
    store: Store, settings: Settings, name: str, now: datetime
) -> tuple[str | None, bool]:
    """The stored hash where a right password lets in, and whether this try locks."""
    with store.write() as session:
        user = _find(session, name)
        if user is None or user.disabled:
            return None, False
        if user.locked_until is not None:
            if user.locked_until > now:
                return None, False
            user.failures, user.locked_until = 0, None
        user.failures += 1
        locks = user.failures >= settings.sign_in_failures
        if locks:
            user.locked_until = now + timedelta(seconds=settings.sign_in_lock_s)
        return user.password_hash, locks


def _let_in(
    store: Store,
    settings: Settings,
    name: str,
    stored: str,
    fresh: str | None,
    now: datetime,
    replaces: str,
) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with store.write() as session:
        user = _find(session, name)
        if user is None or user.disabled or user.password_hash != stored:
            raise _refused(settings)  # changed while the password was being checked
        user.failures, user.locked_until, user.last_seen_at = 0, None, now
        user.password_hash = fresh or stored
        if replaces:
            people.end_sign_in(session, digest(replaces))
        people.end_sign_ins(session, name, before=now)
        ends = now + timedelta(seconds=settings.sign_in_max_s)
        session.add(SignInRow(token_hash=digest(token), user=name, created_at=now,
                              last_seen_at=now, expires_at=ends))  # fmt: skip
        events.append(session, name, "user.signed_in", "user", name, now=now)
    return token


def _find(session: Session, name: str) -> UserRow | None:
    return people.find(session, name, lock=True) if NAME.fullmatch(name) else None


def _holds(row: SignInRow, user: UserRow, settings: Settings, now: datetime) -> bool:
    idle_until = row.last_seen_at + timedelta(seconds=settings.sign_in_idle_s)
    return not user.disabled and now < row.expires_at and now < idle_until


def _seen(store: Store, token_hash: str, now: datetime) -> None:
    with store.write() as session:
        if (found := people.sign_in(session, token_hash)) is not None:
            found[0].last_seen_at = found[1].last_seen_at = now


def _actor(user: UserRow) -> Actor:
    # A role that this version does not know permits nothing.
    roles = frozenset(role for role in user.roles if role in ROLES)
    return Actor(user.name, roles, None if user.queues is None else frozenset(user.queues))


def _log_lock(store: Store, name: str, now: datetime) -> None:
    with store.write() as session:
        events.append(session, name, "user.locked", "user", name, now=now)


def _refused(settings: Settings) -> SignInRefused:
    return SignInRefused(
        "Name or password is wrong, or the account is locked or disabled. After "
        f"{settings.sign_in_failures} wrong passwords it is locked for "
        f"{settings.sign_in_lock_s / 60:.0f} minutes; an admin can help."
    )
