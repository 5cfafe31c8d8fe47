"""A tiny prefilter with known weights, and signals to go with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from coefvq.domain import CheapSignals
from coefvq.prefilter.features import CHANGE, CHANGE_NAMES, FRAMES, MOTION, VISUAL, Scaling
from coefvq.prefilter.model import POLICIES, PrefilterNet, Shape
from coefvq.prefilter.text import BUCKETS, STATES, SURFACE, word_buckets
from coefvq.prefilter.weights import Trained
from coefvq.routing.calibration import Calibrator

WIDTH, VISUALS, MOTIONS = 4, ["bar_top", "steady_corner_most"], ["still_share", "speed_mean"]
WIDTHS = {FRAMES: WIDTH, CHANGE: len(CHANGE_NAMES), VISUAL: 2, MOTION: 2}


def make_trained(hidden: dict[str, int] | None = None) -> Trained:
    """ "gift" speaks for scam, "awful" for hate, speed for violence, stillness for slideshow."""
    torch.manual_seed(0)
    shape = Shape(WIDTHS, hidden or {})
    net = PrefilterNet(shape)
    with torch.no_grad():
        net.words.weight[word_buckets(["gift"])[0][0], 1] = 6.0
        net.words.weight[word_buckets(["awful"])[0][0], 0] = 6.0
        net.surface.weight[1, (*SURFACE, *STATES).index("no caption")] = 0.5
        net.surface.bias[:] = -2.0
        motion = net.branch(MOTION)
        motion.straight.weight[2, 0] = 3.0
        motion.straight.weight[0, 1] = 3.0
        motion.absent[:] = torch.tensor([0.7, 0.0, -0.7, 0.0])
        net.branch(VISUAL).straight.weight[1, 1] = 3.0
        net.picture_bias[:] = -1.0
    net.eval().requires_grad_(False)
    return Trained(
        net=net,
        shape=shape,
        idf=np.ones(2 * BUCKETS, dtype=np.float32),
        scaling={
            name: Scaling(np.zeros(width, np.float32), np.ones(width, np.float32))
            for name, width in WIDTHS.items()
        },
        calibration={policy: Calibrator("platt", 1.0, 0.1) for policy in POLICIES},
        tasks={"icd": Calibrator("platt", 1.0, -0.5), "ucc": Calibrator()},
        without_text={"hate_harassment": 0.05, "scam_spam": 0.04},
        names={VISUAL: VISUALS, MOTION: MOTIONS, CHANGE: [*CHANGE_NAMES]},
        averages={name: [0.0] * 4 for name in WIDTHS},
        facts={"seed": 0},
    )


@pytest.fixture
def trained() -> Trained:
    return make_trained()


@pytest.fixture
def signals() -> Callable[..., CheapSignals]:
    """Make signals; what is not named is a quiet video of two equal frames."""

    def make(**changes: object) -> CheapSignals:
        values: dict[str, object] = {
            "frame_embeddings": np.ones((2, WIDTH), np.float32),
            "frame_times_s": np.array([0.0, 1.0], np.float32),
            "visual": np.zeros(2, np.float32),
            "motion": np.zeros(2, np.float32),
        }
        return CheapSignals("test", **(values | changes))  # type: ignore[arg-type]

    return make
