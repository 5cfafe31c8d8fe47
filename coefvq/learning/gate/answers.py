"""What models say of labelled videos: asked now, or read where they said it before."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import func, select

from coefvq.domain import Assessment, Stage
from coefvq.errors import MediaError
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.monitor import Monitor
from coefvq.mllm.backend import MllmInput
from coefvq.settings import Settings
from coefvq.store import codec
from coefvq.store.session import Store
from coefvq.store.tables import AssessmentRow

TIMED = 40
"""Videos on which processor time is measured: reading that clock may cost more than an answer."""
_MANY = 400
"""Ids that one query asks for."""


class Model(Protocol):
    """A prefilter or an MLLM."""

    version: Any
    assess: Callable[..., Assessment]


@dataclass(frozen=True)
class Said:
    """Answers of models on the same videos, in the same order.

    Attributes:
        items: Videos that could be shown to them.
        answers: By model, one answer a video.
        unreadable: Videos whose file is gone or cannot be read, left out.
    """

    items: tuple[LabelledVideo, ...]
    answers: tuple[tuple[Assessment, ...], ...]
    unreadable: int = 0


def ask(
    models: Sequence[Any],
    stage: Stage,
    items: Sequence[LabelledVideo],
    signals: Signals,
    monitor: Monitor,
    books: Sequence[Book | None] = (),
) -> Said:
    """Show each video to every model in turn.

    ``milliseconds`` of an answer is processor time, on the first ``TIMED`` videos; NaN on others.

    In turn, so that whatever else the machine does falls on all of them.

    Args:
        books: Where answers of each model are looked up and kept.
    """
    notes = list(books) or [None] * len(models)
    kept, answers, unreadable = [], [], 0
    for done, item in enumerate(items):
        monitor.check()
        monitor.progress(done, len(items), "comparing both models")
        try:
            row = tuple(
                _one(model, stage, item, signals, book, done < TIMED)
                for model, book in zip(models, notes, strict=True)
            )
        except MediaError:
            unreadable += 1
            continue
        kept.append(item)
        answers.append(row)
    columns = tuple(zip(*answers, strict=True)) if answers else tuple(() for _ in models)
    return Said(tuple(kept), columns, unreadable)


def _one(
    model: Any,
    stage: Stage,
    item: LabelledVideo,
    signals: Signals,
    book: Book | None,
    timed: bool,
) -> Assessment:
    known = book.get(item) if book is not None else None
    if known is not None:
        return known
    given = _given(stage, item, signals)
    begun = time.process_time() if timed or book is not None else 0.0
    said: Assessment = model.assess(*given)
    spent = (time.process_time() - begun) * 1000.0 if begun else math.nan
    said = replace(said, milliseconds=spent)
    if book is not None:
        book.put(item, said)
    return said


def _given(stage: Stage, item: LabelledVideo, signals: Signals) -> tuple[Any, ...]:
    if stage is Stage.PREFILTER:
        return signals.cheap(item), item.posted
    info = signals.info(item)
    return (
        MllmInput(item.posted, signals.expensive(item), info.duration_s if info else None, info),
    )


class Book:
    """Answers of one model in a file: a gate that was cut off goes on where it was.

    Only scores by policy are in it, no text. A line that was half written is read as none.
    """

    def __init__(self, settings: Settings, version: str):
        self._path = settings.cache_dir / "gate" / f"{version}.jsonl"
        self._version = version
        self._known = dict(self._read())

    def get(self, item: LabelledVideo) -> Assessment | None:
        """What was said of a video; ``None``: nothing yet."""
        found = self._known.get(_key(item))
        if found is None:
            return None
        scores = codec.scores_from(found["scores"])
        return Assessment(Stage.MLLM, self._version, scores, milliseconds=float(found["ms"]))

    def put(self, item: LabelledVideo, said: Assessment) -> None:
        """Keep an answer."""
        key = _key(item)
        line = {"key": key, "scores": codec.scores_to(said.scores), "ms": said.milliseconds}
        self._known[key] = line
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        if not self._path.is_file():
            return found
        for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                row = json.loads(line)
                codec.scores_from(row["scores"])
                found.append((str(row["key"]), row))
            except (ValueError, KeyError, TypeError):
                continue
        return found


def _key(item: LabelledVideo) -> str:
    """A video with its texts: another title is another question."""
    parts = [item.video_id, item.sha256, item.posted.title, item.posted.caption]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def answered_before(
    store: Store, stage: Stage, items: Sequence[LabelledVideo], version: str | None = None
) -> dict[str, Assessment]:
    """The newest stored answer on each video, by video id; of one model where it is given."""
    found: dict[str, Assessment] = {}
    ids = [item.video_id for item in items]
    with store.read() as session:
        for begin in range(0, len(ids), _MANY):
            chosen = select(func.max(AssessmentRow.id)).where(
                AssessmentRow.video_id.in_(ids[begin : begin + _MANY]),
                AssessmentRow.stage == stage.value,
            )
            if version is not None:
                chosen = chosen.where(AssessmentRow.model_version == version)
            newest = chosen.group_by(AssessmentRow.video_id).scalar_subquery()
            for row in session.scalars(select(AssessmentRow).where(AssessmentRow.id.in_(newest))):
                found[row.video_id] = codec.assessment_from(row)
    return found


def with_others(said: Assessment, before: Assessment | None, mine: frozenset[str]) -> Assessment:
    """An answer with what other searches said of the video, such as known footage.

    Args:
        before: A stored answer of the same stage, whatever model gave it.
        mine: Policies that models answer; theirs are not taken over.
    """
    if before is None:
        return said
    others = {
        name: score for name, score in before.scores.items()
        if name not in mine and score.covered
        and not (name in said.scores and said.scores[name].covered)
    }  # fmt: skip
    return replace(said, scores={**said.scores, **others})


def load(settings: Settings, stage: Stage, folder: Path) -> Any:
    """A model of a folder, as the cascade uses it.

    Raises:
        ModelError: It cannot be loaded.
    """
    from coefvq.cascade import load_mllm, load_prefilter

    return (load_prefilter if stage is Stage.PREFILTER else load_mllm)(settings, folder)


def covered(said: Sequence[Assessment]) -> frozenset[str]:
    """Policies that any of these answers covers."""
    scores: list[Mapping[str, Any]] = [one.scores for one in said]
    return frozenset(name for row in scores for name, score in row.items() if score.covered)
