"""What came of a trial: agreement of a shadow, and outcomes of the two arms of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import RouteName
from coefvq.review.access import LOCAL
from coefvq.router import in_split
from coefvq.routing.entropy import is_settings_version
from coefvq.store.trials import Way
from coefvq.work.clusters import Figure, Vector, figure, ratio, resampled
from coefvq.work.routing_versions import SETTINGS

SHOWN = 50
FEW = 30
"""Decided cases below which a rate says little."""
_PASS, _FLAG = RouteName.AUTO_PASS.value, RouteName.AUTO_FLAG.value
_MLLM = RouteName.MLLM.value
_PEOPLE = (RouteName.HUMAN.value, _MLLM)


@dataclass(frozen=True)
class Differs:
    """One case whose shadow would have sent it elsewhere; ``violation``: as people decided."""

    case_id: str
    title: str | None
    was: str
    shadow: str
    violation: bool | None


@dataclass(frozen=True)
class ShadowReport:
    """A shadow beside the policy in force.

    Attributes:
        n: Verdicts that it was beside.
        uploaders: Whose videos they were of.
        decided: Of these verdicts' cases, those that people decided because they were sent or
            drawn: what precision and miss rate are estimated from.
        unknown: Where the shadow would have asked the MLLM and nobody did: how it would have
            ended is not known, and it counts as neither passed nor flagged.
        same: Share of verdicts with the same end, of those whose end is known.
        live, shadow: ``escalation_rate``, ``human_rate``, ``precision`` of flags, ``miss_rate``.
        moved: Verdicts by (end, the shadow's end), where they differ.
        cases: Some of those, newest first.
    """

    n: int
    uploaders: int
    decided: int
    unknown: int
    same: Figure
    live: Mapping[str, Figure]
    shadow: Mapping[str, Figure]
    moved: Mapping[tuple[str, str], int]
    cases: tuple[Differs, ...]


@dataclass(frozen=True)
class Arm:
    """One arm of a split.

    Attributes:
        videos, uploaders: That it decided for.
        with_views: Videos whose views are known.
        audited: Passed videos that were drawn and decided: what stayed up is known from these.
        figures: ``escalation_rate``; ``human_rate``; ``people_rate`` with the random audits;
            ``up_rate``, share of videos that are violations and stayed up; ``up_view_rate``, share
            of views that were of such; ``miss_rate``.
    """

    version: str
    videos: int
    uploaders: int
    with_views: int
    audited: int
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitReport:
    """Both arms. ``left_out``: videos that another version than their arm's decided."""

    tried: Arm
    other: Arm
    difference: Mapping[str, Figure]
    left_out: int

    @property
    def views_known(self) -> bool:
        """Whether there is anything to weigh by."""
        return self.tried.with_views > 0 and self.other.with_views > 0


def unit_of(uploader: str, sha256: str) -> str:
    """Whom a split goes by: the uploader, or the media where nobody else is named."""
    return sha256 if uploader == LOCAL.name else uploader


class _Table:
    """Verdicts as columns.

    ``end``: 0 passed, 1 flagged, 2 a person. ``drawn``: what a decided case stands for among those
    of its end, before it is scaled to their number; 0 where it says nothing about the others,
    because nobody decided it or somebody looked for it.
    """

    def __init__(self, ways: Sequence[Way]):
        columns = list(zip(*ways, strict=True)) or [()] * len(Way._fields)
        self.of = dict(zip(Way._fields, columns, strict=True))
        pairs = zip(self.of["uploader"], self.of["sha256"], strict=True)
        self.units = [unit_of(*pair) for pair in pairs]
        self.end = _ends(self.of["name"])
        self.escalated = np.array(self.of["escalated"], dtype=float)
        self.bad = np.array([bool(value) for value in self.of["violation"]], dtype=float)
        self.drawn = np.array([_drawn(*row) for row in zip(*self._decided(), strict=True)], float)

    def __len__(self) -> int:
        return len(self.units)

    def _decided(self) -> list[Any]:
        wanted = ("name", "audit", "propensity", "violation", "seen", "seen_audit",
                  "seen_propensity")  # fmt: skip
        return [self.of[name] for name in wanted]

    def scaled(self) -> Vector:
        """``drawn``, so that the decided cases of each end stand for all of that end."""
        weight = self.drawn.copy()
        for end in range(3):
            mine = self.end == end
            total = weight[mine].sum()
            weight[mine] *= mine.sum() / total if total else 0.0
        return weight


def _ends(names: Sequence[str]) -> NDArray[np.int8]:
    codes = {_PASS: 0, _FLAG: 1}
    return np.array([codes.get(name, 2) for name in names], dtype=np.int8)


def _drawn(
    name: str,
    audit: bool,
    propensity: float,
    violation: bool | None,
    seen: str | None,
    seen_audit: bool | None,
    seen_propensity: float | None,
) -> float:
    if violation is None:
        return 0.0
    if seen is not None:
        came, audit, propensity = seen, bool(seen_audit), float(seen_propensity or 1.0)
    else:
        came = name
    if came in _PEOPLE:
        return 1.0 if name in _PEOPLE else 0.0
    return 1.0 / propensity if audit else 0.0


def shadow_report(ways: Sequence[Way]) -> ShadowReport:
    """Agreement, what would have changed, and rates of both on what people decided.

    Cases that were decided stand for those of the same end that were not: each counts with one
    over its propensity, scaled to how many there are.
    """
    table = _Table(ways)
    was, then = np.array(table.of["name"], dtype=object), np.array(table.of["shadow"], dtype=object)
    weight, differs = table.scaled(), was != then
    unknown = (then == _MLLM) & (was != _MLLM)
    asked = np.array(table.of["shadow_escalated"], dtype=float)
    columns = [np.ones(len(table)), ~unknown, ~unknown & ~differs]
    columns += _side(was, table.escalated, weight, table.bad)
    columns += _side(then, asked, weight, table.bad)
    sums = resampled(table.units, np.stack(columns, axis=1).astype(np.float64))
    count, known, same, *both = sums.T
    moved = np.flatnonzero(differs)
    return ShadowReport(
        n=len(table),
        uploaders=len(set(table.units)),
        decided=int((weight > 0).sum()),
        unknown=int(unknown.sum()),
        same=figure(ratio(same, known)),
        live=_rates(count, both[:6]),
        shadow=_rates(count, both[6:]),
        moved=dict(Counter(zip(was[moved], then[moved], strict=True))),
        cases=tuple(_differs(ways[place]) for place in moved[::-1][:SHOWN]),
    )


def _differs(way: Way) -> Differs:
    return Differs(way.case_id, None, way.name, str(way.shadow), way.violation)


def _side(names: Any, asked: Vector, weight: Vector, bad: Vector) -> list[Vector]:
    passed, flagged = names == _PASS, names == _FLAG
    human, hit = names == RouteName.HUMAN.value, weight * bad
    return [asked, human, hit, hit * passed, weight * flagged, hit * flagged]


def _rates(count: Vector, columns: Sequence[Vector]) -> dict[str, Figure]:
    asked, human, bad, missed, flagged, hit = columns
    return {
        "escalation_rate": figure(ratio(asked, count)),
        "human_rate": figure(ratio(human, count)),
        "precision": figure(ratio(hit, flagged)),
        "miss_rate": figure(ratio(missed, bad)),
    }


def split_report(
    ways: Sequence[Way], trial_id: str, share: float, salt: str, version: str, against: str
) -> SplitReport:
    """Outcomes of both arms, by the videos that were scored while the trial ran.

    What stayed up is estimated from the random audits of each arm's passed videos. Intervals
    resample uploaders.

    Args:
        against: A version, or ``SETTINGS`` for any version of the settings' rule.
    """
    arms: tuple[list[Way], list[Way]] = ([], [])
    left, known = 0, dict[str, bool]()
    for way in ways:
        unit = unit_of(way.uploader, way.sha256)
        if unit not in known:
            known[unit] = in_split(unit, trial_id, share, salt)
        mine = known[unit]
        if _decided_by(way.version, version if mine else against):
            arms[mine].append(way)
        else:
            left += 1
    (other, one), (tried, two) = _arm(arms[0], against), _arm(arms[1], version)
    difference = {name: figure(two[name] - one[name]) for name in one}
    return SplitReport(tried, other, difference, left)


def _decided_by(found: str, wanted: str) -> bool:
    return is_settings_version(found) if wanted == SETTINGS else found == wanted


def _arm(ways: Sequence[Way], version: str) -> tuple[Arm, dict[str, Vector]]:
    table = _Table(ways)
    sums = resampled(table.units, np.stack(_split_columns(table), axis=1).astype(np.float64))
    found = _split_rates(list(sums.T))
    audited = int(((table.end == 0) & (table.drawn > 0)).sum())
    views = sum(value is not None for value in table.of["views"])
    figures = {name: figure(values) for name, values in found.items()}
    return Arm(version, len(table), len(set(table.units)), views, audited, figures), found


def _split_columns(table: _Table) -> list[Any]:
    """17 sums: four of the route; by end its count, what was drawn, and violations among it (9);
    and views: all, passed, drawn among the passed, violations among those."""
    passed, people = table.end == 0, table.end == 2
    drawn, hit = table.drawn, table.drawn * table.bad
    audit = np.array(table.of["audit"], dtype=bool)
    views = np.array([value or 0 for value in table.of["views"]], dtype=float)
    ends = [part * (table.end == end) for end in range(3) for part in (1.0, drawn, hit)]
    route = [np.ones(len(table)), table.escalated, people, people | audit]
    return [*route, *ends, views, views * passed, views * passed * drawn, views * passed * hit]


def _split_rates(sums: Sequence[Vector]) -> dict[str, Vector]:
    count, asked, human, people, *rest = sums
    ends, (views, passed, drawn, up) = rest[:9], rest[9:]
    bad = [_estimated(*ends[at : at + 3]) for at in (0, 3, 6)]
    return {
        "escalation_rate": ratio(asked, count),
        "human_rate": ratio(human, count),
        "people_rate": ratio(people, count),
        "up_rate": ratio(bad[0], count),
        "up_view_rate": ratio(np.where(passed > 0, passed * ratio(up, drawn), 0.0), views),
        "miss_rate": ratio(bad[0], bad[0] + bad[1] + bad[2]),
    }


def _estimated(count: Vector, drawn: Vector, bad: Vector) -> Vector:
    """Violations among all that ended here, from those that were looked at; NaN: none was."""
    return np.where(count > 0, count * ratio(bad, drawn), 0.0)
