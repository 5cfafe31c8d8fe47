"""What a replay says of two routing versions, and its cases as a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from coefvq.domain import RouteName
from coefvq.export.cells import cell
from coefvq.work.routing_compare import Comparison

COLUMNS = ("case", "link", "title", "label", "prefilter", "mllm", "was", "now", "stands_for",
           "decided_at")  # fmt: skip


@dataclass(frozen=True)
class Moved:
    """One decided case that another version would treat otherwise.

    Attributes:
        prefilter, mllm: Task probabilities after one stage and after both; ``None``: none.
        was, now: Where it ends by the version in force, and by the other.
        stands_for: Cases of the traffic.
    """

    case_id: str
    title: str | None
    violation: bool
    prefilter: float
    mllm: float | None
    was: RouteName
    now: RouteName
    stands_for: float
    decided_at: datetime


@dataclass(frozen=True)
class Group:
    """Cases that would now end at one place and did not before; ``cases`` are some of them."""

    now: RouteName
    count: int
    violations: int
    cases: tuple[Moved, ...]


@dataclass(frozen=True)
class Reading:
    """The history is being read for the first time: ask again."""

    share: float


@dataclass(frozen=True)
class Replayed:
    """Two versions side by side; ``comparison.one`` is ``against``.

    Attributes:
        n: Cases that count.
        since, until: When the first and the last of them was decided.
        left_out: Decided cases that do not count, by reason.
        other_mllm: Cases whose MLLM answer is of another version, and not used.
        unanswered: Cases without an MLLM answer.
        notes: What a reader must know.
    """

    task: str
    version: str
    against: str
    n: int
    violations: int
    since: datetime | None
    until: datetime | None
    comparison: Comparison | None
    groups: tuple[Group, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    other_mllm: int = 0
    unanswered: int = 0
    notes: tuple[str, ...] = ()

    @property
    def moved(self) -> int:
        """How many cases would end elsewhere."""
        return sum(group.count for group in self.groups)


def csv_lines(cases: Iterable[Moved]) -> Iterator[str]:
    """Cases that would move as lines of a CSV that a spreadsheet opens safely."""
    yield _line(COLUMNS)
    for each in cases:
        yield _line(
            (
                each.case_id,
                f"/?case={each.case_id}",
                each.title,
                "violation" if each.violation else "ok",
                each.prefilter,
                each.mllm,
                each.was.value,
                each.now.value,
                each.stands_for,
                each.decided_at,
            )
        )


def _line(values: tuple[object, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()
