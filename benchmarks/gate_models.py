"""Prefilters that learnt from given texts alone, for gates: better ones, and spoilt ones.

Pictures keep the branches of a base model; only the two text policies are learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from coefvq.domain import Stage
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.fit_text import TextExample, fit_examples
from coefvq.prefilter.model import TEXT_POLICIES, PrefilterNet, Shape
from coefvq.prefilter.text import TextCounts, fit_idf, text_counts, weigh
from coefvq.prefilter.weights import SHIPPED, Trained, load, save
from coefvq.routing.calibration import Calibrator, fit_calibrator, log_odds, sigmoid

FOLDS = 3
STRENGTH = 3.0


def text_model(taught: Sequence[LabelledVideo], base: Path = SHIPPED) -> Trained:
    """Learn both text policies from these texts; calibrated out of fold."""
    shipped, _ = load(base)
    counts = {item.video_id: text_counts(item.posted) for item in taught}
    idf = fit_idf(counts.values())
    net = copied(shipped)
    calibration = dict(shipped.calibration)
    for column, policy in enumerate(TEXT_POLICIES):
        rows = [item for item in taught if policy in item.labels]
        mine = [counts[item.video_id] for item in rows]
        labels = np.array([item.labels[policy] for item in rows])
        learnt = fit_examples(_examples(mine, labels), idf, STRENGTH)
        with torch.no_grad():
            net.words.weight[:, column] = torch.from_numpy(learnt.table)
            net.surface.weight[column] = torch.from_numpy(learnt.surface)
            net.surface.bias[column] = learnt.bias
        calibration[policy] = fit_calibrator(_out_of_fold(mine, labels, idf), labels)
    net.eval().requires_grad_(False)
    return replace(shipped, net=net, idf=idf, calibration=calibration, tasks={}, facts={})


def copied(model: Trained, shape: Shape | None = None) -> PrefilterNet:
    """A network with the same weights; of another shape: only those that fit."""
    net = PrefilterNet(shape or model.shape)
    state = model.net.state_dict()
    mine = net.state_dict()
    fitting = {name: value for name, value in state.items() if mine[name].shape == value.shape}
    net.load_state_dict(fitting, strict=shape is None)
    return net


def candidate(
    model: Trained, folder: Path, parent: str, covers: frozenset[str] | None = None
) -> Candidate:
    """A model as a training leaves it."""
    version = save(model, folder)
    answered = frozenset(model.covers) if covers is None else covers
    return Candidate(Stage.PREFILTER, version, folder, parent, answered)


def flipped(
    taught: Sequence[LabelledVideo], share: float, seed: int, policies: Sequence[str]
) -> list[LabelledVideo]:
    """The same texts with a share of some policies' labels the wrong way round."""
    rng = np.random.default_rng(seed)
    return [replace(item, labels=_flip(item.labels, share, rng, policies)) for item in taught]


def _flip(
    labels: Mapping[str, int], share: float, rng: np.random.Generator, policies: Sequence[str]
) -> dict[str, int]:
    return {
        name: 1 - value if name in policies and rng.random() < share else value
        for name, value in labels.items()
    }


def shifted(model: Trained, by: float, policies: Sequence[str]) -> Trained:
    """Calibration moved by some log-odds; the order of videos stays."""
    return _recalibrated(model, 1.0, by, policies)


def sharpened(model: Trained, times: float, policies: Sequence[str]) -> Trained:
    """Log-odds multiplied: surer than it should be; the order of videos stays."""
    return _recalibrated(model, times, 0.0, policies)


def _recalibrated(model: Trained, a: float, b: float, policies: Sequence[str]) -> Trained:
    """Every probability p of some policies becomes sigmoid(a log-odds(p) + b)."""
    moved = {
        name: _moved(each, a, b) if name in policies else each
        for name, each in model.calibration.items()
    }
    return replace(model, calibration=moved)


def _moved(found: Calibrator, a: float, b: float) -> Calibrator:
    if found.kind != "isotonic":
        return replace(found, kind="platt", a=found.a * a, b=found.b * a + b)
    knots = tuple((x, float(sigmoid(a * log_odds(np.clip(p, 1e-4, 1 - 1e-4)) + b)))
                  for x, p in found.knots)  # fmt: skip
    return replace(found, knots=knots)


def noisy(model: Trained, share: float, seed: int) -> Trained:
    """Noise on the word weights, a share of their own spread."""
    net = copied(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight = net.words.weight
        used = weight[weight != 0]
        noise = torch.randn(weight.shape, generator=generator) * used.std() * share
        weight.add_(torch.where(weight != 0, noise, torch.zeros_like(noise)))
    return replace(model, net=net.eval().requires_grad_(False))


def ruined(model: Trained, policy: str) -> Trained:
    """One policy answers at random, the other as before."""
    net = copied(model)
    column = TEXT_POLICIES.index(policy)
    with torch.no_grad():
        order = torch.randperm(len(net.words.weight), generator=torch.Generator().manual_seed(1))
        net.words.weight[:, column] = net.words.weight[order, column]
    return replace(model, net=net.eval().requires_grad_(False))


def with_nan(model: Trained) -> Trained:
    """One weight is no number."""
    net = copied(model)
    with torch.no_grad():
        net.surface.weight[0, 0] = float("nan")
    return replace(model, net=net.eval().requires_grad_(False))


def slow(model: Trained, width: int = 120_000) -> Trained:
    """A hidden layer of the pictures so wide that every video takes far longer."""
    shape = replace(model.shape, hidden={**model.shape.hidden, "visual": width, "motion": width})
    net = copied(model, shape)
    with torch.no_grad():
        for name in ("visual", "motion"):
            out = net.branch(name).out
            assert out is not None
            out.weight.zero_()
    return replace(model, net=net.eval().requires_grad_(False), shape=shape)


def _examples(counts: Sequence[TextCounts], labels: NDArray[np.int64]) -> list[TextExample]:
    return [TextExample(one, int(label)) for one, label in zip(counts, labels, strict=True)]


def _out_of_fold(
    counts: list[TextCounts], labels: NDArray[np.int64], idf: NDArray[np.float32]
) -> NDArray[np.float64]:
    found, fold = np.zeros(len(labels)), np.arange(len(labels)) % FOLDS
    for number in range(FOLDS):
        kept, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        learnt = fit_examples(_examples([counts[i] for i in kept], labels[kept]), idf, STRENGTH)
        found[held] = learnt.logits([weigh(counts[i], idf) for i in held])
    return found


__all__ = ["Calibrator", "candidate", "copied", "flipped", "noisy", "ruined", "sharpened",
           "shifted", "slow", "text_model", "with_nan"]  # fmt: skip
