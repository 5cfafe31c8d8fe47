"""Training of the MLLM stage, from text sets to a checkpoint with measured figures.

Each fold is left out once; the pooled answers on what was left out give the figures and the
calibration. A last run on everything gives the adapter that is kept. All intermediate work is
in ``out_dir/work`` and is taken up again; ``out_dir`` gets the checkpoint, ``report.json`` and
``held_out.csv``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from coefvq.errors import SettingsError
from coefvq.learning import mllm_heldout as heldout
from coefvq.learning import text_corpora as corpora
from coefvq.learning.clock import Progress
from coefvq.learning.measures import auc
from coefvq.learning.mllm_mix import POLICIES, Example, build_mixture
from coefvq.learning.mllm_runs import (
    FINAL,
    Cached,
    Recipe,
    add_adapter,
    margins,
    pooled_states,
    prepare,
    save_atomically,
    train_run,
    trained_tensors,
)
from coefvq.mllm.base import base_hash, ensure_base, gguf_path
from coefvq.mllm.checkpoint import Checkpoint, save_checkpoint
from coefvq.mllm.decoder import SplitDecoder, load_language_model
from coefvq.mllm.lexical import Sparse, WordHead, count_words
from coefvq.mllm.prompt import PromptBuilder
from coefvq.settings import load_settings

DEFAULT_FOLDS = 5


@dataclass
class Bench:
    """Everything that one training needs: model, data and places."""

    model: Any
    decoder: SplitDecoder
    items: list[Cached]
    groups: list[str]
    counted: list[Sparse]
    folder: Path
    recipe: Recipe
    seed: int
    epochs: int
    progress: Progress


def train_mllm(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = 0,
    epochs: int = 2,
    progress: Progress | None = None,
    resume: bool = True,
    max_items: int | None = None,
    folds: int = 0,
    cache_dir: Path | None = None,
    recipe: Recipe | None = None,
) -> dict[str, Any]:
    """Train the adapter, the head and the calibration of the embedded MLLM.

    Args:
        data_dir: Folder with the text sets (see ``text_corpora``).
        out_dir: Gets ``adapter.safetensors``, ``mllm.json``, ``report.json``, ``held_out.csv``.
        resume: Take up the work in ``out_dir/work``; otherwise it is thrown away first.
        max_items: At most so many items of each set, for trials.
        folds: Cross-validate with so many folds. 0: hold out only the first of five, which
            gives a rough calibration and figures in a third of the time.
        cache_dir: Where the converted base lies; default: the settings' cache folder.
        recipe: Sizes and rates; default: those of the shipped checkpoint.

    Returns:
        The report: figures by policy, false positives, counts.

    Raises:
        SettingsError: If the data is not there or ``folds`` is 1 or negative.
        ModelError: If the base weights are missing.
    """
    if folds < 0 or folds == 1:
        raise SettingsError(f"folds={folds}: give 0 (one held-out part) or at least 2.")
    work = Path(out_dir) / "work"
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    bench = _set_up(
        Path(data_dir),
        work,
        cache_dir or load_settings().cache_dir,
        seed,
        epochs,
        progress or _quiet,
        max_items,
        folds or DEFAULT_FOLDS,
        recipe or Recipe(),
    )
    zero_shot = _zero_shot(bench)
    adapter = add_trainable(bench)
    names = [str(fold) for fold in range(folds or 1)]
    scored = {name: _run(bench, adapter, name) for name in (*names, FINAL)}
    return _finish(bench, adapter, scored, zero_shot, Path(out_dir))


def _set_up(
    data_dir: Path,
    work: Path,
    cache_dir: Path,
    seed: int,
    epochs: int,
    progress: Progress,
    max_items: int | None,
    folds: int,
    recipe: Recipe,
) -> Bench:
    examples = build_mixture(data_dir, seed=seed, folds=folds, max_items=max_items)
    model, tokenizer = load_language_model(ensure_base(cache_dir), torch.bfloat16)
    decoder = SplitDecoder(model, tokenizer, recipe.split)
    builder = PromptBuilder(tokenizer, POLICIES)
    items = prepare(decoder, builder, examples, work / "states", progress)
    groups = _groups(examples, data_dir)
    counted = [count_words(example.lines) for example in examples]
    return Bench(model, decoder, items, groups, counted, work, recipe, seed, epochs, progress)


def _quiet(_: str) -> None:
    return None


def _groups(examples: Sequence[Example], data_dir: Path) -> list[str]:
    """Group of each example: near duplicates of its video, else the example's own id."""
    known = {item.id: item.group for item in corpora.multihateclip(data_dir)}
    return [known.get(example.id.split("+")[0], example.id) for example in examples]


def add_trainable(bench: Bench) -> Any:
    """Add the adapter in float32, so that small steps are not lost to rounding."""
    adapter = add_adapter(bench.model, bench.recipe)
    for tensor in trained_tensors(adapter).values():
        tensor.data = tensor.data.float()
    return adapter


def _zero_shot(bench: Bench) -> dict[str, Any]:
    """AUC of the base model's own answers, before any training."""
    result = {}
    for column, policy in enumerate(POLICIES):
        rows = [i for i in bench.items if i.example.part == heldout.PRIMARY[policy]]
        margin, mass = (part.numpy() for part in margins(bench.decoder, rows))
        label = [item.example.targets[column] for item in rows]
        result[policy] = {
            "auc": auc(np.array(label), margin[:, column]),
            "n": len(rows),
            "mean_label_mass": float(mass[:, column].mean()),
        }
    return result


def _run(bench: Bench, adapter: Any, name: str) -> dict[int, tuple[Any, Any]]:
    """Train one run and answer what it never saw: margin and mass by example index."""
    train_run(
        bench.decoder,
        adapter,
        bench.items,
        name,
        bench.folder,
        bench.recipe,
        seed=bench.seed,
        epochs=bench.epochs,
        progress=bench.progress,
    )
    rows = [i for i, item in enumerate(bench.items) if _unseen(item.example, name)]
    place = bench.folder / f"scored-{name}.pt"
    if not place.is_file():
        save_atomically(place, margins(bench.decoder, [bench.items[index] for index in rows]))
    margin, mass = torch.load(place)
    return {index: (margin[at].numpy(), mass[at].numpy()) for at, index in enumerate(rows)}


def _unseen(example: Example, run: str) -> bool:
    if run == FINAL:
        return example.part.endswith("_held")
    return example.fold == int(run)


def _finish(
    bench: Bench,
    adapter: Any,
    scored: dict[str, dict[int, tuple[Any, Any]]],
    zero_shot: dict[str, Any],
    out_dir: Path,
) -> dict[str, Any]:
    states = pooled_states(bench.items)
    folds = [int(name) for name in scored if name != FINAL]
    pooled = {index: row for f in folds for index, row in scored[str(f)].items()}
    answers = [_held_out(bench, pooled, states, policy, folds) for policy in POLICIES]
    heads = {policy: _heads(bench, states, policy, None) for policy in POLICIES}
    readouts = {one.policy: heldout.readout_of(one) for one, _ in answers}
    report = {
        "policies": {one.policy: heldout.figures(one, groups) for one, groups in answers},
        "zero_shot": zero_shot,
        "false_positives": _false_positives(
            bench, scored, pooled, states, heads, readouts, answers
        ),
        "seed": bench.seed,
        "epochs": bench.epochs,
        "folds": len(folds),
        "examples": len(bench.items),
    }
    final = torch.load(bench.folder / f"run-{FINAL}.pt")
    save_checkpoint(_checkpoint(bench, final, heads, readouts, report), out_dir)
    heldout.write_predictions(out_dir / "held_out.csv", [one for one, _ in answers])
    (out_dir / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


@dataclass(frozen=True)
class Heads:
    """The two heads of one policy."""

    state: heldout.Head
    words: WordHead

    def parts(self, bench: Bench, margin: Any, states: Any, rows: Sequence[int]) -> Any:
        """(items, parts) of the examples ``rows``, in the order of ``checkpoint.PARTS``."""
        words = [self.words(bench.counted[index]) for index in rows]
        return np.stack([margin, self.state(states[list(rows)]), words], axis=1)


def _heads(bench: Bench, states: Any, policy: str, held: int | None) -> Heads:
    examples = [item.example for item in bench.items]
    state = heldout.fit_head(examples, states, policy, held, groups=bench.groups, seed=bench.seed)
    bench.progress(f"heads of {policy} without fold {held}")
    return Heads(state, heldout.fit_words(examples, bench.counted, policy, held))


def _held_out(
    bench: Bench,
    pooled: dict[int, tuple[Any, Any]],
    states: Any,
    policy: str,
    folds: Sequence[int],
) -> tuple[heldout.HeldOut, list[str]]:
    column = POLICIES.index(policy)
    rows = [
        index
        for index in sorted(pooled)
        if bench.items[index].example.targets[column] is not None
        and bench.items[index].example.part in heldout.SLICES[policy]
    ]
    margin = np.array([pooled[index][0][column] for index in rows], dtype=np.float64)
    mass = np.array([pooled[index][1][column] for index in rows], dtype=np.float64)
    parts = np.zeros((len(rows), 3))
    folds_of = np.array([bench.items[index].example.fold for index in rows])
    for fold in folds:
        here = np.flatnonzero(folds_of == fold)
        if len(here):
            fitted = _heads(bench, states, policy, fold)
            parts[here] = fitted.parts(bench, margin[here], states, [rows[at] for at in here])
    examples = tuple(bench.items[index].example for index in rows)
    answers = heldout.HeldOut(policy, examples, margin, mass, parts[:, 1], parts[:, 2])
    return answers, [bench.groups[index] for index in rows]


def _false_positives(
    bench: Bench,
    scored: dict[str, dict[int, tuple[Any, Any]]],
    pooled: dict[int, tuple[Any, Any]],
    states: Any,
    heads: dict[str, Heads],
    readouts: dict[str, Any],
    answers: Sequence[tuple[heldout.HeldOut, list[str]]],
) -> dict[str, Any]:
    """Share of known negatives at 0.5 or above, on texts of other kinds."""

    def of(policy: str, wanted: Sequence[int], source: dict[int, Any]) -> dict[str, Any]:
        column = POLICIES.index(policy)
        margin = np.array([source[index][0][column] for index in wanted])
        parts = heads[policy].parts(bench, margin, states, wanted)
        probability = readouts[policy].probability(parts)
        share = float((probability >= 0.5).mean()) if len(wanted) else None
        return {"n": len(wanted), "share": share}

    final = scored[FINAL]
    tags = {index: bench.items[index].example.tags for index in final}
    neither = [i for i in final if "class:neither" in tags[i]]
    lines = [i for i in final if bench.items[i].example.part == "headline_held"]
    videos = [i for i in pooled if bench.items[i].example.part == "video"]
    return {
        "hate_harassment on Davidson 'neither' tweets": of(
            corpora.HATE, [i for i in neither if "aae_like" not in tags[i]], final
        ),
        "hate_harassment on 'neither' tweets marked aae_like": of(
            corpora.HATE, [i for i in neither if "aae_like" in tags[i]], final
        ),
        "scam_spam on held-out headlines": of(corpora.SCAM, lines, final),
        "scam_spam on MultiHateClip videos (no human label; the heads saw them)": of(
            corpora.SCAM, videos, pooled
        ),
    }


def _checkpoint(
    bench: Bench,
    final: dict[str, torch.Tensor],
    heads: dict[str, Heads],
    readouts: dict[str, Any],
    report: dict[str, Any],
) -> Checkpoint:
    weights = np.stack([heads[policy].state.weights for policy in POLICIES]).astype(np.float32)
    bias = np.array([heads[policy].state.bias for policy in POLICIES], dtype=np.float32)
    return Checkpoint(
        base_hash=base_hash(gguf_path()),
        policies=POLICIES,
        split=bench.recipe.split,
        scaling=bench.recipe.alpha / bench.recipe.rank,
        adapter={_plain_name(name): tensor for name, tensor in final.items()},
        head=torch.from_numpy(weights),
        bias=torch.from_numpy(bias),
        words={policy: heads[policy].words for policy in POLICIES},
        readouts=readouts,
        facts=report,
    )


def _plain_name(name: str) -> str:
    """``…model.layers.24.self_attn.q_proj.lora_A.default.weight`` to ``layers.24.….lora_A``."""
    inner = name[name.index("layers.") :]
    return inner.removesuffix(".weight").removesuffix(".default")


__all__ = ["train_mllm"]
