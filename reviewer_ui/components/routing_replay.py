"""A replay: two versions side by side with intervals, where videos end, and who moves."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from coefvq.plots import Axis, Bar, bar_chart
from coefvq.work.clusters import Figure
from coefvq.work.replay_views import Group, Moved, Reading, Replayed
from coefvq.work.routing_replay import SHOWN
from reviewer_ui.components.routing import name_of, table
from reviewer_ui.markup import NOTHING, Markup, h, join, probability, stamp
from reviewer_ui.words import ROUTES

CSV_PATH = "/routing/diff.csv"
MEASURES = (
    ("miss_rate", "Miss rate", "violations that would pass, of all violations"),
    ("precision", "Precision", "of the machine's flags"),
    ("recall", "Recall", "of the machine's own answers"),
    ("escalation_rate", "To the MLLM", "share of videos"),
    ("human_rate", "Reviewer load", "share of videos that end with a person, without audits"),
    ("due_rate", "MLLM not known", "would ask the MLLM, whose answer nobody has"),
    ("false_removal_rate", "False removals", "others that would be flagged, of all others"),
    ("relative_cost", "Cost", "of both stages, 100 % = the MLLM on everything"),
)
_ENDS = (
    ("auto_pass_rate", "passed"),
    ("auto_flag_rate", "flagged"),
    ("human_rate", "a person"),
    ("due_rate", "MLLM, not known"),
)
_NOW = {
    "auto_pass": "would now pass",
    "auto_flag": "would now be flagged",
    "human": "would now go to a person",
    "mllm": "would now be put to the MLLM, whose answer is not known",
}


def span(figure: Figure, *, points: bool = False) -> Markup:
    """A share, or a difference of shares in points, with its interval below it."""
    if figure.value is None:
        return h('<span class="muted">not defined</span>')
    value = _written(figure.value, points)
    if figure.low is None or figure.high is None:
        return h('{} <span class="muted ends">no interval</span>', value)
    ends = _written(figure.low, points), _written(figure.high, points)
    return h('{} <span class="muted ends">{} to {}</span>', value, *ends)


def _written(value: float, points: bool) -> str:
    rounded = round(value * 100, 1) + 0.0  # no minus before a zero
    return f"{rounded:+.1f}" if points and rounded else f"{rounded:.1f}" + ("" if points else " %")


def reading(found: Reading) -> Markup:
    """The history is being read for the first time."""
    return h(
        '<p role="status"><i class="spin"></i>Reading the decided cases: {} %</p>'
        '<progress max="1" value="{}" aria-label="Reading the decided cases"></progress>',
        f"{found.share * 100:.0f}",
        f"{found.share:.3f}",
    )


def result(found: Replayed, fresh: bool) -> Markup:
    """Everything that a replay says."""
    if found.comparison is None:
        return _nothing(found)
    return h(
        '<h3>{}, tried against {}</h3><p>{}</p>{}<div class="side-by-side">{}{}</div>'
        '<p class="muted">Intervals: 95 %, cases resampled, the same ones for both.</p>{}',
        name_of(found.version),
        name_of(found.against),
        _about(found),
        _notes(found),
        _figures(found),
        h(
            '<figure class="plot">{}<figcaption class="muted">Grey: in force. Blue: tried. The '
            "whiskers are 95 % intervals, n = {}.</figcaption></figure>",
            Markup(_plot(found)),
            f"{found.n:,}",
        ),
        _diff(found, fresh),
    )


def _nothing(found: Replayed) -> Markup:
    return h("<p>{}</p>{}", " ".join(found.notes) or "No decided case fits.", _left_out(found))


def _about(found: Replayed) -> Markup:
    assert found.since is not None and found.until is not None
    return h(
        "<b>{}</b> decided cases, <b>{}</b> of them violations, decided {} to {}; {} have no MLLM "
        "answer.",
        f"{found.n:,}",
        f"{found.violations:,}",
        stamp(found.since),
        stamp(found.until),
        f"{found.unanswered:,}",
    )


def _notes(found: Replayed) -> Markup:
    notes = join(h('<p class="caution">{}</p>', note) for note in found.notes)
    return notes + _left_out(found)


def _left_out(found: Replayed) -> Markup:
    if not found.left_out:
        return NOTHING
    parts = "; ".join(f"{number:,} {reason}" for reason, number in found.left_out.items())
    return h('<p class="muted">Not counted: {}.</p>', parts)


def _figures(found: Replayed) -> Markup:
    both = found.comparison
    assert both is not None
    rows = [
        (
            h('{} <span class="muted what">{}</span>', name, about),
            span(both.one[key]),
            span(both.other[key]),
            span(both.difference[key], points=True),
        )
        for key, name, about in MEASURES
    ]
    head = ("Figure", "In force", "Tried", "Difference, points")
    return table(head, rows, "Both versions on the decided cases")


def _plot(found: Replayed) -> str:
    both = found.comparison
    assert both is not None
    bars, told = [], []
    for key, name in _ENDS:
        for side, tone, words in ((both.one, 4, "in force"), (both.other, 0, "tried")):
            figure = side[key]
            bars.append(
                Bar(f"{name} {words}", figure.value, figure.low, figure.high, tone,
                    f"n = {found.n:,}")
            )  # fmt: skip
            told.append(f"{name} {words} {(figure.value or 0) * 100:.1f} %")
    axis = Axis.over("share of videos", [bar.high or bar.value for bar in bars], "percent",
                     at_most=1.0)  # fmt: skip
    return bar_chart(
        bars,
        axis,
        title="Where videos end, now and with the other version",
        describe=f"{'; '.join(told)}. n = {found.n:,} decided cases, 95 % intervals.",
        width=560,
        height=270,
    )


def _diff(found: Replayed, fresh: bool) -> Markup:
    if not found.moved:
        return h(
            "<h3>What would change</h3><p>Every one of these cases would end where it does.</p>"
        )
    query = {"task": found.task, "version": found.version} | ({"fresh": "1"} if fresh else {})
    return h(
        '<div class="diff-head"><h3>What would change: {} of {} cases</h3>'
        '<a class="plain" href="{}?{}" download>All of them as CSV</a></div>{}',
        f"{found.moved:,}",
        f"{found.n:,}",
        CSV_PATH,
        urlencode(query),
        join(_groups(found)),
    )


def _groups(found: Replayed) -> Iterator[Markup]:
    for group in found.groups:
        yield h(
            '<details class="group-of-cases"><summary><b>{} {}</b> {} <span class="muted">{}'
            "</span></summary>{}{}</details>",
            f"{group.count:,}",
            "case" if group.count == 1 else "cases",
            _NOW[group.now.value],
            _labelled(group),
            table(("Case", "People said", "Prefilter", "MLLM", "Before"),
                  [_row(case) for case in group.cases], _NOW[group.now.value]),
            _more(group),
        )  # fmt: skip


def _labelled(group: Group) -> str:
    others = group.count - group.violations
    words = "violation" if group.violations == 1 else "violations"
    return f"people said: {group.violations:,} {words}, {others:,} without"


def _more(group: Group) -> Markup:
    if group.count <= SHOWN:
        return NOTHING
    return h('<p class="muted">The first {}, violations first. The CSV has all.</p>', SHOWN)


def _row(case: Moved) -> tuple[object, ...]:
    return (
        h('<a href="/?case={}">{}</a>', case.case_id, case.title or "without a title"),
        "violation" if case.violation else "no violation",
        probability(case.prefilter),
        probability(case.mllm),
        ROUTES[case.was.value],
    )
