"""Base models that lack a domain, and that domain's cases, for ``benchmarks.refit_shift``."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from coefvq.domain import ExpensiveSignals, PostedText
from coefvq.learning import clip_corpora, text_recipe
from coefvq.learning.clip_signals import clip_signals
from coefvq.learning.crossval import grouped_folds
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo
from coefvq.learning.fit_pictures import (
    HIDDEN,
    PictureExample,
    fit_pictures,
    fit_scaling,
    picture_logits,
)
from coefvq.learning.text_corpora import HATE, SCAM, TextItem
from coefvq.learning.text_recipe import TextDoc, TextSets
from coefvq.prefilter.features import picture_blocks
from coefvq.prefilter.model import PICTURE_POLICIES, TEXT_POLICIES, PrefilterNet, Shape
from coefvq.prefilter.text import fit_idf, weigh
from coefvq.prefilter.weights import SHIPPED, load, save
from coefvq.routing.calibration import fit_calibrator
from coefvq.signals.extract import CheapExtractor

TESTED, POOL = 600, 1500
NOVEL = "dangerous_acts"
"""Stands for a policy that no base knows; what it is taught here is to tell clickbait."""


@dataclass(frozen=True)
class Case:
    """One shift of domain."""

    name: str
    policy: str
    make: Callable[[Path, Path, int], Made]


@dataclass(frozen=True)
class Made:
    """A base and what it is tried on.

    Attributes:
        base: Folder of the base's files.
        old: Test set of the domain that the base was made for.
        pool: Cases of the shifted domain that moderators may be shown.
        new: Test set of the shifted domain.
    """

    case: Case
    base: Path
    old: list[LabelledVideo]
    pool: list[LabelledVideo]
    new: list[LabelledVideo]
    signals: GivenSignals


def make_case(case: Case, data: Path, work: Path, seed: int) -> Made:
    """Train a base and deal the sets."""
    return case.make(data, work, seed)


def _text_case(old_name: str, new_name: str, policy: str) -> Callable[[Path, Path, int], Made]:
    def make(data: Path, work: Path, seed: int) -> Made:
        sets = _sets(data)
        old, new = _texts(sets, old_name, seed), _texts(sets, new_name, seed)
        taught, tested = _halves(old, 0.25, seed)
        pool, held = _halves(new, 0.4, seed)
        base = work / f"{old_name}-{new_name}-{seed}"
        _text_base(sets, taught, policy, base, seed)
        return Made(
            CASES[f"{old_name}-{new_name}"], base, _videos(tested, policy, seed, TESTED),
            _videos(pool, policy, seed, POOL), _videos(held, policy, seed, TESTED), GivenSignals(),
        )  # fmt: skip

    return make


_READ: dict[Path, TextSets] = {}


def _sets(data: Path) -> TextSets:
    if data not in _READ:
        _READ[data] = TextSets.read(data)
    return _READ[data]


def _texts(sets: TextSets, name: str, seed: int) -> list[TextItem]:
    sources = sorted({item.group for item in sets.comments})
    first = sources[seed % len(sources)]
    found = {
        "videos": lambda: sets.hateclip,
        "tweets": lambda: text_recipe._some(sets.tweets, 4000, seed),
        "one": lambda: [
            replace(item, group=item.id) for item in sets.comments if item.group == first
        ],
        "others": lambda: [
            replace(item, group=item.id) for item in sets.comments if item.group != first
        ],
        "headlines": lambda: [
            replace(item, labels={NOVEL: int(item.tags[0] == "file:clickbait_headlines")})
            for item in text_recipe._some(sets.headlines, 3000, seed)
        ],
    }
    return list(found[name]())


def _halves(
    items: Sequence[TextItem], share: float, seed: int
) -> tuple[list[TextItem], list[TextItem]]:
    """Whole groups on either side; the second gets ``share`` of them."""
    groups = sorted({item.group for item in items})
    random.Random(seed).shuffle(groups)
    held = set(groups[: int(len(groups) * share)])
    return [i for i in items if i.group not in held], [i for i in items if i.group in held]


def _videos(items: Sequence[TextItem], policy: str, seed: int, most: int) -> list[LabelledVideo]:
    drawn = random.Random(seed).sample(list(items), min(most, len(items)))
    return [
        LabelledVideo(item.id, None, PostedText(item.title, item.caption), item.group, "test",
                      {policy: item.labels[policy]})
        for item in drawn
    ]  # fmt: skip


def _text_base(
    sets: TextSets, taught: Sequence[TextItem], policy: str, folder: Path, seed: int
) -> None:
    """One text policy from one domain and plain headlines; calibrated on a held-out fifth."""
    learn, held = _halves(taught, 0.2, seed + 1)
    plain = text_recipe._helpers(sets, text_recipe._some(sets.headlines, 800, seed), policy, 0.1)
    docs = [*text_recipe._target(sets, learn, policy), *plain]
    idf = fit_idf(doc.counts[0] for doc in docs)
    weights, _ = text_recipe.fit_docs(docs, policy, idf)
    shown: list[TextDoc] = text_recipe._target(sets, held, policy)
    logits = weights.logits([weigh(doc.counts[0], idf) for doc in shown])
    found = fit_calibrator(logits, np.asarray([doc.label for doc in shown]))
    shipped, _ = load(SHIPPED)
    net, column = PrefilterNet(shipped.shape), TEXT_POLICIES.index(policy)
    net.load_state_dict(shipped.net.state_dict())
    with torch.no_grad():
        net.words.weight.zero_()
        net.surface.weight.zero_()
        net.words.weight[:, column] = torch.from_numpy(weights.table)
        net.surface.weight[column] = torch.from_numpy(weights.surface)
        net.surface.bias[column] = weights.bias
    calibration = {**shipped.calibration, policy: found}
    net.eval().requires_grad_(False)
    save(replace(shipped, net=net, idf=idf, calibration=calibration, facts={}), folder)


def _novel(data: Path, work: Path, seed: int) -> Made:
    pool, held = _halves(_texts(_sets(data), "headlines", seed), 0.4, seed)
    return Made(
        CASES["new-policy"], SHIPPED, [], _videos(pool, NOVEL, seed, POOL),
        _videos(held, NOVEL, seed, TESTED), GivenSignals(),
    )  # fmt: skip


def _fights(data: Path, work: Path, seed: int) -> Made:
    """A base from half of the sources of fights; the other half is new to it."""
    items = clip_corpora.fights(data)
    found = clip_signals(items, work, CheapExtractor())
    items = [item for item in items if item.id in found]
    groups = sorted({item.group for item in items})
    random.Random(seed).shuffle(groups)
    place = {group: at % 12 for at, group in enumerate(groups)}
    parts: dict[str, list[clip_corpora.ClipItem]] = {"base": [], "old": [], "pool": [], "new": []}
    for item in items:
        at = place[item.group]
        parts["base" if at < 5 else "old" if at < 7 else "pool" if at < 10 else "new"].append(item)
    examples = [
        PictureExample(picture_blocks(found[item.id]), item.labels) for item in parts["base"]
    ]
    folder = work / f"fights-{seed}"
    _picture_base(examples, [item.group for item in parts["base"]], folder, seed)
    by_video = {name: (cheap, ExpensiveSignals("given")) for name, cheap in found.items()}

    def videos(name: str) -> list[LabelledVideo]:
        return [
            LabelledVideo(i.id, None, PostedText(), i.group, "test", i.labels) for i in parts[name]
        ]

    return Made(
        CASES["fights"], folder, videos("old"), videos("pool"), videos("new"),
        GivenSignals(by_video),
    )  # fmt: skip


def _picture_base(
    examples: Sequence[PictureExample], groups: Sequence[str], folder: Path, seed: int
) -> None:
    shipped, _ = load(SHIPPED)
    scaling = fit_scaling([example.blocks for example in examples])
    net_of = partial(fit_pictures, scaling=scaling, seed=seed)
    column = PICTURE_POLICIES.index(clip_corpora.VIOLENCE)
    labels = np.asarray([each.labels[clip_corpora.VIOLENCE] for each in examples])
    folds = grouped_folds(groups, labels.tolist(), 4, seed)
    held = np.zeros(len(examples))
    for number in np.unique(folds):
        part = net_of([examples[int(at)] for at in np.flatnonzero(folds != number)])
        mine = np.flatnonzero(folds == number)
        logits = picture_logits(part, [examples[int(at)].blocks for at in mine], scaling)
        held[mine] = logits[:, column]
    whole = net_of(examples)
    net = PrefilterNet(Shape({name: len(each.mean) for name, each in scaling.items()}, HIDDEN))
    net.branches.load_state_dict(whole.branches.state_dict())
    with torch.no_grad():
        net.picture_bias.copy_(whole.picture_bias)
    calibration = {**shipped.calibration, clip_corpora.VIOLENCE: fit_calibrator(held, labels)}
    net.eval().requires_grad_(False)
    save(replace(shipped, net=net, scaling=scaling, calibration=calibration, facts={}), folder)


def many(data: Path, count: int) -> list[LabelledVideo]:
    """Texts of all sets with the labels that they have, as decisions; for timing."""
    sets = _sets(data)
    texts = [*sets.tweets, *sets.hateclip, *sets.comments]
    drawn = random.Random(0).sample(texts, min(count, len(texts)))
    return [
        LabelledVideo(item.id, None, PostedText(item.title, item.caption), item.id,
                      "train" if number % 5 else "validation", item.labels)
        for number, item in enumerate(drawn)
    ]  # fmt: skip


CASES = {
    case.name: case
    for case in (
        Case("videos-tweets", HATE, _text_case("videos", "tweets", HATE)),
        Case("tweets-videos", HATE, _text_case("tweets", "videos", HATE)),
        Case("one-others", SCAM, _text_case("one", "others", SCAM)),
        Case("new-policy", NOVEL, _novel),
        Case("fights", clip_corpora.VIOLENCE, _fights),
    )
}
