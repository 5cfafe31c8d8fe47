"""Exports and imports as jobs: start, list, stop, remove, and what an export would hold.

Every one is a job's row; its files lie in a folder of the job's id.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from coefvq.errors import ExportError, StoreError
from coefvq.export.formats import FORMATS
from coefvq.export.read import allowed, conditions
from coefvq.export.run import CARD, check_ready
from coefvq.export.splits import deal
from coefvq.export.take import check_format
from coefvq.export.wanted import Wanted, check, wanted_from
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import events, jobs, labelled
from coefvq.store.decisions import VIOLATION
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, JobKind, JobRow, JobState, utcnow

KINDS = (JobKind.EXPORT, JobKind.IMPORT)
ASKED, STOPPED, REMOVED, DOWNLOADED = (
    "export.asked", "export.stopped", "export.removed", "export.downloaded",
)  # fmt: skip
IMPORT_ASKED = "import.asked"
SHOWN = 100
QUEUED, RUNNING, DONE, FAILED, ENDED = "queued", "running", "done", "failed", "stopped"
FILE = "import"


@dataclass(frozen=True)
class Counts:
    """What an export would hold.

    Attributes:
        policies: By policy ``(violation, ok)``, over all decisions that stand.
        restricted: Videos left out, for they are in a restricted queue.
    """

    decisions: int
    videos: int
    policies: Mapping[str, tuple[int, int]]
    restricted: int


@dataclass(frozen=True)
class View:
    """An export or import as people see it.

    Attributes:
        kind: ``export`` or ``import``.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``stopped``.
        wanted: What was asked for; ``None`` of an import.
        name: Format, or the imported file's name.
        eta_s: Seconds that remain; ``None``: not known yet.
        result: Counts of what was written or taken in.
    """

    id: str
    kind: str
    state: str
    wanted: Wanted | None
    name: str
    by: str
    created_at: datetime
    finished_at: datetime | None
    progress: float
    eta_s: float | None
    note: str
    error: str | None
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether it is not over."""
        return self.state in (QUEUED, RUNNING)


def counts(store: Store, actor: Actor, wanted: Wanted) -> Counts:
    """Count what an export of now would hold, before it is made.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: An unknown name.
    """
    require(actor, Permission.LEAD)
    wanted = check(wanted, FORMATS)
    with store.read() as session:
        splits = deal(session, wanted.seed).splits if wanted.splits else {}
        text = cast(DecisionRow.labels, String)
        query = (
            select(CaseRow.video_id, text, func.count())
            .join(CaseRow, CaseRow.id == DecisionRow.case_id)
            .where(*conditions(wanted), allowed())
            .group_by(CaseRow.video_id, text)
        )
        videos, decisions, found = set(), 0, Counter[tuple[str, bool]]()
        for video_id, labels, number in session.execute(query.execution_options(yield_per=5000)):
            if wanted.splits and splits.get(video_id, "train") not in wanted.splits:
                continue
            mine = {p: label for p, label in json.loads(labels).items() if wanted.labels(p)}
            if mine:
                videos.add(video_id)
                decisions += number
                for policy, label in mine.items():
                    found[policy, label == VIOLATION] += number
        shut = labelled.count_restricted(session)
    policies = {policy: (found[policy, True], found[policy, False]) for policy, _ in sorted(found)}
    return Counts(decisions, len(videos), policies, shut)


def start_export(store: Store, settings: Settings, actor: Actor, wanted: Wanted) -> str:
    """Queue an export; return its id.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: An unknown name.
        ExportError: A package is missing, or the format cannot hold what is asked for.
    """
    require(actor, Permission.LEAD)
    check_ready(check(wanted, FORMATS))
    payload = {"wanted": wanted.to_json(), "by": actor.name, "roles": sorted(actor.roles)}
    return _queue(store, actor, JobKind.EXPORT, payload, ASKED, {"wanted": wanted.to_json()})


def start_import(
    store: Store, settings: Settings, actor: Actor, name: str, path: Path, shown: str
) -> str:
    """Queue the import of an uploaded file, which is taken over; return its id.

    Args:
        shown: The file's name for people; hostile.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: No such format.
    """
    require(actor, Permission.LEAD)
    check_format(name)
    payload = {"format": name, "file": shown[:200], "by": actor.name, "roles": sorted(actor.roles)}
    with store.write() as session:
        row = jobs.add(session, JobKind.IMPORT, payload)
        folder = folder_of(settings, row.id)
        folder.mkdir(parents=True, exist_ok=True)
        os.replace(path, folder / FILE)
        data = {"format": name, "file": shown[:200]}
        events.append(session, actor.name, IMPORT_ASKED, "import", row.id, data)
        return row.id


def _queue(
    store: Store, actor: Actor, kind: JobKind, payload: dict[str, Any], event: str,
    data: dict[str, Any],
) -> str:  # fmt: skip
    with store.write() as session:
        row = jobs.add(session, kind, payload)
        events.append(session, actor.name, event, kind.value, row.id, data)
        return row.id


def listed(store: Store, actor: Actor) -> tuple[View, ...]:
    """The newest exports and imports, newest first.

    Raises:
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    kinds = [kind.value for kind in KINDS]
    with store.read() as session:
        query = select(JobRow).where(JobRow.kind.in_(kinds)).order_by(JobRow.id.desc())
        return tuple(_view(row) for row in session.scalars(query.limit(SHOWN)))


def one(store: Store, actor: Actor, export_id: str) -> View:
    """One export or import.

    Raises:
        StoreError: There is no such one.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        return _view(_row(session, export_id))


def stop(store: Store, actor: Actor, export_id: str) -> View:
    """Stop one that waits or runs. What an import has taken in by then stays.

    Raises:
        StoreError: It is over already.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = _row(session, export_id)
        if row.state not in (JobState.QUEUED.value, JobState.RUNNING.value):
            raise StoreError("This one is over already.")
        row.payload = {**row.payload, "stop": actor.name}
        jobs.withdraw(session, row)
        events.append(session, actor.name, STOPPED, row.kind, row.id)
        return _view(row)


def remove(store: Store, settings: Settings, actor: Actor, export_id: str) -> None:
    """Delete an export's files and its row, or an import's row. What was imported stays.

    Raises:
        StoreError: It is not over yet, or there is no such one.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        row = _row(session, export_id)
        if row.state in (JobState.QUEUED.value, JobState.RUNNING.value):
            raise StoreError("This one is under way: stop it first.")
        events.append(session, actor.name, REMOVED, row.kind, row.id)
        session.delete(row)
    shutil.rmtree(folder_of(settings, export_id), ignore_errors=True)


def download(store: Store, settings: Settings, actor: Actor, export_id: str) -> tuple[View, Path]:
    """The folder of a finished export, noted as taken away by the actor.

    Raises:
        StoreError: It is not finished, or its files are gone.
    """
    found, folder = finished(store, settings, actor, export_id)
    with store.write() as session:
        events.append(session, actor.name, DOWNLOADED, "export", found.id)
    return found, folder


def finished(store: Store, settings: Settings, actor: Actor, export_id: str) -> tuple[View, Path]:
    """The folder of a finished export.

    Raises:
        StoreError: It is not finished, or its files are gone.
    """
    found = one(store, actor, export_id)
    folder = folder_of(settings, found.id)
    if found.kind != JobKind.EXPORT.value or found.state != DONE:
        raise StoreError("This export is not finished.")
    if not (folder / CARD).is_file():
        raise StoreError("The files of this export are gone. Make it again.")
    return found, folder


def card_of(store: Store, settings: Settings, actor: Actor, export_id: str) -> str:
    """The card of a finished export, as Markdown.

    Raises:
        StoreError: It is not finished, or its files are gone.
    """
    _, folder = finished(store, settings, actor, export_id)
    try:
        return (folder / CARD).read_text("utf-8")
    except OSError as error:
        raise StoreError(f"The card cannot be read: {error.strerror}.") from error


def folder_of(settings: Settings, export_id: str) -> Path:
    """Where the files of an export lie.

    Raises:
        ExportError: It is no id.
    """
    if not export_id.isalnum():
        raise ExportError("That is no export.")
    return settings.exports_dir / export_id


def _row(session: Session, export_id: str) -> JobRow:
    row = session.get(JobRow, export_id)
    if row is None or row.kind not in [kind.value for kind in KINDS]:
        raise StoreError("There is no such export. Reload the list.")
    return row


def _view(row: JobRow) -> View:
    told = row.payload
    progress = max(row.progress, float(told.get("share") or 0.0))
    state = _state(row)
    wanted = wanted_from(told["wanted"]) if "wanted" in told else None
    return View(
        row.id, row.kind, state, wanted, wanted.format if wanted else str(told.get("file")),
        str(told.get("by")), row.created_at, row.finished_at,
        1.0 if state == DONE else progress, _eta_s(told, progress) if state == RUNNING else None,
        row.note, row.error if state == FAILED else None, told.get("result") or {},
    )  # fmt: skip


def _state(row: JobRow) -> str:
    if row.state == JobState.SET_ASIDE.value or (row.state == JobState.DONE.value and row.error):
        return FAILED
    if row.state == JobState.DONE.value:
        return DONE if "result" in row.payload else ENDED
    return RUNNING if row.state == JobState.RUNNING.value or row.payload.get("began") else QUEUED


def _eta_s(told: Mapping[str, Any], progress: float) -> float | None:
    began = told.get("began")
    if not began or progress < 0.02:
        return None
    spent = (utcnow() - datetime.fromisoformat(began)).total_seconds()
    return max(0.0, spent * (1.0 - progress) / progress)
