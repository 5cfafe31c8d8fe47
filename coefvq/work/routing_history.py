"""What the store knows for routing: predictions to fit on, and rates from random audits."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coefvq.combine import Recalibrated, final_scores, gaps, label_mass, task_probability
from coefvq.domain import PostedText, RouteName
from coefvq.errors import RoutingError
from coefvq.routing.entropy import MIN_LABEL_MASS
from coefvq.routing_inputs import known_features, run_time_features
from coefvq.store import codec, routed_cases
from coefvq.store.routed_cases import DecidedCase, RoutedCase
from coefvq.store.session import Store

if TYPE_CHECKING:
    from coefvq.routing.audit_estimate import AuditEstimate

_PEOPLE = (RouteName.HUMAN, RouteName.MLLM)
"""``mllm`` is where the MLLM was due and could not run: a person decides instead."""
NOT_DRAWN = "decided without having been sent or drawn: why they were looked at is unknown"
OLD_MODEL = "answers of another prefilter"
NO_ANSWER = "not judged by the prefilter: such videos are always escalated"
NO_AUDIT = "automatic outcomes from before audits began"


class VersionedPrefilter(Recalibrated, Protocol):
    """The prefilter, as far as history needs it."""

    version: str


@dataclass(frozen=True)
class HistoryRow:
    """One line of PREDICTIONS.csv.

    Attributes:
        mllm: ``None`` where it did not run, or did not answer.
        mllm_ms: ``None`` where it did not run.
    """

    item_id: str
    label: int
    prefilter: float
    mllm: float | None
    prefilter_ms: float
    mllm_ms: float | None
    weight: float
    features: dict[str, float]


@dataclass(frozen=True)
class History:
    """Rows, and how many decided cases were left out by reason."""

    rows: tuple[HistoryRow, ...]
    left_out: dict[str, int]


@dataclass(frozen=True)
class AuditReport:
    """Rates of a task's traffic from what people looked at.

    Attributes:
        items: Outcomes that the estimate is for.
        labelled: Those that a person decided, sent or drawn.
        audits: Automatic outcomes drawn so far.
        left_out: Outcomes that it is not for, by reason.
    """

    task: str
    estimate: AuditEstimate
    items: int
    labelled: int
    audits: int
    left_out: dict[str, int]


def history(store: Store, task: str, prefilter: VersionedPrefilter) -> History:
    """What people decided of a task, beside what both stages had said.

    Raises:
        RoutingError: There is nothing to write, with the reason.
    """
    left: Counter[str] = Counter()
    with store.read() as session:
        cases = list(routed_cases.decided(session, task))
        newest = next((c.models["mllm"] for c in reversed(cases) if c.models.get("mllm")), None)
        rows = [row_of(case, task, prefilter, newest, left) for case in cases]
    kept = tuple(row for row in rows if row is not None)
    if not kept:
        why = "; ".join(f"{number} {reason}" for reason, number in left.items())
        raise RoutingError(
            f"No decision on task {task} can be used: {why or 'there is none yet'}. Review cases."
        )
    return History(kept, dict(left))


def write_predictions(rows: Sequence[HistoryRow], path: Path) -> None:
    """Write PREDICTIONS.csv, whole or not at all.

    A call that was not made is priced at the mean of those that were; without any call there is
    no column of costs.
    """
    spent = [row.mllm_ms for row in rows if row.mllm_ms is not None]
    mean = sum(spent) / len(spent) if spent else None
    names = known_features()
    costs = [] if mean is None else ["prefilter_cost", "mllm_cost"]
    head = ["item_id", "label", "prefilter", "mllm", *costs, "weight"]
    draft = path.with_name(path.name + ".part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow([*head, *(f"feature_{name}" for name in names)])
        out.writerows(_cells(row, mean, names) for row in rows)
    draft.replace(path)


def audit(
    store: Store,
    task: str,
    confidence: float = 0.95,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AuditReport:
    """Estimate miss rate, precision and prevalence of a task from its audits.

    Args:
        since: Only outcomes of verdicts from then on, whenever people looked at them.
        until: Only outcomes of verdicts before then.

    Raises:
        RoutingError: Nothing is labelled yet.
    """
    from coefvq.routing.audit import estimate

    left: Counter[str] = Counter()
    with store.read() as session:
        found = routed_cases.of_task(session, task, since, until)
        cases = [case for case in found if _countable(case, left)]
    labelled = [case.violation is not None and _sent_or_drawn(case) for case in cases]
    estimated = estimate(
        [RouteName.HUMAN if _for_people(case) else case.route.name for case in cases],
        [bool(case.violation) for case in cases],
        [1.0 if _for_people(case) else case.route.propensity for case in cases],
        labelled,
        confidence,
    )
    drawn = sum(case.route.audit for case in cases)
    return AuditReport(task, estimated, len(cases), sum(labelled), drawn, dict(left))


def row_of(
    case: DecidedCase,
    task: str,
    prefilter: VersionedPrefilter,
    mllm_version: str | None,
    left: Counter[str],
) -> HistoryRow | None:
    """One decided case as a row; ``None`` where it would mislead, counted in ``left``."""
    route = case.route
    first = codec.assessment_from(case.first)
    finals = final_scores(task, first)
    probability = task_probability(prefilter, task, finals)
    if route.name not in _PEOPLE and not route.audit:
        left[NOT_DRAWN] += 1
    elif first.model_version != prefilter.version:
        left[OLD_MODEL] += 1
    elif probability is None or gaps(finals):
        left[NO_ANSWER] += 1
    else:
        info = case.video.media.info
        posted = PostedText(case.video.title, case.video.caption)
        media = codec.media_info_from(info, "") if info else None
        mine = case.second is not None and case.second.model_version == mllm_version
        return HistoryRow(
            item_id=case.video.id,
            label=int(case.violation),
            prefilter=probability,
            mllm=_mllm(case, task, prefilter) if mine else None,
            prefilter_ms=case.first.milliseconds,
            mllm_ms=case.second.milliseconds if case.second else None,
            weight=1.0 if route.name in _PEOPLE else 1.0 / route.propensity,
            features=run_time_features(first, posted, media),
        )
    return None


def _mllm(case: DecidedCase, task: str, prefilter: Recalibrated) -> float | None:
    """The task's probability after both stages; ``None`` where the answer is not trusted."""
    assert case.second is not None
    second = codec.assessment_from(case.second)
    finals = final_scores(task, codec.assessment_from(case.first), second)
    mass = label_mass(finals, second)
    if gaps(finals) or (mass is not None and mass < MIN_LABEL_MASS):
        return None
    return task_probability(prefilter, task, finals)


def _cells(row: HistoryRow, mean_ms: float | None, names: Iterable[str]) -> list[object]:
    costs: list[object] = []
    if mean_ms is not None:
        costs = [row.prefilter_ms, mean_ms if row.mllm_ms is None else row.mllm_ms]
    known = ["" if math.isnan(row.features[name]) else row.features[name] for name in names]
    mllm = "" if row.mllm is None else row.mllm
    return [row.item_id, row.label, row.prefilter, mllm, *costs, row.weight, *known]


def _for_people(case: RoutedCase) -> bool:
    return case.route.name in _PEOPLE


def _sent_or_drawn(case: RoutedCase) -> bool:
    return _for_people(case) or case.route.audit


def _countable(case: RoutedCase, left: Counter[str]) -> bool:
    """An automatic outcome that could not be drawn says nothing about the others."""
    if _for_people(case) or case.route.propensity < 1.0:
        return True
    left[NO_AUDIT] += 1
    return False
