"""Copies in the first stage's answer, foreign marks in the second's, and the routes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coefvq import taxonomy
from coefvq.cascade import Cascade
from coefvq.domain import (
    Assessment,
    CheapSignals,
    CopyMatch,
    ExpensiveSignals,
    Modality,
    PolicyScore,
    PostedText,
    Rationale,
    RouteName,
    Stage,
    TimedText,
)
from coefvq.errors import FingerprintError, MediaError, StoreError
from coefvq.media.limits import MediaLimits
from coefvq.origins import with_bars, with_marks
from coefvq.prefilter.copies import NOTHING_FOUND
from coefvq.results import result_json
from coefvq.routing.entropy import EntropyRouting
from coefvq.signals.visual import VISUAL_NAMES
from tests import media_factory

MATCH = CopyMatch("film.mp4", "originals", 0.97, 0.0, 1.9, 3.0, 4.9, ("mirror",))
TIMES = tuple(float(second) for second in range(10))
HANDLE = (TimedText(0.0, 10.0, "@somebody.else", 0.9, (0.02, 0.02, 0.2, 0.08)),)
PLAIN = (TimedText(0.0, 10.0, "happy birthday", 0.9, (0.3, 0.4, 0.7, 0.6)),)


def scores(**given: float) -> dict[str, PolicyScore]:
    return {
        name: PolicyScore(name, given[name])
        if name in given
        else PolicyScore(name, None, False, "not_trained")
        for name in taxonomy.policies()
    }


class FixedPrefilter:
    version, covers = "prefilter-test", frozenset({"violence", "watermark"})

    def __init__(self, violence: float = 0.02):
        self.violence = violence

    def assess(self, cheap: Any, posted: PostedText) -> Assessment:
        return Assessment(
            Stage.PREFILTER, self.version, scores(violence=self.violence, watermark=0.03)
        )

    def task_probability(self, task: str, probabilities: dict[str, float]) -> float:
        members = {policy.id for policy in taxonomy.task(task).policies}
        return max(value for name, value in probabilities.items() if name in members)


class FixedMllm:
    version, covers = "mllm-test", frozenset({"violence"})

    def __init__(self) -> None:
        self.given: list[tuple[CopyMatch, ...]] = []

    def assess(self, item: Any) -> Assessment:
        self.given.append(item.copies)
        return Assessment(Stage.MLLM, self.version, scores(violence=0.02))

    def explain(self, item: Any, assessment: Assessment) -> Rationale:
        assert not assessment.scores["watermark"].covered, "it explains its own answer"
        self.given.append(item.copies)
        return Rationale("why")


class FixedCheap:
    version = "cheap-test"

    def extract(self, info: Any) -> CheapSignals:
        return CheapSignals(self.version)


class FixedExpensive:
    version = "expensive-test"

    def __init__(self, lines: tuple[TimedText, ...] = ()):
        self.lines = lines

    def extract(self, info: Any) -> ExpensiveSignals:
        return ExpensiveSignals(self.version, screen_text=self.lines, frame_times_s=TIMES)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real clip of two seconds."""
    return media_factory.clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def cascade(violence: float = 0.02, lines: tuple[TimedText, ...] = ()) -> tuple[Any, FixedMllm]:
    mllm = FixedMllm()
    parts: Any = (FixedPrefilter(violence), mllm, FixedCheap(), FixedExpensive(lines))
    return Cascade(*parts, EntropyRouting(), MediaLimits()), mllm


def fails(error: Exception) -> Any:
    def find(*_: Any) -> None:
        raise error

    return find


@pytest.mark.parametrize(
    ("copies", "final", "route", "warned"),
    [
        pytest.param(None, None, RouteName.AUTO_PASS, False, id="nobody looked"),
        pytest.param((), NOTHING_FOUND, RouteName.AUTO_PASS, False, id="nothing found"),
        pytest.param([MATCH], 0.97, RouteName.AUTO_FLAG, False, id="a sure copy"),
        pytest.param([replace(MATCH, score=0.6)], 0.6, RouteName.HUMAN, False, id="an unsure one"),
        pytest.param(lambda info, cheap: [MATCH], 0.97, RouteName.AUTO_FLAG, False, id="looked up"),
        pytest.param(lambda info, cheap: None, None, RouteName.AUTO_PASS, False, id="no originals"),
        pytest.param(
            fails(MediaError("no", code="no_frames")), None, RouteName.AUTO_PASS, True, id="failed"
        ),
        pytest.param(fails(FingerprintError("no")), None, RouteName.AUTO_PASS, True, id="damaged"),
    ],
)
def test_copies_route_the_task_like_any_policy(
    clip: Path, copies: Any, final: float | None, route: RouteName, warned: bool
) -> None:
    result = cascade()[0].assess(clip, copies=copies)
    score = result.tasks["ucc"].policies["reupload"]
    assert (score.prefilter, score.final, score.covered) == (final, final, final is not None)
    assert score.why_not == (None if final is not None else "not_searched")
    assert result.tasks["ucc"].route.name is route
    assert result.tasks["icd"].route.name is RouteName.AUTO_PASS
    assert result.tasks["icd"].probability == 0.02
    assert ("not_compared" in result.warnings) is warned


def test_what_fails_otherwise_is_not_hidden(clip: Path) -> None:
    with pytest.raises(StoreError):
        cascade()[0].assess(clip, copies=fails(StoreError("the database is gone")))


def test_the_proof_is_in_the_answer_and_in_its_json(clip: Path) -> None:
    result = cascade()[0].assess(clip, copies=[MATCH])
    (evidence,) = [each for each in result.prefilter.evidence if each.policy == "reupload"]
    assert (evidence.modality, evidence.end_s) == (Modality.COPY, 1.9)
    assert result.copies == (MATCH,) and result.cost.copies_ms >= 0.0
    row = result_json(result)
    assert row["copies"] == [
        {
            "reference": "film.mp4", "bank": "originals", "score": 0.97,
            "query_start_s": 0.0, "query_end_s": 1.9,
            "reference_start_s": 3.0, "reference_end_s": 4.9,
            "transform": ["mirror"], "speed": 1.0, "by": ["picture"],
        }
    ]  # fmt: skip
    assert result_json(cascade()[0].assess(clip, copies=()))["copies"] == []
    assert result_json(cascade()[0].assess(clip))["copies"] is None


def test_the_mllm_is_told_of_copies(clip: Path) -> None:
    made, mllm = cascade(violence=0.5)
    made.assess(clip, copies=[MATCH], rationale="always")
    assert mllm.given == [(MATCH,), (MATCH,)]


def test_signals_alone_have_no_footage_to_compare() -> None:
    result = cascade()[0].assess_signals("a", PostedText("t"), ExpensiveSignals("given"))
    assert result.tasks["ucc"].policies["reupload"].why_not == "no_media"
    assert result.copies is None


def test_a_handle_counts_once_the_screen_was_read(clip: Path) -> None:
    """The first task alone asks the MLLM, which does not know the second one's policies."""
    read = cascade(violence=0.5, lines=HANDLE)[0].assess(clip, copies=(), rationale="always")
    ucc = read.tasks["ucc"]
    mark = ucc.policies["watermark"]
    assert mark.prefilter == 0.03 and mark.mllm == mark.final == ucc.probability
    assert mark.final > 0.5 and ucc.route.name is not RouteName.AUTO_PASS
    assert not ucc.route.escalated
    assert [each.quote for each in read.mllm.evidence] == ["@somebody.else"]
    nothing = cascade(violence=0.5, lines=PLAIN)[0].assess(clip, copies=())
    assert nothing.tasks["ucc"].policies["watermark"].final == 0.03
    assert nothing.tasks["ucc"].route.name is RouteName.AUTO_PASS


@pytest.mark.parametrize(
    ("own", "lines", "times", "expected"),
    [
        pytest.param(None, HANDLE, TIMES, "handle", id="a handle"),
        pytest.param(0.99, HANDLE, TIMES, 0.99, id="the second stage is surer"),
        pytest.param(0.01, HANDLE, TIMES, "handle", id="the mark is surer"),
        pytest.param(None, PLAIN, TIMES, None, id="no mark"),
        pytest.param(None, HANDLE, (), None, id="times of frames not known"),
        pytest.param(None, None, (), None, id="nothing read"),
    ],
)
def test_marks(own: float | None, lines: Any, times: Any, expected: Any) -> None:
    first = Assessment(Stage.PREFILTER, "one", scores(watermark=0.03))
    given = {} if own is None else {"watermark": own}
    second = Assessment(Stage.MLLM, "two", scores(**given))
    expensive = ExpensiveSignals("x", screen_text=lines, frame_times_s=times)
    found = with_marks(first, second, expensive)
    score = found.scores["watermark"].probability
    assert (0.5 < score < 0.99) if expected == "handle" else score == expected
    assert bool(found.evidence) is (lines is HANDLE)


def test_bars_are_a_fact_and_no_score() -> None:
    values = dict.fromkeys(VISUAL_NAMES, 0.0) | {"bar_top": 0.12, "bar_bottom": 0.12}
    cheap = CheapSignals("x", visual=np.array(list(values.values()), np.float32))
    first = Assessment(Stage.PREFILTER, "one", scores(watermark=0.03))
    found = with_bars(first, cheap, 9.0)
    (evidence,) = found.evidence
    assert (evidence.modality, evidence.end_s, evidence.weight) == (Modality.VISUAL, 9.0, None)
    assert found.scores == first.scores
