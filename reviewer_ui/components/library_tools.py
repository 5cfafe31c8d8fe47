"""The library's filters, its saved filters, and what can be done with a selection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coefvq import taxonomy
from coefvq.review.filters import NAME_LIMIT, SavedFilter
from coefvq.review.library_views import SimilarPage
from coefvq.review.views import QueueView
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join, kbd
from reviewer_ui.words import STATUSES, plain

COMMENT_LIMIT = 4000


def _options(choices: Iterable[tuple[str, str]]) -> Markup:
    return join(h('<option value="{}">{}</option>', value, label) for value, label in choices)


def _choice(name: str, label: str, options: Markup, region: str = "") -> Markup:
    return h(
        '<label class="text" id="library-filter-{}">{}<select{}>{}</select></label>',
        name,
        label,
        h(' id="{}"', region) if region else NOTHING,
        options,
    )


def rules() -> dict[str, Markup]:
    """The regions that follow the taxonomy: filters, and the form that decides many."""
    tasks = [(task.id, task.name) for task in taxonomy.tasks().values()]
    policies = [(policy.id, policy.name) for policy in taxonomy.policies().values()]
    return {
        "library-tasks": _options([("", "all tasks"), *tasks]),
        "library-policies": _options([("", "all policies"), *policies]),
        "bulk-fields": _bulk_fields(),
    }


def toolbar(statuses: Iterable[str]) -> Markup:
    """Render search and filters; the choice of queues is filled where there are any."""
    now = rules()
    return h(
        '<div class="filters" role="search">'
        '<label class="text" id="library-search">Search'
        '<input type="search" placeholder="title, caption, speech, screen text" maxlength="200">'
        "</label>{}{}{}"
        '<label class="text" id="library-filter-queue" hidden>Queue'
        '<select id="library-queues"></select></label>'
        '<label class="text" id="library-filter-uploader">Uploader'
        '<input type="text" maxlength="200" placeholder="anybody" autocomplete="off"></label>'
        '<button type="button" class="ask" data-do="saved" aria-haspopup="dialog">Saved…</button>'
        '<span class="found" id="library-found" role="status"></span></div>',
        _choice("task", "Task", now["library-tasks"], "library-tasks"),
        _choice("status", "Status", _options([("", "every status"),
                                              *((s, plain(STATUSES, s)) for s in statuses)])),
        _choice("policy", "Likeliest policy", now["library-policies"], "library-policies"),
    )  # fmt: skip


def queues(found: Sequence[QueueView]) -> Markup:
    """The queues to filter by, or nothing where none were set up."""
    if not found:
        return NOTHING
    return _options([("", "all queues"), *((queue.id, queue.name) for queue in found)])


def similar(found: SimilarPage) -> Markup:
    """What is shown instead of the whole library, and the way back."""
    return h(
        '<p class="similar"><span>Looks like</span> <a href="/video?id={}" dir="auto">{}</a>'
        "{}{}</p>",
        found.video_id,
        found.title,
        h(' <span class="muted">({} with the same footage come first)</span>', found.copies)
        if found.copies else NOTHING,
        h(' <span class="muted">({} more are not compared: not scored yet, or without '
          "frames)</span>", found.unknown) if found.unknown else NOTHING,
    ) + h('<a class="ask" href="/library" data-do="whole">Show the whole library</a>')  # fmt: skip


def nothing_similar(found: SimilarPage) -> Markup:
    """Why there is nothing."""
    if found.compared:
        return h('<p class="none-found">No other video can be compared with it yet.</p>')
    return h(
        '<p class="none-found">It was not compared: it is not scored yet, or no frame of it '
        "could be read.</p>"
    )


def _head(name: str, title: str) -> Markup:
    return h(
        '<div class="panel-head"><h2 id="{}-title">{}</h2>'
        '<button type="button" class="quiet" data-do="close-panel">Close {}</button></div>',
        name,
        title,
        kbd("Esc"),
    )


def saved_panel() -> Markup:
    """The dialog of saved filters; its rows are a region."""
    return h(
        '<dialog id="saved-panel" class="panel" aria-labelledby="saved-panel-title">{}'
        '<div id="saved-rows"></div><form class="save-as"><label class="field">'
        '<span class="hidden">Name</span><input type="text" name="name" maxlength="{}"'
        ' placeholder="Name for what is shown now" autocomplete="off"></label>'
        '<label class="share" hidden><input type="checkbox" name="shared"> for everyone</label>'
        '<button type="submit" class="ask">Save</button></form>'
        '<p class="panel-say" role="status"></p></dialog>',
        _head("saved-panel", "Saved filters"),
        NAME_LIMIT,
    )


def _saved_row(row: SavedFilter, deletable: bool) -> Markup:
    drop = h(
        '<button type="button" class="quiet" data-do="drop-filter" data-filter="{}"'
        ' aria-label="Delete {}">Delete</button>',
        row.id,
        row.name,
    )
    return h(
        '<li><a href="/library?{}" data-do="open-filter" dir="auto">{}</a>{}{}</li>',
        row.query,
        row.name,
        h(' <span class="muted">shared</span>') if row.shared else NOTHING,
        drop if deletable else NOTHING,
    )


def saved_rows(found: Sequence[SavedFilter], lead: bool) -> Markup:
    """The saved filters as links."""
    if not found:
        return h('<p class="muted">None yet. Set filters, then save them under a name.</p>')
    return h(
        '<ul class="saved-rows">{}</ul>',
        join(_saved_row(row, lead if row.shared else row.mine) for row in found),
    )


def selection_bar() -> Markup:
    """What can be done with the selected videos; hidden while none is."""
    return h(
        '<div class="selection" role="region" aria-label="Selected videos" hidden>'
        '<b class="picked-number" role="status"></b>'
        '<button type="button" data-do="send" hidden>Send to review</button>'
        '<button type="button" data-do="decide" aria-haspopup="dialog" hidden>Decide…</button>'
        '<button type="button" data-do="clear">Clear {}</button></div>',
        kbd("Esc"),
    )


def _policy_row(policy: taxonomy.Policy) -> Markup:
    reasons = [*((r, r.replace("_", " ")) for r in policy.reasons)]
    if taxonomy.OTHER_REASON not in policy.reasons:
        reasons.append((taxonomy.OTHER_REASON, "other (say it in the comment)"))
    return h(
        '<div class="bulk-policy"><label><input type="checkbox" name="policy" value="{}"> {}'
        '</label><select aria-label="Reason for {}" disabled>{}</select></div>',
        policy.id,
        policy.name,
        policy.name,
        _options(reasons),
    )


def _task_part(task: taxonomy.Task, hidden: bool) -> Markup:
    return h(
        '<fieldset data-task="{}"{}><legend class="hidden">What is violated</legend>{}</fieldset>',
        task.id,
        attribute("hidden", hidden),
        join(_policy_row(policy) for policy in task.policies),
    )


def _bulk_fields() -> Markup:
    """Task, its policies, and what to do."""
    tasks = list(taxonomy.tasks().values())
    actions = join(
        h('<option value="{}" data-violation="{}"{}>{}</option>', action.id,
          "1" if action.violation else "", attribute("data-default", action.default), action.name)
        for action in taxonomy.actions().values()
    )  # fmt: skip
    return h(
        '<input type="hidden" name="taxonomy" value="{}">'
        '<label class="text">Task<select name="task">{}</select></label>{}'
        '<label class="text">Action<select name="action">{}</select></label>',
        taxonomy.version(),
        _options((task.id, task.name) for task in tasks),
        join(_task_part(task, task is not tasks[0]) for task in tasks),
        actions,
    )


def decide_panel() -> Markup:
    """The dialog that decides the selected videos for one task."""
    return h(
        '<dialog id="decide-panel" class="panel" aria-labelledby="decide-panel-title">{}'
        '<form class="bulk"><div id="bulk-fields">{}</div>'
        '<label class="text">Comment<textarea name="comment" rows="2" maxlength="{}"></textarea>'
        '</label><p class="muted">Cases that somebody has open, or that are decided already, stay '
        "as they are. Uploaders get no message.</p>"
        '<button type="submit" class="primary">Decide</button>'
        '<p class="panel-say" role="status"></p></form></dialog>',
        _head("decide-panel", "Decide the selected videos"),
        _bulk_fields(),
        COMMENT_LIMIT,
    )
