"""The editor of the taxonomy: one form, made anew from the document at hand.

Rows (`data-kind`) hold fields (`data-field`); the script reads them back into a document. Each
field has a line for what is wrong with it, named by its path: ``tx-tasks.0.name-say``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from coefvq.domain import Modality
from coefvq.taxonomy import check
from coefvq.taxonomy.read import Document
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join

MODALITIES = {
    Modality.VISUAL: "picture",
    Modality.AUDIO: "sound",
    Modality.SPEECH: "speech",
    Modality.SCREEN_TEXT: "text on screen",
    Modality.CAPTION: "title, caption",
    Modality.COPY: "copy of another",
}
SEVERITIES = ("1 nuisance", "2 mild", "3 serious", "4 severe", "5 grave")
_SLUG = "Small letters, digits, _. It cannot change later."


def form(
    document: Document, fixed: Collection[tuple[str, str]], uncovered: Collection[str], turn: int
) -> Markup:
    """All tasks, policies and actions as fields.

    Args:
        fixed: (kind, id) of rows that were published: their ids cannot change.
        uncovered: Policies that no model answers for.
        turn: Counts the renderings; the same document drawn again is drawn all the same.
    """
    tasks = join(
        _task(n, task, fixed, uncovered, len(document["tasks"]))
        for n, task in enumerate(document["tasks"])
    )
    actions = join(
        _action(n, action, fixed, len(document["actions"]))
        for n, action in enumerate(document["actions"])
    )
    return h(
        '<div class="tax" data-keep data-turn="{}"><div class="tax-list">{}</div>{}{}'
        '<h3>Actions</h3><p class="muted">What a decision does. The notice goes to the uploader; '
        '{{title}}, {{policy}} and {{reason}} are filled in.</p>'
        '<div class="tax-list">{}</div>{}{}</div>',
        turn,
        tasks,
        _say("tasks"),
        _add("task", "tasks", "Add a task"),
        actions,
        _say("actions"),
        _add("action", "actions", "Add an action"),
    )  # fmt: skip


def _task(
    n: int,
    task: Document,
    fixed: Collection[tuple[str, str]],
    uncovered: Collection[str],
    of: int,
) -> Markup:
    path = f"tasks.{n}"
    number = len(task["policies"])
    policies = join(
        _policy(f"{path}.policies.{m}", m, policy, fixed, uncovered, number)
        for m, policy in enumerate(task["policies"])
    )
    name = task["name"] or task["id"] or "new task"
    return h(
        '<section class="tax-task" data-kind="task" data-path="{}" aria-label="Task {}">'
        '<div class="tax-head"><h3><span>{}</span> <code>{}</code></h3>{}</div>'
        '<div class="fields two">{}{}</div>'
        '<div class="tax-list">{}</div>{}{}</section>',
        path,
        name,
        name,
        task["id"],
        _moves(f"task {name}", n, of),
        _line(f"{path}.name", "Name", task["name"], check.NAME_LIMIT),
        _id(path, task["id"], ("task", task["id"]) in fixed),
        policies,
        _say(f"{path}.policies"),
        _add("policy", f"{path}.policies", "Add a policy", number >= check.MOST_POLICIES),
    )


def _policy(
    path: str,
    m: int,
    policy: Document,
    fixed: Collection[tuple[str, str]],
    uncovered: Collection[str],
    of: int,
) -> Markup:
    known = ("policy", policy["id"]) in fixed
    name = policy["name"] or policy["id"] or "new policy"
    mark = NOTHING
    if policy["id"] in uncovered or not known:
        mark = h('<span class="role">not covered by a model</span>')
    return h(
        '<details class="tax-row" data-kind="policy" data-path="{}"><summary><b>{}</b> '
        '<code>{}</code> <span class="muted">key {}, severity {}</span> {}'
        '<span class="out tax-bad"></span></summary><div class="tax-body">'
        '<div class="fields">{}{}{}</div>{}{}{}'
        '<div class="fields two">{}<div class="tax-end">{}</div></div></div></details>',
        path,
        name,
        policy["id"],
        m + 1,
        policy["severity"],
        mark,
        _line(f"{path}.name", "Name", policy["name"], check.NAME_LIMIT),
        _id(path, policy["id"], known),
        _severity(path, policy["severity"]),
        _line(f"{path}.question", "Question, answered with yes where it is violated",
              policy["question"], check.QUESTION_LIMIT),
        _area(f"{path}.guideline", "Guideline", policy["guideline"], check.GUIDELINE_LIMIT, 3),
        _modalities(path, policy["modalities"]),
        _area(f"{path}.reasons", "Reasons, one a line (“other” is always offered)",
              "\n".join(policy["reasons"]), check.MOST_REASONS * (check.REASON_LIMIT + 1), 4),
        _moves(f"policy {name}", m, of),
    )  # fmt: skip


def _action(n: int, action: Document, fixed: Collection[tuple[str, str]], of: int) -> Markup:
    path, known = f"actions.{n}", ("action", action["id"]) in fixed
    name = action["name"] or action["id"] or "new action"
    kind = "for a violation" if action["violation"] else "without a violation"
    proposed = h('<span class="role">proposed</span>') if action["default"] else NOTHING
    return h(
        '<details class="tax-row" data-kind="action" data-path="{}"><summary><b>{}</b> '
        '<code>{}</code> <span class="muted">{}</span> {}<span class="out tax-bad"></span>'
        '</summary><div class="tax-body"><div class="fields">{}{}{}</div>'
        '<label class="box"><input type="radio" name="proposed-{}" data-field="default"{}>'
        "<span>The form proposes it {}</span></label>{}"
        '<p class="tax-preview"{}><span class="muted">The uploader reads:</span> '
        '<q id="tx-{}.notice-preview" dir="auto"></q></p>{}</div></details>',
        path,
        name,
        action["id"],
        kind,
        proposed,
        _line(f"{path}.name", "Name", action["name"], check.NAME_LIMIT),
        _id(path, action["id"], known),
        _kind(path, action["violation"], known),
        int(action["violation"]),
        attribute("checked", action["default"]),
        kind,
        _area(f"{path}.notice", "Notice to the uploader", action["notice"], check.NOTICE_LIMIT, 3)
        if action["violation"]
        else h('<input type="hidden" data-field="notice" value="">'),
        attribute("hidden", not action["violation"]),
        path,
        _moves(f"action {name}", n, of),
    )


def _say(path: str) -> Markup:
    return h('<p class="tax-say" id="tx-{}-say" data-path="{}"></p>', path, path)


def _line(path: str, label: str, value: str, limit: int, more: Markup = NOTHING) -> Markup:
    return h(
        '<div><label class="text">{}<input type="text" id="tx-{}" data-field="{}" value="{}"'
        ' maxlength="{}" autocomplete="off" aria-describedby="tx-{}-say"{}></label>{}</div>',
        label,
        path,
        path.rpartition(".")[2],
        value,
        limit + 1,  # one more, so that the message says what is too long instead of a silent stop
        path,
        more,
        _say(path),
    )


def _area(path: str, label: str, value: str, limit: int, rows: int) -> Markup:
    return h(
        '<div><label class="text">{}<textarea id="tx-{}" data-field="{}" rows="{}" maxlength="{}"'
        ' aria-describedby="tx-{}-say">\n{}</textarea></label>{}</div>',
        label,
        path,
        path.rpartition(".")[2],
        rows,
        limit + 1,
        path,
        value,
        _say(path),
    )


def _id(path: str, value: str, fixed: bool) -> Markup:
    label = "Id (it stays)" if fixed else "Id"
    more = (
        Markup(' readonly data-fixed="1"') if fixed else h(' spellcheck="false" title="{}"', _SLUG)
    )
    return _line(f"{path}.id", label, value, 32, more)


def _choice(path: str, field: str, label: str, options: Markup, more: Markup = NOTHING) -> Markup:
    return h(
        '<div><label class="text">{}<select id="tx-{}.{}" data-field="{}"{}>{}</select></label>{}'
        "</div>",
        label,
        path,
        field,
        field,
        more,
        options,
        _say(f"{path}.{field}"),
    )


def _severity(path: str, value: int) -> Markup:
    options = join(
        h('<option value="{}"{}>{}</option>', n, attribute("selected", n == value), words)
        for n, words in enumerate(SEVERITIES, 1)
    )
    return _choice(path, "severity", "Severity", options)


def _kind(path: str, violation: bool, fixed: bool) -> Markup:
    options = join(
        h('<option value="{}"{}>{}</option>', value, attribute("selected", on == violation), words)
        for value, on, words in (
            ("1", True, "for a violation"), ("", False, "without a violation"),
        )
    )  # fmt: skip
    return _choice(path, "violation", "Goes with", options, attribute("disabled", fixed))


def _modalities(path: str, chosen: Sequence[str]) -> Markup:
    boxes = join(
        h(
            '<label class="box"><input type="checkbox" data-field="modalities" value="{}"{}>'
            "<span>{}</span></label>",
            modality.value,
            attribute("checked", modality.value in chosen),
            words,
        )
        for modality, words in MODALITIES.items()
    )
    return h(
        '<fieldset><legend>A violation shows in</legend>{}</fieldset>{}',
        boxes,
        _say(f"{path}.modalities"),
    )  # fmt: skip


def _moves(what: str, at: int, of: int) -> Markup:
    """Buttons that move a row or take it away."""
    rows: Iterable[tuple[str, str, bool]] = (
        ("up", "Up", at > 0),
        ("down", "Down", at < of - 1),
        ("remove", "Remove", of > 1),
    )
    return h(
        '<span class="row-buttons">{}</span>',
        join(
            h(
                '<button type="button" class="plain" data-move="{}" aria-label="{} {}"{}>{}'
                "</button>",
                move,
                words,
                what,
                attribute("disabled", not on),
                words,
            )
            for move, words, on in rows
        ),
    )


def _add(kind: str, path: str, words: str, full: bool = False) -> Markup:
    return h(
        '<button type="button" class="plain tax-add" data-add="{}" data-path="{}"{}>{}</button>',
        kind,
        path,
        attribute("disabled", full),
        words,
    )
