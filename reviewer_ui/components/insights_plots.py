"""The plots of Insights, as SVG text: on the page and as files."""

from __future__ import annotations

from typing import Any

from coefvq.plots import Axis, Band, Bar, Line, Mark, bar_chart, line_chart
from reviewer_ui.components.insights_words import covered, middle, number, percent, span

Document = dict[str, Any]
SHARE = Axis("share", 0.0, 1.0, "percent")
BUDGET = Axis("share of videos that the MLLM sees", 0.0, 1.0, "percent")
CURVES = (("recall", "Recall", 0), ("precision", "Precision", 2), ("miss_rate", "Miss rate", 1))
STAGES = (("final", "After both stages", 0), ("mllm", "MLLM", 3), ("prefilter", "Prefilter", 1))


def operating(document: Document, basis: str) -> str | None:
    """Recall, precision and miss rate at each budget, with what is in force marked."""
    table = document.get(basis) or {}
    rows = table.get("rows") or []
    if not rows:
        return None
    lines = [
        Line(title, [(row["budget"], _value(row.get(name))) for row in rows], tone)
        for name, title, tone in CURVES
    ]
    bands = [
        Band([(row["budget"], *_ends(row.get(name))) for row in rows], tone)
        for name, _, tone in CURVES
    ]
    mark = table["mark"]
    marks = [Mark(mark["calls"], None, f"in force: {percent(mark['calls'])}", 4)]
    now = f"In force, {percent(mark['calls'])} of calls: " + ", ".join(
        f"{title.lower()} {middle(mark.get(name))} ({span(mark.get(name))})"
        for name, title, _ in CURVES
    )
    describe = f"{now}. n = {table['n']}, 95 % intervals, {covered(document)}."
    return line_chart(lines, BUDGET, SHARE, bands=bands, marks=marks,
                      title="What each budget of MLLM calls gives", describe=describe,
                      width=440, height=280)  # fmt: skip


def calibration(document: Document, subject: str) -> str | None:
    """Predicted against observed, a line a stage."""
    stages = (document.get("subjects") or {}).get(subject) or {}
    drawn = [(stages[name], title, tone) for name, title, tone in STAGES if name in stages]
    drawn = [each for each in drawn if each[0]["bins"]]
    if not drawn:
        return None
    lines = [Line("As predicted", [(0.0, 0.0), (1.0, 1.0)], 4, dashed=True)]
    lines += [
        Line(title, [(at, rate) for _, at, rate, _, _ in stage["bins"]], tone)
        for stage, title, tone in drawn
    ]
    bands = [
        Band([(at, low, high) for _, at, _, low, high in stage["bins"]], tone)
        for stage, _, tone in drawn[:1]
    ]
    told = "; ".join(
        f"{title}: n = {stage['n']}, calibration error {percent(stage['ece'])}"
        for stage, title, _ in drawn
    )
    return line_chart(lines, Axis("predicted probability", 0.0, 1.0, "percent"),
                      Axis("observed share of violations", 0.0, 1.0, "percent"), bands=bands,
                      title="Predicted against observed", width=400, height=290,
                      describe=f"{told}. 95 % intervals, {covered(document)}.")  # fmt: skip


def miss_rate(document: Document) -> str | None:
    """The estimate from audits beside the naive figure."""
    found, naive = document.get("miss_rate"), (document.get("naive") or {}).get("rate")
    if document.get("why") or found is None:
        return None
    bars = [
        _bar("From random audits", found, 0, f"n = {document['labelled']}"),
        _bar("Naive: decided cases as they are", naive, 4,
             f"n = {document['naive']['n']} violations"),
    ]  # fmt: skip
    ends = [each for bar in bars for each in (bar.value, bar.high)]
    return bar_chart(bars, Axis.over("miss rate", ends, "percent", at_most=1.0),
                     title="Miss rate", width=300, height=230,
                     describe=f"From audits {middle(found)} ({span(found)}), naive {middle(naive)} "
                     f"({span(naive)}). {covered(document)}.")  # fmt: skip


def machine(document: Document) -> str | None:
    """Share of answers that people corrected, by policy."""
    policies = [each for each in document.get("policies") or [] if each["sent"]["n"]]
    if not policies:
        return None
    bars = [
        _bar(each["policy"], each["sent"]["rate"], 0, f"n = {each['sent']['n']}")
        for each in policies
    ]
    ends = [bar.high for bar in bars]
    told = "; ".join(f"{bar.name} {percent(bar.value)}" for bar in bars)
    return bar_chart(bars, Axis.over("corrected", ends, "percent", at_most=1.0),
                     title="Share of the machine's answers that people corrected",
                     describe=f"{told}. 95 % intervals, {covered(document)}.",
                     width=420, height=220)  # fmt: skip


def throughput(document: Document) -> str | None:
    """Videos scored and decisions given a day."""
    return _over_time(document, "days", "a day (UTC)")


def hourly(document: Document) -> str | None:
    """Videos scored and decisions given an hour, the last two days."""
    return _over_time(document, "hours", "an hour (UTC)")


def waits(document: Document) -> str | None:
    """How long cases had waited that were decided on a day."""
    rows = document.get("waits") or []
    if not rows:
        return None
    half = [(at, median / 3600) for at, median, _, _ in rows]
    most = [(at, late / 3600) for at, _, late, _ in rows]
    values = [value for _, value in most]
    return line_chart(
        [Line("Half of the cases", half), Line("Nine of ten", most, 1)],
        Axis("day of the decision (UTC)", rows[0][0], rows[-1][0], "time"),
        Axis.over("hours waited at most", values),
        title="From the queue to the decision",
        describe=f"n = {sum(row[3] for row in rows)} decisions.",
        width=420,
        height=220,
    )


def _over_time(document: Document, part: str, each: str) -> str | None:
    found = document.get(part) or {}
    videos, decisions = found.get("videos") or [], found.get("decisions") or []
    points = [*videos, *decisions]
    if not points:
        return None
    times, values = [at for at, _ in points], [value for _, value in points]
    told = f"{number(sum(v for _, v in videos))} videos scored, "
    told += f"{number(sum(v for _, v in decisions))} decisions."
    return line_chart(
        [Line("Videos scored", videos, 0), Line("Decisions", decisions, 2)],
        Axis("time (UTC)", min(times), max(times), "time"),
        Axis.over(each, values),
        title=f"Videos and decisions {each}",
        describe=told,
        width=420,
        height=220,
    )


def _value(rate: list[float] | None) -> float | None:
    return None if rate is None else rate[0]


def _ends(rate: list[float] | None) -> tuple[float | None, float | None]:
    return (None, None) if rate is None else (rate[1], rate[2])


def _bar(name: str, rate: list[float] | None, tone: int, note: str) -> Bar:
    value, low, high = rate if rate is not None else (None, None, None)
    return Bar(name, value, low, high, tone, note)
