"""What waits, and where."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class QueueView:
    """One queue as a reviewer sees it.

    Attributes:
        waiting: Cases in it that this actor could be given.
        oldest_s: Age of the oldest that waits, seconds.
        late: Cases that are older than promised.
        open: Whether this actor is given its cases.
    """

    id: str
    name: str
    task: str | None
    waiting: int
    oldest_s: float | None
    promised_age_s: float | None
    late: int
    open: bool

    @property
    def broken(self) -> bool:
        """Whether its promised age is broken now: somebody should be told."""
        return self.late > 0


@dataclass(frozen=True)
class QueueCounts:
    """What waits.

    Attributes:
        waiting: Cases that this actor could be given, by task.
        leased: Cases that others hold now, by task.
        second_look: Cases that wait for somebody other than this actor.
        oldest_s: Age of the oldest waiting case, seconds; ``None`` when none waits.
        pace_s: Median seconds between this actor's last decisions; ``None`` before the third.
        scoring: Videos that are being scored or wait for it.
        failed: Jobs set aside.
        second_answers: Second looks, asked for by chance, that only others can answer.
        queues: Those of the actor first in their order; empty where none were set up.
    """

    waiting: dict[str, int]
    leased: dict[str, int] = field(default_factory=dict)
    second_look: int = 0
    oldest_s: float | None = None
    pace_s: float | None = None
    decided_today: int = 0
    scoring: int = 0
    failed: int = 0
    queues: tuple[QueueView, ...] = ()
    second_answers: int = 0

    @property
    def total(self) -> int:
        """Waiting cases over all tasks."""
        return sum(self.waiting.values())
