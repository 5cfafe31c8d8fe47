"""Miss rate from audits, agreement and appeals of a month."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from coefvq.plots import Axis, Bar, bar_chart
from coefvq.routing.audit_estimate import Estimated
from coefvq.work.report.model import Rate, Section, Table, Value, median
from coefvq.work.report.read import Found
from coefvq.work.report.work_done import task_name
from coefvq.work.routing_history import AuditReport

Audits = Mapping[str, "AuditReport | str"]
"""By task: the estimate, or why there is none."""
RATES = {
    "miss_rate": "Miss rate",
    "precision": "Precision of flags",
    "prevalence": "Prevalence",
    "false_removal_rate": "Wrongly flagged",
}


def misses(audits: Audits) -> Section:
    """What the machine misses and flags wrongly, estimated from random audits."""
    known = {task: each for task, each in audits.items() if not isinstance(each, str)}
    texts = (
        "Miss rate: violations that the machine passed, of all violations. Precision: violations "
        "among what it flagged. Prevalence: violations among all cases. Wrongly flagged: flagged, "
        "of all cases without a violation. Estimated from cases that people decided, each "
        "automatic outcome weighted by the probability of its draw; 95 % intervals. They are for "
        "verdicts of this month, whenever they were looked at.",
        *(f"{task_name(task)}: {why}" for task, why in audits.items() if isinstance(why, str)),
        *(f"{task_name(task)}: {note}" for task, each in known.items()
          for note in each.estimate.notes),
        *(f"{task_name(task)}: left out {number} {why}" for task, each in known.items()
          for why, number in each.left_out.items()),
    )  # fmt: skip
    empty = "Not enough data: nobody has decided a case of this month that was sent or drawn."
    rates = Table("misses", "Rates from random audits", ("Task", "Rate", "Value"),
                  tuple(indicators(known)), empty=empty)  # fmt: skip
    counts = tuple(
        (task_name(task), each.items, each.labelled, each.audits) for task, each in known.items()
    )
    columns = ("Task", "Outcomes", "Decided by people, sent or drawn", "Audits drawn")
    basis = Table("basis", "What they rest on", columns, counts)
    tables = (rates, basis) if known else (rates,)
    return Section("misses", "Miss rate", texts, tables, (_plot(known),) if known else ())


def rate_of(found: Estimated) -> Rate:
    """An estimate as a rate; n is its labelled items."""
    if math.isnan(found.value):
        why = "not enough labels" if found.n_labelled else "no label"
        return Rate(None, n=found.n_labelled, why=why)
    return Rate(found.value, found.low, found.high, found.n_labelled)


def indicators(audits: Audits) -> Iterator[tuple[Value, ...]]:
    """Task, name and value of each rate; unknown where there is no estimate."""
    for task, found in audits.items():
        for key, name in RATES.items():
            if isinstance(found, str):
                yield task_name(task), name, Rate(None, why=found)
            else:
                yield task_name(task), name, rate_of(getattr(found.estimate, key))


def _plot(known: Mapping[str, AuditReport]) -> str:
    rates = {task: rate_of(each.estimate.miss_rate) for task, each in known.items()}
    bars = [
        Bar(task_name(task), each.value, each.low, each.high, 0, f"n = {each.n} violations seen")
        for task, each in rates.items()
    ]
    told = "; ".join(
        f"{task}: {each.value:.3f} ({each.low:.3f} to {each.high:.3f}, n = {each.n})"
        if each.value is not None
        else f"{task}: not known"
        for task, each in rates.items()
    )
    highest = max((each.high for each in rates.values() if each.value is not None), default=1.0)
    return bar_chart(
        bars,
        Axis("miss rate", 0.0, max(0.05, highest), "percent"),
        title="Miss rate by task, with its 95 % interval",
        describe=told,
        height=240,
    )


_KINDS = {"second": "Second looks", "golden": "Golden cases"}


def agreement(found: Found) -> Section:
    """How often independent answers were the same."""
    keys = sorted({(task, kind) for task, kind, _ in found.looks})
    rows = tuple(
        (task_name(task), _KINDS.get(kind, kind), _agreed(found, task, kind)) for task, kind in keys
    )
    columns = ("Task", "Looks", "Same answer")
    note = (
        "A second look is the answer of somebody who does not know the first one; a golden case "
        "has an answer that is known. Wilson's 95 % interval."
    )
    empty = "Not enough data: no independent look was answered in this month."
    table = Table("agreement", "Independent looks", columns, rows, note, empty)
    bars = [Bar(f"{row[0]}: {row[1]}", rate.value, rate.low, rate.high, at % 4, f"n = {rate.n}")
            for at, row in enumerate(rows) if isinstance(rate := row[2], Rate)]  # fmt: skip
    told = "; ".join(f"{bar.name}: {bar.value or 0:.2f}, {bar.note}" for bar in bars)
    plot = bar_chart(bars, Axis("same answer", 0.0, 1.0, "percent"), title="Agreement",
                     describe=told, height=240)  # fmt: skip
    return Section("agreement", "Agreement", (), (table,), (plot,) if bars else ())


def _agreed(found: Found, task: str, kind: str) -> Rate:
    same, other = found.looks[task, kind, True], found.looks[task, kind, False]
    return Rate.of(same, same + other)


def appeals(found: Found) -> Section:
    """Who disputed a decision, and what came of it."""
    row = (
        len(found.filed),
        len(found.resolved),
        overturned(found),
        median(times_to_answer(found)),
        found.open_appeals,
    )
    columns = ("Filed", "Answered", "Overturned", "Median time to an answer",
               "Open at the month's end")  # fmt: skip
    note = "Overturned: of those answered in the month, whenever they were filed."
    rows = (row,) if any((found.filed, found.resolved, found.open_appeals)) else ()
    table = Table("appeals", "Appeals", columns, rows, note, "No appeal in this month.")
    return Section("appeals", "Appeals", (), (table,))


def overturned(found: Found) -> Rate:
    """Share of the month's answered appeals that were overturned."""
    hits = sum(each.state == "overturned" for each in found.resolved)
    return Rate.of(hits, len(found.resolved))


def times_to_answer(found: Found) -> list[float]:
    """Seconds from filing to the answer, of those answered in the month."""
    return [
        (each.resolved_at - each.filed_at).total_seconds()
        for each in found.resolved
        if each.resolved_at is not None
    ]
