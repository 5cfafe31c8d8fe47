"""What every page has: the header with the pages that exist, counts, theme and help."""

from __future__ import annotations

from coefvq.review.views import QueueCounts
from reviewer_ui.markup import NOTHING, Markup, ago, h, join, kbd

PAGES = (("/", "Review"), ("/library", "Library"))


def header(current: str, *, keys: bool) -> Markup:
    """Render the header; ``current`` is the path of the page that it stands on."""
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
        '<nav aria-label="Pages">{}</nav>'
        '<div id="queue-counts" role="group" aria-label="Queue"></div>{}'
        '<button type="button" class="quiet theme" data-do="theme" aria-label="Light or dark">'
        '<i class="half" aria-hidden="true"></i></button></header>',
        links,
        help_button if keys else NOTHING,
    )


def _count(name: str, value: object, title: str = "") -> Markup:
    return h('<span title="{}">{} <b>{}</b></span>', title, name, value)


def counts(found: QueueCounts) -> Markup:
    """Render what waits; the lease's time left is filled in by the script."""
    parts = [
        _count(task, waiting, f"{task} cases that wait for you")
        for task, waiting in found.waiting.items()
    ]
    if found.second_look:
        parts.append(_count("second look", found.second_look, "wait for somebody other than you"))
    if found.oldest_s is not None:
        parts.append(_count("oldest", ago(found.oldest_s), "age of the oldest waiting case"))
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
