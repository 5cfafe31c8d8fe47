"""Log-probabilities to probabilities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.mllm.endpoint.client import EndpointError
from coefvq.mllm.endpoint.labels import from_tokens, has_logprobs, read_labels
from tests.unit.mllm.endpoint.server import completion


@pytest.mark.parametrize(
    ("tokens", "probability", "mass"),
    [
        pytest.param({"Yes": 0.6, "No": 0.2}, 0.75, 0.8, id="two labels"),
        pytest.param(
            {"Yes": 0.3, " yes": 0.1, "YES": 0.1, "\u2581Yes": 0.1, "No": 0.2, "\u0120no": 0.2},
            0.6,
            1.0,
            id="all spellings",
        ),
        pytest.param({"**Yes": 0.5, '"No"': 0.5}, 0.5, 1.0, id="emphasis and quotes"),
        pytest.param({"No": 0.9}, 0.0, 0.9, id="only no"),
        pytest.param({"Yes": 0.9, "Yesterday": 0.05, "Not": 0.05}, 1.0, 0.9, id="other words"),
        pytest.param({"<think>": 0.99, "Yes": 0.004, "No": 0.006}, 0.4, 0.01, id="thinks first"),
    ],
)
def test_labels(tokens: dict[str, float], probability: float, mass: float) -> None:
    found = read_labels(completion(tokens))
    assert found is not None
    assert found.probability == pytest.approx(probability)
    assert found.label_mass == pytest.approx(mass)


def test_the_chosen_token_counts_once_whether_named_among_its_rivals_or_not() -> None:
    answer = completion({"Yes": 0.6, "No": 0.2})
    entry = answer["choices"][0]["logprobs"]["content"][0]
    entry["top_logprobs"] = [row for row in entry["top_logprobs"] if row["token"] == "No"]
    found = read_labels(answer)
    assert found is not None and found.label_mass == pytest.approx(0.8)


def test_two_tokens_of_one_spelling_both_count() -> None:
    found = from_tokens([("Yes", math.log(0.3)), ("Yes", math.log(0.2)), ("No", math.log(0.5))])
    assert found is not None and found.probability == pytest.approx(0.5)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(completion(None, "Yes"), id="none"),
        pytest.param(completion(None, "Yes", logprobs={"content": None}), id="null"),
        pytest.param(completion(None, "", logprobs={"content": []}), id="empty content"),
        pytest.param(completion(None, "Yes", logprobs=[1]), id="another shape"),
        pytest.param({"choices": [{"message": {"content": "Yes"}}]}, id="no such field"),
    ],
)
def test_a_text_alone_is_not_a_probability(answer: dict) -> None:
    assert read_labels(answer) is None and not has_logprobs(answer)


def test_neither_label_among_the_named_tokens() -> None:
    answer = completion({"I": 0.9, "The": 0.1})
    assert read_labels(answer) is None and has_logprobs(answer)


def test_an_empty_text_with_log_probabilities_is_read() -> None:
    found = read_labels(completion({"Yes": 0.5, "No": 0.5}, text=""))
    assert found is not None and found.probability == pytest.approx(0.5)


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": []}, {"choices": None}, {"choices": ["x"]}, {"error": {"message": "x"}}],
    ids=str,
)
def test_what_is_no_chat_completion(answer: dict) -> None:
    with pytest.raises(EndpointError, match="no choices"):
        read_labels(answer)


@pytest.mark.parametrize(
    "entry",
    [
        {"token": "Yes", "logprob": 0.7},
        {"token": "Yes", "logprob": "-0.1"},
        {"token": "Yes", "logprob": None},
        {"token": "Yes", "logprob": True},
        {"token": "Yes"},
        {"token": 7, "logprob": -0.1},
        "Yes",
    ],
    ids=str,
)
def test_numbers_that_are_none_are_refused(entry: object) -> None:
    with pytest.raises(EndpointError, match="log-probability"):
        read_labels(completion(None, "Yes", logprobs={"content": [entry]}))


def test_more_than_everything_is_refused() -> None:
    with pytest.raises(EndpointError, match="more than 1"):
        from_tokens([("Yes", -0.1), ("No", -0.1)])


def test_very_small_numbers_are_zero() -> None:
    entry = {
        "token": "No",
        "logprob": 0.0,
        "top_logprobs": [{"token": "Yes", "logprob": -(10**400)}],
    }
    found = read_labels(completion(None, "No", logprobs={"content": [entry]}))
    assert found is not None and (found.probability, found.label_mass) == (0.0, 1.0)


@given(st.floats(1e-6, 0.5), st.floats(1e-6, 0.5))
def test_probability_and_mass_stay_in_range(yes: float, no: float) -> None:
    found = from_tokens([("Yes", math.log(yes)), ("No", math.log(no)), ("Maybe", -3.0)])
    assert found is not None
    assert found.probability == pytest.approx(yes / (yes + no))
    assert found.label_mass == pytest.approx(yes + no)
