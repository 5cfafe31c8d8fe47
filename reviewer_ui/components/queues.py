"""Queues: the switch in the header, the list that it opens, and the alarm of late ones."""

from __future__ import annotations

from coefvq.review.views import QueueCounts, QueueView
from reviewer_ui.keys import action_key
from reviewer_ui.markup import NOTHING, Markup, ago, attribute, h, join, kbd

ALL = "All queues"


def find(found: QueueCounts, chosen: str | None) -> QueueView | None:
    """The chosen queue, where it still exists and is open to this person."""
    return next((q for q in found.queues if q.id == chosen and q.open), None)


def switch(found: QueueCounts, chosen: str | None) -> Markup:
    """The button that says where cases come from and opens the list."""
    queue = find(found, chosen)
    return h(
        '<button type="button" id="queue-switch" data-do="queues" aria-haspopup="dialog"'
        ' aria-keyshortcuts="{}" title="Choose a queue ({})"><span class="queue-name">{}</span>'
        ' <b class="number">{}</b><i class="caret" aria-hidden="true"></i></button>',
        action_key("queues"),
        action_key("queues"),
        queue.name if queue else ALL,
        queue.waiting if queue else found.total,
    )


def promise(queue: QueueView) -> str:
    """``3 older than 2 h``, or what was promised, or nothing."""
    if queue.promised_age_s is None:
        return ""
    age = ago(queue.promised_age_s)
    return f"{queue.late} older than {age}" if queue.late else f"promised within {age}"


def late(found: QueueCounts) -> Markup:
    """One amber line about the queue that is furthest behind; the list has the others."""
    behind = sorted((q for q in found.queues if q.late and q.open), key=lambda q: -q.late)
    if not behind:
        return NOTHING
    said = [f"{queue.name}: {promise(queue)}" for queue in behind]
    more = f" and {len(said) - 1} more" if len(said) > 1 else ""
    return h(
        '<button type="button" data-do="queues" title="{}">{}{}</button>',
        "; ".join(said),
        said[0],
        more,
    )


def _row(key: int, queue_id: str, name: str, waiting: int, oldest: str, note: str, *,
         on: bool, closed: bool, late: bool) -> Markup:  # fmt: skip
    return h(
        '<li><button type="button" data-queue="{}" data-key="{}" aria-pressed="{}"{}>{}'
        '<span class="queue-name">{}</span><b class="number">{}</b>'
        '<span class="oldest">{}</span><span class="promise{}">{}</span></button></li>',
        queue_id,
        key,
        "true" if on else "false",
        attribute("disabled", closed),
        kbd(str(key)) if key < 10 else NOTHING,
        name,
        waiting,
        oldest,
        " late" if late else "",
        note,
    )


def rows(found: QueueCounts, chosen: str | None) -> Markup:
    """The list: all queues together first, then each with its counts."""
    if not found.queues:
        return h(
            '<p class="muted">No queues are set up: cases of all tasks come in one line, the most '
            "urgent first. A lead can add queues.</p>"
        )
    current = find(found, chosen)
    first = _row(0, "", ALL, found.total, _oldest(found.oldest_s), "the most urgent first",
                 on=current is None, closed=False, late=False)  # fmt: skip
    others = join(
        _row(key, q.id, q.name, q.waiting, _oldest(q.oldest_s),
             promise(q) if q.open else "for others", on=q is current, closed=not q.open,
             late=bool(q.late))
        for key, q in enumerate(found.queues, 1)
    )  # fmt: skip
    return h('<ol class="queue-rows">{}{}</ol>', first, others)


def _oldest(seconds: float | None) -> str:
    return "" if seconds is None else f"oldest {ago(seconds)}"


def dialog() -> Markup:
    """The list's frame; ``queue-rows`` is filled by the server."""
    return h(
        '<dialog id="queue-list" class="panel" aria-labelledby="queue-list-title">'
        '<div class="panel-head"><h2 id="queue-list-title">Queues</h2>'
        '<button type="button" class="quiet" data-do="close-panel">Close {}</button></div>'
        '<div id="queue-rows"></div></dialog>',
        kbd("Esc"),
    )
