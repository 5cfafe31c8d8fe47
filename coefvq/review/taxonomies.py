"""Edit the taxonomy: check, compare, publish, roll back. Each version is kept for good."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import Stage, WhyNot
from coefvq.errors import StoreError
from coefvq.review.access import Actor, Permission, require
from coefvq.review.taxonomy_views import Current as Current
from coefvq.review.taxonomy_views import Review as Review
from coefvq.review.taxonomy_views import TaxonomyConflict as TaxonomyConflict
from coefvq.review.taxonomy_views import TaxonomyRefused as TaxonomyRefused
from coefvq.review.taxonomy_views import VersionView as VersionView
from coefvq.store import queues as queue_rows
from coefvq.store import taxonomies
from coefvq.store.session import Store
from coefvq.store.tables import AssessmentRow, CaseRow, CaseState, TaxonomyRow, utcnow
from coefvq.store.taxonomies import at as at
from coefvq.store.taxonomies import follow as follow
from coefvq.store.text import storable
from coefvq.taxonomy.check import Problem, problems, returning
from coefvq.taxonomy.diff import Change, diff
from coefvq.taxonomy.merge import Merged, merge
from coefvq.taxonomy.read import Document, packaged_document
from coefvq.taxonomy.shape import shaped

NOTE_LIMIT = 500
_EVENT_CHANGES = 20
_UNANSWERED = (CaseState.QUEUED.value, CaseState.PENDING.value)


def current(store: Store, actor: Actor) -> Current:
    """What is in force, with its document.

    Raises:
        NotAllowed: The actor does not lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        row = taxonomies.newest(session)
        document = row.document if row else packaged_document()
        return Current(_view(row, in_force=True), document, _uncovered(session, document))


def history(store: Store, actor: Actor) -> tuple[VersionView, ...]:
    """All versions, newest first, each with what it changed.

    Raises:
        NotAllowed: The actor does not lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        rows = taxonomies.history(session)
    if not rows:
        return (_view(None, in_force=True),)
    older = [*rows[1:], None]
    return tuple(
        _view(row, diff(before.document, row.document) if before else (), row is rows[0])
        for row, before in zip(rows, older, strict=True)
    )


def document_of(store: Store, actor: Actor, number: int | None = None) -> Document:
    """A version's document; ``None``: the one in force.

    Raises:
        NotAllowed: The actor does not lead.
        StoreError: There is no such version.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        return _document(session, number)


def check(store: Store, actor: Actor, document: object) -> tuple[Document, tuple[Problem, ...]]:
    """Bring a document into shape and say what stands in the way of publishing it.

    Raises:
        NotAllowed: The actor does not lead.
        SettingsError: It is no taxonomy at all; names the field.
    """
    require(actor, Permission.LEAD)
    made = shaped(document)
    with store.read() as session:
        return made, problems(made, _older(session))


def review(store: Store, actor: Actor, document: object) -> Review:
    """Say what publishing a document now would do.

    Raises:
        NotAllowed: The actor does not lead.
        SettingsError: It is no taxonomy at all.
    """
    require(actor, Permission.LEAD)
    made = shaped(document)
    with store.read() as session:
        row = taxonomies.newest(session)
        base = row.document if row else packaged_document()
        older = _older(session)
        touched = _touched(base, made)
        gone = _gone(base, made)
        return Review(
            base=row.version if row else taxonomy.packaged().version,
            document=made,
            changes=diff(base, made),
            problems=problems(made, older),
            open_cases=_open_cases(session, touched),
            removed_tasks=gone,
            back=returning(made, base, older),
        )


def publish(
    store: Store, actor: Actor, document: object, note: str, base: str | None = None
) -> VersionView:
    """Put a document in force as a new version.

    Undecided cases of a task that goes are set aside; they come back with the task.

    Args:
        note: Why; must name each id that comes back from an older version.
        base: The version that was edited; ``None``: whatever is in force.

    Raises:
        NotAllowed: The actor does not lead.
        SettingsError: It is no taxonomy at all.
        TaxonomyRefused: It cannot be published as it is, nothing changes, or the note is missing.
        TaxonomyConflict: Somebody else published after ``base``.
    """
    require(actor, Permission.LEAD)
    made = shaped(document)
    with store.write() as session:
        taxonomies.lock(session)
        row = taxonomies.newest(session)
        before = row.document if row else packaged_document()
        _check_base(session, row, base)
        changes = _checked(session, before, made, note)
        words = [str(change) for change in changes]
        data = {"changes": words[:_EVENT_CHANGES], "changed": len(words)}
        new = taxonomies.add(session, made, storable(note, NOTE_LIMIT) or "", actor.name, data)
        _move_cases(session, before, made)
    taxonomies.follow(store)
    return _view(new, changes, in_force=True)


def roll_back(
    store: Store, actor: Actor, number: int, note: str, base: str | None = None
) -> VersionView:
    """Put an older version's document in force again, as a new version.

    Raises:
        StoreError: There is no such version.
        TaxonomyRefused: See ``publish``.
        TaxonomyConflict: See ``publish``.
    """
    return publish(store, actor, document_of(store, actor, number), note, base)


def rebase(store: Store, actor: Actor, document: object, base: str) -> tuple[Current, Merged]:
    """Put edits that were made on an older version on top of the one in force; nothing is stored.

    Raises:
        NotAllowed: The actor does not lead.
        StoreError: There is no such older version.
    """
    now = current(store, actor)
    with store.read() as session:
        row = _of_version(session, base)
        before = row.document if row else packaged_document()
    return now, merge(before, shaped(document), now.document)


def _checked(session: Session, before: Document, made: Document, note: str) -> tuple[Change, ...]:
    older = _older(session)
    if found := problems(made, older):
        more = f" And {len(found) - 1} more." if len(found) > 1 else ""
        first = found[0]
        place = f"{first.where}: " if first.where else ""
        raise TaxonomyRefused(f"{place}{first.words}{more}", found)
    changes = diff(before, made)
    if not changes:
        raise TaxonomyRefused("Nothing differs from what is in force.")
    if not (storable(note) or ""):
        raise TaxonomyRefused("Say in the note why: it stays with the version.")
    if len(note) > NOTE_LIMIT:
        raise TaxonomyRefused(f"The note has {len(note)} characters: cut it to {NOTE_LIMIT}.")
    unnamed = [name for name in returning(made, before, older) if name not in note]
    if unnamed:
        raise TaxonomyRefused(
            f"'{unnamed[0]}' was there before and decisions name it. If it means the same again, "
            f"say so in the note and name '{unnamed[0]}'; else use another id."
        )
    return changes


def _check_base(session: Session, row: TaxonomyRow | None, base: str | None) -> None:
    now = row.version if row else taxonomy.packaged().version
    if base is None or base == now:
        return
    known = _of_version(session, base)
    if row is None or (known is None and base != taxonomy.packaged().version):
        raise TaxonomyRefused(f"There is no taxonomy {base}. Reload the page.")
    before = known.document if known else packaged_document()
    changes = diff(before, row.document)
    raise TaxonomyConflict(
        f"{row.published_by} published version {row.number} in between ({row.note}): look at it "
        "and apply yours again.",
        changes,
        now,
    )


def _of_version(session: Session, version: str) -> TaxonomyRow | None:
    query = select(TaxonomyRow).where(TaxonomyRow.version == version)
    row = session.scalars(query).first()
    if row is None and version != taxonomy.packaged().version:
        raise StoreError(f"There is no taxonomy {version}. Reload the page.")
    return row


def _document(session: Session, number: int | None) -> Document:
    row = taxonomies.newest(session)
    if number is not None:
        row = taxonomies.by_number(session, number)
        if row is None and number != 0:
            raise StoreError(f"There is no version {number} of the taxonomy.")
    return row.document if row else packaged_document()


def _older(session: Session) -> list[Document]:
    found = [row.document for row in taxonomies.history(session)]
    return found or [packaged_document()]


def _gone(old: Document, new: Document) -> tuple[str, ...]:
    left = {task["id"] for task in new["tasks"]}
    return tuple(task["id"] for task in old["tasks"] if task["id"] not in left)


def _touched(old: Document, new: Document) -> list[str]:
    after = {task["id"]: task for task in new["tasks"]}
    return [task["id"] for task in old["tasks"] if after.get(task["id"]) != task]


def _open_cases(session: Session, tasks: list[str]) -> dict[str, int]:
    query = (
        select(CaseRow.task, func.count())
        .where(CaseRow.state.in_(_UNANSWERED), CaseRow.task.in_(tasks))
        .group_by(CaseRow.task)
    )
    found = {str(task): int(number) for task, number in session.execute(query)}
    return {task: found.get(task, 0) for task in tasks}


def _move_cases(session: Session, old: Document, new: Document) -> None:
    """Undecided cases of a task that goes leave the queue; those of one that comes return."""
    if gone := _gone(old, new):
        aside = update(CaseRow).where(CaseRow.task.in_(gone), CaseRow.state.in_(_UNANSWERED))
        session.execute(aside.values(state=CaseState.SET_ASIDE.value, updated_at=utcnow()))
    if came := _gone(new, old):
        waits = (
            CaseRow.task.in_(came),
            CaseRow.state == CaseState.SET_ASIDE.value,
            CaseRow.queued_at.is_not(None),
        )
        back = update(CaseRow).where(*waits)
        session.execute(back.values(state=CaseState.QUEUED.value, updated_at=utcnow()))
        queue_rows.restamp(session)


def _uncovered(session: Session, document: Document) -> frozenset[str] | None:
    answers = [_newest_answer(session, stage) for stage in Stage]
    known = [scores for scores in answers if scores is not None]
    if not known:
        return None
    covered = {
        policy
        for scores in known
        for policy, score in scores.items()
        if score.get("why_not") != WhyNot.NOT_TRAINED.value
    }
    every = {policy["id"] for task in document["tasks"] for policy in task["policies"]}
    return frozenset(every - covered)


def _newest_answer(session: Session, stage: Stage) -> dict[str, dict[str, object]] | None:
    query = select(AssessmentRow.scores).where(AssessmentRow.stage == stage.value)
    return session.scalar(query.order_by(AssessmentRow.id.desc()).limit(1))


def _view(
    row: TaxonomyRow | None, changes: tuple[Change, ...] = (), in_force: bool = False
) -> VersionView:
    if row is None:
        version = taxonomy.packaged().version
        return VersionView(
            0, version, taxonomies.FIRST_NOTE, taxonomies.PROGRAM, None, (), in_force
        )
    return VersionView(
        row.number, row.version, row.note, row.published_by, row.published_at, changes, in_force
    )
