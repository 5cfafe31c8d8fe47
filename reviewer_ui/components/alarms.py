"""The bell in the header, the list of alarms, and the ways to the months' reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from coefvq.work.alarms.desk import Alarm, AlarmList
from reviewer_ui.markup import NOTHING, Markup, ago, h, join, stamp

LIST_PATH = "/insights#alarms"
KINDS = {
    "drift": "Drift",
    "calibration": "Calibration",
    "queue_age": "Queue too old",
    "budget": "Over budget",
    "flag_jump": "Flags jump",
    "reviewer_agreement": "Agreement falls",
    "set_aside": "Jobs set aside",
    "worker_silent": "Worker silent",
}


def plural(number: int) -> str:
    """``1 alarm``, ``2 alarms``."""
    return f"{number} alarm{'' if number == 1 else 's'}"


def bell(found: AlarmList) -> Markup:
    """What the header says: how many wait for somebody; quieter where all are acknowledged."""
    if not found.standing:
        return NOTHING
    loud = found.loud
    words = plural(loud) if loud else f"{plural(len(found.standing))} acknowledged"
    worst = found.standing[0]
    severe = loud and any(each.loud and each.severity == "critical" for each in found.standing)
    return h(
        '<a class="bell{}" href="{}" title="{}"><i class="bell-mark" aria-hidden="true"></i>'
        "<span>{}</span></a>",
        " critical" if severe else "" if loud else " calm",
        LIST_PATH,
        _short(worst.message),
        words,
    )


def listing(found: AlarmList) -> Markup:
    """Alarms that stand, and below them those that are over."""
    if not found.standing and not found.over:
        return h('<p class="muted">No alarm stands, and none ended in the last seven days.</p>')
    head = NOTHING
    if not found.standing:
        head = h('<p class="calm-line">No alarm stands.</p>')
    return h(
        '{}<ul class="alarm-list">{}</ul>{}',
        head,
        join(_alarm(each) for each in found.standing),
        _over(found.over),
    )


def _alarm(alarm: Alarm) -> Markup:
    return h(
        '<li class="alarm {}{}" data-alarm="{}"><div class="alarm-head"><b>{}</b>'
        '<span class="alarm-since">{}since {}</span></div><p>{}</p>'
        '<div class="alarm-foot"><span class="muted">{}</span>{}</div></li>',
        alarm.severity,
        "" if alarm.loud else " quiet-alarm",
        alarm.id,
        KINDS.get(alarm.kind, alarm.kind.replace("_", " ")),
        "critical, " if alarm.severity == "critical" else "",
        stamp(alarm.raised_at),
        alarm.message,
        _measured(alarm),
        _answer(alarm),
    )


def _measured(alarm: Alarm) -> str:
    """Value, limit and n, where they are numbers, and when it was last measured."""
    parts = [
        f"{name} {_number(alarm.data[key], alarm.data.get('unit'))}"
        for key, name in (("value", "measured"), ("limit", "limit"), ("n", "n ="))
        if isinstance(alarm.data.get(key), int | float)
    ]
    age = (datetime.now(UTC) - alarm.seen_at).total_seconds()
    return ", ".join([*parts, f"seen {ago(age)} ago"])


def _number(value: float, unit: object) -> str:
    if unit == "s" and not isinstance(value, bool) and value >= 60:
        return ago(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _answer(alarm: Alarm) -> Markup:
    if alarm.acknowledged_by is not None and alarm.acknowledged_at is not None:
        return h("<span>{} looks after it since {}</span>", alarm.acknowledged_by,
                 stamp(alarm.acknowledged_at))  # fmt: skip
    return h(
        '<button type="button" class="plain" data-do="acknowledge" data-alarm-id="{}"'
        ' aria-label="Acknowledge: {}">Acknowledge</button>',
        alarm.id,
        KINDS.get(alarm.kind, alarm.kind),
    )


def _over(over: Sequence[Alarm]) -> Markup:
    if not over:
        return NOTHING
    rows = join(
        h(
            "<li><b>{}</b> {} <span class='muted'>{} to {}: {}</span></li>",
            KINDS.get(alarm.kind, alarm.kind.replace("_", " ")),
            alarm.subject,
            stamp(alarm.raised_at),
            stamp(alarm.cleared_at) if alarm.cleared_at else "",
            str(alarm.data.get("over", "over")),
        )
        for alarm in over
    )
    return h(
        '<details class="alarms-over"><summary>{} ended in the last seven days</summary>'
        "<ul>{}</ul></details>",
        plural(len(over)),
        rows,
    )


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def reports(months: Sequence[str]) -> Markup:
    """Ways to the reports; the first month is the present one."""
    links = join(
        (
            h(
                '<a href="/reports/{}.html" target="_blank" rel="noopener">{}{}</a>',
                month,
                month,
                " so far" if at == 0 else "",
            )
            for at, month in enumerate(months)
        ),
        " ",
    )
    return h('<p class="report-links"><b>Month\'s report</b> {}</p>', links)
