"""Does a policy's flags jump? Distinct uploaders count, so that one account cannot ring the bell.

A flag is a video whose likeliest policy it is and that the machine did not pass. Windows of an hour
and of a day end now; their history is the same window on each of the ``DAYS`` days before, so that
the hour of the day makes no difference. The test: ``coefvq.work.alarms.statistics.jump``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.domain import RouteName
from coefvq.settings import Settings
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.tables import CaseRow, VideoRow
from coefvq.work.alarms.finding import Finding, Level, unknown
from coefvq.work.alarms.statistics import LEAST_WINDOWS, Jump, jump

DAYS = 28
DAY = timedelta(days=1)
WINDOWS = {"hour": timedelta(hours=1), "day": DAY}
Flag = tuple[str, str, datetime]
"""Policy, uploader, when the video came."""


def flag_jump(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    """One finding a policy and window."""
    days = days_known(_first_upload(session), now)
    flags = _flags(session, now - (DAYS + 1) * DAY)
    for name, length in WINDOWS.items():
        for policy, counts in uploaders_in(flags, now, length, days).items():
            yield judge(policy, name, counts)


def days_known(first: datetime | None, now: datetime) -> int:
    """Whole days before now from which there are videos, at most ``DAYS`` + 1."""
    return min(DAYS + 1, int((now - first) / DAY)) if first is not None else 0


def uploaders_in(
    flags: Iterable[Flag], now: datetime, length: timedelta, days: int
) -> Mapping[str, list[int]]:
    """Distinct uploaders by policy: in the window that ends now, then on each day before.

    Args:
        length: Of a window, at most a day.
        days: Whole days that are known; windows from before have no place.
    """
    places = 1 + max(0, days - (1 if length == DAY else 0))
    seen: dict[str, list[set[str]]] = defaultdict(lambda: [set() for _ in range(places)])
    for policy, uploader, at in flags:
        day, rest = divmod(now - at, DAY)
        if 0 <= day < places and rest < length:
            seen[policy][day].add(uploader)
        else:
            seen[policy]  # it has a history of nobody
    return {policy: [len(names) for names in found] for policy, found in sorted(seen.items())}


def judge(policy: str, window: str, counts: list[int]) -> Finding:
    """What the counts of a policy say; the first is that of now."""
    subject, kind = f"{policy}/{window}", AlarmKind.FLAG_JUMP
    found = jump(counts[0], counts[1:])
    if found is None:
        missing = LEAST_WINDOWS - (len(counts) - 1)
        return unknown(kind, subject, f"{missing} more days of videos are needed.", n=counts[0])
    level = Level.OVER if found.raised else Level.FINE if found.over else Level.NEAR
    far = found.count >= 5 * max(found.mean, 1.0)
    severity = Severity.CRITICAL if far else Severity.WARNING
    return Finding(kind, subject, level, _words(policy, window, found), _data(found), severity)


def _words(policy: str, window: str, found: Jump) -> str:
    return (
        f"{policy}: videos of {found.count} uploaders were flagged in the last {window}; on "
        f"{found.windows} days before it were {found.mean:.1f} on average. Look at some of them: "
        "a wave of such videos, a false match, or a change of model?"
    )


def _data(found: Jump) -> dict[str, float | int]:
    return {
        "value": found.count,
        "limit": found.limit,
        "n": found.windows,
        "mean": round(found.mean, 3),
        "spread": round(found.spread, 3),
        "p": found.p,
    }


def _first_upload(session: Session) -> datetime | None:
    return session.scalar(select(func.min(VideoRow.uploaded_at)))


def _flags(session: Session, since: datetime) -> list[Flag]:
    query = (
        select(CaseRow.top_policy, VideoRow.uploader, VideoRow.uploaded_at)
        .join(VideoRow, VideoRow.id == CaseRow.video_id)
        .where(
            VideoRow.uploaded_at >= since,
            CaseRow.route.in_((RouteName.AUTO_FLAG.value, RouteName.HUMAN.value)),
            CaseRow.top_policy.is_not(None),
        )
    )
    return [(str(policy), name, at) for policy, name, at in session.execute(query)]
