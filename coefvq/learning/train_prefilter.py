"""Training the prefilter: cross-validate, calibrate on what was held out, fit on everything."""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from coefvq.learning import picture_recipe, text_recipe
from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.compose import RECIPE_VERSION, UCC_POLICIES
from coefvq.learning.crossval import cross_fitted, grouped_folds, leave_one_out_folds
from coefvq.learning.fit_pictures import HIDDEN, fit_pictures, fit_scaling, picture_batch
from coefvq.learning.fit_text import TextWeights
from coefvq.learning.measures import brier, squared_error_debiased
from coefvq.learning.picture_recipe import Clips, Say
from coefvq.learning.prefilter_report import Pool, figures
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.learning.text_recipe import TextDoc, TextSets
from coefvq.prefilter.features import CHANGE, CHANGE_NAMES, MOTION, VISUAL
from coefvq.prefilter.model import PICTURE_POLICIES, TEXT_POLICIES, PrefilterNet, Shape
from coefvq.prefilter.text import fit_idf
from coefvq.prefilter.weights import TEXT_SURFACE, Trained, save
from coefvq.routing.calibration import (
    Calibrator,
    fit_calibrator,
    fit_platt,
    log_odds,
    moved_to_rate,
)
from coefvq.settings import load_settings
from coefvq.signals.motion import MOTION_NAMES
from coefvq.signals.visual import VISUAL_NAMES

Progress = Callable[[str], None]
"""Called now and then with one line: the stage, how far it is and how long it will take."""

ASSUMED_RATE = 0.05
"""Assumed share of violations where no set measures one: of the text policies among videos
posted without a word, and of the composed kinds, whose share among the clips is our own choice.
"""
SLIDESHOW_RATE = 0.1
"""The same for slideshows: stills with music are a common kind of short video."""
_FINAL_FITS = 3


@dataclass
class _Run:
    """What one training carries from step to step."""

    data_dir: Path
    work: Path
    seed: int
    folds: int
    say: Say
    fits: int = 0
    pools: dict[str, Pool] = field(default_factory=dict)

    def fitted(self) -> None:
        """Count one finished fit."""
        self.fits += 1
        self.say(self.fits, 2 * self.folds + 4 + _FINAL_FITS, "fitting")


def train_prefilter(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    clips_cache: Path | None = None,
    folds: int = 5,
    clips_scale: float = 1.0,
) -> dict[str, Any]:
    """Train all policies and write ``model.safetensors`` and ``model.json``.

    The same data, seed and machine give the same weights. Composed clips and extracted signals
    stay in the work folder, so a second run, or one that was stopped, starts where it was.

    Args:
        data_dir: Folder with ``text/``, ``clips/`` and ``fights/`` (docs/data.md).
        out_dir: Where the two files go.
        clips_cache: Work folder; default: ``training`` in the cache folder. Also gets
            ``predictions.csv``, every held-out prediction that the figures are made from.
        folds: Folds of the grouped cross-validation, at least 2.
        clips_scale: Composed clips a source, as a multiple of the recipe; for quick trials.

    Returns:
        Version, figures with intervals, calibration and data hashes; also kept in the weights.

    Raises:
        SettingsError: If a data set is not there.
    """
    work = clips_cache or load_settings().cache_dir / "training"
    run = _Run(Path(data_dir), work, seed, max(folds, 2), _teller(progress))
    sets = TextSets.read(run.data_dir)
    clips = picture_recipe.gather(
        run.data_dir, work, seed=seed, folds=run.folds, say=run.say, scale=clips_scale
    )
    texts = _fit_texts(run, sets)
    trained = _fit_pictures(run, clips, texts)
    trained.tasks.update(_task_calibration(run.pools))
    report = {
        "seed": seed,
        "folds": run.folds,
        "figures": figures(run.pools, trained, clips, sets, seed),
        "recipe": RECIPE_VERSION,
        "extractor": clips.signals[0].extractor,
        "data": _data_hashes(run.data_dir),
    }
    trained.facts.update(report)
    version = save(trained, Path(out_dir))
    _write_predictions(run.pools, work / "predictions.csv")
    return {"version": version, **report, "predictions": str(work / "predictions.csv")}


def _teller(progress: Progress | None, every_s: float = 5.0) -> Say:
    """Turn counts into lines with the remaining time, at most one in ``every_s`` seconds."""
    started: dict[str, float] = {}
    last = [0.0]

    def say(done: int, total: int, what: str) -> None:
        now = time.monotonic()
        began = started.setdefault(what, now)
        if progress is None or (done < total and now - last[0] < every_s):
            return
        last[0] = now
        left = (now - began) / max(done - 1, 1) * (total - done)
        tail = f", about {left / 60:.0f} min left" if left > 90 else f", about {left:.0f} s left"
        progress(f"{what}: {done}/{total}" + (tail if 0 < done < total else ""))

    return say


@dataclass(frozen=True)
class _Texts:
    weights: dict[str, TextWeights]
    idf: NDArray[np.float32]
    surface: list[float]


def _fit_texts(run: _Run, sets: TextSets) -> _Texts:
    """Cross-validate and fit both text policies on one table of word weights."""
    docs = {
        HATE: text_recipe.hate_docs(sets, run.seed),
        SCAM: text_recipe.scam_docs(sets, run.seed),
    }
    for policy, found in docs.items():
        run.pools[policy] = _text_pool(run, policy, found)
    counts = {id(doc.counts[0]): doc.counts[0] for d in docs.values() for doc in d}.values()
    idf, surface = fit_idf(counts), np.mean([found.surface for found in counts], axis=0)
    weights = {}
    for policy, found in docs.items():
        weights[policy], _ = text_recipe.fit_docs(found, policy, idf)
        run.fitted()
    return _Texts(weights, idf, surface.tolist())


def _text_pool(run: _Run, policy: str, docs: list[TextDoc]) -> Pool:
    targets = [doc for doc in docs if doc.target]
    labels = np.asarray([doc.label for doc in targets])
    groups = [doc.group for doc in targets]
    if policy == SCAM:
        folds = leave_one_out_folds(groups)
    else:
        folds = grouped_folds(groups, labels.tolist(), run.folds, run.seed)
    logits = text_recipe.out_of_fold(docs, folds, policy, run.fitted)
    return Pool(
        ids=[doc.id for doc in targets], groups=groups, sources=[d.source for d in targets],
        labels=labels, logits=logits["posted"], folds=folds,
        probabilities=cross_fitted(logits["posted"], labels, folds), moved=logits["moved"],
    )  # fmt: skip


def _fit_pictures(run: _Run, clips: Clips, texts: _Texts) -> Trained:
    """Cross-validate and fit the picture policies, and put the whole model together."""
    logits = picture_recipe.out_of_fold(clips, seed=run.seed, on_fold=run.fitted)
    for column, policy in enumerate(PICTURE_POLICIES):
        sources = ["fights"] if policy == VIOLENCE else None
        places = clips.indices(policy, sources)
        run.pools[policy] = _picture_pool(clips, policy, places, logits[:, column])
    ordinary = clips.indices(VIOLENCE, ["scenes", "gradio"])
    calibrate = fit_calibrator(run.pools[VIOLENCE].logits, run.pools[VIOLENCE].labels)
    run.pools["ordinary_violence"] = _picture_pool(
        clips, VIOLENCE, ordinary, logits[:, 0], calibrate
    )
    shown = picture_recipe.examples(clips)
    scaling = fit_scaling([example.blocks for example in shown])
    pictures = fit_pictures(shown, scaling, seed=run.seed)
    run.fitted()
    net, shape = _assembled(pictures, texts, {name: len(s.mean) for name, s in scaling.items()})
    with torch.no_grad():
        evidence = pictures.picture_evidence(picture_batch([e.blocks for e in shown], scaling))
    policies = (*TEXT_POLICIES, *PICTURE_POLICIES)
    return Trained(
        net=net, shape=shape, idf=texts.idf, scaling=scaling,
        calibration={policy: _calibrator(policy, run.pools[policy]) for policy in policies},
        tasks={},
        without_text=dict.fromkeys(TEXT_POLICIES, ASSUMED_RATE),
        names={VISUAL: [*VISUAL_NAMES], MOTION: [*MOTION_NAMES], CHANGE: [*CHANGE_NAMES]},
        averages={name: part.mean(dim=0).tolist() for name, part in evidence.items()}
        | {TEXT_SURFACE: texts.surface},
    )  # fmt: skip


def _calibrator(policy: str, pool: Pool) -> Calibrator:
    found = fit_calibrator(pool.logits, pool.labels)
    if policy not in UCC_POLICIES:
        return found
    rate = SLIDESHOW_RATE if policy == "static_slideshow" else ASSUMED_RATE
    return moved_to_rate(found, float(pool.labels.mean()), rate)


def _picture_pool(
    clips: Clips,
    policy: str,
    places: NDArray[np.intp],
    logits: NDArray[np.float64],
    calibrate: Calibrator | None = None,
) -> Pool:
    items = [clips.items[at] for at in places]
    labels, folds = clips.labels(policy, places), clips.folds[places]
    found = logits[places]
    return Pool(
        ids=[item.id for item in items], groups=[item.group for item in items],
        sources=[item.source for item in items], labels=labels, logits=found, folds=folds,
        probabilities=calibrate(found) if calibrate else cross_fitted(found, labels, folds),
        tags=[item.tags for item in items],
    )  # fmt: skip


def _assembled(
    pictures: PrefilterNet, texts: _Texts, widths: dict[str, int]
) -> tuple[PrefilterNet, Shape]:
    shape = Shape(widths, HIDDEN)
    net = PrefilterNet(shape)
    net.branches.load_state_dict(pictures.branches.state_dict())
    with torch.no_grad():
        net.picture_bias.copy_(pictures.picture_bias)
        for column, policy in enumerate(TEXT_POLICIES):
            learnt = texts.weights[policy]
            net.words.weight[:, column] = torch.from_numpy(learnt.table)
            net.surface.weight[column] = torch.from_numpy(learnt.surface)
            net.surface.bias[column] = learnt.bias
    return net.eval().requires_grad_(False), shape


def _task_calibration(pools: dict[str, Pool]) -> dict[str, Calibrator]:
    """By task: from the log-odds of the largest probability to the task's own.

    icd: each set's held-out probability, or the assumed rate of videos without text where that
    is larger. ucc stays the largest probability: its clips' shares are not those of uploads.
    """
    icd = [pools[name] for name in (VIOLENCE, HATE, SCAM, "ordinary_violence")]
    largest = np.concatenate([np.maximum(pool.probabilities, ASSUMED_RATE) for pool in icd])
    labels = np.concatenate([pool.labels for pool in icd])
    return {"icd": _recalibrated(largest, labels), "ucc": Calibrator()}


def _recalibrated(largest: NDArray[np.float64], labels: NDArray[np.int64]) -> Calibrator:
    """Platt on the log-odds; left as it is where that brings nothing on held-out halves."""
    x = log_odds(largest)
    halves = np.arange(len(x)) % 2
    fitted = np.zeros(len(x))
    for half in (0, 1):
        fitted[halves == half] = fit_platt(x[halves != half], labels[halves != half])(
            x[halves == half]
        )
    better = brier(labels, fitted) < brier(labels, largest)
    truer = squared_error_debiased(labels, fitted, 10) < squared_error_debiased(labels, largest, 10)
    return fit_platt(x, labels) if better and truer else Calibrator()


def _data_hashes(data_dir: Path) -> dict[str, str]:
    """SHA-256 over the files of each set that training read, in sorted order."""
    hashes = {}
    for name in ("text", "clips", "fights"):
        digest = hashlib.sha256()
        for path in sorted((data_dir / name).rglob("*")):
            if path.is_file():
                digest.update(path.relative_to(data_dir).as_posix().encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        hashes[name] = digest.hexdigest()
    return hashes


def _write_predictions(pools: dict[str, Pool], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["policy", "set", "item", "group", "fold", "label", "logit", "probability"])
        for policy, pool in pools.items():
            for row in zip(
                pool.sources, pool.ids, pool.groups, pool.folds, pool.labels, pool.logits,
                pool.probabilities, strict=True,
            ):  # fmt: skip
                writer.writerow([policy, *row])
