"""Run-time features: a fixed list, and absent is not zero."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from coefvq import taxonomy
from coefvq.combine import final_scores, label_mass, severity_at_stake, task_probability
from coefvq.domain import Assessment, PolicyScore, PostedText, Stage
from coefvq.routing_inputs import known_features, run_time_features
from tests.store_factory import info

FIRST = Assessment(
    Stage.PREFILTER,
    "p",
    {
        "violence": PolicyScore("violence", 0.3),
        "sexual": PolicyScore("sexual", None, False, "not_trained"),
    },
)
SHA = "0" * 64


def test_every_known_feature_is_computed_and_no_other() -> None:
    found = run_time_features(FIRST, PostedText("abc", ""), info(SHA))
    assert tuple(found) == known_features()
    assert all(isinstance(value, float) for value in found.values())


def test_the_list_is_what_is_documented() -> None:
    assert set(known_features()) == {f"prefilter_{policy}" for policy in taxonomy.policies()} | {
        "duration_s",
        "has_sound",
        "title_length",
        "caption_length",
    }


def test_values() -> None:
    found = run_time_features(FIRST, PostedText("abc", ""), replace(info(SHA), has_audio=True))
    assert (found["prefilter_violence"], found["duration_s"]) == (0.3, 10.0)
    assert (found["has_sound"], found["title_length"], found["caption_length"]) == (1.0, 3.0, 0.0)


@pytest.mark.parametrize(
    "name",
    ["prefilter_sexual", "prefilter_watermark", "duration_s", "has_sound", "title_length"],
)
def test_what_is_absent_is_not_a_number(name: str) -> None:
    assert math.isnan(run_time_features(FIRST, PostedText(), None)[name])


def _scores(stage: Stage, **values: float | str) -> Assessment:
    scores = {
        name: PolicyScore(name, None, False, value)
        if isinstance(value, str)
        else PolicyScore(name, value, label_mass=0.9 if stage is Stage.MLLM else None)
        for name, value in values.items()
    }
    return Assessment(stage, "m", scores)


@pytest.mark.parametrize(
    ("values", "severity"),
    [
        pytest.param({"scam_spam": 0.6, "violence": 0.2}, "scam_spam", id="the likeliest"),
        pytest.param(
            {"scam_spam": 0.6, "hate_harassment": "language_not_covered"},
            "hate_harassment",
            id="an unjudged one",
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_what_is_at_stake(values: dict[str, float | str], severity: str | None) -> None:
    finals = final_scores("icd", _scores(Stage.PREFILTER, **values))
    expected = taxonomy.policy(severity).severity if severity else None
    assert severity_at_stake(finals) == expected


def test_label_mass_is_the_smallest_of_the_task() -> None:
    second = _scores(Stage.MLLM, scam_spam=0.5, watermark=0.5)
    low = replace(second.scores["watermark"], label_mass=0.1)
    second = replace(second, scores=second.scores | {"watermark": low})
    first = _scores(Stage.PREFILTER, scam_spam=0.5)
    assert label_mass(final_scores("icd", first, second), second) == 0.9
    assert label_mass(final_scores("ucc", first, second), second) == 0.1


def test_no_task_probability_where_nothing_is_covered() -> None:
    class Largest:
        def task_probability(self, task_id: str, probabilities: object) -> float:
            return max(probabilities.values())  # type: ignore[attr-defined]

    assert task_probability(Largest(), "icd", final_scores("icd", FIRST)) == 0.3
    assert task_probability(Largest(), "ucc", final_scores("ucc", FIRST)) is None
