from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from coefvq.domain import CheapSignals, PostedText
from coefvq.errors import ModelError
from coefvq.prefilter.adjust import PICTURES, TEXT, Adjustment
from coefvq.prefilter.features import MOTION
from coefvq.prefilter.model import POLICIES
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.text import STATES, SURFACE, word_buckets
from coefvq.prefilter.weights import (
    DESCRIPTION,
    SHIPPED,
    TENSORS,
    Root,
    Trained,
    load,
    root_of,
    save,
)
from coefvq.routing.calibration import Calibrator, log_odds

Make = Callable[..., CheapSignals]
NOVEL = "dangerous_acts"


def adjustment(reads: set[str], **changes: Any) -> Adjustment:
    """ "stunt" and the second motion number speak for it."""
    values: dict[str, Any] = {"reads": frozenset(reads), "slope": 0.0, "shift": -1.0}
    if TEXT in reads:
        values["buckets"] = np.array([word_buckets(["stunt"])[0][0]], np.int64)
        values["words"] = np.array([5.0], np.float32)
        values["surface"] = np.zeros(len(SURFACE) + len(STATES), np.float32)
    if PICTURES in reads:
        values["blocks"] = {MOTION: np.array([0.0, 2.0], np.float32)}
        values["absent"] = {MOTION: 0.5}
    return Adjustment(**(values | changes))


def refitted(trained: Trained, found: dict[str, Adjustment]) -> Trained:
    root = Root("prefilter-1-root", trained.calibration, trained.tasks, dict(trained.without_text))
    return replace(
        trained,
        adjustments=found,
        calibration={**trained.calibration, **dict.fromkeys(found, Calibrator())},
        without_text={**trained.without_text, NOVEL: 0.3},
        root=root,
    )


FAST = {"motion": np.array([0.0, 2.0], np.float32)}


@pytest.mark.parametrize(
    ("reads", "posted", "changes", "expected"),
    [
        pytest.param({TEXT}, "a stunt", {}, "high", id="words"),
        pytest.param({TEXT}, "a walk", FAST, "low", id="no such word"),
        pytest.param({TEXT}, None, {}, 0.3, id="nothing typed"),
        pytest.param({TEXT}, "a stunt", None, "high", id="text without media"),
        pytest.param({PICTURES}, None, FAST, "high", id="pictures"),
        pytest.param({PICTURES}, "a stunt", {}, "low", id="words are not read"),
        pytest.param({PICTURES}, "a stunt", None, "no_media", id="pictures without media"),
        pytest.param({PICTURES}, None, {"frame_embeddings": None}, "no_frames", id="no frames"),
        pytest.param({PICTURES, TEXT}, None, FAST, "high", id="both, nothing typed"),
        pytest.param({PICTURES, TEXT}, "a stunt", None, "high", id="both, no media"),
        pytest.param({PICTURES, TEXT}, None, None, "no_media", id="both, nothing at all"),
        pytest.param({TEXT}, "das", {}, "language_not_covered", id="foreign"),
        pytest.param({PICTURES}, "das", FAST, "high", id="foreign words are not needed"),
    ],
)
def test_a_new_policy_answers_where_it_can(
    trained: Trained, signals: Make, reads: set[str], posted: str | None,
    changes: dict[str, Any] | None, expected: Any,
) -> None:  # fmt: skip
    prefilter = Prefilter(
        refitted(trained, {NOVEL: adjustment(reads)}), "v", is_foreign=lambda text: text == "das"
    )
    cheap = None if changes is None else signals(**changes)
    got = prefilter.assess(cheap, PostedText(posted))
    score = got.scores[NOVEL]
    if isinstance(expected, str) and expected not in ("high", "low"):
        assert (score.covered, score.why_not) == (False, expected)
        assert NOVEL not in got.contributions
    elif isinstance(expected, float):
        assert score.probability == expected
    else:
        assert score.probability is not None
        assert (score.probability > 0.5) is (expected == "high")


def test_an_adjustment_adds_to_the_parent(trained: Trained, signals: Make) -> None:
    known = adjustment({TEXT}, slope=0.5, shift=0.25)
    plain, moved = (
        Prefilter(model, "v").assess(signals(), PostedText("a gift stunt", "x"))
        for model in (trained, refitted(trained, {"scam_spam": known}))
    )
    words = {name: change for name, change in moved.contributions["scam_spam"]}
    before = dict(plain.contributions["scam_spam"])
    gift = "caption wording: 'gift'"
    assert words[gift] == pytest.approx(before[gift] / 2, abs=2e-3)
    assert words["caption wording: 'stunt'"] > 1
    raw = float(log_odds(plain.scores["scam_spam"].probability)) - 0.1
    expected = 0.5 * raw + 0.25 + words["caption wording: 'stunt'"]
    got = float(log_odds(moved.scores["scam_spam"].probability))
    assert got == pytest.approx(expected, abs=0.01)
    assert plain.scores["violence"] == moved.scores["violence"]


def test_absent_blocks_have_their_own_number(trained: Trained, signals: Make) -> None:
    prefilter = Prefilter(refitted(trained, {NOVEL: adjustment({PICTURES})}), "v")
    got = prefilter.assess(signals(motion=None), PostedText())
    assert got.contributions[NOVEL] == (("no motion measured", 0.5),)


def test_adjustments_come_back_from_disk_and_can_be_taken_off(
    trained: Trained, tmp_path: Path, signals: Make
) -> None:
    plain = save(trained, tmp_path / "plain")
    model = refitted(trained, {NOVEL: adjustment({TEXT, PICTURES})})
    version = save(model, tmp_path / "new")
    assert version.startswith("prefilter-2-")
    again, read = load(tmp_path / "new")
    assert read == version and again.covers == (*POLICIES, NOVEL)
    one, two = (
        Prefilter(each, "v").assess(signals(**FAST), PostedText("stunt")) for each in (model, again)
    )
    assert one.scores[NOVEL].probability == pytest.approx(two.scores[NOVEL].probability or 0)
    bare, name = root_of(again, read)
    assert name == "prefilter-1-root" and bare.adjustments == {} and bare.root is None
    assert save(bare, tmp_path / "bare") == plain
    assert root_of(trained, plain) == (trained, plain)


def test_the_shipped_model_keeps_its_bytes(tmp_path: Path) -> None:
    trained, version = load(SHIPPED)
    assert save(trained, tmp_path) == version
    for name in (TENSORS, DESCRIPTION):
        assert (tmp_path / name).read_bytes() == (SHIPPED / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("words", np.array([np.nan], np.float32), id="not a number"),
        pytest.param("words", np.array([1.0, 2.0], np.float32), id="too many"),
        pytest.param("surface", np.zeros(3, np.float32), id="counts"),
        pytest.param("block.motion", np.zeros(3, np.float32), id="width"),
        pytest.param("buckets", None, id="missing"),
    ],
)
def test_damaged_adjustments_are_refused(
    trained: Trained, tmp_path: Path, name: str, value: Any
) -> None:
    save(refitted(trained, {NOVEL: adjustment({TEXT, PICTURES})}), tmp_path)
    arrays = load_file(tmp_path / TENSORS)
    del arrays[f"adjust.{NOVEL}.{name}"]
    if value is not None:
        arrays[f"adjust.{NOVEL}.{name}"] = value
    save_file(arrays, tmp_path / TENSORS)
    with pytest.raises(ModelError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"slope": -1.0}, id="turned round"),
        pytest.param({"shift": float("inf")}, id="endless"),
        pytest.param({"blocks": ["sound"]}, id="a block it does not have"),
    ],
)
def test_a_damaged_description_is_refused(
    trained: Trained, tmp_path: Path, change: dict[str, Any]
) -> None:
    save(refitted(trained, {NOVEL: adjustment({TEXT})}), tmp_path)
    body = json.loads((tmp_path / DESCRIPTION).read_text())
    body["adjustments"][NOVEL] |= change
    (tmp_path / DESCRIPTION).write_text(json.dumps(body))
    with pytest.raises(ModelError, match="cannot be read"):
        load(tmp_path)
