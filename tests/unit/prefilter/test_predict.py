from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coefvq.domain import CheapSignals, PostedText, Stage
from coefvq.errors import ModelError, SettingsError
from coefvq.prefilter.model import PICTURE_POLICIES, POLICIES, TEXT_POLICIES
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.weights import Trained, save
from coefvq.routing.calibration import log_odds, sigmoid
from coefvq.taxonomy import policies

Make = Callable[..., CheapSignals]
SPAM, PLAIN = PostedText("a gift", "a gift"), PostedText("a walk", "by the sea")


@pytest.fixture
def prefilter(trained: Trained) -> Prefilter:
    return Prefilter(trained, "test-1")


def _p(prefilter: Prefilter, cheap: CheapSignals | None, posted: PostedText, name: str) -> float:
    probability = prefilter.assess(cheap, posted).scores[name].probability
    assert probability is not None
    return probability


def test_every_policy_gets_an_answer_and_only_trained_ones_a_number(
    prefilter: Prefilter, signals: Make
) -> None:
    got = prefilter.assess(signals(), PLAIN)
    assert set(got.scores) == set(policies())
    assert {name for name, score in got.scores.items() if score.covered} == set(POLICIES)
    assert {got.scores[name].why_not for name in ("sexual", "reupload", "dangerous_acts")} == {
        "not_trained"
    }
    assert (got.stage, got.model_version) == (Stage.PREFILTER, "test-1")
    assert got.milliseconds > 0 and got.tokens_in == 0


@pytest.mark.parametrize(
    ("cheap", "expected"),
    [
        pytest.param(None, "no_media", id="text alone"),
        pytest.param({"frame_embeddings": None}, "no_frames", id="no frames"),
        pytest.param({"frame_embeddings": np.zeros((0, 4), np.float32)}, "no_frames", id="zero"),
    ],
)
def test_without_pictures_the_picture_policies_are_not_covered(
    prefilter: Prefilter, signals: Make, cheap: dict | None, expected: str
) -> None:
    got = prefilter.assess(None if cheap is None else signals(**cheap), SPAM)
    assert {got.scores[name].why_not for name in PICTURE_POLICIES} == {expected}
    assert all(got.scores[name].covered for name in TEXT_POLICIES)
    assert not set(got.contributions) & set(PICTURE_POLICIES)


def test_foreign_text_is_named_and_never_scored(trained: Trained, signals: Make) -> None:
    seen: list[str] = []
    prefilter = Prefilter(trained, "v", is_foreign=lambda text: bool(seen.append(text) or True))
    got = prefilter.assess(signals(), PostedText("ein Geschenk", "gift"))
    assert seen == ["ein Geschenk\ngift"]
    for name in TEXT_POLICIES:
        assert (got.scores[name].covered, got.scores[name].why_not) == (
            False,
            "language_not_covered",
        )
        assert name not in got.contributions
    assert all(got.scores[name].covered for name in PICTURE_POLICIES)


def test_no_text_is_never_called_foreign(trained: Trained, signals: Make) -> None:
    prefilter = Prefilter(trained, "v", is_foreign=lambda text: True)
    assert prefilter.assess(signals(), PostedText()).scores["scam_spam"].covered


def test_words_move_the_policies_that_read_them(prefilter: Prefilter, signals: Make) -> None:
    assert _p(prefilter, signals(), SPAM, "scam_spam") > 0.5
    assert _p(prefilter, signals(), PLAIN, "scam_spam") < 0.3
    assert _p(prefilter, signals(), SPAM, "violence") == _p(prefilter, signals(), PLAIN, "violence")


def test_no_words_give_the_stated_base_rate(prefilter: Prefilter, signals: Make) -> None:
    for posted in (PostedText(), PostedText("", "  "), PostedText("!!")):
        got = prefilter.assess(signals(), posted)
        assert got.scores["scam_spam"].probability == 0.04
        assert got.scores["hate_harassment"].probability == 0.05


def test_an_absent_caption_is_not_an_empty_one(prefilter: Prefilter) -> None:
    absent = _p(prefilter, None, PostedText("a gift", None), "scam_spam")
    assert absent != _p(prefilter, None, PostedText("a gift", ""), "scam_spam")


def test_probabilities_are_calibrated_log_odds(prefilter: Prefilter, signals: Make) -> None:
    fast = signals(motion=np.array([0.0, 1.0], np.float32))
    assert _p(prefilter, fast, PLAIN, "violence") == pytest.approx(float(sigmoid(2.1)))


def test_contributions_name_what_moved_the_score(prefilter: Prefilter, signals: Make) -> None:
    fast = signals(motion=np.array([0.0, 1.0], np.float32))
    moved = prefilter.assess(fast, SPAM).contributions
    assert moved["scam_spam"][0][0] == "caption wording: 'gift'"
    assert moved["scam_spam"][0][1] > 1
    assert moved["violence"][0] == ("fast motion", 3.0)
    watermarked = signals(visual=np.array([0.0, 2.0], np.float32))
    assert prefilter.assess(watermarked, SPAM).contributions["watermark"][0] == (
        "logo-like static corner",
        6.0,
    )
    assert prefilter.assess(signals(motion=None), SPAM).contributions["violence"][0] == (
        "no motion measured",
        0.7,
    )


def test_contributions_are_largest_first_and_few(prefilter: Prefilter, signals: Make) -> None:
    posted = PostedText("gift awful gift", " ".join(f"word{i}" for i in range(50)))
    for parts in prefilter.assess(signals(), posted).contributions.values():
        sizes = [abs(moved) for _, moved in parts]
        assert sizes == sorted(sizes, reverse=True) and len(sizes) <= 5


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        pytest.param("icd", {"violence": 0.5, "scam_spam": 0.1}, float(sigmoid(-0.5)), id="max"),
        pytest.param("icd", {"violence": 0.2, "watermark": 0.9}, None, id="own policies only"),
        pytest.param("ucc", {"watermark": 0.9}, 0.9, id="identity"),
        pytest.param("ucc", {}, 0.0, id="nothing covered"),
    ],
)
def test_task_probability(
    prefilter: Prefilter, task: str, given: dict[str, float], expected: float | None
) -> None:
    if expected is None:
        expected = float(sigmoid(log_odds(0.2) - 0.5))
    assert prefilter.task_probability(task, given) == pytest.approx(expected)


def test_task_probability_rises_with_the_policies(prefilter: Prefilter) -> None:
    steps = [prefilter.task_probability("icd", {"violence": p}) for p in (0.01, 0.2, 0.6, 0.99)]
    assert steps == sorted(steps) and steps[0] < steps[-1]


def test_an_unknown_task_is_refused(prefilter: Prefilter) -> None:
    with pytest.raises(SettingsError, match="icd"):
        prefilter.task_probability("idc", {})


def test_load_reads_a_folder(trained: Trained, tmp_path: Path, signals: Make) -> None:
    version = save(trained, tmp_path)
    loaded = Prefilter.load(folder=tmp_path)
    assert loaded.version == version
    assert loaded.covers == frozenset(POLICIES)
    assert loaded.assess(signals(), SPAM).scores["scam_spam"].probability == pytest.approx(
        _p(Prefilter(trained, "v"), signals(), SPAM, "scam_spam"), abs=0.01
    )


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="train prefilter"):
        Prefilter.load(folder=tmp_path)


@pytest.mark.parametrize(
    "text",
    ["\x00\u202e<script>alert(1)</script>", "<|im_start|>system", "a" * 100_000, "\ud83d"],
    ids=["markup", "control tokens", "endless", "half a pair"],
)
def test_hostile_text_is_only_counted(prefilter: Prefilter, signals: Make, text: str) -> None:
    score = prefilter.assess(signals(), PostedText(text, text)).scores["scam_spam"]
    assert score.probability is not None and 0 < score.probability < 1
