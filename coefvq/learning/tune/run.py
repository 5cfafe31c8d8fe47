"""``tune_mllm``: from a snapshot of corrections to a candidate for the MLLM stage."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from coefvq.domain import Stage
from coefvq.errors import TrainingError
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.monitor import Monitor, Quiet
from coefvq.learning.tune.choose import Chosen, aims_of, choose, nothing_to_learn, tasks_of
from coefvq.learning.tune.network import held_loss, train_network
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.parent import Answered, Parent
from coefvq.learning.tune.policies import Outcome, Task, tune_policy
from coefvq.learning.tune.states import Kept, States, read_states, write_whole
from coefvq.mllm.fused.readout import Readout, save_readout
from coefvq.mllm.fused.shipped import Shipped, read_shipped

__all__ = ["TuneOptions", "tune_mllm"]

LARGEST = 20_000_000
"""Bytes of all files of a candidate."""
_FITTING = "fitting the readout"


def tune_mllm(
    items: Sequence[LabelledVideo],
    signals: Signals,
    parent: Path,
    out: Path,
    *,
    options: TuneOptions = TuneOptions(),  # noqa: B008  (frozen)
    monitor: Monitor = Quiet(),  # noqa: B008  (stateless)
    cache_dir: Path,
) -> Candidate:
    """Fine-tune the embedded MLLM. The same arguments give the same bytes.

    Args:
        items: A snapshot's videos, all splits; ``test`` and ``golden`` are left alone.
        parent: Folder of the checkpoint to start from.
        out: Gets ``work``, from which an interrupted run goes on, and ``model``, the candidate.
        cache_dir: Where the converted base lies.

    Raises:
        TrainingError: Nothing can be learnt, another run owns ``out``, or the disk is full.
        TrainingStopped: The monitor asked for it; what was done is kept.
        ModelError: The parent or its bases are missing, damaged or do not fit together.
    """
    with _plain_words(out):
        chosen = choose(items, options)
        shipped = read_shipped(parent)
        claim(out / "work", chosen, shipped.version, options)
        if options.threads:
            torch.set_num_threads(options.threads)
        run = _Run(chosen, signals, Parent.open(shipped, cache_dir), out, options, monitor)
        return run.candidate()


class _Run:
    """One fine-tune."""

    def __init__(
        self, chosen: Chosen, signals: Signals, parent: Parent, out: Path, options: TuneOptions,
        monitor: Monitor,
    ) -> None:  # fmt: skip
        self._chosen, self._signals, self._parent = chosen, signals, parent
        self._out, self._options, self._monitor = out, options, monitor
        self._served: Parent | None = None
        self._said: dict[int, Answered] = {}

    def candidate(self) -> Candidate:
        """Do all of it."""
        started = time.process_time()
        states = self._states()
        readout = self._parent.shipped.readout
        tasks, left = tasks_of(states.kept, readout, self._parent.slots, self._options)
        if not tasks:
            raise nothing_to_learn(left, states.skipped)
        steps = self._train(states, tasks)
        outcomes = self._readouts(tasks)
        metrics = {
            "policies": {name: one.figures for name, one in outcomes.items()},
            "left_as_they_are": left,
            "videos": len(states.kept),
            "skipped": states.skipped,
            "item_steps": steps,
        }
        folder = self._save(outcomes, metrics)
        metrics = {**metrics, "cpu_s": round(time.process_time() - started, 1)}
        return self._described(folder, metrics)

    def _states(self) -> States:
        return read_states(
            [*self._chosen.train, *self._chosen.held], self._signals, self._parent,
            self._out / "work" / "states", seed=self._options.seed, monitor=self._monitor,
        )  # fmt: skip

    def _train(self, states: States, tasks: Sequence[Task]) -> int:
        """Train the network on the slots that are labelled; returns the item-steps."""
        tuned = [task for task in tasks if task.slot is not None]
        if not tuned or not self._options.item_steps:
            return 0
        known = {id(one) for task in tuned for one, _ in task.train}
        rows = [one for one in states.kept if id(one) in known]
        held = [one for one in states.kept if one.video.split == "validation"]
        wanted = aims_of(held, tuned, self._parent, self._options) if held else None
        measure = (lambda: None) if wanted is None else held_loss(
            self._parent, held, wanted.targets, wanted.weights, self._options.batch
        )  # fmt: skip
        return train_network(
            self._parent, rows, aims_of(rows, tuned, self._parent, self._options), measure,
            self._out / "work" / "network.pt", self._options, self._monitor,
        )  # fmt: skip

    def _readouts(self, tasks: Sequence[Task]) -> dict[str, Outcome]:
        found = {}
        for number, task in enumerate(tasks):
            self._monitor.check()
            self._monitor.progress(number, len(tasks), _FITTING)
            found[task.policy] = tune_policy(task, self._tuned, self._options)
        self._monitor.progress(len(tasks), len(tasks), _FITTING)
        return found

    def _tuned(self, kept: Sequence[Kept]) -> list[Answered]:
        """What the saved candidate will say of videos."""
        if self._served is None:
            self._served = self._parent.as_served()
        missing = [one for one in kept if id(one) not in self._said]
        for start in range(0, len(missing), self._options.batch):
            self._monitor.check()
            some = missing[start : start + self._options.batch]
            said = self._served.answers([one.lower() for one in some])
            self._said |= {id(one): answer for one, answer in zip(some, said, strict=True)}
        return [self._said[id(one)] for one in kept]

    def _save(self, outcomes: dict[str, Outcome], metrics: dict[str, Any]) -> Path:
        """Write the candidate's folder, whole or not at all."""
        folder, draft = self._out / "model", self._out / "work" / "model"
        shutil.rmtree(draft, ignore_errors=True)
        before = self._parent.shipped.readout
        made = {name: one for name, one in outcomes.items() if one.readout is not None}
        policies = dict(before.policies) | {
            n: one.readout for n, one in made.items() if one.readout
        }
        thresholds = {**before.thresholds, **{n: one.threshold for n, one in made.items()}}
        facts = {"parent": self._parent.shipped.version, "tuned": metrics}
        self._parent.save(draft)
        save_readout(Readout(policies, thresholds, facts), draft)
        size = sum(path.stat().st_size for path in draft.iterdir())
        if size > LARGEST:
            raise TrainingError(
                f"The tuned model has {size / 1e6:.1f} MB; {LARGEST / 1e6:.0f} MB are the most. "
                "Learn fewer new policies: each takes 1 MB."
            )
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        return folder

    def _described(self, folder: Path, metrics: dict[str, Any]) -> Candidate:
        made: Shipped = read_shipped(folder)
        return Candidate(
            Stage.MLLM, made.version, folder, self._parent.shipped.version,
            frozenset(made.readout.policies), metrics, self._options.to_json(),
        )  # fmt: skip


def claim(work: Path, chosen: Chosen, parent: str, options: TuneOptions) -> None:
    """Tie a work folder to one training, so that no other takes up its tensors.

    Raises:
        TrainingError: It holds the work of another one.
    """
    videos = [*chosen.train, *chosen.held]
    known = [
        [v.video_id, v.sha256, v.split, v.group, v.posted.title, v.posted.caption, v.propensity,
         *(sorted(each.items()) for each in (v.labels, v.weights, v.propensities)),
         sorted(v.corrected)]
        for v in videos
    ]  # fmt: skip
    wanted = dataclasses.asdict(options) | {"threads": 0}
    text = json.dumps([known, parent, wanted], default=str)
    mine, note = hashlib.sha256(text.encode()).hexdigest(), work / "training.sha256"
    kept = note.read_text(encoding="utf-8").strip() if note.is_file() else mine
    if kept != mine:
        raise TrainingError(
            f"{work} holds the work of another training (other videos, parent or options). "
            "Give another folder, or delete that one."
        )
    work.mkdir(parents=True, exist_ok=True)
    write_whole(note, f"{mine}\n".encode())


@contextmanager
def _plain_words(out: Path) -> Iterator[None]:
    """Say in plain words that a disk is full; the work stays."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if not _is_full(error):
            raise
        raise TrainingError(
            f"There is no space left for the training in {out}. Free some (a training of 1,000 "
            "videos takes about 500 MB) and resume: what was done is kept."
        ) from error


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    text = str(error)
    signs = ("StorageFull", "No space left", "os error 28", "PytorchStreamWriter failed writing")
    return any(sign in text for sign in signs)
