"""The tables of Insights: miss rate, agreement, calibration, drift, throughput, ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from reviewer_ui.components.insights_words import (
    UNKNOWN,
    covered,
    lasting,
    left_out,
    middle,
    number,
    percent,
    span,
)
from reviewer_ui.markup import NOTHING, Markup, ago, h, join

Document = dict[str, Any]
STAGES = {"prefilter": "Prefilter", "mllm": "MLLM", "final": "After both stages"}
OUTCOMES = {"auto_pass": "Passed", "auto_flag": "Flagged", "human": "Sent to people"}
LEDGER = {
    "media": "Reading the file",
    "prefilter": "Prefilter",
    "expensive_signals": "Speech and screen text",
    "mllm": "MLLM",
}


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], empty: str = ""
) -> Markup:
    """A table in a box that scrolls by itself; the first cell of a row names it."""
    made = [
        h("<tr>{}</tr>", join(
            h('<th scope="row">{}</th>', cell) if at == 0 else h("<td>{}</td>", cell)
            for at, cell in enumerate(row)
        ))
        for row in rows
    ]  # fmt: skip
    if not made:
        return h('<p class="none">{}</p>', empty)
    columns = join(h('<th scope="col">{}</th>', name) for name in head)
    return h(
        '<div class="wide" tabindex="0" role="group" aria-label="{}"><table>'
        '<caption class="hidden">{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        caption,
        caption,
        columns,
        join(made),
    )


def rate(value: Sequence[float] | None) -> Markup:
    """A rate and its interval in one cell."""
    if value is None:
        return h("{}", UNKNOWN)
    return h('<b>{}</b> <span class="range">{}</span>', middle(value), span(value))


def miss_rate(document: Document) -> Markup:
    """The estimate in words, the naive figure, and what they are of."""
    if document.get("why"):
        return h("{}", _outcomes(document))
    naive = document["naive"]
    found = h(
        '<dl class="facts"><div><dt>From random audits</dt><dd class="big">{}</dd>'
        '<dd class="range">{}</dd></div><div><dt>Naive</dt><dd class="big soft">{}</dd>'
        '<dd class="range">{}</dd></div></dl>',
        middle(document["miss_rate"]),
        span(document["miss_rate"]),
        middle(naive["rate"]),
        span(naive["rate"]),
    )
    about = h(
        '<p class="muted">{} outcomes, {} decided by people, {} random audits ({} wait). '
        "95 % intervals. Scored {}.</p>",
        number(document["items"]),
        number(document["labelled"]),
        number(document["audits"]),
        number(document["audits_waiting"]),
        covered(document),
    )
    differs = h(
        '<p class="muted">The naive figure counts decided cases as they are. People mostly see '
        "what the machine sent them, few of what it passed, so it comes out wrong. The estimate "
        "counts each audited video for all those that it was drawn from.</p>"
    )
    notes = join(h('<p class="muted">{}</p>', note) for note in document.get("notes") or [])
    parts = [found, missing(document), about, notes, differs, left_out(document)]
    return h("{}{}", join(parts), _outcomes(document))


def missing(document: Document) -> Markup:
    """How many audits are missing for a narrow interval."""
    wanted = document.get("audits_missing")
    if wanted == 0:
        return h('<p class="good">The interval is within 5 points to each side.</p>')
    if wanted is None:
        return h(
            '<p class="none">How many audits an interval of ±5 points needs cannot be told before '
            "people have found a violation.</p>"
        )
    return h(
        '<p class="none">About {} more audits of passed videos for an interval of ±5 points.</p>',
        number(wanted),
    )


def _outcomes(document: Document) -> Markup:
    rows = [
        (OUTCOMES[name], number(each["items"]), number(each["labelled"]),
         number(each["violations"]))
        for name, each in (document.get("outcomes") or {}).items()
    ]  # fmt: skip
    return table("Outcomes", ("Outcome", "Videos", "Decided by people", "Violations"), rows)


def calibration(document: Document, subject: str) -> Markup:
    """Each stage's calibration error."""
    stages = (document.get("subjects") or {}).get(subject) or {}
    rows = [
        (STAGES[name], number(each["n"]), number(each["positives"]),
         percent(each.get("ece")) if not each["why"] else each["why"],
         UNKNOWN if each["why"] else number(each["brier"], 3))
        for name, each in stages.items()
    ]  # fmt: skip
    head = ("Stage", "n", "Violations", "Calibration error", "Brier score")
    return table("Calibration", head, rows)


def machine(document: Document) -> Markup:
    """People against the machine, by policy."""
    whole = document["all"]
    rows = [
        (each["policy"].replace("_", " "), _share(each["sent"]), _share(each["audits"]),
         _share(each["missed"]))
        for each in document["policies"]
    ]  # fmt: skip
    head = ("Policy", "Corrected where sent to people", "Corrected in audits",
            "Violations that the machine called ok")  # fmt: skip
    about = h(
        '<p class="muted">{} of {} decisions differ from the machine\'s answer ({}), by {}. '
        "What is sent to people is what the machine was unsure of; only the audits say how it is "
        "on all videos. Decided {}. 95 % Wilson intervals.</p>",
        number(whole["hits"]),
        number(whole["n"]),
        span(whole["rate"]) or UNKNOWN,
        "one reviewer" if document["reviewers"] == 1 else f"{document['reviewers']} reviewers",
        covered(document),
    )
    return h("{}{}", table("People and the machine", head, rows), about)


def _share(found: Document) -> Markup:
    if not found["n"]:
        return h("{}", UNKNOWN)
    return h('{} <span class="range">n = {}</span>', rate(found["rate"]), number(found["n"]))


def drift(document: Document) -> Markup:
    """How far each score is from its baseline."""
    if document.get("why"):
        return h('<p class="none">{}</p>', document["why"])
    levels = {"stable": "good", "watch": "none", "drifted": "bad"}
    head = h('<p class="{}">{}</p>', levels.get(document["level"], "none"), document["advice"])
    rows = [
        (each["policy"].replace("_", " "), each["level"].replace("_", " "),
         number(each["scores"]["items"]), "; ".join(each["reasons"]))
        for each in document.get("reports") or []
    ]  # fmt: skip
    head_row = ("Score", "State", "n", "Why")
    made = table("Drift", head_row, rows) if rows else NOTHING
    about = h('<p class="muted">The last 7 days against the baseline. {}.</p>', covered(document))
    return h("{}{}{}{}", head, made, about, left_out(document))


def queue(document: Document) -> Markup:
    """What waits, as it was when the figures were computed."""
    found = document["queue"]
    if not found["waiting"]:
        return h('<p class="muted">No case waits.</p>')
    by_task = ", ".join(f"{name} {number(n)}" for name, n in found["by_task"].items())
    late = f", {number(found['late'])} later than promised" if found["late"] else ""
    return h(
        '<p class="muted">{} cases wait ({}){}; the oldest for {}.</p>',
        number(found["waiting"]),
        by_task,
        late,
        ago(found["oldest_s"]),
    )


def ledger(document: Document) -> Markup:
    """Time, tokens and money by stage, then per decision."""
    videos, decisions = document["videos"], document["decisions"]
    rows: list[Sequence[object]] = [
        (LEDGER[each["stage"]], number(each["runs"]), lasting(each["seconds"]),
         lasting(each["seconds"] / each["runs"]) if each["runs"] else UNKNOWN,
         _tokens(document) if each["stage"] == "mllm" else "",
         _money(document["mllm_money"]) if each["stage"] == "mllm" else "")
        for each in document["stages"]
    ]  # fmt: skip
    rows.append(
        ("People", number(decisions), lasting(document["people_s"]),
         lasting(document["reviewer_s"]), "", _money(document["people_money"]))
    )  # fmt: skip
    head = ("Stage", "Runs", "Time in all", "Each", "Tokens in, out", "Money")
    machine = sum(each["seconds"] for each in document["stages"])
    each = lasting(machine / decisions) if decisions else UNKNOWN
    about = h(
        '<p class="muted">{} videos scored, {} decisions: {} of machine time a decision. '
        "People's time is from opening a case to its decision, at most 10 minutes each, known of "
        "{} decisions; in all it is their mean times all decisions, each is the median. {}. "
        "Money appears where a price is set (docs/insights.md).</p>",
        number(videos),
        number(decisions),
        each,
        number(document["timed"]),
        covered(document),
    )
    return h("{}{}", table("Cost by stage", head, rows), about)


def _tokens(document: Document) -> str:
    return f"{number(document['tokens_in'])}, {number(document['tokens_out'])}"


def _money(value: float | None) -> str:
    return UNKNOWN if value is None else number(value, 2)
