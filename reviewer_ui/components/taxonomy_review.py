"""Beside the editor: its head, what publishing would do, who was quicker, and the history."""

from __future__ import annotations

from collections.abc import Sequence

from coefvq.review.taxonomies import (
    NOTE_LIMIT,
    Change,
    Problem,
    Review,
    TaxonomyConflict,
    VersionView,
)
from coefvq.taxonomy.read import Document
from reviewer_ui.markup import NOTHING, Markup, h, join, stamp

_KINDS = {"tasks": "Task", "policies": "policy", "actions": "Action"}


def editor() -> Markup:
    """The frame around the form: a line that says where one is, the form, the history."""
    return h(
        '<div id="taxonomy-head" class="tax-top"></div><div id="taxonomy-form"></div>'
        '<div class="tax-bar"><span id="taxonomy-state" role="status"></span>'
        '<button type="button" class="plain" data-do="taxonomy-discard" hidden>Discard my edits'
        '</button><button type="button" class="primary" data-do="taxonomy-review" hidden>'
        "Review changes…</button></div>"
    )


def head(version: VersionView, behind: bool) -> Markup:
    """Which version is in force, and what to do where the edits began on an older one."""
    said = _by(version)
    if not behind:
        return h("<p>{}</p>", said)
    return h(
        '<p>{}</p><div class="tax-behind" role="alert"><p><b>Your edits began on an older version.'
        "</b> Put them on top of this one and look at them again, or drop them.</p>"
        '<span class="row-buttons"><button type="button" class="plain" data-do="taxonomy-rebase">'
        "Apply my edits to it</button>"
        '<button type="button" class="plain" data-do="taxonomy-discard">Drop my edits</button>'
        "</span></div>",
        said,
    )


def _by(version: VersionView) -> Markup:
    if version.published_at is None or version.number == 0:
        return h('<b>Version {}</b> <span class="muted">{}</span>', version.number, version.note)
    return h(
        '<b>Version {}</b> <span class="muted">{}, {}:</span> <q dir="auto">{}</q>',
        version.number,
        version.published_by,
        stamp(version.published_at),
        version.note,
    )


def changes(found: Sequence[Change]) -> Markup:
    """A list of differences; old and new texts one under the other."""
    if not found:
        return h('<p class="muted">Nothing differs.</p>')
    return h('<ul class="tax-changes">{}</ul>', join(_change(change) for change in found))


def _change(change: Change) -> Markup:
    if not (change.before or change.after):
        return h('<li><b>{}</b> <span dir="auto">{}</span></li>', change.subject, change.words)
    return h(
        '<li><b>{}</b>: {}<span class="tax-diff"><del dir="auto">{}</del>'
        '<ins dir="auto">{}</ins></span></li>',
        change.subject,
        change.words,
        change.before or "nothing",
        change.after or "nothing",
    )


def place(document: Document, where: str) -> str:
    """A field's path in words: ``Policy scam_spam, question``."""
    parts = where.split(".")
    row: object = document
    name, kind = "", ""
    while len(parts) >= 2 and parts[1].isdecimal() and isinstance(row, dict):
        kind, row = parts[0], row[parts[0]][int(parts[1])]
        name = f"{row['id'] or row['name'] or 'new'}" if isinstance(row, dict) else ""
        parts = parts[2:]
    field = " ".join(parts)
    if not kind:
        return field.capitalize()
    said = f"{_KINDS.get(kind, kind).capitalize()} {name}"
    return f"{said}, {field}" if field else said


def _problems(document: Document, found: Sequence[Problem]) -> Markup:
    rows = join(h("<li><b>{}</b>: {}</li>", place(document, p.where), p.words) for p in found)
    return h('<p class="out">Change this first:</p><ul class="tax-changes">{}</ul>', rows)


def _touched(found: Review) -> Markup:
    waiting = sum(found.open_cases.values())
    parts = ", ".join(f"{task} {number}" for task, number in found.open_cases.items())
    words = f"{waiting} open {'case is' if waiting == 1 else 'cases are'} of tasks that change"
    gone = NOTHING
    if found.removed_tasks:
        names = ", ".join(found.removed_tasks)
        gone = h(" Those of {} leave the queue, and come back with the task.", names)
    return h("<p>{}{}.{} Decisions that were taken keep the version that they were taken under."
             "</p>", words, f" ({parts})" if parts else "", gone)  # fmt: skip


def _back(found: Review) -> Markup:
    if not found.back:
        return NOTHING
    return h(
        '<p class="tax-behind">{} was there before, and decisions name it. If it means the same '
        "again, say so in the note, with its id.</p>",
        ", ".join(found.back),
    )


def dialog(found: Review, number: int | None) -> Markup:
    """What would change, for whom, and the note.

    Args:
        number: The version that is taken up again; ``None``: the edits are published.
    """
    title = "Publish these changes?" if number is None else f"Go back to version {number}?"
    parts = [h('<h2 id="admin-dialog-title">{}</h2>', title), changes(found.changes)]
    if found.problems:
        parts.append(_problems(found.document, found.problems))
    if found.problems or not found.changes:
        return join([*parts, h('<div class="form-end">{}</div>', _close("Close"))])
    return join([*parts, _touched(found), _back(found), _publish(number)])


def _publish(number: int | None) -> Markup:
    return h(
        '<form class="tax-publish" data-number="{}"><label class="text">Why (stays with the '
        'version)<textarea name="note" rows="2" maxlength="{}" required></textarea></label>'
        '<p class="out" role="alert" data-say></p><div class="form-end">'
        '<button type="submit" class="primary">Publish</button>{}</div></form>',
        "" if number is None else number,
        NOTE_LIMIT,
        _close("Cancel"),
    )


def _close(words: str) -> Markup:
    return h('<button type="button" class="plain" data-do="close-panel">{}</button>', words)


def conflict(found: TaxonomyConflict) -> Markup:
    """Somebody published in between: what they changed, and the way on."""
    return h(
        '<h2 id="admin-dialog-title">Somebody was quicker</h2><p>{} Your edits are kept.</p>{}'
        '<div class="form-end"><button type="button" class="primary" data-do="taxonomy-rebase">'
        "Apply my edits to the new version</button>{}</div>",
        str(found),
        changes(found.changes),
        _close("Close"),
    )


def history(found: Sequence[VersionView]) -> Markup:
    """All versions with what each changed."""
    return h('<ol class="tax-history">{}</ol>', join(_version(version) for version in found))


def _version(version: VersionView) -> Markup:
    what = NOTHING
    if version.changes:
        number = len(version.changes)
        what = h(
            "<details><summary>{} {}</summary>{}</details>",
            number,
            "change" if number == 1 else "changes",
            changes(version.changes),
        )
    back = h(
        '<button type="button" class="plain" data-back="{}" aria-label="Go back to version {}">'
        "Go back to it…</button>",
        version.number,
        version.number,
    )
    now = h('<span class="role">in force</span>')
    return h("<li><div>{}</div>{}{}</li>", _by(version), now if version.in_force else back, what)
