"""How well people decide: golden cases and scores, agreement, anchoring, legal holds."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import quote

from coefvq import taxonomy
from coefvq.review.agreement_report import AgreementReport
from coefvq.review.anchoring import Anchoring
from coefvq.review.golden import GoldenScore, GoldenView
from coefvq.review.holds import HoldView
from coefvq.review.rates import difference
from reviewer_ui.components import answers
from reviewer_ui.components.figures import number, points, rate
from reviewer_ui.components.people import listing
from reviewer_ui.markup import NOTHING, Markup, attribute, clock, h, join, stamp

GOLDEN = ("Case", "Expected", "Note", "Answered as expected", "Added", "Change")
HOLDS = ("Video", "Reason", "Placed", "Released", "Change")
PERIODS = {"30": "last 30 days", "90": "last 90 days", "365": "last year", "": "all time"}


def golden(found: tuple[GoldenView, ...], retired: bool) -> Markup:
    """Cases whose answer is known."""
    about = h(
        '<p class="muted">Mixed in among the others; nobody can tell which they are. The share is '
        "set by COEFVQ_GOLDEN_SHARE.</p>"
    )
    switch = h(
        '<div class="row-buttons"><button type="button" class="plain" data-call="list_golden"'
        ' data-args="{}">{}</button></div>',
        json.dumps({"retired": not retired}),
        "Hide retired ones" if retired else "Show retired ones",
    )
    if not found:
        return about + h("<p>No golden case is set up.</p>") + switch
    return about + _scroll(listing(GOLDEN, [_golden(item) for item in found])) + switch


def _golden(item: GoldenView) -> tuple[object, ...]:
    range_ = NOTHING if item.start_s is None else h(
        ' <span class="muted">at {}–{}</span>', clock(item.start_s), clock(item.end_s)
    )  # fmt: skip
    change: object = h(
        '<button type="button" class="plain" data-call="retire_golden" data-args="{}"'
        ' data-sure="Really retire?" aria-label="Retire {}">Retire</button>',
        json.dumps({"golden": item.id}),
        item.title,
    )
    if item.retired_at is not None:
        change = h('<span class="muted">retired {}</span>', stamp(item.retired_at))
    return (
        h('<a href="/?case={}" dir="auto">{}</a> <span class="muted">{}</span>',
          quote(item.case_id), item.title, item.task),
        h("{}{}", answers.labels(item.labels, {}), range_),
        h('<span dir="auto">{}</span>', item.note or "–"),
        f"{item.right} of {item.answers}" if item.answers else "not answered yet",
        h("{} <span class='muted'>by {}</span>", stamp(item.added_at), item.added_by),
        change,
    )  # fmt: skip


def golden_form() -> Markup:
    """The form that makes a golden case of a decided one."""
    tasks = join(_expected(task) for task in taxonomy.tasks().values())
    return h(
        '<details class="adding"><summary>Add a golden case</summary><form data-form="add_golden">'
        '<div class="fields"><label class="text">Case id<input name="case" maxlength="64"'
        ' autocomplete="off" spellcheck="false" required></label><label class="text">Shows from, '
        'seconds<input name="start_s" type="number" min="0" step="any"></label>'
        '<label class="text">to, seconds<input name="end_s" type="number" min="0" step="any">'
        '</label></div><fieldset><legend>Expected answer</legend><label class="box"><input '
        'type="radio" name="expected" value="decided" checked><span>as it was decided, with its '
        'range</span></label><label class="box"><input type="radio" name="expected" value="given">'
        "<span>what is marked here; nothing marked: no violation</span></label></fieldset>"
        '<div class="only-given">{}</div><label class="text">Note<input name="note"'
        ' maxlength="1000" autocomplete="off"></label>'
        '<div><button type="submit" class="primary">Add</button></div></form></details>',
        tasks,
    )


def _expected(task: taxonomy.Task) -> Markup:
    boxes = join(
        h('<label class="box"><input type="checkbox" data-list name="violated" value="{}"><span>{}'
          "</span></label>", policy.id, policy.name)
        for policy in task.policies
    )  # fmt: skip
    return h("<fieldset><legend>{}</legend>{}</fieldset>", task.name, boxes)


def scores(found: tuple[GoldenScore, ...]) -> Markup:
    """What each reviewer got right; their errors by policy below."""
    if not found:
        return h(
            '<p class="muted">Nobody has answered a golden case in this time. Scores show from the '
            "first answer on, with their interval.</p>"
        )
    names = ("Reviewer", "As expected", "Range met", "Misses and false alarms by policy")
    return _scroll(listing(names, [_score(item) for item in found]))


def _score(item: GoldenScore) -> tuple[object, ...]:
    rows = [
        (each.name, rate(each.misses, "none expected"), rate(each.false_alarms, "none expected"))
        for each in item.policies
    ]
    more: object = "–"
    if rows:
        more = h(
            "<details><summary>{} policies</summary>{}</details>",
            len(rows),
            listing(("Policy", "Misses", "False alarms"), rows),
        )
    return (h("<b>{}</b>", item.reviewer), rate(item.right),
            rate(item.range_met, "no range expected"), more)  # fmt: skip


def chooser(task: str, days: str) -> Markup:
    """For which task and time the figures below are."""
    tasks = join(
        h('<option value="{}"{}>{}</option>', each.id, attribute("selected", each.id == task),
          each.name)
        for each in taxonomy.tasks().values()
    )  # fmt: skip
    times = join(
        h('<option value="{}"{}>{}</option>', value, attribute("selected", value == days), words)
        for value, words in PERIODS.items()
    )
    return h(
        '<form class="fields" data-chooser><label class="text">Task<select name="task">{}</select>'
        '</label><label class="text">Time<select name="days">{}</select></label></form>',
        tasks,
        times,
    )


def span(since: datetime | None, until: datetime | None = None) -> Markup:
    """The time that figures cover."""
    start = h("From {}", stamp(since)) if since else h("From the first one")
    end = h(" to {}", stamp(until)) if until else h(" to now")
    return h('<p class="muted">{}{}.</p>', start, end)


def agreement(found: AgreementReport) -> Markup:
    """Independent answers compared: by policy, and by reviewer."""
    head = span(found.since, found.until)
    if not found.pairs:
        return head + h(
            '<p class="muted">No case has two independent answers in this time. A share of the '
            "decisions is answered by a second person (COEFVQ_SECOND_LOOK_SHARE).</p>"
        )
    policies = [
        (each.name, each.pairs, rate(each.agreement), _figure(each.alpha))
        for each in found.policies
    ]
    reviewers = [
        (h("<b>{}</b>", each.reviewer), each.pairs, rate(each.agreement), _figure(each.kappa),
         _figure(each.golden_kappa), rate(each.upheld, "none adjudicated"))
        for each in found.reviewers
    ]  # fmt: skip
    return (
        head
        + h("<p>Cases with two answers: <b>{}</b>. Adjudicated: {}; for the first answer: {}</p>",
            found.pairs, found.adjudicated, rate(found.first_upheld, "none"))
        + _scroll(listing(("Policy", "Pairs", "Same answer", "Krippendorff's alpha"), policies))
        + _scroll(listing(("Reviewer", "Pairs", "Same answer", "Cohen's kappa", "Kappa on golden",
                           "Upheld when adjudicated"), reviewers))
    )  # fmt: skip


def _figure(found: object) -> Markup:
    value, low, high = (getattr(found, name) for name in ("value", "low", "high"))
    return number(value, low, high, str(getattr(found, "why_not", "")))


def anchoring(found: Anchoring) -> Markup:
    """Whether the machine's answer pulls the reviewers' along."""
    if not (found.answered or found.blind.n or found.seen.n):
        return h(
            '<p class="muted">Nobody has answered a case blind in this time. A share of the cases '
            "is answered before the machine's answer shows (COEFVQ_BLIND_FIRST_SHARE).</p>"
        )
    rows = (
        ("Changed after seeing the machine's answer", rate(found.changed)),
        ("… of these, towards the machine", rate(found.towards, "none changed")),
        ("… and away from it", rate(found.away, "none changed")),
        ("Agrees with the machine, answered blind", rate(found.blind)),
        ("Agrees with the machine, answer in view", rate(found.seen)),
        ("Difference of the two", points(difference(found.seen, found.blind))),
    )
    about = h(
        "<p>Answers given blind and then decided in view: <b>{}</b>. Random audits are left out "
        "where answers are compared with the machine's.</p>",
        found.answered,
    )
    return about + _scroll(listing(("Figure", "Share"), rows))


def holds(found: tuple[HoldView, ...], released: bool) -> Markup:
    """Videos that nothing deletes."""
    about = h(
        '<p class="muted">While a hold stands its video is not deleted, whatever else asks for '
        "it.</p>"
    )
    switch = h(
        '<div class="row-buttons"><button type="button" class="plain" data-call="list_holds"'
        ' data-args="{}">{}</button></div>',
        json.dumps({"released": not released}),
        "Hide released ones" if released else "Show released ones",
    )
    if not found:
        return about + h("<p>No hold stands.</p>") + switch
    return about + _scroll(listing(HOLDS, [_hold(item) for item in found])) + switch


def _hold(item: HoldView) -> tuple[object, ...]:
    done = "–" if item.released_at is None else h(
        "{} by {}", stamp(item.released_at), item.released_by or "–"
    )  # fmt: skip
    change: object = NOTHING
    if item.released_at is None:
        change = h(
            '<button type="button" class="plain" data-call="ask_release" data-args="{}"'
            ' aria-label="Release {}">Release</button>',
            json.dumps({"hold": item.id}),
            item.title,
        )
    return (
        h('<a href="/video?id={}" dir="auto">{}</a>', quote(item.video_id), item.title),
        h('<span dir="auto">{}</span>', item.reason),
        h("{} by {}", stamp(item.placed_at), item.placed_by),
        done,
        change,
    )


def hold_form() -> Markup:
    """The form that places a hold."""
    return h(
        '<details class="adding"><summary>Place a hold</summary><form data-form="place_hold">'
        '<label class="text">Video id<input name="video" maxlength="64" autocomplete="off"'
        ' spellcheck="false" required></label>{}<div><button type="submit" class="primary">Place'
        "</button></div></form></details>",
        answers.why("reason", "Reason"),
    )


def release_form(item: HoldView) -> Markup:
    """The dialog that releases a hold."""
    return h(
        '<h2 id="admin-dialog-title">Release the hold on <span dir="auto">{}</span></h2>'
        '<p class="muted" dir="auto">Placed {} by {}: {}</p><form data-form="release_hold">'
        '<input type="hidden" name="hold" value="{}">{}<div class="form-end"><button type="submit"'
        ' class="primary">Release</button><button type="button" class="plain"'
        ' data-do="close-panel">Close</button></div></form>',
        item.title,
        stamp(item.placed_at),
        item.placed_by,
        item.reason,
        item.id,
        answers.why("reason", "Why it is not needed any more"),
    )


def _scroll(table: Markup) -> Markup:
    return h('<div class="scroll" tabindex="0">{}</div>', table)
