"""Throughput, and what it cost: by hour from the store, by window for the ledger."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.settings import Settings
from coefvq.store.outcomes import Hour
from coefvq.store.queues import Waiting
from coefvq.work.figures.gather import Decided
from coefvq.work.figures.operating import Unit
from coefvq.work.figures.windows import DAY_S

STAGES = ("media", "prefilter", "expensive_signals", "mllm")
LONGEST_S = 600.0
"""An answer counts at most so long: somebody who went away is not working."""
HOURS = 48
DAYS = 366
Claims = Iterable[tuple[str, str, datetime]]


def moment(hour: str) -> float:
    """``YYYY-MM-DD HH`` in UTC as seconds since 1970."""
    return datetime.strptime(hour, "%Y-%m-%d %H").replace(tzinfo=UTC).timestamp()


def worked(rows: Sequence[Decided], claims: Claims) -> list[NDArray[np.float64]]:
    """Seconds from the reviewer's last claim of a case to its decision, at most ``LONGEST_S``.

    Returns:
        One array a task, in the order of its rows; NaN where no claim is known, as in bulk.
    """
    begun: dict[tuple[str, str], float] = {}
    ends = {
        (case, who): at
        for each in rows
        for case, who, at in zip(each.case_id, each.reviewer, each.decided_at, strict=True)
    }
    for case, who, at in claims:
        end = ends.get((case, who))
        if end is not None and at.timestamp() <= end:
            begun[case, who] = at.timestamp()
    found = []
    for each in rows:
        keys = zip(each.case_id, each.reviewer, strict=True)
        starts = np.array([begun.get(key, math.nan) for key in keys], dtype=np.float64)
        found.append(np.minimum(each.decided_at - starts, LONGEST_S))
    return found


def throughput(
    scored: Sequence[Hour],
    decided: Sequence[tuple[str, int]],
    rows: Sequence[Decided],
    waiting: Sequence[Waiting],
    now: datetime,
) -> dict[str, Any]:
    """Videos and decisions by day (UTC, at most ``DAYS``) and by hour (the last ``HOURS``)."""
    videos = [(each.hour, each.videos) for each in scored]
    oldest = min((each.oldest for each in waiting), default=None)
    return {
        "days": {"videos": _days(videos, now), "decisions": _days(decided, now)},
        "hours": {"videos": _hours(videos, now), "decisions": _hours(decided, now)},
        "waits": _waits(rows, now),
        "queue": {
            "waiting": sum(each.number for each in waiting),
            "late": sum(each.late for each in waiting),
            "oldest_s": (now - oldest).total_seconds() if oldest else None,
            "by_task": _by_task(waiting),
        },
    }


def ledger(
    scored: Sequence[Hour],
    seconds: NDArray[np.float64],
    decisions: int,
    since: float,
    settings: Settings,
) -> dict[str, Any]:
    """What a window's runs and decisions cost.

    Args:
        seconds: Of the window's decisions; NaN where unknown.
        decisions: How many were given in the window.
    """
    hours = [each for each in scored if moment(each.hour) + DAY_S / 24 > since]
    videos, calls = sum(each.videos for each in hours), sum(each.calls for each in hours)
    tokens = sum(each.tokens_in for each in hours), sum(each.tokens_out for each in hours)
    spent = [sum(each.seconds[at] for each in hours) for at in range(len(STAGES))]
    known = seconds[~np.isnan(seconds)]
    people = float(known.mean()) * decisions if len(known) else None
    stages = [
        {"stage": name, "runs": calls if name == "mllm" else videos, "seconds": spent[at]}
        for at, name in enumerate(STAGES)
    ]
    price = settings.reviewer_price_per_hour / 3600
    return {
        "videos": videos,
        "calls": calls,
        "tokens_in": tokens[0],
        "tokens_out": tokens[1],
        "stages": stages,
        "decisions": decisions,
        "timed": len(known),
        "reviewer_s": float(np.median(known)) if len(known) else None,
        "people_s": people,
        "mllm_money": _money(settings, spent[-1], sum(tokens)),
        "people_money": people * price if people is not None and price else None,
    }


def unit(
    found: dict[str, Any], since: float, first: float | None, now: datetime, settings: Settings
) -> Unit:
    """What single things cost, out of a window's ledger.

    Args:
        first: When the oldest video was scored; a window that begins before it is shorter.
    """
    begin = max(since, first if first is not None else now.timestamp())
    days = max(1.0, (now.timestamp() - begin) / DAY_S)
    spent = {row["stage"]: row["seconds"] for row in found["stages"]}
    videos, calls = max(1, found["videos"]), max(1, found["calls"])
    return Unit(
        videos_a_day=found["videos"] / days,
        prefilter_s=(spent["media"] + spent["prefilter"]) / videos,
        mllm_s=(spent["expensive_signals"] + spent["mllm"]) / calls,
        tokens=(found["tokens_in"] + found["tokens_out"]) / calls,
        reviewer_s=found["reviewer_s"],
        money_a_token=settings.mllm_price_per_1k_tokens / 1000,
        money_a_second=settings.gpu_price_per_hour / 3600,
        money_a_review_second=settings.reviewer_price_per_hour / 3600,
    )


def _money(settings: Settings, mllm_s: float, tokens: int) -> float | None:
    if not (settings.mllm_price_per_1k_tokens or settings.gpu_price_per_hour):
        return None
    by_tokens = tokens / 1000 * settings.mllm_price_per_1k_tokens
    return by_tokens + mllm_s / 3600 * settings.gpu_price_per_hour


def _days(numbers: Sequence[tuple[str, int]], now: datetime) -> list[list[float]]:
    """(start of the day, number), every day from the first on, empty ones too."""
    found: dict[float, int] = defaultdict(int)
    for hour, number in numbers:
        found[math.floor(moment(hour) / DAY_S) * DAY_S] += number
    return _filled(found, DAY_S, now, DAYS)


def _hours(numbers: Sequence[tuple[str, int]], now: datetime) -> list[list[float]]:
    return _filled({moment(hour): number for hour, number in numbers}, 3600.0, now, HOURS)


def _filled(found: dict[float, int], step: float, now: datetime, most: int) -> list[list[float]]:
    if not found:
        return []
    last = math.floor(now.timestamp() / step) * step
    first = max(min(found), last - (most - 1) * step)
    count = int((last - first) // step) + 1
    return [[first + at * step, found.get(first + at * step, 0)] for at in range(count)]


def _waits(rows: Sequence[Decided], now: datetime) -> list[list[float]]:
    """(day, median, 90th percentile, n) of how long cases had waited that were decided then."""
    if not rows:
        return []
    at = np.concatenate([each.decided_at for each in rows])
    waited = np.concatenate([each.waited_s for each in rows])
    oldest = (now - timedelta(days=DAYS)).timestamp()
    known = ~np.isnan(waited) & (at >= oldest)
    days, waited = np.floor(at[known] / DAY_S) * DAY_S, waited[known]
    order = np.argsort(days, kind="stable")
    starts, firsts = np.unique(days[order], return_index=True)
    parts = np.split(waited[order], firsts[1:]) if len(starts) else []
    return [
        [float(day), *np.quantile(part, (0.5, 0.9)).tolist(), len(part)]
        for day, part in zip(starts, parts, strict=True)
    ]


def _by_task(waiting: Sequence[Waiting]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for each in waiting:
        found[each.task] += each.number
    return dict(found)
