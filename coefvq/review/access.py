"""Who may do what. Every handler asks here; hiding a button protects nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from coefvq.errors import NotAllowed, SettingsError, did_you_mean


class Permission(StrEnum):
    """The things that are allowed or not."""

    VIEW = "view"
    UPLOAD = "upload"
    DECIDE = "decide"
    DECIDE_MANY = "decide many at once"
    ASSIGN = "assign cases"
    LEAD = "change queues and shared settings"
    ADMINISTER = "administer people"
    MEASURE = "read operating figures"


ROLES: dict[str, frozenset[Permission]] = {
    "monitor": frozenset({Permission.MEASURE}),
    "viewer": frozenset({Permission.VIEW}),
    "uploader": frozenset({Permission.VIEW, Permission.UPLOAD}),
    "reviewer": frozenset({Permission.VIEW, Permission.UPLOAD, Permission.DECIDE}),
    "lead": frozenset(Permission) - {Permission.ADMINISTER},
    "admin": frozenset(Permission),
}
"""Role to what it permits, from the least to the most."""


@dataclass(frozen=True)
class Actor:
    """Somebody who asks for something.

    Attributes:
        name: Unique; written into decisions and events.
        roles: Names out of ``ROLES``.
        queues: Ids of the queues that they are given cases from; ``None``: all.
    """

    name: str
    roles: frozenset[str]
    queues: frozenset[str] | None = None

    def __post_init__(self) -> None:
        for role in self.roles:
            if role not in ROLES:
                raise SettingsError(f"Unknown role '{role}'.{did_you_mean(role, ROLES)}")

    def may(self, permission: Permission | str) -> bool:
        """Tell whether any role grants the permission."""
        return any(Permission(permission) in ROLES[role] for role in self.roles)

    def role_for(self, permission: Permission | str) -> str:
        """Return the least role that grants the permission: the one that was acted in."""
        require(self, permission)
        wanted = Permission(permission)
        return next(role for role in ROLES if role in self.roles and wanted in ROLES[role])


LOCAL = Actor("local", frozenset(ROLES))
"""Everyone on loopback where no users were set up."""


def require(actor: Actor | None, permission: Permission | str) -> Actor:
    """Let the actor pass or refuse.

    Raises:
        NotAllowed: Nobody is signed in, or no role of theirs grants the permission.
    """
    if actor is None:
        raise NotAllowed("Nobody is signed in. Sign in and try again.")
    if not actor.may(permission):
        has = ", ".join(sorted(actor.roles)) or "no role"
        raise NotAllowed(
            f"{actor.name} ({has}) may not {Permission(permission)}. Ask an admin for the role."
        )
    return actor
