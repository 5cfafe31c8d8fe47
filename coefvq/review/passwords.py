"""Passwords: which are taken, and their hashes (argon2id, RFC 9106)."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from coefvq.errors import SettingsError

SHORTEST, LONGEST = 10, 1024
HASHER = PasswordHasher()
"""The library's parameters (RFC 9106, low memory): 64 MiB, three passes."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB: a burst of sign-ins waits instead of taking the memory."""
_dummies: dict[int, str] = {}


def check(name: str, password: str) -> str:
    """Return the password, or refuse it.

    Raises:
        SettingsError: It is too short or long, or the person's own name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise SettingsError(f"The password needs {SHORTEST} to {LONGEST} characters.")
    if password.casefold() == name.casefold():
        raise SettingsError("The password must not be the name. Choose another one.")
    return password


def hash_of(password: str) -> str:
    """Hash a password."""
    with _AT_ONCE:
        return HASHER.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Tell whether a password fits a stored hash.

    Without a hash it takes as long as with one, so that nobody can tell which names exist.
    """
    with _AT_ONCE:
        try:
            return HASHER.verify(stored or _dummy(), password[:LONGEST]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Tell whether a hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(stored)


def _dummy() -> str:
    if (key := id(HASHER)) not in _dummies:
        _dummies[key] = HASHER.hash("nobody's password")
    return _dummies[key]
