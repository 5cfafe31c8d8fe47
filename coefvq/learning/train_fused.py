"""Training of the fused model: from sets of clips and texts to a checkpoint with figures.

First phase: LoRA, projectors and heads end to end on what every fold may see. Second phase: late
fusion and heads, once a fold for the figures and once on everything for the model that is kept.
Everything in between lies in ``out_dir/work`` and is taken up again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from coefvq.errors import SettingsError
from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.clock import Progress
from coefvq.learning.fused import figures, heads
from coefvq.learning.fused.align import align
from coefvq.learning.fused.example import HELD, POLICIES, Example
from coefvq.learning.fused.fit import load_into
from coefvq.learning.fused.mixture import ALIGN_VIDEO, FOLDS, build_mixture, picture_clips
from coefvq.learning.fused.predictions import Predictions, collect, write_predictions
from coefvq.learning.fused.recipe import Recipe, claim_folder, materialise, new_model
from coefvq.learning.fused.runs import (
    FINAL,
    Bench,
    answer,
    held_by,
    read_tops,
    train_run,
    training_items,
)
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.base import ensure_base
from coefvq.mllm.fused.pooled import pooled_states, words_of
from coefvq.mllm.fused.readout import Readout, save_readout
from coefvq.mllm.fused.shipped import installed_bases
from coefvq.mllm.fused.split import Top
from coefvq.mllm.fused.trained import TrainedParts, save_trained, trained_parameters
from coefvq.mllm.fused.words import Sparse, count_words
from coefvq.settings import load_settings

COVERED = (VIOLENCE, HATE, SCAM)
"""Policies that the shipped model answers; the others' slots only teach the eyes."""
EVALUATED = (
    "video", "fights", "comment", "composed_speech", "composed_screen_text", "composed_caption",
    "tweet_held", "tweet_dialect", "headline_held",
)  # fmt: skip


Heads = tuple[Any, Any]
"""The state head and the word head of one policy and run."""


def train_fused(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    resume: bool = True,
    scale: float = 1.0,
    folds: int = FOLDS,
    cache_dir: Path | None = None,
    recipe: Recipe | None = None,
) -> dict[str, Any]:
    """Train the embedded MLLM and measure it on what each run left out.

    Args:
        data_dir: Folder with ``text/``, ``fights/`` and ``clips/``.
        out_dir: Gets the checkpoint, ``report.json`` and ``held_out.csv``.
        resume: Take up the work in ``out_dir/work``; otherwise it is thrown away first.
        scale: Share of the examples to use, for trials.
        folds: Runs that leave a fold out; fewer than five give rougher figures and calibration
            (0 is taken as 1: without a held-out part nothing can be calibrated).
        cache_dir: Where the converted base lies; default: the settings' cache folder.
        recipe: Sizes and rates; default: those of the shipped checkpoint.

    Returns:
        The report.

    Raises:
        SettingsError: If data or eSpeak NG is missing, or ``folds`` is not 0 to 5.
        ModelError: If base weights are missing.
    """
    if not 0 <= folds <= FOLDS:
        raise SettingsError(f"folds={folds}: give 0 to {FOLDS}.")
    work = Path(out_dir) / "work"
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    recipe = recipe or Recipe()
    bench = set_up(Path(data_dir), work, cache_dir, seed, scale, recipe, progress or _quiet)
    aligned = align(
        bench.model, bench.processor, bench.examples, bench.items, work / "aligned.pt",
        recipe.align_rates, seed=seed, epochs=recipe.align_epochs, progress=bench.progress,
    )  # fmt: skip
    learnt, plain = all_states(bench)
    runs = {
        name: answered_run(bench, learnt, plain, aligned, name, recipe)
        for name in (*map(str, left_out(folds)), FINAL)
    }
    return finish(bench, learnt, plain, runs, Path(out_dir), recipe)


def left_out(folds: int) -> range:
    """Folds of the runs; a single one is not the fold whose comments the first phase saw."""
    return range(folds) if folds > 1 else range(ALIGN_VIDEO + 1, ALIGN_VIDEO + 2)


def _quiet(_: str) -> None:
    return None


def set_up(
    data_dir: Path, work: Path, cache_dir: Path | None, seed: int, scale: float, recipe: Recipe,
    progress: Progress,
) -> Bench:  # fmt: skip
    """Read, compose, recognise and look at everything; assemble the untrained model."""
    clips = picture_clips(data_dir, work, seed=seed)
    examples = build_mixture(data_dir, clips, seed=seed, scale=scale)
    claim_folder(work, recipe, seed, scale, examples)
    cache_dir = cache_dir or load_settings().cache_dir
    model, processor = new_model(cache_dir, recipe, seed)
    items = materialise(data_dir, work, clips, examples, model, processor, progress)
    bases = installed_bases(ensure_base(cache_dir))
    return Bench(model, processor, examples, items, work, recipe.split, seed, progress, bases)


def all_states(bench: Bench) -> tuple[dict[int, Top], dict[int, Top]]:
    """States to learn from, and complete ones to be measured on."""
    rows = [i for i, example in enumerate(bench.examples) if is_second_phase(example)]
    shown, cut = training_items(bench, rows)
    learnt = read_tops(bench, rows, "train", shown)
    wanted = [i for i, example in enumerate(bench.examples) if example.part in EVALUATED]
    again = [i for i in wanted if i in cut or i not in learnt]
    whole = read_tops(bench, again, "plain", [bench.items[i] for i in again])
    return learnt, {index: whole.get(index) or learnt[index] for index in wanted}


def is_second_phase(example: Example) -> bool:
    """Whether runs may train on an example: it is labelled for a covered policy.

    The many tweets that are there for the word head alone are left out.
    """
    labelled = any(policy in example.targets for policy in COVERED)
    return labelled and example.fold != HELD and example.part not in ("tweet", "tweet_heard")


@dataclass(frozen=True)
class Run:
    """What one run answered on examples that it never saw, by index: (P,) each."""

    answers: Mapping[int, tuple[Any, Any, Any]]


def answered_run(
    bench: Bench,
    learnt: dict[int, Top],
    plain: Mapping[int, Top],
    aligned: dict[str, Tensor],
    name: str,
    recipe: Recipe,
) -> Run:
    """Train one run and let it answer what it left out."""
    load_into(dict(trained_parameters(bench.model)), aligned)
    train_run(bench, learnt, aligned, name, recipe.rates, epochs=recipe.epochs)
    held = HELD if name == FINAL else int(name)
    rows = [index for index in plain if bench.examples[index].fold == held]
    found = answer(bench, [plain[index] for index in rows])
    triples = zip(found.label_logits, found.fused_logits, found.label_mass, strict=True)
    return Run(dict(zip(rows, triples, strict=True)))


def finish(
    bench: Bench,
    learnt: Mapping[int, Top],
    plain: Mapping[int, Top],
    runs: Mapping[str, Run],
    out_dir: Path,
    recipe: Recipe,
) -> dict[str, Any]:
    """Fit the readout, measure, and write checkpoint, report and predictions."""
    answers, by_policy = read_out(bench, learnt, plain, runs)
    readouts = {
        one.policy: heads.readout_of(one.policy, *by_policy[one.policy][FINAL], one.weights)
        for one in answers
    }
    report: dict[str, Any] = {
        "policies": {one.policy: figures.figures_of(one) for one in answers},
        "false_positives": figures.false_positives(answers),
        "seed": bench.seed,
        "examples": len(bench.examples),
        "runs": list(runs),
    }
    thresholds = {k: v["macro_f1"]["threshold"] for k, v in report["policies"].items()}
    save_readout(Readout(readouts, thresholds, report), out_dir)
    layout = bench.processor.writer.layout
    save_trained(bench.model, TrainedParts(recipe.lora, dict(bench.bases), layout), out_dir)
    write_predictions(out_dir / "held_out.csv", answers)
    (out_dir / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def read_out(
    bench: Bench, learnt: Mapping[int, Top], plain: Mapping[int, Top], runs: Mapping[str, Run]
) -> tuple[list[Predictions], dict[str, dict[str, Heads]]]:
    """Fit the heads of every run and join the parts of what each run left out.

    Returns:
        Held-out answers, one a covered policy; and the heads by policy and run.
    """
    tops = {**learnt, **plain}  # complete ones where there are both
    states = [pooled_states(tops[i]) if i in tops else {} for i in range(len(bench.examples))]
    counted = [count_words(words_of(item)) for item in bench.items]
    answers, by_policy = [], {}
    for policy in COVERED:
        bench.progress(f"readout of {policy}")
        fitted = {}
        for name in runs:
            held = held_by(name)
            fitted[name] = (
                heads.fit_states(bench.examples, states, policy, held, bench.seed),
                heads.fit_words(bench.examples, counted, policy, held),
            )
        by_policy[policy] = fitted
        answers.append(held_out(bench, states, counted, runs, fitted, policy))
    return answers, by_policy


def held_out(
    bench: Bench,
    states: Sequence[Mapping[str, NDArray[np.float32]]],
    counted: Sequence[Sparse],
    runs: Mapping[str, Run],
    by_run: Mapping[str, Heads],
    policy: str,
) -> Predictions:
    """All parts of what each run left out, joined."""
    column = POLICIES.index(policy)
    rows: list[int] = []
    parts, mass = [], []
    for name, run in runs.items():
        state_head, word_head = by_run[name]
        for index, (label, fused, certain) in run.answers.items():
            if policy not in bench.examples[index].targets:
                continue
            rows.append(index)
            words = 0.0 if word_head is None else word_head(counted[index])
            parts.append([label[column], fused[column], state_head(states[index]), words])
            mass.append(certain[column])
    examples: Sequence[Example] = [bench.examples[index] for index in rows]
    return collect(policy, examples, np.array(parts, np.float64), np.array(mass, np.float64))


__all__ = ["Recipe", "train_fused"]
