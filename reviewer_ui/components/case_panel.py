"""The case's own tools: its link, whom it is assigned to, notes, history. One panel, out of the
way of the decision."""

from __future__ import annotations

from urllib.parse import quote

from coefvq.review.views import CaseView, NoteView
from reviewer_ui.keys import action_key
from reviewer_ui.markup import NOTHING, Markup, h, join, kbd, stamp
from reviewer_ui.words import STATES, plain

NOTE_LIMIT = 2000


def link(case_id: str) -> str:
    """The case's address on this server."""
    return f"/?case={quote(case_id)}"


def summary(case: CaseView) -> Markup:
    """The one quiet button that opens the panel; it says what would be missed otherwise."""
    words = []
    if case.assigned_to:
        words.append(f"for {case.assigned_to}")
    if case.notes:
        words.append("1 note" if len(case.notes) == 1 else f"{len(case.notes)} notes")
    said = " · ".join(words)
    return h(
        '<button type="button" class="quiet case-button{}" data-do="case" aria-haspopup="dialog"'
        ' aria-keyshortcuts="{}">Case{} {}</button>',
        " has" if words else "",
        action_key("case"),
        f": {said}" if said else "",
        kbd(action_key("case")),
    )


def note_line(note: NoteView) -> Markup:
    """One note: who, when, what."""
    return h(
        '<li><span class="by"><b>{}</b> {}</span><span class="said" dir="auto">{}</span></li>',
        note.author,
        stamp(note.at),
        note.text,
    )


def notes(case: CaseView) -> Markup:
    """The notes so far, newest last."""
    if not case.notes:
        return h('<p class="muted">No notes yet. Only people who review see them.</p>')
    return h('<ol class="notes">{}</ol>', join(note_line(note) for note in case.notes))


def _assigned(case: CaseView, me: str, may_assign: bool) -> Markup:
    mine = case.assigned_to == me
    take = h('<button type="button" class="ask" data-do="assign-me">Assign to me</button>')
    drop = h('<button type="button" class="ask" data-do="assign-nobody">Drop</button>')
    buttons = [] if mine else [take]
    if case.assigned_to and (mine or may_assign):
        buttons.append(drop)
    other = h(
        '<label class="field"><span class="hidden">Assign to (name)</span><input name="assignee"'
        ' type="text" maxlength="64" autocomplete="off" placeholder="Name"></label>'
        '<button type="button" class="ask" data-do="assign">Assign</button>'
    )
    return h(
        '<div class="assign"><span>{}</span>{}{}</div>',
        "you" if mine else case.assigned_to or "nobody",
        join(buttons),
        other if may_assign else NOTHING,
    )


def facts(case: CaseView, me: str, may_assign: bool) -> Markup:
    """Link, assignment, queue and history of a case.

    Args:
        me: Name of the person who looks.
        may_assign: Whether they may give the case to somebody else.
    """
    rows: list[tuple[str, object]] = [("State", plain(STATES, case.state))]
    if case.queue:
        rows.append(("Queue", case.queue))
    if case.due_at is not None:
        rows.append(("Promised by", stamp(case.due_at)))
    rows.append(("Assigned to", _assigned(case, me, may_assign)))
    rows.append(("Link", _link(case)))
    history = h('<a href="/video?id={}">Everything that happened to this video</a>',
                quote(case.video.id))  # fmt: skip
    rows.append(("History", "after your answer" if case.blind else history))
    return h('<dl class="facts-table">{}</dl>', join(
        h("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in rows
    ))  # fmt: skip


def _link(case: CaseView) -> Markup:
    return h(
        '<a class="link" href="{}">{}</a> <button type="button" class="ask" data-do="copy-link"'
        ' aria-keyshortcuts="{}">Copy {}</button>',
        link(case.id),
        link(case.id),
        action_key("copy-link"),
        kbd(action_key("copy-link")),
    )


def dialog() -> Markup:
    """The panel's frame. The field for a new note is no region: polls must not empty it."""
    return h(
        '<dialog id="case-panel" class="panel" aria-labelledby="case-panel-title">'
        '<div class="panel-head"><h2 id="case-panel-title">Case</h2>'
        '<button type="button" class="quiet" data-do="close-panel">Close {}</button></div>'
        '<div id="case-facts"></div><h3>Notes</h3><div id="case-notes" tabindex="0"></div>'
        '<label class="field note-field"><span class="hidden">New note</span>'
        '<textarea name="note" rows="2" maxlength="{}" placeholder="Write a note. Enter adds it, '
        'Shift+Enter starts a new line"></textarea></label>'
        '<p class="panel-say" role="status"></p></dialog>',
        kbd("Esc"),
        NOTE_LIMIT,
    )
