"""Replay two routing versions on a task's decided cases, and say which cases would move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import RoutingError
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.route import DUE, ROUTES, Routed
from coefvq.settings import Settings
from coefvq.store import replay_rows, routing_policies
from coefvq.store.session import Store
from coefvq.work import routing_rows
from coefvq.work.replay_views import Group, Moved, Reading, Replayed, csv_lines
from coefvq.work.routing_compare import compare, route_as_live, settings_policy
from coefvq.work.routing_history import VersionedPrefilter
from coefvq.work.routing_rows import Rows
from coefvq.work.routing_versions import SETTINGS, check
from coefvq.work.task_probability import Recalibration

SHOWN = 50
"""Cases of a group that a page lists; the file has all of them."""
FEW = 30
"""Violations, and others, below which a rate says little."""
NOT_KNOWN = 0.05
"""Share of the traffic from which an end that is not known is said aloud."""
PATIENCE_S = 0.5
"""How long one call reads history that is not read yet."""


def replay(
    store: Store,
    settings: Settings,
    actor: Actor,
    task: str,
    version: str,
    *,
    fresh: bool = False,
    patience_s: float = PATIENCE_S,
    prefilter: VersionedPrefilter | None = None,
) -> Replayed | Reading:
    """Hold a version against the one in force.

    Args:
        version: A kept version or ``SETTINGS``.
        fresh: Only cases decided after the version was made: it cannot have been fitted on them.
        patience_s: How long to read history that is not read yet.
        prefilter: The one in use; by default the one in force.

    Raises:
        NotAllowed: The actor is no lead.
        RoutingError: The version is the one in force, or cannot be used here.
        StoreError: There is no such version.
    """
    require(actor, Permission.LEAD)
    pair = _pair(store, settings, task, version)
    read = routing_rows.read(
        store, settings, task, prefilter or Recalibration.in_force(store, settings), patience_s
    )
    if read.missing:
        return Reading(read.share)
    found = _Found.of(read.rows, pair, fresh)
    with store.read() as session:
        return found.told(session, task)


def diff_csv(
    store: Store,
    settings: Settings,
    actor: Actor,
    task: str,
    version: str,
    *,
    fresh: bool = False,
    prefilter: VersionedPrefilter | None = None,
) -> Iterator[str]:
    """Every case that would move, as lines of a CSV. Raises as ``replay`` does, at once."""
    require(actor, Permission.LEAD)
    pair = _pair(store, settings, task, version)
    rows = routing_rows.read(
        store, settings, task, prefilter or Recalibration.in_force(store, settings)
    ).rows
    found = _Found.of(rows, pair, fresh)
    with store.read() as session:
        cases = found.cases(session, found.moved())
    return csv_lines(cases)


def refresh(store: Store, settings: Settings, prefilter: VersionedPrefilter) -> None:
    """Read what was decided since the last time, of every task; for the worker."""
    for task in taxonomy.tasks():
        routing_rows.read(store, settings, task, prefilter)


@dataclass(frozen=True)
class _Pair:
    """What is compared. ``made`` is when the version that is tried was made."""

    version: str
    against: str
    tried: RoutingPolicy
    current: RoutingPolicy
    entropy: EntropyRouting
    made: datetime | None


def _pair(store: Store, settings: Settings, task: str, version: str) -> _Pair:
    taxonomy.task(task)
    entropy = EntropyRouting(settings.entropy_threshold, settings.human_entropy_threshold)
    with store.read() as session:
        against = routing_policies.versions_in_force(session).get(task, SETTINGS)
        if version == against:
            raise RoutingError(
                f"{version} is in force for {task}: there is nothing to hold it against."
            )
        tried, made = _policy(session, task, version, entropy)
        current, _ = _policy(session, task, against, entropy)
    return _Pair(version, against, tried, current, entropy, made)


def _policy(
    session: Session, task: str, version: str, entropy: EntropyRouting
) -> tuple[RoutingPolicy, datetime | None]:
    if version == SETTINGS:
        return settings_policy(entropy), None
    row = routing_policies.get(session, version)
    return check(row, task), row.created_at


@dataclass(frozen=True)
class _Found:
    """Both ways over the rows that count."""

    pair: _Pair
    whole: Rows
    rows: Rows
    other_mllm: int
    earlier: int
    fresh: bool
    one: Routed | None
    other: Routed | None

    @classmethod
    def of(cls, whole: Rows, pair: _Pair, fresh: bool) -> _Found:
        rows, others = whole.counted()
        earlier = 0
        if pair.made is not None:
            after = rows.decided > pair.made.timestamp()
            earlier = int((~after).sum())
            rows = rows.take(np.flatnonzero(after)) if fresh else rows
        if not len(rows):
            return cls(pair, whole, rows, others, earlier, fresh, None, None)
        items = rows.predictions()
        one = route_as_live(pair.current, items, pair.entropy)
        other = route_as_live(pair.tried, items, pair.entropy)
        return cls(pair, whole, rows, others, earlier, fresh, one, other)

    def told(self, session: Session, task: str) -> Replayed:
        """In a lead's words and figures."""
        decided = self.rows.decided
        n, violations = len(self.rows), int(self.rows.label.sum())
        figures = None
        if self.one is not None and self.other is not None:
            figures = compare(self.rows.predictions(), self.one, self.other)
        return Replayed(
            task=task,
            version=self.pair.version,
            against=self.pair.against,
            n=n,
            violations=violations,
            since=_moment(decided.min()) if n else None,
            until=_moment(decided.max()) if n else None,
            comparison=figures,
            groups=tuple(self._groups(session)),
            left_out=self.whole.left_out,
            other_mllm=self.other_mllm,
            unanswered=int(np.isnan(self.rows.mllm).sum()),
            notes=tuple(self._notes(n, violations)),
        )

    def moved(self) -> np.ndarray:
        """Positions of the cases that would end elsewhere."""
        if self.one is None or self.other is None:
            return np.empty(0, dtype=np.intp)
        return np.flatnonzero(self.one.route != self.other.route)

    def _groups(self, session: Session) -> Iterator[Group]:
        moved = self.moved()
        for code, name in enumerate(ROUTES):
            mine = moved[self.other.route[moved] == code] if self.other else moved
            if len(mine):
                label = self.rows.label[mine]
                first = mine[np.argsort(-label, kind="stable")][:SHOWN]
                yield Group(name, len(mine), int(label.sum()), tuple(self.cases(session, first)))

    def cases(self, session: Session, places: np.ndarray) -> list[Moved]:
        """Cases with their titles."""
        assert self.one is not None or not len(places)
        ids = [case.decode() for case in self.rows.case[places].tolist()]
        titles = replay_rows.titles(session, ids)
        return [
            self._case(int(place), case, titles.get(case))
            for place, case in zip(places, ids, strict=True)
        ]

    def _case(self, place: int, case: str, title: str | None) -> Moved:
        assert self.one is not None and self.other is not None
        rows, mllm = self.rows, float(self.rows.mllm[place])
        return Moved(
            case_id=case,
            title=title,
            violation=bool(rows.label[place]),
            prefilter=float(rows.prefilter[place]),
            mllm=None if np.isnan(mllm) else mllm,
            was=ROUTES[self.one.route[place]],
            now=ROUTES[self.other.route[place]],
            stands_for=float(rows.weight[place]),
            decided_at=_moment(rows.decided[place]),
        )

    def _due_share(self) -> float:
        """The larger of both versions' shares of traffic whose end is not known."""
        ways = [way for way in (self.one, self.other) if way is not None]
        whole = float(self.rows.weight.sum()) or 1.0
        return max(float(self.rows.weight[way.route == DUE].sum()) for way in ways) / whole

    def _notes(self, n: int, violations: int) -> Iterator[str]:
        if not n:
            yield "No decided case can be used yet: people decide what is sent to them or drawn."
            return
        for count, words in ((violations, "violations"), (n - violations, "others")):
            if count < FEW:
                yield (
                    f"Only {count} {words} among these cases: {FEW - count} more before rates of "
                    f"them say much."
                )
        due = self._due_share()
        if due > NOT_KNOWN:
            yield (
                f"For {due:.0%} of the traffic a version would ask the MLLM, whose answer nobody "
                "has. Those cases count as neither passed nor flagged: the true miss rate can be "
                "higher."
            )
        if self.earlier and not self.fresh:
            yield (
                f"{self.earlier:,} cases were decided before {self.pair.version} was made. If it "
                "was fitted on them, its figures on them look better than on new ones."
            )
        if self.other_mllm:
            yield (
                f"{self.other_mllm:,} cases were answered by another MLLM than now: that answer "
                "is not used, as if nobody had asked it."
            )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)
