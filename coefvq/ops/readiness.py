"""Whether requests can be served. Anybody may ask, so no path and no version is told."""

from __future__ import annotations

import os
import tempfile

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from coefvq.settings import Settings
from coefvq.store.migrate import config, revision
from coefvq.store.session import Store

LEAST_FREE = 100 * 2**20
"""Bytes that uploads, previews and the store need at the least."""


def examine(store: Store, settings: Settings) -> dict[str, str]:
    """Look at store, schema and disk; what is amiss, by its name, empty where nothing is."""
    found = {"disk": _disk(settings)}
    try:
        with store.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            newest = ScriptDirectory.from_config(config()).get_current_head()
            fits = revision(connection) == newest
            found["schema"] = "" if fits else "not of this version; start the app anew"
    except SQLAlchemyError as error:
        found["store"] = f"does not answer ({type(error).__name__})"
    return {name: why for name, why in found.items() if why}


def _disk(settings: Settings) -> str:
    try:
        with tempfile.NamedTemporaryFile(prefix=".ready-", dir=settings.home) as file:
            file.write(b"ready")
            file.flush()
        state = os.statvfs(settings.home)
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    free = state.f_bavail * state.f_frsize
    return "" if free >= LEAST_FREE else f"nearly full: {free // 2**20} MB are left"
