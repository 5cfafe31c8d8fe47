"""Volumes, queue times and costs of a month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.plots import Axis, Bar, Line, bar_chart, line_chart
from coefvq.work.report.model import (
    Month,
    Rate,
    Seconds,
    Section,
    Table,
    Value,
    median,
    percentile_95,
)
from coefvq.work.report.read import Found, Scored, day

_PASS, _FLAG = RouteName.AUTO_PASS.value, RouteName.AUTO_FLAG.value
REST = "All other cases"


def volumes(found: Found, month: Month, now: datetime) -> Section:
    """What came in, what the machine made of it, and what people decided."""
    return Section(
        "volumes",
        "Volumes",
        ("A case is a video under review for one task. It counts in the month of its newest "
         "verdict, a decision in the month in which it was taken; what was undone is left out.",),
        (_uploads(found), _tasks(found), _policies(found), _actions(found)),
        (_by_day(found, month, now),),
    )  # fmt: skip


def _uploads(found: Found) -> Table:
    row = (
        len(found.uploads),
        len({sha256 for _, _, sha256 in found.uploads}),
        len({uploader for _, uploader, _ in found.uploads}),
        len(found.decided),
        found.undone,
        len({each.reviewer for each in found.decided}),
    )
    columns = ("Videos uploaded", "Different files", "Uploaders", "Decisions", "Undone",
               "People who decided")  # fmt: skip
    return Table("all", "All tasks", columns, (row,))


def _tasks(found: Found) -> Table:
    decided = Counter(each.task for each in found.decided)
    names = sorted({each.task for each in found.scored} | set(decided))
    columns = ("Task", "Scored", "Escalated", "Passed automatically", "Flagged automatically",
               "Sent to people", "Drawn for an audit", "Decided")  # fmt: skip
    rows = tuple(_task(name, found.scored, decided[name]) for name in names)
    note = "Escalated: the multimodal model was due. The interval is Wilson's, 95 %."
    return Table("tasks", "Cases by task", columns, rows, note)


def _task(name: str, scored: Iterable[Scored], decided: int) -> tuple[Value, ...]:
    mine = [each for each in scored if each.task == name]
    total = sum(each.number for each in mine)
    by_route = Counter[str]()
    for each in mine:
        by_route[each.route] += each.number
    people = total - by_route[_PASS] - by_route[_FLAG]
    escalated = Rate.of(sum(each.escalated for each in mine), total)
    audits = sum(each.audits for each in mine)
    return (_task_name(name), total, escalated, by_route[_PASS], by_route[_FLAG], people, audits,
            decided)  # fmt: skip


def _policies(found: Found) -> Table:
    flagged, passed = Counter[str](), Counter[str]()
    for each in found.scored:
        (passed if each.route == _PASS else flagged)[each.policy or ""] += each.number
    bad, good = Counter[str](), Counter[str]()
    for one in found.decided:
        bad.update(one.violated)
        good.update(one.cleared)
    names = sorted((set(flagged) | set(bad) | set(good)) - {""})
    rows = tuple(
        (policy_name(name), flagged[name], bad[name], good[name],
         Rate.of(bad[name], bad[name] + good[name]))
        for name in names
    )  # fmt: skip
    columns = ("Policy", "Not passed by the machine", "Decided: violation", "Decided: none",
               "Violations among decisions")  # fmt: skip
    note = (
        "Not passed: cases that were flagged or sent to people and whose likeliest policy it is. "
        "What people see is mostly what the machine was unsure of, so the last column says nothing "
        "of all videos."
    )
    return Table("policies", "Cases by policy", columns, rows, note)


def _actions(found: Found) -> Table:
    counted = Counter((each.task, each.action) for each in found.decided)
    rows = tuple(
        (_task_name(task), action_name(action), number)
        for (task, action), number in sorted(counted.items())
    )
    return Table("actions", "Decisions by action", ("Task", "Action", "Decisions"), rows)


def _by_day(found: Found, month: Month, now: datetime) -> str:
    """Days that have not come are not drawn."""
    last = day(min(now, month.until - timedelta(days=1)))
    days = [month.since + timedelta(days=at) for at in range((last - month.since).days + 1)]
    series = (
        ("uploaded", Counter(day(at) for at, _, _ in found.uploads), 0),
        ("cases scored", found.scored_days, 1),
        ("decisions", Counter(day(each.at) for each in found.decided), 2),
    )
    lines = [_line(name, counts, days, tone) for name, counts, tone in series]
    highest = max(max(counts.values(), default=0) for _, counts, _ in series)
    told = "; ".join(f"{name}: {sum(counts.values())}" for name, counts, _ in series)
    return line_chart(
        lines,
        Axis("day (UTC)", month.since.timestamp(), month.until.timestamp(), "time"),
        Axis("a day", 0, max(1, highest)),
        title=f"Work by day, {month.words}",
        describe=f"In {month.words}. {told}.",
        width=720,
    )


def _line(name: str, counts: Counter[datetime], days: list[datetime], tone: int) -> Line:
    return Line(name, [(at.timestamp(), counts[at]) for at in days], tone)


def waits(found: Found) -> Section:
    """How long cases had waited when they were decided."""
    by_queue: dict[str, list[float]] = defaultdict(list)
    for each in found.decided:
        if each.kind == "review" and each.waited_s is not None:
            by_queue[each.queue or ""].append(each.waited_s)
    rows = [_wait(_queue_name(found, name), by_queue[name]) for name in sorted(by_queue)]
    every = [each for times in by_queue.values() for each in times]
    if len(rows) > 1:
        rows.append(_wait("All", every))
    note = "From when a case began to wait to its decision; decisions on cases that did not wait "
    note += "are left out."
    columns = ("Queue", "Decisions", "Median", "95th percentile")
    table = Table("waits", "Time in the queue", columns, tuple(rows), note)
    return Section("waits", "Queue times", (), (table,))


def _wait(name: str, times: list[float]) -> tuple[Value, ...]:
    return name, len(times), median(times), percentile_95(times)


def _queue_name(found: Found, queue_id: str) -> str:
    return found.queue_names.get(queue_id, queue_id) or REST


def costs(found: Found) -> Section:
    """What the stages of the machine have cost, in time and tokens."""
    rows = tuple(
        (_STAGES.get(each.stage, each.stage), each.runs, Seconds(each.milliseconds / 1000),
         Seconds(each.milliseconds / 1000 / each.runs), each.tokens_in, each.tokens_out)
        for each in found.stages
    )  # fmt: skip
    columns = ("Stage", "Runs", "Time in all", "Mean a run", "Tokens read", "Tokens written")
    note = (
        "Wall time of the worker, with the signals that a stage needed. People's time is not "
        "measured here; see the time in the queue."
    )
    table = Table("costs", "Cost by stage", columns, rows, note)
    total = sum(each.milliseconds for each in found.stages) / 1000
    bars = [Bar(_STAGES.get(each.stage, each.stage), each.milliseconds / 1000, tone=number,
                note=f"n = {each.runs}") for number, each in enumerate(found.stages)]  # fmt: skip
    plot = bar_chart(
        bars,
        Axis("seconds", 0, max((bar.value or 0.0 for bar in bars), default=1.0) or 1.0),
        title="Time by stage",
        describe=f"{total:.0f} seconds in all over {sum(s.runs for s in found.stages)} runs.",
        height=220,
    )
    return Section("costs", "Costs", (), (table,), (plot,) if bars else ())


_STAGES = {"prefilter": "Prefilter", "mllm": "Multimodal model"}


def _task_name(task: str) -> str:
    known = taxonomy.tasks().get(task)
    return f"{known.name} ({task})" if known else task


def policy_name(policy: str) -> str:
    """A policy's name; the id of one that is gone."""
    known = taxonomy.policies().get(policy)
    return known.name if known else policy


def action_name(action: str) -> str:
    """An action's name; the id of one that is gone."""
    known = taxonomy.actions().get(action)
    return known.name if known else action


task_name = _task_name
