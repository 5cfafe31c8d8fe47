"""What changed in a month, and which alarms rang."""

from __future__ import annotations

from coefvq.store.alarms import AlarmKind
from coefvq.store.tables import AlarmRow
from coefvq.work.report.model import Section, Table, Value
from coefvq.work.report.read import Found
from coefvq.work.report.work_done import task_name

SOMEBODY = "a reviewer"
"""A report leaves the house: it names nobody."""


def changes(found: Found) -> Section:
    """Routing policies, models and taxonomies that came into force."""
    return Section("changes", "Changes", (), (_routing(found), _models(found), _taxonomies(found)))


def _routing(found: Found) -> Table:
    rows = tuple(
        (row.published_at, task_name(row.task), row.version,
         "rolled back to" if row.rollback else "published", row.note)
        for row in found.publications
    )  # fmt: skip
    columns = ("When", "Task", "Version", "What", "Note")
    empty = "No routing policy was published in this month."
    return Table("routing", "Routing policies", columns, rows, empty=empty)


def _models(found: Found) -> Table:
    rows = tuple(
        (row.first_used_at, row.stage, row.version, ", ".join(sorted(map(str, row.covers))))
        for row in found.models
    )
    columns = ("First answer", "Stage", "Version", "Policies that it covers")
    empty = "No model answered for the first time in this month."
    return Table("models", "Models", columns, rows, empty=empty)


def _taxonomies(found: Found) -> Table:
    rows = tuple((row.published_at, row.version, row.note) for row in found.taxonomies)
    empty = "The taxonomy was not changed in this month."
    return Table("taxonomies", "Taxonomies", ("When", "Version", "Note"), rows, empty=empty)


def alarms(found: Found) -> Section:
    """Alarms that were raised."""
    columns = ("Raised", "Kind", "About", "Severity", "Acknowledged", "Over")
    rows = tuple(_alarm(row) for row in found.alarms)
    table = Table("alarms", "Alarms", columns, rows, empty="No alarm was raised in this month.")
    return Section("alarms", "Alarms", (), (table,))


def _alarm(row: AlarmRow) -> tuple[Value, ...]:
    personal = row.kind == AlarmKind.REVIEWER_AGREEMENT.value
    return (
        row.raised_at,
        row.kind.replace("_", " "),
        SOMEBODY if personal else row.subject,
        row.severity,
        row.acknowledged_at or "no",
        row.cleared_at or "not yet",
    )
