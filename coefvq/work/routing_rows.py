"""Decided cases as columns, read once and kept in a file: what replays of any size work on.

The file holds numbers and ids only. It belongs to the models and the taxonomy it was read with;
where either is another one now, it is read anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq import taxonomy
from coefvq.combine import final_scores, gaps, label_mass, task_probability
from coefvq.domain import Assessment, PostedText, RouteName, Stage
from coefvq.routing.entropy import MIN_LABEL_MASS
from coefvq.routing.predictions import Predictions
from coefvq.routing_inputs import known_features, run_time_features
from coefvq.settings import Settings
from coefvq.store import codec, replay_rows
from coefvq.store.decisions import VIOLATION
from coefvq.store.replay_rows import MANY, Key, Said
from coefvq.store.session import Store
from coefvq.work.routing_history import NO_ANSWER, NOT_DRAWN, OLD_MODEL, VersionedPrefilter

_FORMAT = 1
_REASONS = ("", NOT_DRAWN, OLD_MODEL, NO_ANSWER)
_PEOPLE = (RouteName.HUMAN, RouteName.MLLM)
_NONE = -1
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
Column = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Decided cases of one task, oldest first; all arrays have n rows.

    Attributes:
        case, decision, verdict: Ids.
        label: 1 = violation, 0 = not.
        reason: Why a row does not count, an index into the reasons; 0: it counts.
        prefilter, mllm: Task probabilities after one stage and after both; NaN where there is none.
        answered_by: Index into ``mllms``; -1: the MLLM did not run.
        prefilter_ms, mllm_ms: What the stages took; NaN where one did not run.
        weight: 1 / propensity.
        decided: Seconds since 1970 UTC.
        features: (n, k) by ``known_features``.
    """

    case: Column
    decision: Column
    verdict: Column
    label: Column
    reason: Column
    prefilter: Column
    mllm: Column
    answered_by: Column
    prefilter_ms: Column
    mllm_ms: Column
    weight: Column
    decided: Column
    features: Column
    mllms: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    stamp: str = ""

    def __len__(self) -> int:
        return len(self.case)

    @property
    def left_out(self) -> dict[str, int]:
        """Rows that do not count, by reason."""
        counts = np.bincount(self.reason, minlength=len(_REASONS))
        return {_REASONS[code]: int(n) for code, n in enumerate(counts) if code and n}

    @property
    def newest_mllm(self) -> str | None:
        """The MLLM of the newest case that one answered."""
        rows = np.flatnonzero(self.answered_by != _NONE)
        return self.mllms[self.answered_by[rows[-1]]] if len(rows) else None

    def counted(self) -> tuple[Rows, int]:
        """The rows that count, and how many of them another MLLM answered.

        Those keep their route and their prefilter's answer; the MLLM's is taken as not known.
        """
        kept = self.take(np.flatnonzero(self.reason == 0))
        newest = self.newest_mllm
        mine = self.mllms.index(newest) if newest is not None else _NONE
        others = (kept.answered_by != _NONE) & (kept.answered_by != mine)
        return replace(kept, mllm=np.where(others, np.nan, kept.mllm)), int(others.sum())

    def take(self, index: Column) -> Rows:
        """Some rows, by position."""
        return replace(self, **{name: getattr(self, name)[index] for name in _COLUMNS})

    def predictions(self) -> Predictions:
        """As the routing reads them; a call that was not made costs the mean of the others."""
        made = self.mllm_ms[~np.isnan(self.mllm_ms)]
        mean = float(made.mean()) if len(made) else 1.0
        return Predictions(
            item_id=np.arange(len(self)),
            label=self.label,
            prefilter=self.prefilter,
            mllm=self.mllm,
            prefilter_cost=self.prefilter_ms if len(made) else np.zeros(len(self)),
            mllm_cost=np.where(np.isnan(self.mllm_ms), mean, self.mllm_ms),
            weight=self.weight,
            features=self.features,
            feature_names=self.feature_names,
            costs_given=bool(len(made)),
        )


_COLUMNS = ("case", "decision", "verdict", "label", "reason", "prefilter", "mllm", "answered_by",
            "prefilter_ms", "mllm_ms", "weight", "decided", "features")  # fmt: skip


@dataclass(frozen=True)
class Read:
    """What is known of a task's history.

    Attributes:
        missing: Decided cases that are not read yet.
    """

    rows: Rows
    missing: int = 0

    @property
    def share(self) -> float:
        """How much of it is read, 0..1."""
        whole = len(self.rows) + self.missing
        return len(self.rows) / whole if whole else 1.0


def read(
    store: Store,
    settings: Settings,
    task: str,
    prefilter: VersionedPrefilter,
    seconds: float = float("inf"),
) -> Read:
    """The task's decided cases; only those that changed since the last call are read.

    Args:
        prefilter: The one in use: answers of another do not count.
        seconds: After so long it returns with what it has; call again for the rest.
    """
    path = _path(store, settings, task)
    known = _load(path, task, prefilter) or _none()
    with store.read() as session:
        stamp = replay_rows.stamp(session, task)
        if known.stamp == stamp:
            return Read(known)
        until = time.monotonic() + seconds
        keys = replay_rows.keys(session, task)
        kept, wanted = _compare(known, keys)
        found = _Builder(task, prefilter, list(known.mllms))
        done = 0
        while done < len(wanted) and time.monotonic() < until:
            for said in replay_rows.some(session, wanted[done : done + MANY]):
                found.add(said)
            done += MANY
    missing = max(0, len(wanted) - done)
    rows = _merged(known.take(kept), found, "" if missing else stamp)
    _save(path, rows, task, prefilter)
    return Read(rows, missing)


def _compare(known: Rows, keys: list[Key]) -> tuple[Column, list[str]]:
    """Positions of rows that still hold, and cases that must be read."""
    held = zip(known.case.tolist(), known.decision.tolist(), known.verdict.tolist(), strict=True)
    places = {key: place for place, key in enumerate(held)}
    kept, wanted = [], []
    for key in keys:
        place = places.get(
            (key.case_id.encode(), key.decision_id.encode(), key.verdict_id.encode())
        )
        if place is None:
            wanted.append(key.case_id)
        else:
            kept.append(place)
    return np.array(kept, dtype=np.intp), wanted


@dataclass
class _Builder:
    """Collects rows."""

    task: str
    prefilter: VersionedPrefilter
    mllms: list[str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    features: list[list[float]] = field(default_factory=list)

    def add(self, said: Said) -> None:
        """Work one case out."""
        first = Assessment(Stage.PREFILTER, said.first_version, codec.scores_from(said.first))
        finals = final_scores(self.task, first)
        probability = task_probability(self.prefilter, self.task, finals)
        route = codec.route_from(said.route or said.newest_route)
        drawn = route.name in _PEOPLE or route.audit
        reason = self._reason(drawn, said.first_version, probability is None or bool(gaps(finals)))
        self.rows.append(
            (
                *(part.encode() for part in said.key),
                VIOLATION in said.labels.values(),
                reason,
                np.nan if probability is None else probability,
                self._mllm(said, first),
                self._name(said.second_version),
                said.first_ms,
                np.nan if said.second_ms is None else said.second_ms,
                1.0 if route.name in _PEOPLE or not route.audit else 1.0 / route.propensity,
                said.decided_at.timestamp(),
            )
        )
        self.features.append(_features(said, first))

    def _reason(self, drawn: bool, version: str, unjudged: bool) -> int:
        if not drawn:
            return _REASONS.index(NOT_DRAWN)
        if version != self.prefilter.version:
            return _REASONS.index(OLD_MODEL)
        return _REASONS.index(NO_ANSWER) if unjudged else 0

    def _name(self, version: str | None) -> int:
        if version is None:
            return _NONE
        if version not in self.mllms:
            self.mllms.append(version)
        return self.mllms.index(version)

    def _mllm(self, said: Said, first: Assessment) -> float:
        """The task's probability after both stages; NaN where the answer is not trusted."""
        if said.second is None or said.second_version is None:
            return np.nan
        second = Assessment(Stage.MLLM, said.second_version, codec.scores_from(said.second))
        finals = final_scores(self.task, first, second)
        mass = label_mass(finals, second)
        if gaps(finals) or (mass is not None and mass < MIN_LABEL_MASS):
            return np.nan
        found = task_probability(self.prefilter, self.task, finals)
        return np.nan if found is None else found


def _features(said: Said, first: Assessment) -> list[float]:
    """Of the texts only the length is read, so any text of that length will do."""
    lengths = said.title_length, said.caption_length
    posted = PostedText(*(None if length is None else " " * length for length in lengths))
    info = codec.media_info_from(said.info, "") if said.info else None
    values = run_time_features(first, posted, info)
    return [values[name] for name in known_features()]


def _merged(kept: Rows, found: _Builder, stamp: str) -> Rows:
    """Both, oldest case first."""
    made = _arrays(found)
    both = {name: np.concatenate([getattr(kept, name), made[name]]) for name in _COLUMNS}
    order = np.argsort(both["case"], kind="stable")
    columns = {name: column[order] for name, column in both.items()}
    return Rows(**columns, mllms=tuple(found.mllms), feature_names=known_features(), stamp=stamp)


def _arrays(found: _Builder) -> dict[str, Column]:
    kinds = ("S32", "S32", "S32", "i1", "i1", "f8", "f8", "i2", "f8", "f8", "f8", "f8")
    columns = list(zip(*found.rows, strict=True)) or [()] * len(kinds)
    made = {
        name: np.array(column, dtype=kind)
        for name, kind, column in zip(_COLUMNS, kinds, columns, strict=False)
    }
    width = len(known_features())
    return made | {"features": np.array(found.features, dtype="f8").reshape(-1, width)}


def _none() -> Rows:
    columns: dict[str, Any] = _arrays(_Builder("", _Nobody(), []))
    return Rows(**columns, feature_names=known_features(), stamp="nothing read")


class _Nobody:
    version = ""

    def task_probability(self, task_id: str, probabilities: Any) -> float:
        raise NotImplementedError


def _belongs_to(task: str, prefilter: VersionedPrefilter) -> dict[str, Any]:
    """What a file's rows were worked out with."""
    policies = [policy.id for policy in taxonomy.task(task).policies]
    return {"format": _FORMAT, "task": task, "policies": policies, "prefilter": prefilter.version,
            "features": list(known_features())}  # fmt: skip


def _path(store: Store, settings: Settings, task: str) -> Path:
    name = hashlib.sha256(f"{store.url} {task}".encode()).hexdigest()[:16]
    return settings.cache_dir / "routing" / f"{name}.npz"


def _load(path: Path, task: str, prefilter: VersionedPrefilter) -> Rows | None:
    """What is kept; ``None`` where there is nothing, or nothing of use."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as kept:
            head = json.loads(str(kept["head"]))
            if head["belongs_to"] != _belongs_to(task, prefilter):
                return None
            columns = {name: kept[name] for name in _COLUMNS}
    except _DAMAGE:
        return None
    mllms = tuple(str(name) for name in head["mllms"])
    return Rows(**columns, mllms=mllms, feature_names=known_features(), stamp=head["stamp"])


def _save(path: Path, rows: Rows, task: str, prefilter: VersionedPrefilter) -> None:
    """Whole or not at all; two at once leave the last one's."""
    head = {"belongs_to": _belongs_to(task, prefilter), "mllms": rows.mllms, "stamp": rows.stamp}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=path.stem, suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            columns = {name: getattr(rows, name) for name in _COLUMNS}
            np.savez(file, head=np.array(json.dumps(head)), **columns)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
