"""The ablation table of a finished training: each modality and kind of fusion, held out."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coefvq.learning.clock import Clock, Progress
from coefvq.learning.fused.ablation import (
    VARIANTS,
    Judge,
    Row,
    ablate,
    by_part,
    row_of,
    table,
    with_motion,
)
from coefvq.learning.fused.example import POLICIES
from coefvq.learning.fused.fit import load_into
from coefvq.learning.fused.heads import PLANS
from coefvq.learning.fused.mixture import FOLDS, picture_clips
from coefvq.learning.fused.predictions import Predictions, is_measured, item_name
from coefvq.learning.fused.recipe import Recipe
from coefvq.learning.fused.runs import FINAL, Bench, answer, train_run, upper_parameters
from coefvq.learning.train_fused import COVERED, all_states, answered_run, read_out, set_up
from coefvq.media.probe import probe
from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.fused.split import Top
from coefvq.mllm.fused.trained import trained_parameters
from coefvq.signals.action_read import read_action

SHUFFLED = "movement of frames in random order"
FUSIONS = ("both", "early only", "late only")


def ablate_fused(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = 0,
    progress: Progress,
    cache_dir: Path | None = None,
    recipe: Recipe | None = None,
    prefilter_answers: Path | None = None,
) -> str:
    """Measure what each modality and kind of fusion adds to a training in ``out_dir``.

    Writes ``ablations.json`` and ``ablations.md`` there.

    Args:
        prefilter_answers: ``predictions.csv`` of ``coefvq train prefilter``, for the rows of
            the prefilter alone.

    Returns:
        The table, Markdown.
    """
    recipe, work = recipe or Recipe(), Path(out_dir) / "work"
    bench = set_up(Path(data_dir), work, cache_dir, seed, 1.0, recipe, progress)
    aligned = torch.load(work / "aligned.pt")
    learnt, plain = all_states(bench)
    names = [*map(str, range(FOLDS)), FINAL]
    runs = {name: answered_run(bench, learnt, plain, aligned, name, recipe) for name in names}
    answers, by_policy = read_out(bench, learnt, plain, runs)

    def enter(name: str) -> None:
        load_into(dict(trained_parameters(bench.model)), aligned)
        load_into(upper_parameters(bench.model), torch.load(work / f"run-{name}.pt"))

    by_run = {name: {policy: by_policy[policy][name] for policy in COVERED} for name in names}
    judge = Judge(enter, by_run, {one.policy: one.weights for one in answers})
    rows = prefilter_alone(prefilter_answers, answers) if prefilter_answers else []
    rows += by_part(answers)
    rows += fusions(bench, learnt, plain, aligned, recipe)
    moved = with_motion(shuffled_motion(Path(data_dir), work, seed, progress), SHUFFLED)
    rows += ablate(bench, judge, plain, (*VARIANTS, moved))
    (Path(out_dir) / "ablations.json").write_text(
        json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8"
    )
    text = table(rows)
    (Path(out_dir) / "ablations.md").write_text(text + "\n", encoding="utf-8")
    return text


def prefilter_alone(path: Path, answers: Sequence[Predictions]) -> list[Row]:
    """The first stage's held-out answers on the items that the table judges."""
    with path.open(encoding="utf-8", newline="") as handle:
        known = {(row["policy"], row["item"]): row for row in csv.DictReader(handle)}
    rows = []
    for one in answers:
        main = one.only(one.primary)
        found = [(e, known.get((one.policy, item_name(e)))) for e in main.examples]
        chosen = [(e, float(row["probability"])) for e, row in found if row]
        if chosen:
            rows.append(row_of((one.policy, PLANS[one.policy].primary, "prefilter alone"), chosen))
    return rows


def shuffled_motion(
    data_dir: Path, work: Path, seed: int, progress: Progress
) -> dict[str, NDArray[np.float32] | None]:
    """Movement of labelled fights with each window's frames in random order, by clip."""
    clips = [clip for clip in picture_clips(data_dir, work, seed=seed) if clip.source == "fights"]
    clock, found = Clock(len(clips), "frames in random order", progress), {}
    for clip in clips:
        found[clip.id] = read_action(probe(clip.path), shuffle=random.Random(f"{seed}/{clip.id}"))
        clock.tick()
    return found


def fusions(
    bench: Bench,
    learnt: Mapping[int, Top],
    plain: Mapping[int, Top],
    aligned: Mapping[str, Tensor],
    recipe: Recipe,
) -> list[Row]:
    """The fused head trained with both kinds of fusion, and with each alone."""
    rows = []
    for kind in FUSIONS:
        scores: dict[str, list[tuple[int, float]]] = {policy: [] for policy in COVERED}
        for fold in range(FOLDS):
            name = str(fold) if kind == "both" else f"{fold}-{kind.replace(' ', '_')}"
            load_into(dict(trained_parameters(bench.model)), aligned)
            shown = {index: fused_as(kind, top) for index, top in learnt.items()}
            train_run(bench, shown, aligned, name, recipe.rates, epochs=recipe.epochs)
            held = [index for index in plain if bench.examples[index].fold == fold]
            found = answer(bench, [fused_as(kind, plain[index]) for index in held]).fused_logits
            for policy, pairs in scores.items():
                column = POLICIES.index(policy)
                pairs += [
                    (index, float(found[at, column]))
                    for at, index in enumerate(held)
                    if bench.examples[index].part == PLANS[policy].primary
                    and is_measured(policy, np.array([fold]))[0]
                ]
        for policy, pairs in scores.items():
            chosen = [(bench.examples[index], score) for index, score in pairs]
            rows.append(row_of((policy, PLANS[policy].primary, f"fused head, {kind}"), chosen))
    return rows


def fused_as(kind: str, top: Top) -> Top:
    """An item as a head sees it that has one kind of fusion only."""
    if kind == "early only":
        nothing = torch.ones(len(MODALITIES), dtype=torch.bool)
        return replace(top, pooled={}, text=torch.zeros_like(top.text), absent=nothing)
    if kind == "late only":
        return replace(top, slots=torch.zeros_like(top.slots))
    return top
