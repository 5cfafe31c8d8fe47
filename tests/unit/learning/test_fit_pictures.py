from __future__ import annotations

import numpy as np
import pytest
import torch

from coefvq.learning.fit_pictures import (
    DROPPED_WEIGHT,
    Penalty,
    PictureExample,
    fit_pictures,
    fit_scaling,
    picture_logits,
    with_dropout,
)
from coefvq.learning.measures import auc
from coefvq.prefilter.features import BLOCKS, CHANGE, FRAMES, MOTION, VISUAL, Blocks
from coefvq.prefilter.model import PICTURE_POLICIES

LOOSE = Penalty(straight=dict.fromkeys(BLOCKS, 0.1), violence={CHANGE: 0.1, MOTION: 0.1}, bent=0.1)


def _blocks(rng: np.random.Generator, motion: float, visual: float) -> Blocks:
    noise = {name: rng.normal(size=4).astype(np.float32) for name in BLOCKS}
    noise[MOTION][0] = motion
    noise[VISUAL][0] = visual
    return dict(noise)


@pytest.fixture
def examples() -> list[PictureExample]:
    rng = np.random.default_rng(0)
    made = []
    for number in range(80):
        fight, mark = number % 2, (number // 2) % 2
        labels = {"watermark": mark} | ({"violence": fight} if number < 60 else {})
        made.append(PictureExample(_blocks(rng, 4.0 * fight, 4.0 * mark), labels))
    return made


def test_dropout_shows_each_clip_without_each_modality(examples: list[PictureExample]) -> None:
    shown = with_dropout(examples[:1])
    missing = [{n for n, block in row.blocks.items() if block is None} for row in shown]
    assert missing == [set(), {FRAMES}, {CHANGE}, {VISUAL}, {MOTION}]
    assert shown[0].weights == {}
    assert shown[1].weights["watermark"] == DROPPED_WEIGHT


def test_a_clip_with_one_modality_keeps_it() -> None:
    only: Blocks = {MOTION: np.ones(4, np.float32), VISUAL: None}
    assert len(with_dropout([PictureExample(only, {"violence": 1})])) == 1


def test_both_policies_are_learnt_from_their_own_labels(examples: list[PictureExample]) -> None:
    rows = [example.blocks for example in examples]
    scaling = fit_scaling(rows)
    logits = picture_logits(fit_pictures(examples, scaling, penalty=LOOSE), rows, scaling)
    violence, watermark = (PICTURE_POLICIES.index(n) for n in ("violence", "watermark"))
    assert auc([e.labels["violence"] for e in examples[:60]], logits[:60, violence]) > 0.95
    assert auc([e.labels["watermark"] for e in examples], logits[:, watermark]) > 0.95


def test_what_stands_in_for_an_absent_modality_is_learnt() -> None:
    rng = np.random.default_rng(1)
    gone = {**_blocks(rng, 0.0, 0.0), MOTION: None}
    made = [PictureExample(gone, {"watermark": 1}) for _ in range(30)]
    made += [PictureExample(_blocks(rng, 0.0, 0.0), {"watermark": 0}) for _ in range(30)]
    scaling = fit_scaling([example.blocks for example in made])
    net = fit_pictures(made, scaling, penalty=LOOSE)
    logits = picture_logits(net, [gone, {**gone, MOTION: np.zeros(4, np.float32)}], scaling)
    assert logits[0, 1] > logits[1, 1] + 1
    assert float(net.branch(MOTION).absent[1].detach()) != 0.0


def test_an_unlabelled_policy_learns_nothing(examples: list[PictureExample]) -> None:
    scaling = fit_scaling([example.blocks for example in examples])
    net = fit_pictures(examples, scaling)
    column = PICTURE_POLICIES.index("screen_recording")
    assert torch.equal(net.branch(FRAMES).straight.weight[column], torch.zeros(4))


def test_the_same_seed_gives_the_same_weights(examples: list[PictureExample]) -> None:
    scaling = fit_scaling([example.blocks for example in examples])
    first, second = (fit_pictures(examples, scaling, seed=3) for _ in range(2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
