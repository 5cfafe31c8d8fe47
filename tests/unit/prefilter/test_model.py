from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from coefvq.domain import CheapSignals, PostedText
from coefvq.prefilter.features import BLOCKS, FRAMES, MOTION, VISUAL, Batch, batch, picture_blocks
from coefvq.prefilter.model import PICTURE_POLICIES, POLICIES, READS
from coefvq.prefilter.text import text_row
from coefvq.prefilter.weights import Trained
from tests.unit.prefilter.conftest import make_trained

Make = Callable[..., CheapSignals]


def _batch(trained: Trained, signals: CheapSignals | None, posted: PostedText) -> Batch:
    row = text_row(posted, trained.idf)
    return batch([row], [picture_blocks(signals)], trained.scaling)


def test_logits_are_in_the_order_of_the_policies(trained: Trained, signals: Make) -> None:
    fast = signals(motion=np.array([0.0, 2.0], np.float32))
    logits = trained.net(_batch(trained, fast, PostedText("gift")))[0]
    by_policy = dict(zip(POLICIES, logits.tolist(), strict=True))
    assert by_policy["violence"] == pytest.approx(5.0)
    assert by_policy["static_slideshow"] == pytest.approx(-1.0)
    assert by_policy["scam_spam"] > by_policy["hate_harassment"]


def test_absent_is_a_learnt_number_and_not_zero(trained: Trained, signals: Make) -> None:
    there = trained.net.picture_logits(_batch(trained, signals(), PostedText()))[0]
    gone = trained.net.picture_logits(_batch(trained, signals(motion=None), PostedText()))[0]
    moved = dict(zip(PICTURE_POLICIES, (gone - there).tolist(), strict=True))
    assert moved["violence"] == pytest.approx(0.7)
    assert moved["static_slideshow"] == pytest.approx(-0.7)


def test_violence_and_slideshows_read_movement_only(signals: Make) -> None:
    trained = make_trained(hidden={VISUAL: 3, MOTION: 2})
    with torch.no_grad():
        for name in BLOCKS:
            trained.net.branch(name).straight.weight.fill_(1.0)
    loud = signals(visual=np.array([3.0, 3.0], np.float32))
    before = trained.net.picture_logits(_batch(trained, signals(), PostedText()))[0]
    after = trained.net.picture_logits(_batch(trained, loud, PostedText()))[0]
    unmoved = [policy for i, policy in enumerate(PICTURE_POLICIES) if after[i] == before[i]]
    assert unmoved == ["violence", "static_slideshow"]
    assert not any({FRAMES, VISUAL} & set(READS[policy]) for policy in unmoved)


def test_the_hidden_layer_bends_all_but_violence(signals: Make) -> None:
    trained = make_trained(hidden={MOTION: 4})
    with torch.no_grad():
        trained.net.branch(MOTION).out.weight.fill_(1.0)  # type: ignore[union-attr]
        trained.net.branch(MOTION).straight.weight.zero_()
        trained.net.branch(MOTION).into.weight.fill_(1.0)  # type: ignore[union-attr]
    rows = [signals(motion=np.full(2, value, np.float32)) for value in (0.0, 1.0, 2.0)]
    a, b, c = (trained.net.picture_logits(_batch(trained, row, PostedText()))[0] for row in rows)
    assert a[0] == b[0] == c[0]
    assert (b[1:] - a[1:] > c[1:] - b[1:]).all()


def test_evidence_adds_up_to_the_logits(signals: Make) -> None:
    trained = make_trained(hidden={VISUAL: 3})
    made = _batch(trained, signals(visual=np.array([1.0, -2.0], np.float32)), PostedText())
    parts = torch.stack(list(trained.net.picture_evidence(made).values())).sum(dim=0)
    total = trained.net.picture_logits(made)
    assert torch.allclose(parts + trained.net.picture_bias, total)
