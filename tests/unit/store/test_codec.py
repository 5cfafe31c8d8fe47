"""Domain data survives the way into JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import (
    ExpensiveSignals,
    PolicyScore,
    Rationale,
    RouteName,
    TimedText,
)
from coefvq.store import codec
from tests.store_factory import EVIDENCE, RATIONALE, SCREEN, SPEECH, info, result, route


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data, allow_nan=False))


def test_media_info_comes_back_but_for_the_path() -> None:
    made = info("ab" * 32)
    data = through_json(codec.media_info_to(made))
    assert "path" not in data
    assert codec.media_info_from(data, "clip.mp4") == made


@pytest.mark.parametrize(
    "score",
    [
        pytest.param(PolicyScore("violence", 0.25), id="covered"),
        pytest.param(PolicyScore("violence", 0.0, label_mass=0.9), id="zero is covered"),
        pytest.param(PolicyScore("sexual", None, False, "not_trained"), id="not covered"),
    ],
)
def test_scores(score: PolicyScore) -> None:
    data = through_json(codec.scores_to({score.policy: score}))
    assert codec.scores_from(data) == {score.policy: score}


def test_evidence() -> None:
    assert codec.evidence_from(through_json(codec.evidence_to(EVIDENCE))) == EVIDENCE


@pytest.mark.parametrize(
    "rationale",
    [
        pytest.param(None, id="none made"),
        pytest.param(Rationale("short"), id="summary only"),
        pytest.param(RATIONALE, id="two-sided"),
        pytest.param(Rationale("with evidence", evidence=EVIDENCE), id="with evidence"),
    ],
)
def test_rationales(rationale: Rationale | None) -> None:
    assert codec.rationale_from(through_json(codec.rationale_to(rationale))) == rationale


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(None, id="absent"),
        pytest.param((), id="nobody speaks"),
        pytest.param(SPEECH, id="speech"),
        pytest.param(SCREEN, id="boxes"),
    ],
)
def test_lines_keep_absent_and_empty_apart(lines: tuple[TimedText, ...] | None) -> None:
    assert codec.lines_from(through_json(codec.lines_to(lines))) == lines


@pytest.mark.parametrize("name", list(RouteName))
def test_routes(name: RouteName) -> None:
    made = route(name, audit=True, propensity=0.02, score=None)
    assert codec.route_from(through_json(codec.route_to(made))) == made


@pytest.mark.parametrize("stage", ["prefilter", "mllm"])
def test_assessments(stage: str) -> None:
    class Row:
        pass

    made = getattr(result("ab" * 32, rationale=RATIONALE), stage)
    row = Row()
    row.__dict__.update(through_json(codec.assessment_to(made)))
    assert codec.assessment_from(row) == made


def test_final_scores() -> None:
    task = result("ab" * 32).tasks["icd"]
    assert codec.finals_from(through_json(codec.finals_to(task))) == task.policies


def test_readable_keeps_what_people_read() -> None:
    data = codec.readable_to(ExpensiveSignals("v", SPEECH, False, None))
    assert codec.lines_from(data["speech"]) == SPEECH
    assert (data["speech_understood"], data["screen_text"]) == (False, None)


@given(st.text(), st.floats(0, 1e6), st.floats(0, 1e6))
def test_any_text_and_time_survives(text: str, start: float, end: float) -> None:
    lines = (TimedText(start, end, text),)
    assert codec.lines_from(through_json(codec.lines_to(lines))) == lines
