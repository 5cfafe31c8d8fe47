"""Take decisions in that were taken elsewhere: look up, compare with what is known, store.

A decision that is known already is passed over, so that a file can be taken in any number of times.
It is known if one that stands on its case has the same labels and was taken at the same moment, or,
where the file names no moment, by the same person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import CoefVQError
from coefvq.export.find import Finder
from coefvq.export.pseudonyms import Naming, pseudonyms
from coefvq.export.records import IMPORTED_KEY, Machine
from coefvq.export.wanted import IMPORTED
from coefvq.review import looks, queues
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decision_rows import REVIEW
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events, taxonomies
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CaseState, DecisionRow, VideoRow, utcnow
from coefvq.store.text import storable

AT_ONCE = 200
"""Decisions a transaction."""
NAME_LIMIT, ROLE_LIMIT, REFUSED_SHOWN = 200, 64, 1000
IMPORT_MADE = "import.made"
LABELS = frozenset({VIOLATION, OK})
_SLACK_S = 1.0  # a container's length may be a little short of its last frame


class Refused(CoefVQError):
    """A row that cannot be taken, and why."""

    code = "row_refused"


@dataclass(frozen=True)
class Told:
    """One decision as a file tells it.

    Attributes:
        where: Line or task in the file, for people.
        video: How the file names the video: ``video_id``, ``video_sha256``, ``path``.
        labels: By policy ``violation`` or ``ok``.
        machine: By policy, what the file says that the machine had said.
        decided_at: ``None``: the file does not say.
        known_id: Id of the decision that it was exported from.
    """

    where: tuple[int, ...]
    video: Mapping[str, str]
    task: str
    labels: Mapping[str, str]
    reviewer: str = IMPORTED
    role: str = IMPORTED
    reasons: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""
    start_s: float | None = None
    end_s: float | None = None
    decided_at: datetime | None = None
    propensity: float = 1.0
    audit: bool = False
    taxonomy_version: str | None = None
    machine: Mapping[str, Machine] = field(default_factory=dict)
    known_id: str | None = None


@dataclass
class Result:
    """What came of an import.

    Attributes:
        taken: Decisions that are new.
        known: Decisions that were there already.
        refused: Rows that were not taken, ``(where, why)``, at most ``REFUSED_SHOWN`` of them.
        refused_count: How many there are.
    """

    taken: int = 0
    known: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    refused_count: int = 0

    def refuse(self, where: Iterable[int], why: str) -> None:
        """Note rows that are not taken."""
        for each in where:
            self.refused_count += 1
            if len(self.refused) < REFUSED_SHOWN:
                self.refused.append((each, why))

    def words(self) -> str:
        """One line for people."""
        return (
            f"{self.taken} decisions taken in, {self.known} known already, {self.refused_count} "
            "rows refused."
        )


def take_in(
    store: Store,
    settings: Settings,
    actor: Actor,
    told: Iterable[Told],
    result: Result,
    *,
    source: str,
    progress: Callable[[int], None] = lambda number: None,
) -> Result:
    """Store what is new, some hundred decisions a transaction.

    Args:
        result: Filled; rows that the reader refused may be in it already.
        source: Name of the file, for the events.
        progress: Told how many decisions were looked at.

    Raises:
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    naming = cache(pseudonyms(settings.home))
    waiting: Iterator[Told] = iter(told)
    seen = 0
    while some := list(islice(waiting, AT_ONCE)):
        with store.write() as session:
            finder = Finder(session, [each.video for each in some])
            for each in some:
                _take(session, actor, finder, each, result, naming, source)
        seen += len(some)
        progress(seen)
    result.refused.sort()
    with store.write() as session:
        data = {"taken": result.taken, "known": result.known, "refused": result.refused_count}
        events.append(session, actor.name, IMPORT_MADE, "import", source[:NAME_LIMIT], data)
    return result


def _take(
    session: Session, actor: Actor, finder: Finder, told: Told, result: Result, naming: Naming,
    source: str,
) -> None:  # fmt: skip
    try:
        rules = taxonomy.in_force()
        for policy in told.labels:
            check_policy(rules, told.task, policy)
        video_id = finder.video(told.video)
        case = _case(session, actor, video_id, told.task)
        if case is not None and _is_known(session, case, told, naming):
            result.known += 1
            return
        _check(told, rules, _length(session, video_id))
        if case is None:
            case = cases.open_pending(session, video_id, [told.task])[0]
        _store(session, actor, case, told, rules, source)
        result.taken += 1
    except CoefVQError as error:
        result.refuse(told.where, str(error))


def check_policy(rules: taxonomy.Taxonomy, task: str, policy: str) -> None:
    """Refuse a task or policy that is not in the taxonomy.

    Raises:
        SettingsError: With the nearest known name.
        Refused: The policy is another task's.
    """
    rules.task(task)
    if rules.policy(policy).task != task:
        raise Refused(f"The policy '{policy}' is not one of the task '{task}'.")


def _check(told: Told, rules: taxonomy.Taxonomy, length_s: float | None) -> None:
    for policy, reason in told.reasons.items():
        if reason and told.labels.get(policy) != VIOLATION:
            raise Refused(f"{policy} is ok, so it has no reason.")
        if reason and reason not in (*rules.policy(policy).reasons, taxonomy.OTHER_REASON):
            raise Refused(f"'{reason[:60]}' is no reason for {policy}: leave it empty, or 'other'.")
    if told.decided_at is not None and told.decided_at > utcnow():
        raise Refused(f"decided_at is in the future: {told.decided_at.isoformat()}.")
    if (told.start_s is None) != (told.end_s is None):
        raise Refused("A range needs both start_s and end_s.")
    if told.start_s is None or told.end_s is None:
        return
    late = length_s is not None and told.start_s > length_s + _SLACK_S
    if not 0.0 <= told.start_s <= told.end_s or late:
        raise Refused(f"The range {told.start_s:g} to {told.end_s:g} s is not in the video.")


def _case(session: Session, actor: Actor, video_id: str, task: str) -> CaseRow | None:
    """The case, locked; ``None``: the task came later than the video.

    Raises:
        NotAllowed: It is in a restricted queue that is not the actor's.
    """
    known = cases.of_video(session, video_id).get(task)
    return None if known is None else queues.reach(session, actor, known.id, lock=True)


def _length(session: Session, video_id: str) -> float | None:
    info = session.get_one(VideoRow, video_id).media.info
    return float(info["duration_s"]) if info else None


def _is_known(session: Session, case: CaseRow, told: Told, naming: Naming) -> bool:
    rows = decisions.of_case(session, case.id)
    gone = decisions.undone_at(session, [row.id for row in rows])
    return any(_same(row, told, naming) for row in rows if row.id not in gone)


def _same(row: DecisionRow, told: Told, naming: Naming) -> bool:
    if any(row.labels.get(policy) != label for policy, label in told.labels.items()):
        return False
    if told.known_id == row.id:
        return _says_the_same(row, told)
    if told.decided_at is not None:
        return row.decided_at == told.decided_at
    return told.reviewer in (row.reviewer, naming(row.reviewer))


def _says_the_same(row: DecisionRow, told: Told) -> bool:
    """Whether what came back is what was exported, as far as it can be changed there."""
    close = all(
        (mine is None) == (theirs is None) and abs((mine or 0.0) - (theirs or 0.0)) < 0.1
        for mine, theirs in ((row.start_s, told.start_s), (row.end_s, told.end_s))
    )
    return close and (storable(told.comment) or "") == row.comment


def _store(
    session: Session, actor: Actor, case: CaseRow, told: Told, rules: taxonomy.Taxonomy, source: str
) -> None:
    """A decision without what was on a screen: nobody knows. The actor is who imports it."""
    looks.withdraw_all(session, case.id, actor.name)
    violated = VIOLATION in told.labels.values()
    known = told.taxonomy_version and taxonomies.at(session, told.taxonomy_version) is not None
    row = DecisionRow(
        case_id=case.id,
        verdict_id=None,
        task=told.task,
        reviewer=(storable(told.reviewer) or IMPORTED)[:NAME_LIMIT],
        role=(storable(told.role) or IMPORTED)[:ROLE_LIMIT],
        action=rules.default_action(violated).id,
        labels=dict(told.labels),
        reasons={policy: reason for policy, reason in told.reasons.items() if reason},
        comment=storable(told.comment) or "",
        start_s=told.start_s,
        end_s=told.end_s,
        kind=REVIEW,
        taxonomy_version=told.taxonomy_version if known else rules.version,
        correction=_corrects(told),
        snapshot=_snapshot(case, actor, told, source),
        decided_at=told.decided_at or utcnow(),
    )
    session.add(row)
    session.flush()
    case.state, case.decision_id = CaseState.DECIDED.value, row.id
    case.second_look, case.second_look_by = False, None
    case.updated_at = utcnow()
    data = {"case": case.id, "action": row.action, "labels": row.labels, "import": source}
    events.append(session, actor.name, decisions.DECIDED, "decision", row.id, data)


def _corrects(told: Told) -> bool:
    said = {policy: machine.label for policy, machine in told.machine.items()}
    return any(said.get(policy) not in (None, label) for policy, label in told.labels.items())


def _snapshot(case: CaseRow, actor: Actor, told: Told, source: str) -> dict[str, Any]:
    machine = {
        policy: {"label": said.label, "probability": said.probability, "stage": said.stage}
        for policy, said in told.machine.items()
        if said != Machine()
    }
    place = {"state": case.state, "queue": case.queue, "second_look": case.second_look,
             "second_look_by": case.second_look_by}  # fmt: skip
    said = {"by": actor.name, "source": source[:NAME_LIMIT], "machine": machine,
            "propensity": told.propensity, "audit": told.audit}  # fmt: skip
    return place | {IMPORTED_KEY: said}
