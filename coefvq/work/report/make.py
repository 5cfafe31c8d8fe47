"""Make a month's report: read once, then a section at a time."""

from __future__ import annotations

from datetime import datetime

from coefvq import taxonomy
from coefvq.errors import RoutingError
from coefvq.review.access import Actor, Permission, require
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from coefvq.work import routing_history
from coefvq.work.report import changes, quality, transparency, work_done
from coefvq.work.report.model import Month, Report
from coefvq.work.report.quality import Audits
from coefvq.work.report.read import Found, read


def figures_of(store: Store, actor: Actor, month: str, now: datetime | None = None) -> Report:
    """Everything that a month's report says.

    Args:
        month: ``YYYY-MM``, in UTC; the present one is reported so far.

    Raises:
        NotAllowed: The actor is no lead.
        SettingsError: It is no month, or has not begun.
    """
    require(actor, Permission.LEAD)
    moment = now or utcnow()
    wanted = Month.named(month, moment)
    with store.read() as session:
        found = read(session, wanted)
    audits = _audits(store, found, wanted)
    sections = (
        work_done.volumes(found, wanted, moment),
        quality.misses(audits),
        quality.agreement(found),
        quality.appeals(found),
        work_done.waits(found),
        work_done.costs(found),
        changes.changes(found),
        changes.alarms(found),
        transparency.transparency(found, audits),
    )
    nothing = not (found.uploads or found.scored or found.decided)
    return Report(wanted, moment, nothing, sections)


def _audits(store: Store, found: Found, month: Month) -> Audits:
    tasks = sorted(set(taxonomy.tasks()) | {each.task for each in found.scored})
    return {task: _audit(store, task, month) for task in tasks}


def _audit(store: Store, task: str, month: Month) -> routing_history.AuditReport | str:
    try:
        return routing_history.audit(store, task, since=month.since, until=month.until)
    except RoutingError:
        return "not enough data: nobody has decided a case that was sent to people or drawn."
