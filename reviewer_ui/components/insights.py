"""Insights: what is chosen, how old it is, the budget dial, and the frame of every figure."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from coefvq.review.insights import WINDOWS, Insights, Run
from reviewer_ui.components.insights_words import (
    UNKNOWN,
    age,
    covered,
    lasting,
    left_out,
    middle,
    number,
    percent,
    span,
    why,
)
from reviewer_ui.markup import NOTHING, Markup, attribute, h, join

Document = dict[str, Any]
BASES = {
    "traffic": "All videos",
    "both": "Only videos that both stages judged",
}
"""Which decided cases the operating curve counts."""
CELLS = (
    ("recall", "Recall", "of the machine's own answers: violations it calls / all violations"),
    ("precision", "Precision", "of the machine's own answers: calls that are right / all calls"),
    ("miss_rate", "Miss rate", "violations that are passed and no person sees / all violations"),
    ("load", "Reviewer load", "cases a day that people decide, random audits among them"),
    ("cost", "Time for 1,000 videos", "computing time of both stages"),
    ("money", "Money for 1,000 videos", "MLLM and people, in your currency, as far as priced"),
)
NEVER = (
    "No figures yet. A worker computes them every few minutes while it runs; "
    "Compute now asks for them at once."
)


def options(choices: dict[str, str], chosen: str) -> Markup:
    """Options of a select."""
    return join(
        h('<option value="{}"{}>{}</option>', key, attribute("selected", key == chosen), name)
        for key, name in choices.items()
    )


def tools(names: dict[str, str], found: Insights) -> Markup:
    """What is shown: task and time."""
    return h(
        '<label>Task <select id="insights-task" data-choose="task">{}</select></label>'
        '<label>Time <select id="insights-days" data-choose="days">{}</select></label>',
        options(names, found.task),
        options(WINDOWS, found.window),
    )


def freshness(found: Insights) -> Markup:
    """How old the figures are, and the button for new ones."""
    run, state = found.run, NOTHING
    if run.busy:
        state = working(run)
    elif run.failed:
        state = h('<span class="bad">The last run failed: {}</span>', run.note)
    moment = NOTHING
    if found.computed_at is not None:
        moment = h(' datetime="{}"', found.computed_at.isoformat())
    return h(
        '<time{}>{}</time><button type="button" class="plain" data-do="compute"{}>Compute now'
        '</button><span id="insights-progress" role="status">{}</span>',
        moment,
        age(found.age_s),
        attribute("disabled", run.busy),
        state,
    )


def working(run: Run) -> Markup:
    """How far the run is."""
    text = "waits for a worker" if run.waits else f"{run.progress:.0%} {run.note}".strip()
    return h(
        '<progress max="1" value="{}" aria-label="Computing figures"></progress> {}',
        f"{run.progress:.2f}",
        text,
    )


def downloads(name: str, query: dict[str, str], *, svg: bool = True) -> Markup:
    """Ways to a figure as a file."""
    kinds = ("csv", "svg") if svg else ("csv",)
    links = (
        h('<a href="/insights/{}.{}?{}" download aria-label="{} as {}">{}</a>', name, kind,
          urlencode(query), name.replace("-", " "), kind.upper(), kind.upper())
        for kind in kinds
    )  # fmt: skip
    return h('<span class="files">{}</span>', join(links, " "))


def figure(
    plot: str | None,
    document: Document | None,
    files: Markup,
    *more: Markup,
    note: object = NOTHING,
) -> Markup:
    """One figure: plot or the reason why there is none, n and time, files."""
    if document is None:
        return why(NEVER)
    if plot is None:
        return h("{}{}", why(document.get("why")), join(more))
    return h(
        '<div class="plot">{}</div><p class="muted under">{} {}</p>{}',
        Markup(plot),  # escaped by coefvq.plots
        note,
        files,
        join(more),
    )


def operating_note(document: Document, basis: str) -> Markup:
    """What the curve counts, of whom, and what it leaves out."""
    table = document.get(basis) or {}
    rule = f"{document.get('rule')} ({document.get('version')})"
    source = "Published policy" if document.get("published") else "The settings' rule"
    words = (
        f"n = {table.get('n', 0):,} decided cases, {table.get('positives', 0):,} violations, "
        f"{table.get('with_mllm', 0):,} with an MLLM answer; each counts 1 / propensity. "
        f"95 % Wilson intervals. {covered(document)}. {source}: {rule}; its thresholds stay, "
        "only the share that goes to the MLLM moves."
    )
    return h("{}", words)


def caveat(basis: str) -> Markup:
    """Why the two ways of counting differ."""
    if basis == "both":
        return h(
            '<p class="muted">Videos that never reached the MLLM are left out. What is left stands '
            "for all only as far as it was drawn at random.</p>"
        )
    return h(
        '<p class="muted">Where more than 5 % of the calls at a budget would be videos whose MLLM '
        "answer nobody knows, the figures are not given. A routing policy with MLLM audits "
        "(<code>--audit-mllm</code>) draws such videos at random.</p>"
    )


def dial(document: Document | None, basis: str, at: int | None = None) -> Markup:
    """The dial with its table of budgets; the script only looks up."""
    table = (document or {}).get(basis) or {}
    rows = table.get("rows") or []
    if document is None or not rows:
        return NOTHING
    place = standing(document, basis) if at is None else at
    known = [{"budget": percent(row["budget"], 0), "cells": cells(row)} for row in rows]
    return h(
        '<label class="dial" for="budget-dial"><span>Budget: share of videos for the MLLM</span>'
        '<output id="budget-value" for="budget-dial">{}</output></label>'
        '<input type="range" id="budget-dial" min="0" max="{}" step="1" value="{}" '
        'aria-valuetext="{}" data-rows="{}" data-mark="{}">'
        '<div class="dial-ends" aria-hidden="true"><span>0 %</span><span>100 %</span></div>'
        '<div id="budget-figures">{}</div>',
        known[place]["budget"],
        len(rows) - 1,
        place,
        known[place]["budget"],
        json.dumps(known, ensure_ascii=False),
        standing(document, basis),
        dial_figures(document, basis, place),
    )


def standing(document: Document, basis: str) -> int:
    """The step of the dial nearest to what is in force."""
    table = document[basis]
    share = float(table["mark"]["calls"])
    return min(len(table["rows"]) - 1, round(share * (len(table["rows"]) - 1)))


def dial_figures(document: Document, basis: str, at: int) -> Markup:
    """All figures at one budget, beside those of what is in force."""
    table = document[basis]
    there, now = cells(table["rows"][at]), cells(table["mark"])
    rows = (
        h(
            '<tr><th scope="row" title="{}">{}</th><td><b data-cell="{}">{}</b> '
            '<span class="range" data-cell="{}_range">{}</span></td>'
            "<td>{} <span class=\"range\">{}</span></td></tr>",
            told, name, key, there[key], key, there[f"{key}_range"], now[key], now[f"{key}_range"],
        )
        for key, name, told in CELLS
        if key != "money" or table["mark"].get("money_per_1000") is not None
    )  # fmt: skip
    return h(
        '<table class="dial-table"><thead><tr><th scope="col"></th><th scope="col">At this budget'
        '</th><th scope="col">In force: {} of calls</th></tr></thead><tbody>{}</tbody></table>'
        '<p class="muted" data-cell="note">{}</p>',
        percent(table["mark"]["calls"]),
        join(rows),
        there["note"],
    )


def cells(row: Document) -> dict[str, str]:
    """Everything that stands beside the dial at one budget, as text."""
    found: dict[str, str] = {}
    for name in ("recall", "precision", "miss_rate"):
        found[name], found[f"{name}_range"] = middle(row.get(name)), span(row.get(name))
    load, share = row.get("load_a_day"), row.get("human_share")
    found["load"] = UNKNOWN if load is None else f"{number(load, 1)} a day"
    found["load_range"] = "" if share is None else f"{percent(share)} of videos"
    found["cost"] = lasting(row.get("seconds_per_1000"))
    tokens = row.get("tokens_per_1000")
    found["cost_range"] = f"{number(tokens)} tokens" if tokens else ""
    found["money"], found["money_range"] = number(row.get("money_per_1000"), 2), ""
    found["note"] = "" if row["known"] else _unknown(row)
    return found


def _unknown(row: Document) -> str:
    share = row["unknown"] / row["calls"] if row["calls"] else 0.0
    return (
        f"Not known at this budget: {percent(share, 0)} of the calls would be videos that the "
        "MLLM never answered on."
    )


def operating(document: Document | None, plot: str | None, basis: str, files: Markup) -> Markup:
    """The curve with what it is about."""
    if document is None:
        return why(NEVER)
    table = document.get(basis) or {}
    if plot is None:
        return h("{}{}", why(document.get("why") or table.get("why")), left_out(document))
    return h(
        '<div class="plot" data-plot="operating">{}</div><p class="muted under">{} {}</p>{}{}',
        Markup(plot),
        operating_note(document, basis),
        files,
        left_out(document),
        caveat(basis),
    )


def basis_choice(basis: str) -> Markup:
    """Which decided cases count."""
    return h(
        '<label>Counted <select id="insights-basis" data-choose="basis">{}</select></label>',
        options(BASES, basis),
    )
