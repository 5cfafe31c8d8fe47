"""Refit of the prefilter: from labelled videos to a candidate."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Stage
from coefvq.errors import ModelError, TrainingError
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.monitor import Monitor, Quiet
from coefvq.learning.refit.anchor import Anchor
from coefvq.learning.refit.learn import Judged, Learnt, adjustment_of, judge, learn
from coefvq.learning.refit.lesson import Teaching, teach, too_few
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.rows import Rows, read_rows
from coefvq.learning.refit.whole import put_together, task_calibrations, wordless_rates
from coefvq.learning.refit.work import RECIPE, Work, digest_of, write_model
from coefvq.prefilter.weights import Trained, load, root_of

LEARNT_FROM = ("train", "validation")
COPIES = "reupload"
"""Answered by the search for copies; no refit teaches it."""


@dataclass
class _Run:
    """What one refit carries from step to step."""

    root: Trained
    version: str
    rows: Rows
    options: RefitOptions
    monitor: Monitor
    steps: int = 0
    learnt: dict[str, Learnt] = field(default_factory=dict)
    teachings: dict[str, Teaching] = field(default_factory=dict)
    judged: dict[str, Judged] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def tried(self, trained: float, held: float) -> None:
        """One plan was tried: a point on both curves."""
        self.monitor.check()
        self.monitor.loss(self.steps, "training", trained)
        self.monitor.loss(self.steps, "held out", held)
        self.steps += 1


def refit_prefilter(
    items: Sequence[LabelledVideo],
    signals: Signals,
    parent: Path,
    out: Path,
    *,
    options: RefitOptions = RefitOptions(),  # noqa: B008 - frozen
    monitor: Monitor = Quiet(),  # noqa: B008 - without state
) -> Candidate:
    """Learn what people's decisions add to the prefilter.

    The refit begins at the root: the model that was trained on data sets, from which ``parent``
    was made by earlier refits. So it learns every decision of the snapshot once, forgets those
    that were taken back or deleted, and small errors do not add up from refit to refit.

    Args:
        items: Of all splits; ``train`` is learnt from, ``validation`` calibrates and measures
            too, the others are not looked at.
        parent: Folder of the model that serves now.
        out: ``out/work`` keeps what is done, ``out/model`` gets the candidate's files.

    Returns:
        The candidate; the same items, options and root give the same files.

    Raises:
        TrainingError: There is nothing to learn from, or nothing was learnt; the disk is full;
            the parent cannot be read.
        TrainingStopped: ``monitor`` asked for it; the next run goes on where this one was.
    """
    root, version, parent_version = _root(parent)
    used = sorted(
        (item for item in items if item.split in LEARNT_FROM), key=lambda item: item.video_id
    )
    _something(used)
    digest = digest_of(used, version, options)
    work = Work(out / "work", digest)
    run = _Run(root, version, read_rows(used, signals, root, monitor), options, monitor)
    _learn_all(run, work)
    trained, metrics = _assembled(run, digest)
    made = write_model(trained, out / "model")
    monitor.progress(1, 1, "writing the model")
    return Candidate(
        stage=Stage.PREFILTER,
        version=made,
        folder=out / "model",
        parent=parent_version,
        covers=frozenset(trained.covers),
        metrics={**metrics, "root": version, "skipped": run.rows.skipped},
        options=options.to_json(),
    )


def _root(parent: Path) -> tuple[Trained, str, str]:
    try:
        trained, parent_version = load(parent)
    except ModelError as error:
        raise TrainingError(f"The model to refit cannot be read. {error}") from error
    root, version = root_of(trained, parent_version)
    return root, version, parent_version


def _something(used: Sequence[LabelledVideo]) -> None:
    """There are decisions to learn from, and they say something new.

    Raises:
        TrainingError: There are none, or none differs from the machine's answer.
    """
    taught = [item for item in used if item.split == "train" and item.labels]
    if not taught:
        raise TrainingError(
            "There are no decisions in the training part of this dataset. Decide some cases, make "
            "a new snapshot and train again."
        )


def _learn_all(run: _Run, work: Work) -> None:
    wanted = sorted({name for item in run.rows.items for name in item.labels})
    known = [name for name in wanted if name in taxonomy.policies() and name != COPIES]
    usable = []
    for name in known:
        if reason := too_few(run.rows, name, run.options):
            run.left[name] = reason
        else:
            usable.append(name)
    if not usable:
        reasons = "; ".join(f"{name}: {why}" for name, why in run.left.items())
        raise TrainingError(
            f"There is nothing to learn. {reasons or 'No decision is on a policy in force'}. "
            "Decide more cases, of both kinds, and train again."
        )
    anchor = Anchor.of(run.root, run.rows.text)
    rows = _digest(run.rows)
    for number, name in enumerate(usable):
        run.monitor.check()
        run.monitor.progress(number, len(usable), f"learning {name}")
        teaching = teach(run.rows, run.root, anchor, name, run.options)
        learnt = work.get(name, rows)
        if learnt is None:
            learnt = learn(teaching, run.rows, run.root, run.options, run.tried)
            work.put(name, rows, learnt)
        run.teachings[name], run.learnt[name] = teaching, learnt
        run.judged[name] = judge(teaching, learnt, run.rows, run.root)
    run.monitor.progress(len(usable), len(usable), "learning")


def _digest(rows: Rows) -> str:
    """Names the numbers: signals may have been read anew since the work was begun."""
    digest = hashlib.sha256()
    for matrix in (rows.text, rows.pictures):
        for part in (matrix.indptr, matrix.indices, matrix.data):
            digest.update(part.tobytes())
    digest.update(rows.parent.tobytes())
    return digest.hexdigest()


def _assembled(run: _Run, digest: str) -> tuple[Trained, dict[str, Any]]:
    """The refitted model and its figures.

    Raises:
        TrainingError: No policy became better.
    """
    better = [name for name, judged in run.judged.items() if judged.why_not is None]
    run.left.update(
        {name: judged.why_not for name, judged in run.judged.items() if judged.why_not is not None}
    )
    if not better:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(run.left.items()))
        raise TrainingError(
            f"Nothing was learnt that holds on decisions that were held out. {reasons}. The model "
            "stays as it is; more decisions may change that."
        )
    adjustments = {
        name: adjustment_of(run.teachings[name], run.learnt[name], run.root) for name in better
    }
    calibration = {name: run.judged[name].calibration for name in better}
    learnt = {name: run.learnt[name] for name in better}
    silent = wordless_rates(run.rows, run.root, adjustments, run.options)
    tasks = task_calibrations(run.rows, run.root, learnt, calibration, run.options)
    metrics = {
        "policies": {name: run.judged[name].figures for name in sorted(run.judged)},
        "adjusted": sorted(better),
        "left": dict(sorted(run.left.items())),
        "without_text": silent,
        "tasks": {name: found.to_json() for name, found in tasks.items()},
        "videos": len(run.rows.items),
    }
    facts = {
        "refit": RECIPE,
        "root": run.version,
        "decisions": digest,
        "options": run.options.to_json(),
        **metrics,
    }
    trained = put_together(
        run.root, run.version, adjustments, calibration, silent, tasks, facts
    )  # fmt: skip
    return trained, metrics
