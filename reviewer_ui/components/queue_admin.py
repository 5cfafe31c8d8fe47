"""Queues for leads: the table of what there is and waits, and the forms."""

from __future__ import annotations

import json
from collections.abc import Mapping

from coefvq import taxonomy
from coefvq.review.queues import REST, RULES, QueueSetup
from coefvq.review.views import QueueCounts, QueueView
from reviewer_ui.components.people import listing
from reviewer_ui.markup import NOTHING, Markup, ago, attribute, h, join

COLUMNS = ("Queue", "Takes cases", "Promised", "Waiting", "Oldest", "Change")
YEAR_MIN = 525600


def table(found: tuple[QueueSetup, ...], counts: QueueCounts) -> Markup:
    """All queues in the order in which they take cases."""
    about = h(
        '<p class="muted">A case enters the first queue, from the top, whose conditions all hold. '
        "Without a queue that fits, it waits among all other cases.</p>"
    )
    if not found:
        return about + h(
            "<p>No queues are set up: {} cases wait together, the most urgent first.</p>",
            counts.total,
        )
    waiting = {view.id: view for view in counts.queues}
    last = len(found) - 1
    lines = [
        _line(queue, waiting.get(queue.id), at == 0, at == last) for at, queue in enumerate(found)
    ]
    rest = waiting.get(REST)
    if rest is not None:
        lines.append((h("<i>{}</i>", rest.name), "everything else", "–", *_waits(rest), NOTHING))
    return about + listing(COLUMNS, lines)


def _line(queue: QueueSetup, view: QueueView | None, first: bool, last: bool) -> tuple[object, ...]:
    closed = h(' <span class="role">restricted</span>') if queue.restricted else NOTHING
    promise = "–" if queue.promised_age_s is None else ago(queue.promised_age_s)
    name = h("<b>{}</b>{}", queue.name, closed)
    return (name, conditions(queue), promise, *_waits(view), _buttons(queue, first, last))


def _waits(view: QueueView | None) -> tuple[object, object]:
    if view is None:
        return 0, "–"
    late = h(', <span class="out">{} late</span>', view.late) if view.late else NOTHING
    return h("{}{}", view.waiting, late), ago(view.oldest_s)


def conditions(queue: QueueSetup) -> str:
    """What enters a queue, in words; a policy that is gone is named by its id."""
    known = taxonomy.policies()
    parts = []
    if queue.task:
        parts.append(f"task {queue.task}" + ("" if queue.task in taxonomy.tasks() else " (gone)"))
    if queue.policies:
        names = [known[p].name if p in known else f"{p} (gone)" for p in queue.policies]
        parts.append("likeliest policy: " + ", ".join(names))
    if queue.rules:
        parts.append("came by: " + ", ".join(RULES.get(rule, rule) for rule in queue.rules))
    return "; ".join(parts) or "all that come here"


def _buttons(queue: QueueSetup, first: bool, last: bool) -> Markup:
    target: dict[str, object] = {"queue": queue.id}
    return h(
        '<span class="row-buttons">{}{}{}{}</span>',
        _button("move_queue", target | {"by": -1}, "↑", f"Move {queue.name} up", off=first),
        _button("move_queue", target | {"by": 1}, "↓", f"Move {queue.name} down", off=last),
        _button("edit_queue", target, "Edit", f"Edit {queue.name}"),
        _button("remove_queue", target, "Remove", f"Remove {queue.name}", sure="Really remove?"),
    )


def _button(call: str, args: Mapping[str, object], words: str, label: str, *, off: bool = False,
            sure: str = "") -> Markup:  # fmt: skip
    return h(
        '<button type="button" class="plain" data-call="{}" data-args="{}" title="{}"'
        ' aria-label="{}"{}{}>{}</button>',
        call,
        json.dumps(args),
        label,
        label,
        h(' data-sure="{}"', sure) if sure else NOTHING,
        attribute("disabled", off),
        words,
    )


def add_form() -> Markup:
    """The form for a new queue."""
    empty = QueueSetup("", "", None, (), (), None, False, 0)
    return h(
        '<details class="adding"><summary>Add a queue</summary><form data-form="add_queue">{}'
        '<div><button type="submit" class="primary">Add</button></div></form></details>',
        _fields("new", empty),
    )


def edit_form(queue: QueueSetup) -> Markup:
    """What the dialog shows: one queue's fields."""
    return h(
        '<h2 id="admin-dialog-title">{}</h2><form data-form="save_queue">'
        '<input type="hidden" name="queue" value="{}">{}<p class="muted">Waiting cases are sorted '
        'anew when you save.</p><div class="form-end"><button type="submit" class="primary">Save'
        '</button><button type="button" class="plain" data-do="close-panel">Close</button></div>'
        "</form>",
        queue.name,
        queue.id,
        _fields("edit", queue),
    )


def _fields(prefix: str, queue: QueueSetup) -> Markup:
    minutes = "" if queue.promised_age_s is None else f"{queue.promised_age_s / 60:g}"
    return h(
        '<div class="fields"><label class="text">Name<input name="name" id="{}-queue-name"'
        ' value="{}" maxlength="80" autocomplete="off" required></label>'
        '<label class="text"><span>Promised within, minutes <span class="muted">empty: no promise'
        '</span></span><input name="promised_min" type="number" min="1" max="{}" step="any"'
        ' value="{}"></label>'
        '<label class="text">Task<select name="task">{}</select></label></div>{}{}'
        '<label class="box"><input type="checkbox" name="restricted"{}><span>Restricted <span '
        'class="muted">only people who have it in their list see its cases; nothing of them can '
        "be kept by a browser</span></span></label>",
        prefix,
        queue.name,
        YEAR_MIN,
        minutes,
        _tasks(queue.task),
        _policies(queue.policies),
        _list("Came by (none marked: any way)", "rules", RULES, queue.rules),
        attribute("checked", queue.restricted),
    )


def _tasks(chosen: str | None) -> Markup:
    options = (
        h(
            '<option value="{}"{}>{}</option>',
            task,
            attribute("selected", task == chosen),
            found.name,
        )
        for task, found in taxonomy.tasks().items()
    )
    return h('<option value="">any</option>') + join(options)


def _policies(chosen: tuple[str, ...]) -> Markup:
    """One list a task; what nothing is marked in holds for every policy."""
    return join(
        _list(f"Likeliest policy, {task.name} (none marked: any)", "policies",
              {policy.id: policy.name for policy in task.policies}, chosen)
        for task in taxonomy.tasks().values()
    )  # fmt: skip


def _list(legend: str, name: str, choices: dict[str, str], chosen: tuple[str, ...]) -> Markup:
    boxes = (
        h(
            '<label class="box"><input type="checkbox" data-list name="{}" value="{}"{}><span>{}'
            "</span></label>",
            name,
            value,
            attribute("checked", value in chosen),
            words,
        )
        for value, words in choices.items()
    )
    return h("<fieldset><legend>{}</legend>{}</fieldset>", legend, join(boxes))
