"""What a reviewer sets for themselves: the player, the queue they work on, the colours.

These change nothing about any case, so they leave no event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coefvq.errors import SettingsError, did_you_mean
from coefvq.review.access import Actor, Permission, require
from coefvq.store.session import Store
from coefvq.store.tables import PreferenceRow, utcnow
from coefvq.store.upsert import insert_missing

BLUR = ("always", "severe", "never")
THEMES = ("system", "light", "dark")
SLOWEST, FASTEST = 0.25, 4.0

DEFAULTS: dict[str, Any] = {
    "speed": 1.0,
    "muted": True,
    "grey": False,
    "blur": "always",
    "queue": None,
    "theme": "system",
}
"""Every preference that there is, and what holds until somebody changes it."""


def _is_speed(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and SLOWEST <= value <= FASTEST  # type: ignore[operator]


def _is_queue(value: object) -> bool:
    return value is None or (isinstance(value, str) and 0 < len(value) <= 64)


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "speed": (_is_speed, f"a number from {SLOWEST:g} to {FASTEST:g}"),
    "muted": (lambda value: isinstance(value, bool), "true or false"),
    "grey": (lambda value: isinstance(value, bool), "true or false"),
    "blur": (lambda value: value in BLUR, f"one of {', '.join(BLUR)}"),
    "queue": (_is_queue, "the id of a queue, or null for all"),
    "theme": (lambda value: value in THEMES, f"one of {', '.join(THEMES)}"),
}


def load(store: Store, actor: Actor) -> dict[str, Any]:
    """Return all preferences of the actor, with the defaults where nothing was set.

    Raises:
        NotAllowed: The actor may not look at cases.
    """
    require(actor, Permission.VIEW)
    with store.read() as session:
        row = session.get(PreferenceRow, actor.name)
        return DEFAULTS | _known(row.values if row else {})


def save(store: Store, actor: Actor, changes: dict[str, Any]) -> dict[str, Any]:
    """Change some of the actor's preferences and return all of them.

    Raises:
        SettingsError: There is no such preference, or the value does not fit.
        NotAllowed: The actor may not look at cases.
    """
    require(actor, Permission.VIEW)
    for name, value in changes.items():
        check(name, value)
    with store.write() as session:
        insert_missing(session, PreferenceRow, reviewer=actor.name, values={}, saved_at=utcnow())
        row = session.get_one(PreferenceRow, actor.name, with_for_update=True)
        row.values = _known(row.values) | changes
        row.saved_at = utcnow()
        return DEFAULTS | row.values


def check(name: str, value: object) -> None:
    """Refuse a preference that does not exist or a value that does not fit.

    Raises:
        SettingsError: Says which, and what fits.
    """
    if name not in _CHECKS:
        raise SettingsError(f"There is no preference '{name}'.{did_you_mean(name, _CHECKS)}")
    fits, expected = _CHECKS[name]
    if not fits(value):
        raise SettingsError(f"Preference {name}: {expected} is expected.")


def _known(values: dict[str, Any]) -> dict[str, Any]:
    """What this version knows and can use; what another version stored does no harm."""
    return {name: value for name, value in values.items() if name in _CHECKS
            and _CHECKS[name][0](value)}  # fmt: skip
