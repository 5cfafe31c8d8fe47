"""What every page has: the header with the pages that exist, counts, theme and help."""

from __future__ import annotations

from coefvq.review.views import QueueCounts
from reviewer_ui.components import queues
from reviewer_ui.markup import NOTHING, Markup, ago, h, join, kbd

PAGES = (
    ("/", "Review"),
    ("/library", "Library"),
    ("/insights", "Insights"),
    ("/routing", "Routing"),
    ("/training", "Training"),
    ("/exports", "Exports"),
)


def header(current: str, *, keys: bool) -> Markup:
    """Render the header; ``current`` is the path of the page that it stands on.

    ``queue-counts``, ``late`` and ``who`` are regions: answers of the server fill them.
    """
    links = join(
        h(
            '<a href="{}"{}>{}</a>',
            path,
            Markup(' aria-current="page"') if path == current else NOTHING,
            name,
        )
        for path, name in PAGES
    )
    help_button = h(
        '<button type="button" class="quiet" data-do="help" aria-keyshortcuts="?">{} keys</button>',
        kbd("?"),
    )
    return h(
        '<header class="top"><a class="brand" href="/">COEF-VQ Review</a>'
        '<nav aria-label="Pages">{}</nav><div class="warn" id="late" role="status"></div>'
        '<span id="alarm-bell" role="status"></span>'
        '<div id="queue-counts" role="group" aria-label="Queue"></div>{}'
        '<button type="button" class="quiet theme" data-do="theme" aria-label="Light or dark">'
        '<i class="half" aria-hidden="true"></i></button><span id="who"></span></header>',
        links,
        help_button if keys else NOTHING,
    )


def _count(name: str, value: object, title: str = "") -> Markup:
    return h('<span title="{}">{} <b>{}</b></span>', title, name, value)


def _waiting(found: QueueCounts, switch: bool, chosen: str | None) -> list[Markup]:
    """What waits by queue, with the switch between them, or by task where there are none."""
    if switch and found.queues:
        return [queues.switch(found, chosen)]
    return [
        _count(task, waiting, f"{task} cases that wait for you")
        for task, waiting in found.waiting.items()
    ]


def counts(found: QueueCounts, *, switch: bool = False, chosen: str | None = None) -> Markup:
    """Render what waits; the lease's time left is filled in by the script.

    Args:
        switch: Put the queue's name and the way to the others in place of the tasks.
        chosen: Id of the queue that cases are taken from; ``None``: all.
    """
    parts = _waiting(found, switch, chosen)
    queue = queues.find(found, chosen)
    oldest_s = queue.oldest_s if queue else found.oldest_s
    if found.second_look:
        parts.append(_count("second look", found.second_look, "wait for somebody other than you"))
    if oldest_s is not None:
        parts.append(_count("oldest", ago(oldest_s), "age of the oldest waiting case"))
    if found.scoring:
        parts.append(_count("scoring", found.scoring, "videos that are being scored"))
    if found.failed:
        parts.append(
            h('<a href="/library?status=failed" class="alarm">failed <b>{}</b></a>', found.failed)
        )
    if found.pace_s is not None:
        parts.append(_count("my pace", ago(found.pace_s), "median of your last decisions"))
    parts.append(h('<span class="lease" hidden>lease <b></b></span>'))
    return join(parts, " ")
