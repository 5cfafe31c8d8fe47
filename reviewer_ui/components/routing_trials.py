"""Trials: what runs, what came of it, and the form that starts one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coefvq.work.clusters import Figure
from coefvq.work.trial_figures import FEW, ShadowReport, SplitReport
from coefvq.work.trials import MOST, TrialView
from reviewer_ui.components.routing import name_of, percent, table
from reviewer_ui.components.routing_replay import span
from reviewer_ui.markup import NOTHING, Markup, h, join, stamp
from reviewer_ui.words import ROUTES

Report = ShadowReport | SplitReport
_SHADOW = (
    ("escalation_rate", "To the MLLM"),
    ("human_rate", "Ends with a person"),
    ("miss_rate", "Miss rate"),
    ("precision", "Precision of flags"),
)
_SPLIT = (
    ("up_view_rate", "Views of violations that stayed up, of all views"),
    ("up_rate", "Violations that stayed up, of all videos"),
    ("miss_rate", "Miss rate"),
    ("escalation_rate", "To the MLLM"),
    ("human_rate", "Ends with a person"),
    ("people_rate", "Reviewer load with random audits"),
)


def region(trial_id: str) -> str:
    """Where a running trial's figures stand."""
    return f"trial-{trial_id}"


def trials(found: Sequence[TrialView]) -> Markup:
    """Running trials, whose figures the page asks for next, then those that ended."""
    running = [each for each in found if each.running]
    ended = [each for each in found if not each.running]
    if not found:
        return h('<p class="muted">No trial runs, and none was run.</p>')
    now = join(_running(each) for each in running)
    return (now or h('<p class="muted">No trial runs.</p>')) + _ended(ended)


def _title(each: TrialView) -> str:
    if each.kind == "shadow":
        return f"Shadow: {each.version} beside {name_of(each.against)}"
    return f"Split: {each.version} for {percent(each.share)} of the uploaders"


def _running(each: TrialView) -> Markup:
    return h(
        '<article class="trial"><div class="diff-head"><h3>{}</h3><span class="row-buttons">'
        '<button type="button" class="plain" data-do="look-again">Look again</button>'
        '<button type="button" class="plain" data-do="stop-trial" data-trial="{}"'
        ' data-title="{}">Stop</button></span></div>'
        '<p class="muted">since {} by {}</p><p class="note"><q>{}</q></p><div id="{}"'
        ' data-figures="{}"><p class="muted"><i class="spin"></i>Working the figures out</p></div>'
        "</article>",
        _title(each),
        each.id,
        _title(each),
        stamp(each.started_at),
        each.started_by,
        each.note,
        region(each.id),
        each.id,
    )


def report_of(each: TrialView, report: Report) -> Markup:
    """What came of a trial so far."""
    return _shadow(report) if isinstance(report, ShadowReport) else _split(each, report)


def _shadow(found: ShadowReport) -> Markup:
    if not found.n:
        return h("<p>No video was scored since it began.</p>")
    rows = [(words, span(found.live[key]), span(found.shadow[key])) for key, words in _SHADOW]
    return h(
        "<p>Beside <b>{}</b> verdicts on videos of <b>{}</b> uploaders. They end alike in <b>{}</b>"
        " of those whose end is known{}.</p>{}{}{}{}",
        f"{found.n:,}",
        f"{found.uploaders:,}",
        span(found.same),
        _unknown(found),
        table(("Figure", "In force", "Shadow"), rows, "The policy in force and its shadow"),
        h(
            '<p class="muted">Miss rate and precision are estimated from {} cases that people '
            "decided because they were sent or drawn{}. Intervals: 95 %, uploaders resampled.</p>",
            f"{found.decided:,}",
            _few(found.decided),
        ),
        _moved(found),
        _cases(found),
    )


def _unknown(found: ShadowReport) -> str:
    if not found.unknown:
        return ""
    return f"; in {found.unknown:,} the shadow would have asked the MLLM, and nobody did"


def _few(count: int) -> str:
    return f": {FEW - count} more before they say much" if count < FEW else ""


def _moved(found: ShadowReport) -> Markup:
    if not found.moved:
        return h("<p>It would have changed nothing so far.</p>")
    ordered = sorted(found.moved.items(), key=lambda item: -item[1])
    lines = join(
        h(
            "<li><b>{}</b> {}, the shadow would have: {}</li>",
            f"{count:,}",
            ROUTES[was],
            ROUTES[then],
        )
        for (was, then), count in ordered
    )
    return h('<ul class="steps">{}</ul>', lines)


def _cases(found: ShadowReport) -> Markup:
    if not found.cases:
        return NOTHING
    said = {None: "not decided", True: "violation", False: "no violation"}
    rows = [
        (
            h('<a href="/?case={}">{}</a>', each.case_id, each.title or "without a title"),
            ROUTES[each.was],
            ROUTES[each.shadow],
            said[each.violation],
        )
        for each in found.cases
    ]
    head = ("Case", "Was", "The shadow would have", "People said")
    return h(
        "<details><summary>The newest cases that it would have sent elsewhere</summary>{}"
        "</details>",
        table(head, rows, "Cases that the shadow would have sent elsewhere"),
    )


def _split(each: TrialView, found: SplitReport) -> Markup:
    measures = _SPLIT if found.views_known else _SPLIT[1:]
    rows: list[tuple[object, ...]] = [
        ("Videos (uploaders)", *(_size(arm.videos, arm.uploaders) for arm in (found.other,
         found.tried)), ""),
        ("Passed, drawn and decided", f"{found.other.audited:,}", f"{found.tried.audited:,}", ""),
    ]  # fmt: skip
    rows += [
        (words, _value(found.other.figures, key), _value(found.tried.figures, key),
         span(found.difference.get(key, Figure(None)), points=True))
        for key, words in measures
    ]  # fmt: skip
    head = ("Figure", f"In force: {name_of(each.against)}", f"Tried: {each.version}",
            "Difference, points")  # fmt: skip
    return table(head, rows, "Both arms of the split") + join(
        h('<p class="muted">{}</p>', line) for line in _said(found)
    )


def _value(figures: Mapping[str, Figure], key: str) -> Markup:
    return span(figures.get(key, Figure(None)))


def _size(videos: int, uploaders: int) -> str:
    return f"{videos:,} ({uploaders:,})"


def _said(found: SplitReport) -> list[str]:
    lines = ["Intervals: 95 %, uploaders resampled. Budgets count for each arm by itself."]
    if found.views_known:
        known = found.other.with_views + found.tried.with_views
        lines.append(f"Views are known of {known:,} videos; the others do not weigh.")
    else:
        lines.append(
            "No views are known, so nothing is weighed by them: these are shares of videos. "
            "`coefvq video views FILE.csv` brings views in."
        )
    short = min(found.other.audited, found.tried.audited)
    if short < FEW:
        lines.append(
            f"What stayed up is known from passed videos that were drawn and decided. One arm has "
            f"{short}: {FEW - short} more before these rates say much."
        )
    if found.left_out:
        lines.append(
            f"Left out: {found.left_out:,} videos that neither arm's version decided, most of them "
            "scored before the workers followed."
        )
    return lines


def _ended(found: Sequence[TrialView]) -> Markup:
    if not found:
        return NOTHING
    rows = [
        (
            stamp(each.ended_at) if each.ended_at else "",
            _title(each),
            f"{each.started_by}, ended by {each.ended_by}",
            h('<span class="said">{}</span>', each.note),
            h('<button type="button" class="plain" data-do="show-trial" data-trial="{}"'
              ' aria-label="Show {}">Show</button>', each.id, _title(each)),
        )
        for each in found
    ]  # fmt: skip
    return h(
        '<details><summary>Trials that ended ({})</summary>{}<div id="routing-old-trial"></div>'
        "</details>",
        len(found),
        table(("Ended", "Trial", "Who", "Why", ""), rows, "Trials that ended"),
    )


def form() -> Markup:
    """Start one with the version that is chosen above."""
    return h(
        '<form data-form="start_trial" class="stack"><fieldset><legend class="hidden">Kind of trial'
        '</legend><label class="box"><input type="radio" name="kind" value="shadow" checked><span>'
        'Shadow <span class="muted">decides nothing, what it would have done is kept</span></span>'
        '</label><label class="box"><input type="radio" name="kind" value="split"><span>Split '
        '<span class="muted">decides for a share of the uploaders</span></span></label></fieldset>'
        '<div class="fields"><label class="text" for="trial-share">Share of the uploaders, %'
        '<input id="trial-share" name="share" type="number" min="0.1" max="{}" step="any"'
        ' value="10" disabled></label>'
        '<label class="text wide" for="trial-note">What is tried, and why<input id="trial-note"'
        ' name="note" maxlength="2000" required></label></div>'
        '<div><button type="submit" class="plain" id="start-trial">Start the trial</button></div>'
        "</form>",
        f"{MOST * 100:g}",
    )
