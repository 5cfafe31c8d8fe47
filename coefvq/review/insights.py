"""What leads read of the figures that were computed ahead, and asking for new ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from coefvq import taxonomy
from coefvq.errors import StoreError, did_you_mean
from coefvq.review.access import Actor, Permission, require
from coefvq.store import figures
from coefvq.store.session import Store
from coefvq.store.tables import JobState, utcnow

WINDOWS = {"7": "last 7 days", "30": "last 30 days", "90": "last 90 days", "all": "all time"}
"""Times that figures cover, by name."""
DEFAULT_WINDOW = "30"
BY_TASK = ("operating", "calibration", "miss", "machine", "people")
"""Figures of a task and a window."""
DRIFT, THROUGHPUT, LEDGER = "drift", "throughput", "ledger"


@dataclass(frozen=True)
class Run:
    """The job that computes figures.

    Attributes:
        state: A ``JobState`` or "": none was asked for yet.
        progress: 0..1.
        note: What it does, or why it failed.
        seconds: How long the last run took; ``None``: there was none.
    """

    state: str = ""
    progress: float = 0.0
    note: str = ""
    seconds: float | None = None

    @property
    def busy(self) -> bool:
        """It waits or runs."""
        return self.waits or self.state == JobState.RUNNING

    @property
    def waits(self) -> bool:
        """No worker has taken it yet."""
        return self.state == JobState.QUEUED

    @property
    def failed(self) -> bool:
        """It was given up."""
        return self.state == JobState.SET_ASIDE


@dataclass(frozen=True)
class Insights:
    """All figures of a task and a time.

    Attributes:
        documents: By figure; one that was never computed is absent.
        computed_at: When the oldest of them was; ``None``: none was.
        age_s: Seconds since then.
    """

    task: str
    window: str
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    computed_at: datetime | None = None
    age_s: float | None = None
    run: Run = Run()

    def get(self, name: str) -> dict[str, Any] | None:
        """A figure's document."""
        return self.documents.get(name)


def read(store: Store, actor: Actor, task: str, window: str = DEFAULT_WINDOW) -> Insights:
    """Everything on a task in a time; a few rows, however long the history is.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such window.
        SettingsError: There is no such task.
    """
    require(actor, Permission.LEAD)
    if window not in WINDOWS:
        raise StoreError(f"There is no time '{window}'.{did_you_mean(window, WINDOWS)}")
    task_id = taxonomy.task(task).id
    keys = {
        **{name: (f"{name}.{window}", task_id) for name in BY_TASK},
        DRIFT: (DRIFT, task_id),
        THROUGHPUT: (THROUGHPUT, figures.OVERALL),
        LEDGER: (f"{LEDGER}.{window}", figures.OVERALL),
    }
    with store.read() as session:
        found = figures.several(session, keys.values())
        run = _run(session)
    documents = {name: found[key][0] for name, key in keys.items() if key in found}
    oldest = min((at for _, at in found.values()), default=None)
    age_s = None if oldest is None else max(0.0, (utcnow() - oldest).total_seconds())
    return Insights(task_id, window, documents, oldest, age_s, run)


def tasks(actor: Actor) -> dict[str, str]:
    """Names of the tasks in force, by id."""
    require(actor, Permission.LEAD)
    return {task.id: task.name for task in taxonomy.tasks().values()}


def request(store: Store, actor: Actor) -> Run:
    """Ask a worker for new figures; one run at a time, whoever asks."""
    require(actor, Permission.LEAD)
    with store.write() as session:
        figures.queue(session)
        return _run(session)


def progress(store: Store, actor: Actor) -> Run:
    """How far the present or last run is."""
    require(actor, Permission.LEAD)
    with store.read() as session:
        return _run(session)


def _run(session: Any) -> Run:
    job, kept = figures.last_job(session), figures.get(session, figures.RUN)
    seconds = float(kept[0].get("seconds", 0.0)) if kept is not None else None
    if job is None:
        return Run(seconds=seconds)
    note = (job.error or "") if job.state == JobState.SET_ASIDE.value else job.note
    return Run(job.state, job.progress, note, seconds)
