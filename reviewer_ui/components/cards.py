"""The two stages side by side: what each says, how sure it is, and where they part."""

from __future__ import annotations

from coefvq.domain import Evidence, Modality, Rationale
from coefvq.review.views import AssessmentView, CaseView, RouteView, ScoreView
from reviewer_ui.components.timeline import SOURCE_NAMES
from reviewer_ui.markup import NOTHING, Markup, h, join, probability, time_link, took
from reviewer_ui.words import ROUTES, VERDICTS, plain, why_not

PREFILTER_READS = "frames, motion, caption"
MLLM_READS = {
    "fused": "frames, motion, sound, all text",
    "omni": "frames, sound, all text",
    "endpoint": "frames or video, all text",
}
"""What each kind of MLLM is given, by the first word of its version."""

NOT_COVERED = "Not covered ("
"""How a rationale begins its list of policies of all tasks that it does not cover."""


def mllm_reads(version: str) -> str:
    """What the model of a stored answer was given; nothing is said of one that is not known."""
    return MLLM_READS.get(version.partition("-")[0], "")


def _head(name: str, reads: str, milliseconds: float | None, version: str = "") -> Markup:
    cost = NOTHING if milliseconds is None else h(
        '<span class="cost" title="Time this stage took">{}</span>', took(milliseconds)
    )  # fmt: skip
    return h(
        '<div class="head"><h2 title="{}">{} <span class="reads">{}</span></h2>{}</div>',
        version,
        name,
        reads,
        cost,
    )


def unsure_band(route: RouteView | None) -> Markup:
    """The probabilities between which the entropy rule escalates, as a band with two ticks."""
    if route is None or route.escalate_low is None or route.escalate_high is None:
        return NOTHING
    low, high = route.escalate_low * 100, route.escalate_high * 100
    return h('<i class="band" style="left:{}%;width:{}%"></i>', f"{low:.1f}", f"{high - low:.1f}")


def _bar(score: ScoreView, band: Markup, strongest: bool) -> Markup:
    if not score.covered or score.probability is None:
        return h(
            '<div class="score off"><span class="name">{}</span>'
            '<span class="not-covered">{}</span></div>',
            score.name,
            why_not(score.why_not),
        )
    mass = NOTHING if score.label_mass is None else h(
        ' title="trust in answer {}"', probability(score.label_mass)
    )  # fmt: skip
    return h(
        '<div class="score{}"{}><span class="name">{}</span><span class="bar">{}'
        '<b style="width:{}%"></b></span><span class="number">{}</span></div>',
        " best" if strongest else "",
        mass,
        score.name,
        band,
        f"{score.probability * 100:.1f}",
        probability(score.probability),
    )


def _bars(assessment: AssessmentView, band: Markup) -> Markup:
    known = [s.probability for s in assessment.scores if s.probability is not None]
    best = max(known, default=None)
    rows = (_bar(s, band, best is not None and s.probability == best) for s in assessment.scores)
    return h('<div class="scores">{}</div>', join(rows))


def entropy_words(route: RouteView | None) -> str:
    """How far the rule's score lies from its threshold, in words."""
    if route is None:
        return ""
    if route.score is None:
        return "no policy covered, so no score to route by"
    unit = " bits" if route.rule == "entropy" else ""
    gap = route.score - route.threshold
    against = f"threshold {route.threshold:.2f} ({gap:+.2f})"
    return f"{route.rule.replace('_', ' ')} {route.score:.2f}{unit}, {against}"


def _leaning(value: float | None) -> str:
    if value is None:
        return "no policy covered"
    return "leans to " + VERDICTS["violation" if value >= 0.5 else "ok"]


def _says(value: float | None, first: str, second: str, title: str = "") -> Markup:
    """The number, large, with two short lines beside it."""
    return h(
        '<div class="says"><strong class="big">{}</strong><span>{}<br>'
        '<span class="muted" title="{}">{}</span></span></div>',
        probability(value),
        first,
        title,
        second,
    )


def _prefilter_says(found: AssessmentView, route: RouteView | None) -> Markup:
    if route is None:
        return _says(found.probability, _leaning(found.probability), "")
    sent = ", sent on" if route.escalated else ", sure enough"
    unsure = route.score is not None and route.score > route.threshold
    # Sent on for another reason than the score: that reason is what a reviewer needs.
    line = route.reason if route.escalated and not unsure else entropy_words(route)
    return _says(found.probability, _leaning(found.probability) + sent, line, entropy_words(route))


def _most_from(assessment: AssessmentView) -> Markup:
    if not assessment.top_contributions:
        return NOTHING
    parts = join(
        (
            h('<span class="{}">{} {}</span>', "up" if w > 0 else "down", name, f"{w:+.2f}")
            for name, w in assessment.top_contributions[:4]
        ),
        ", ",
    )
    return h('<p class="most">Most from: {}</p>', parts)


def prefilter_card(case: CaseView) -> Markup:
    """Render the first stage."""
    found = case.prefilter
    if found is None:
        return _head("Prefilter", PREFILTER_READS, None) + _not_scored(case)
    return join(
        (
            _head("Prefilter", PREFILTER_READS, found.milliseconds, found.model_version),
            _prefilter_says(found, case.first_route or case.route),
            _bars(found, unsure_band(case.first_route or case.route)),
            _legend(case.first_route or case.route),
            _most_from(found),
        )
    )


def _legend(route: RouteView | None) -> Markup:
    if not unsure_band(route):
        return NOTHING
    return h('<p class="legend"><i class="band-key"></i> unsure: sent on to the MLLM</p>')


def _not_scored(case: CaseView) -> Markup:
    words = "Being scored." if case.state == "pending" else "Not scored."
    return h('<p class="muted">{}</p>', words)


def why_not_run(case: CaseView) -> str:
    """One sentence on why there is no second answer."""
    route = case.route
    if route is None:
        return "The video is not scored yet."
    if route.name == "mllm":
        return "The MLLM was due and could not run. Decide without it, or ask it again."
    if route.escalated:
        return "The MLLM was due and has not run yet."
    if route.score is None:
        return "Not run: the prefilter covers none of these policies."
    unit = " bits" if route.rule == "entropy" else ""
    return f"Not run: the prefilter was sure ({route.score:.2f}{unit}, " \
           f"threshold {route.threshold:.2f})."  # fmt: skip


def _ask(words: str, label: str, action: str, busy: str | None) -> Markup:
    """A reason and the button that queues the job; while it is due, its progress instead."""
    if busy is not None:
        return h('<p class="busy" role="status"><span class="spin"></span>{}</p>', busy)
    return h(
        '<p class="muted">{}</p><button type="button" class="ask" data-do="{}">{}</button>',
        words,
        action,
        label,
    )


def mllm_card(case: CaseView, busy: str | None = None) -> Markup:
    """Render the second stage.

    Args:
        busy: What the job that was asked for does now; ``None`` where none is due.
    """
    found = case.mllm
    if found is None:
        head = _head("MLLM", "", None)
        if case.prefilter is None:
            return head + _not_scored(case)
        return head + _ask(why_not_run(case), "Ask the MLLM", "ask-mllm", busy)
    trust = [] if found.trust is None else [f"trust in answer {probability(found.trust)}"]
    after = [entropy_words(case.route).partition(", ")[0]] if case.first_route else []
    title = f"Share of the next token on YES and NO. {entropy_words(case.route)}"
    rest = _bars(found, NOTHING) if found.rationale is None else _other_scores(found)
    second = ", ".join([*trust, *after])
    return join(
        (
            _head("MLLM", mllm_reads(found.model_version), found.milliseconds, found.model_version),
            _says(found.probability, _leaning(found.probability), second, title),
            _rationale(case, found.rationale, busy),
            rest,
        )
    )


def _other_scores(found: AssessmentView) -> Markup:
    """All scores in a line or two, where the rationale needs the room."""
    scored = join(
        (h("{} <b>{}</b>", s.name, probability(s.probability)) for s in found.scores if s.covered),
        " · ",
    )
    return h('<p class="others">{}{}</p>', scored, _left_out(found))


def _left_out(found: AssessmentView) -> Markup:
    """The policies of this task that the answer says nothing about, by the reason why."""
    reasons: dict[str, list[str]] = {}
    for score in found.scores:
        if not score.covered:
            reasons.setdefault(why_not(score.why_not), []).append(score.name)
    return join(
        h("<br><i>{}: {}</i>", reason, "; ".join(names)) for reason, names in reasons.items()
    )


def _uncertain(rationale: Rationale) -> tuple[str, ...]:
    """Without what was not covered: the card lists that itself, for this task only."""
    return tuple(point for point in rationale.uncertain if not point.startswith(NOT_COVERED))


def _when(point: str, evidence: tuple[Evidence, ...]) -> Markup:
    """Buttons for the times of the evidence that a point quotes."""
    timed = (e for e in evidence if e.quote and e.modality != Modality.CAPTION)
    links = [time_link(e.start_s, e.end_s) for e in timed if e.quote and e.quote in point]
    return join(["", *links], " ")


def _points(
    title: str, name: str, points: tuple[str, ...], evidence: tuple[Evidence, ...]
) -> Markup:
    if not points:
        return NOTHING
    items = join(h("<li>{}{}</li>", point, _when(point, evidence)) for point in points)
    return h('<h3 class="{}">{}</h3><ul>{}</ul>', name, title, items)


def _rationale(case: CaseView, rationale: Rationale | None, busy: str | None) -> Markup:
    if rationale is None:
        due = busy or ("Explaining…" if case.rationale_due else None)
        return _ask("No explanation was asked for.", "Explain", "explain", due)
    return h(
        '<div class="rationale">{}{}{}{}</div>',
        h('<p class="summary">{}</p>', rationale.summary) if rationale.summary else "",
        _points("For", "for", rationale.points_for, rationale.evidence),
        _points("Against", "against", rationale.points_against, rationale.evidence),
        _points("Uncertain", "uncertain", _uncertain(rationale), rationale.evidence),
    )


def disagreement(case: CaseView) -> Markup:
    """One or two sentences: where the stages part, and why this came to a person."""
    reason = h(' <span class="muted">{}{}</span>', _why_here(case), _together(case))
    split = case.disagreement
    if split is None:
        if case.mllm is None or case.prefilter is None:
            return h("<p>One stage has answered.{}</p>", reason)
        if not any(p.prefilter is not None and p.mllm is not None for p in case.policies):
            return h("<p><strong>No policy was judged by both stages.</strong>{}</p>", reason)
        return h("<p><strong>The stages agree.</strong>{}</p>", reason)
    only = ""
    if split.modalities:
        names = " and ".join(SOURCE_NAMES.get(m, m) for m in split.modalities)  # type: ignore[call-overload]
        only = f"; the MLLM's evidence is in {names}"
    return h(
        "<p><strong>They disagree</strong> on {} ({} against {}){}.{}</p>",
        split.name,
        probability(split.prefilter),
        probability(split.mllm),
        only,
        reason,
    )


def _together(case: CaseView) -> str:
    """The task's probability that counts, where both stages have a part in it."""
    if case.prefilter is None or case.mllm is None or case.probability is None:
        return ""
    return f" Together {probability(case.probability)}."


def _why_here(case: CaseView) -> str:
    if case.second_look:
        by = f" by {case.second_look_by}" if case.second_look_by else ""
        return f"Second look asked for{by}."
    route = case.route
    if route is None:
        return ""
    if route.audit:
        return f"Random audit, drawn with probability {route.propensity:g}."
    reason = route.reason or plain(ROUTES, route.name)
    if route.name == "mllm":
        reason = f"{reason.rstrip('.')}; the MLLM could not run, so a person decides."
    return f"{reason[:1].upper()}{reason[1:]}." if reason[-1:] != "." else reason
