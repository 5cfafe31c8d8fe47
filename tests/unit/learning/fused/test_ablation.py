"""The ablation table says what was taken away, on what was held out, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from coefvq.learning.ablate_fused import FUSIONS, fused_as, prefilter_alone
from coefvq.learning.fused.ablation import VARIANTS, WHOLE, Row, row_of, table, with_motion
from coefvq.learning.fused.predictions import Predictions
from coefvq.learning.text_corpora import HATE
from coefvq.media.probe import probe
from coefvq.mllm.fused.configuration import MODALITIES
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.split import Top
from coefvq.signals.action_read import read_action
from tests import media_factory
from tests.unit.learning.fused import toys

ITEM = FusedItem(
    speech=(),
    screen_text=(),
    frame_features=np.zeros((1, 2, 2, 2)),
    frame_times_s=[0.0],
    sound_states=np.zeros((3, 4)),
    motion=np.zeros(5),
)
CLIP = replace(toys.example("fights/a", "fights"), footage="a")
GONE = {
    "without sight": ("frame_features", "motion"),
    "without frames, motion kept": ("frame_features",),
    "without motion, frames kept": ("motion",),
    "without sound": ("sound_states",),
    "without speech": ("speech",),
    "without speech and sound": ("speech", "sound_states"),
    "without screen text": ("screen_text",),
}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_takes_away_what_it_says(variant):
    changed = variant.change(CLIP, ITEM)
    for name in ("frame_features", "motion", "sound_states", "speech", "screen_text"):
        gone = name in GONE.get(variant.name, ())
        assert (getattr(changed, name) is None) is gone, name


def test_the_whole_item_stays_as_it_is():
    assert WHOLE.change(CLIP, ITEM) is ITEM


@pytest.mark.parametrize(("footage", "moved"), [("a", 7.0), ("b", None)])
def test_other_movement_takes_the_place_of_the_clips_own(footage, moved):
    variant = with_motion({"a": np.full(5, 7.0, np.float32)}, "shuffled")
    changed = variant.change(replace(CLIP, footage=footage), ITEM)
    assert (None if changed.motion is None else float(changed.motion[0])) == moved


def test_the_prefilter_is_judged_on_the_items_that_it_answered(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(
        "policy,item,probability\n" + "".join(f"{HATE},{n},{n / 10}\n" for n in range(7))
    )
    examples = tuple(
        replace(toys.example(f"video/{n}", "video"), targets={HATE: int(n > 3)}) for n in range(8)
    )
    blank, label = np.zeros(8), np.array([int(n > 3) for n in range(8)])
    zeros = np.zeros(8, np.int64)
    answers = Predictions(HATE, examples, np.zeros((8, 4)), blank, label, zeros, blank, ((), 0.0))
    (row,) = prefilter_alone(path, [answers])
    assert (row.variant, row.n, row.auc) == ("prefilter alone", 7, 1.0)


def test_frames_in_random_order_move_otherwise(tmp_path):
    info = probe(media_factory.clip(tmp_path / "a.mp4", seconds=2.5))
    read = [read_action(info, shuffle=chance) for chance in (None, Random(1), Random(1))]
    assert all(found is not None for found in read)
    assert np.array_equal(read[1], read[2]) and not np.allclose(read[0], read[1])


def _top() -> Top:
    ones = torch.ones(4)
    absent = torch.zeros(len(MODALITIES), dtype=torch.bool)
    return Top(torch.ones(2, 4), torch.ones(2), torch.zeros(2), ones, {"motion": ones}, absent)


@pytest.mark.parametrize("kind", FUSIONS)
def test_one_kind_of_fusion_sees_nothing_of_the_other(kind):
    seen = fused_as(kind, _top())
    assert bool(seen.slots.any()) is (kind != "late only")
    assert bool(seen.text.any()) is (kind != "early only")
    assert bool(seen.pooled) is (kind != "early only")
    assert bool(seen.absent.all()) is (kind == "early only")


@pytest.mark.parametrize(
    ("labels", "scores", "auc"),
    [((0, 1), (0.1, 0.9), 1.0), ((0, 1), (0.9, 0.1), 0.0), ((1, 1), (0.1, 0.9), None)],
    ids=["right", "wrong", "one class"],
)
def test_a_line_holds_the_auc_or_nothing(labels, scores, auc):
    found = [
        (toys.example(str(n), "video", 0, targets={HATE: label}), score)
        for n, (label, score) in enumerate(zip(labels, scores, strict=True))
    ]
    assert row_of((HATE, "video", "whole"), found).auc == auc


def test_the_table_says_where_nothing_was_left():
    text = table([Row(HATE, "video", "whole", 9, 0.8, 0.7, 0.9), Row(HATE, "video", "x", 0, None)])
    assert "| 9 | 0.800 (0.700-0.900) |" in text
    assert "nothing left to judge" in text
