"""The candidate within the cascade: what the tasks' probabilities and routes become with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq import taxonomy
from coefvq.combine import Recalibrated, final_scores, gaps, label_mass, task_probability
from coefvq.domain import Assessment, MediaInfo, RouteName
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.gate import resample
from coefvq.learning.gate.limits import Limits
from coefvq.learning.gate.resample import Vector
from coefvq.routing.combination import Combination
from coefvq.routing.entropy import MIN_LABEL_MASS, EntropyRouting
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import DUE, HUMAN, ROUTES, route
from coefvq.routing_inputs import known_features, run_time_features

_CODE = {name: code for code, name in enumerate(ROUTES)}


@dataclass(frozen=True)
class Pair:
    """Two models on the same videos.

    Attributes:
        prefilter: How its task probabilities are recalibrated.
        first: Its answers.
        second: The MLLM's; ``None`` where it was not asked.
        combinations: By video, how both are joined; ``None``: as this process knows the pair.
    """

    prefilter: Recalibrated
    first: Sequence[Assessment]
    second: Sequence[Assessment | None]
    combinations: Sequence[Mapping[str, Combination]] | None = None


@dataclass(frozen=True)
class TaskRows:
    """One task on n videos that have a label of it.

    Attributes:
        label: 1 where any policy of the task is violated.
        first: Task probability after the prefilter; NaN where it covers none.
        unjudged: Policies that the prefilter reads, but not in this video.
        both: Task probability after both stages; NaN where there is no answer to be trusted.
        asked: Whether the MLLM's answer is known.
        weight: One over the probability with which the case came to a person.
        drawn: Whether it counts for rates of the traffic: it is of the test split.
        features: (n, k) by ``known_features``.
    """

    task: str
    item_id: NDArray[Any]
    label: NDArray[np.int8]
    first: Vector
    unjudged: NDArray[np.bool_]
    both: Vector
    asked: NDArray[np.bool_]
    weight: Vector
    drawn: NDArray[np.bool_]
    group: NDArray[np.str_]
    features: Vector
    second: tuple[Assessment | None, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.label)

    def predictions(self, at: NDArray[Any] | None = None) -> Predictions:
        """As routing reads them: rows that the prefilter judged, some of them where ``at`` says."""
        rows = np.flatnonzero(self.judged) if at is None else at
        return Predictions(
            item_id=self.item_id[rows], label=self.label[rows], prefilter=self.first[rows],
            mllm=self.both[rows], prefilter_cost=np.zeros(len(rows)), mllm_cost=np.ones(len(rows)),
            weight=self.weight[rows], features=self.features[rows],
            feature_names=known_features(),
        )  # fmt: skip

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Where the prefilter gives a probability without gaps; others are always escalated."""
        return ~np.isnan(self.first) & ~self.unjudged


def task_rows(
    task: str,
    items: Sequence[LabelledVideo],
    pair: Pair,
    infos: Sequence[MediaInfo | None] | None = None,
) -> TaskRows:
    """Lay out one task; videos without a label of it are left out."""
    members = {policy.id for policy in taxonomy.task(task).policies}
    at = [i for i, item in enumerate(items) if members & item.labels.keys()]
    rows = [_row(task, items[i], pair, i, infos[i] if infos else None) for i in at]
    names = known_features()
    return TaskRows(
        task=task,
        item_id=np.array([items[i].video_id for i in at], dtype=str),
        label=np.array([_violated(items[i], members) for i in at], dtype=np.int8),
        first=np.array([row[0] for row in rows], dtype=float),
        unjudged=np.array([row[1] for row in rows], dtype=bool),
        both=np.array([row[2] for row in rows], dtype=float),
        asked=np.array([pair.second[i] is not None for i in at], dtype=bool),
        weight=np.array([1.0 / _propensity(items[i], members) for i in at], dtype=float),
        drawn=np.array([items[i].split == "test" for i in at], dtype=bool),
        group=np.array([items[i].group for i in at], dtype=str),
        features=np.array([row[3] for row in rows], dtype=float).reshape(-1, len(names)),
        second=tuple(pair.second[i] for i in at),
    )


def _row(
    task: str, item: LabelledVideo, pair: Pair, place: int, info: MediaInfo | None
) -> tuple[float, bool, float, list[float]]:
    first, second = pair.first[place], pair.second[place]
    finals = final_scores(task, first)
    values = run_time_features(first, item.posted, info)
    found = _number(task_probability(pair.prefilter, task, finals))
    return (
        found,
        bool(gaps(finals)),
        _both(task, pair, place, first, second),
        [values[name] for name in known_features()],
    )


def _both(task: str, pair: Pair, place: int, first: Assessment, second: Assessment | None) -> float:
    if second is None:
        return math.nan
    combine = pair.combinations[place] if pair.combinations is not None else None
    finals = final_scores(task, first, second, combine)
    mass = label_mass(finals, second)
    if gaps(finals) or (mass is not None and mass < MIN_LABEL_MASS):
        return math.nan
    return _number(task_probability(pair.prefilter, task, finals))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _violated(item: LabelledVideo, members: set[str]) -> int:
    return int(any(item.labels.get(name) == 1 for name in members))


def _propensity(item: LabelledVideo, members: set[str]) -> float:
    known = [item.propensities[name] for name in members & item.propensities.keys()]
    return min(known) if known else item.propensity


@dataclass(frozen=True)
class Ends:
    """Where each video ends: codes of ``coefvq.routing.route.ROUTES``, and who was escalated."""

    route: NDArray[np.int8]
    escalated: NDArray[np.bool_]


def send(rows: TaskRows, rule: RoutingPolicy | EntropyRouting) -> Ends:
    """Route every video as the cascade would; without random audits and limits of uploaders."""
    if isinstance(rule, EntropyRouting):
        return _by_entropy(rows, rule)
    ends = np.where(rows.asked, HUMAN, DUE).astype(np.int8)
    escalated = np.ones(len(rows), dtype=bool)
    at = np.flatnonzero(rows.judged)
    if len(at):
        routed = route(rule, rows.predictions(at))
        ends[at], escalated[at] = routed.route, routed.escalated
        lost = routed.escalated & np.isnan(rows.both[at]) & rows.asked[at]
        ends[at[lost]] = HUMAN  # it was asked and gave no answer to be trusted
    return Ends(ends, escalated)


def _by_entropy(rows: TaskRows, rule: EntropyRouting) -> Ends:
    ends, escalated = np.empty(len(rows), dtype=np.int8), np.zeros(len(rows), dtype=bool)
    for i in range(len(rows)):
        known = None if np.isnan(rows.first[i]) else float(rows.first[i])
        gap = ("a policy",) if rows.unjudged[i] else ()
        found = rule.after_prefilter(known, gap)
        if found.escalated and rows.asked[i]:
            after = None if np.isnan(rows.both[i]) else float(rows.both[i])
            found = rule.after_mllm(after)
            escalated[i] = True
        escalated[i] |= found.name is RouteName.MLLM
        ends[i] = _CODE[found.name]
    return Ends(ends, escalated)


def compare_task(
    rule: RoutingPolicy | EntropyRouting,
    old: TaskRows,
    new: TaskRows,
    limits: Limits,
    seed: int = 0,
) -> tuple[dict[str, Any], list[str]]:
    """Both ways of scoring one task, under the routing in force.

    Returns:
        A row of the report, and why the candidate is refused for it.
    """
    w = resample.draws(old.group.tolist(), seed=seed)
    measures = [_measures(rows, send(rows, rule), w) for rows in (old, new)]
    gaps_ = {name: measures[1][name] - measures[0][name] for name in measures[0]}
    version = "settings" if isinstance(rule, EntropyRouting) else rule.version
    row = {
        "task": old.task,
        "routing": version,
        "n": len(old),
        "violations": int(old.label.sum()),
        "mllm_missing": int((~new.asked).sum()),
        "old": _json(measures[0]),
        "new": _json(measures[1]),
        "difference": _json(gaps_),
    }
    return row, _reasons(old, version, measures, gaps_, limits)


def _reasons(
    rows: TaskRows,
    version: str,
    measures: Sequence[Mapping[str, Vector]],
    gaps_: Mapping[str, Vector],
    limits: Limits,
) -> list[str]:
    bad, tail = int(rows.label.sum()), 1 - limits.confidence
    if min(bad, len(rows) - bad) < limits.least:
        return []
    found = []
    missed, ranked = gaps_["miss_rate"], gaps_["auc"]
    old, new = (float(each["miss_rate"][0]) for each in measures)
    left = gaps_["omission_rate"]
    if missed[0] > limits.miss and min(resample.bound(x, tail) for x in (missed, left)) > 0:
        found.append(
            f"Task {rows.task}: in the cascade {new:.1%} of the violations pass unseen, {old:.1%} "
            f"now, under {'the settings' if version == 'settings' else version}, and not because "
            "it passes more videos."
        )
    if ranked[0] < -limits.margin and resample.bound(ranked, limits.confidence) < 0:
        found.append(
            f"Task {rows.task}: in the cascade it ranks worse (AUC {ranked[0]:+.3f} after both "
            "stages)."
        )
    return found


def _measures(rows: TaskRows, ends: Ends, w: Vector) -> dict[str, Vector]:
    """Rates of the traffic (weights 1 / propensity, golden cases left out), and the ranking."""
    whole = w * np.where(rows.drawn, rows.weight, 0.0)
    everything = np.ones(len(rows), dtype=bool)
    final = np.where(ends.escalated & ~np.isnan(rows.both), rows.both, rows.first)
    known = np.flatnonzero(~np.isnan(final))
    return {
        "miss_rate": resample.share(whole, ends.route == 0, rows.label == 1),
        "omission_rate": resample.share(whole, rows.label == 1, ends.route == 0),
        "false_removal_rate": resample.share(whole, ends.route == 1, rows.label == 0),
        "escalation_rate": resample.share(whole, ends.escalated, everything),
        "human_rate": resample.share(whole, ends.route == HUMAN, everything),
        "auc": resample.auc(w[:, known], rows.label[known].astype(float), final[known]),
    }


def _json(values: Mapping[str, Vector]) -> dict[str, Any]:
    return {name: resample.figure(each).to_json() for name, each in values.items()}
