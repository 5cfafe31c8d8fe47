"""When a decision corrects the machine."""

from __future__ import annotations

import pytest

from coefvq.domain import FinalScore
from coefvq.review.compare import is_correction, machine_label, overall

HIGH = FinalScore("p", 0.4, 0.87, 0.87, True)
LOW = FinalScore("p", 0.1, None, 0.1, True)
NONE = FinalScore("p", None, None, None, False, "not_trained")


@pytest.mark.parametrize(
    ("score", "label"),
    [
        pytest.param(HIGH, "violation", id="likely"),
        pytest.param(LOW, "ok", id="unlikely"),
        pytest.param(FinalScore("p", 0.5, None, 0.5, True), "violation", id="half"),
        pytest.param(NONE, None, id="not covered is no answer"),
        pytest.param(None, None, id="not asked"),
    ],
)
def test_machine_label(score: FinalScore | None, label: str | None) -> None:
    assert machine_label(score) == label


@pytest.mark.parametrize(
    ("labels", "label"),
    [({}, "ok"), ({"a": "ok"}, "ok"), ({"a": "ok", "b": "violation"}, "violation")],
)
def test_overall(labels: dict[str, str], label: str) -> None:
    assert overall(labels) == label


@pytest.mark.parametrize(
    ("label", "score", "verdict", "corrects"),
    [
        pytest.param("violation", HIGH, "violation", False, id="agrees with a flag"),
        pytest.param("ok", HIGH, "violation", True, id="clears a flag"),
        pytest.param("violation", LOW, "ok", True, id="finds a miss"),
        pytest.param("ok", LOW, "ok", False, id="agrees with a pass"),
        pytest.param("violation", HIGH, "needs_human", False, id="as the machine leaned"),
        pytest.param("ok", HIGH, "needs_human", True, id="against its leaning"),
        pytest.param("violation", NONE, "ok", True, id="passed what nobody covered"),
        pytest.param("violation", NONE, "needs_human", False, id="machine had no answer"),
        pytest.param("ok", NONE, None, False, id="never scored"),
    ],
)
def test_is_correction(label: str, score: FinalScore, verdict: str | None, corrects: bool) -> None:
    assert is_correction({"p": label}, {"p": score}, verdict) is corrects
