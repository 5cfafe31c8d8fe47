"""What the page says when it shows no case: nothing waits, a rest is due, nothing came back."""

from __future__ import annotations

from datetime import datetime

from coefvq.review.views import QueueCounts, QueueView
from reviewer_ui.markup import Markup, h


def calm(found: QueueCounts, queue: QueueView | None = None) -> Markup:
    """What the page says when no case is left, and why that may be.

    Args:
        queue: The queue that cases were asked from; ``None``: all.
    """
    if queue is not None and found.total:
        return _this_queue(found, queue)
    lines = ["Every case is decided, held by somebody else or settled by the machine."]
    if found.scoring:
        lines = [f"Videos being scored: {found.scoring}."]
    if found.failed:
        lines.append(f"Videos that could not be scored: {found.failed}.")
    if found.second_answers:
        lines.append(f"Second answers that only somebody else can give: {found.second_answers}.")
    lines.append("New cases open here by themselves.")
    return h(
        '<h2>Nothing waits for you</h2><p class="muted">{}</p>'
        '<p><a href="/library">Go to the library</a></p>',
        " ".join(lines),
    )


def only_looks() -> Markup:
    """For people who may look at cases and not decide them."""
    return h(
        '<h2>Choose a case to look at</h2><p class="muted">You may look at cases, and others '
        'decide them. An admin can make you a reviewer.</p><p><a href="/library">Go to the '
        "library</a></p>"
    )


def _this_queue(found: QueueCounts, queue: QueueView) -> Markup:
    return h(
        '<h2>Nothing waits in {}</h2><p class="muted">Other queues have cases: {} in all.'
        " New ones of this queue open here by themselves.</p>"
        '<p><button type="button" class="primary wide" data-queue="">Take from all queues</button>'
        "</p>",
        queue.name,
        found.total,
    )


def answer_first() -> Markup:
    """Stands in the place of everything that the machine said, until the reviewer has answered."""
    return h(
        '<div class="answer-first"><p><b>Answer first.</b></p><p class="muted">The machine\'s '
        "answer shows after you send yours; this happens for a share of the cases.</p></div>"
    )


def rest(minutes: float, until: datetime) -> Markup:
    """The pause that is due after much severe material; the script counts down to its end.

    Args:
        minutes: How many minutes of it a shift allows.
    """
    return h(
        '<div class="rest"><h2>Time for a break</h2><p class="left" data-until="{}">–</p>'
        '<p class="muted">until the next case opens, by itself</p>'
        "<p>You looked at severe material for {} minutes. Look at something else, stand up, drink "
        "a glass of water.</p>"
        '<p class="muted">Your drafts are kept, and others go on with the queue.</p></div>',
        f"{until.timestamp():.0f}",
        f"{minutes:.0f}",
    )


def skeleton(lines: int, *, tall: bool = False) -> Markup:
    """Grey bars in the place of what is still being fetched."""
    bars = Markup('<i class="sk"></i>') * lines
    return h('<div class="skeleton{}" aria-hidden="true">{}</div>', " tall" if tall else "", bars)
