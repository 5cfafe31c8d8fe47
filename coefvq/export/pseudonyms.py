"""Reviewers' names in exports: the same person is the same pseudonym, and nobody can tell who.

HMAC-SHA256 with a secret of the data folder: without it, names cannot be tried out one by one.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from coefvq.errors import StoreError

KEY_NAME = "pseudonym.key"
KEY_BYTES = 32
Naming = Callable[[str], str]
"""From a reviewer's name to what is written."""


def by_name(name: str) -> str:
    """The real name."""
    return name


def pseudonyms(home: Path) -> Naming:
    """Make the naming of a data folder; its secret is made at first use.

    Raises:
        StoreError: The secret cannot be read or written.
    """
    key = _key(home / KEY_NAME)
    return lambda name: pseudonym(key, name)


def pseudonym(key: bytes, name: str) -> str:
    """``reviewer-`` and eight hexadecimal digits."""
    made = hmac.new(key, name.encode("utf-8"), hashlib.sha256).hexdigest()
    return f"reviewer-{made[:8]}"


def _key(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise StoreError(f"The secret in {path} cannot be used: {error}.") from error
    if len(key) != KEY_BYTES:
        raise StoreError(f"The secret in {path} is not {KEY_BYTES} bytes. Restore it or delete it.")
    return key


def _make(path: Path) -> None:
    """Write a new secret whole; of two processes at once the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".pseudonym-", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
