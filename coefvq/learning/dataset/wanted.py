"""What a snapshot is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coefvq import taxonomy
from coefvq.errors import SettingsError, did_you_mean
from coefvq.review.access import ROLES


@dataclass(frozen=True)
class Wanted:
    """Which answers a snapshot takes in; the default is all of them.

    Attributes:
        tasks: Only these tasks; ``None``: all.
        policies: Only labels on these policies; ``None``: all.
        since: Only videos whose newest answer is of this time or later.
        until: Only answers before this time.
        roles: Only answers that were given in these roles; ``None``: in any. An independent second
            look and the answer on a copy keep no role: they count as a reviewer's.
        seed: Deals groups that are in no snapshot yet.
    """

    tasks: tuple[str, ...] | None = None
    policies: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    roles: tuple[str, ...] | None = None
    seed: int = 0

    def checked(self) -> Wanted:
        """Itself.

        Raises:
            SettingsError: A name that is not known, or a time that does not fit.
        """
        for task in self.tasks or ():
            taxonomy.task(task)
        for policy in self.policies or ():
            taxonomy.policy(policy)
        for role in self.roles or ():
            if role not in ROLES:
                raise SettingsError(f"Unknown role '{role}'.{did_you_mean(role, ROLES)}")
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise SettingsError(f"The time {moment} has no zone; write 2026-05-01T00:00Z.")
        if self.since and self.until and self.since >= self.until:
            raise SettingsError(f"Nothing lies between {self.since} and {self.until}.")
        return self

    def takes(self, task: str) -> bool:
        """Whether answers on a task are wanted."""
        return self.tasks is None or task in self.tasks

    def labels(self, policy: str) -> bool:
        """Whether labels on a policy are wanted."""
        return self.policies is None or policy in self.policies

    def in_role(self, role: str) -> bool:
        """Whether answers given in a role are wanted."""
        return self.roles is None or role in self.roles

    def in_time(self, at: datetime) -> bool:
        """Whether an answer of this time is wanted."""
        return self.until is None or at < self.until

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "tasks": None if self.tasks is None else sorted(self.tasks),
            "policies": None if self.policies is None else sorted(self.policies),
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "roles": None if self.roles is None else sorted(self.roles),
            "seed": self.seed,
        }
