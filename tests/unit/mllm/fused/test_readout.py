"""The readout: its arithmetic, its files, and what is said of files that do not fit."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from coefvq.errors import ModelError
from coefvq.mllm.fused.readout import (
    DETAILS,
    LIMIT,
    TENSORS,
    PolicyReadout,
    StateHead,
    joined_version,
    load_readout,
    save_readout,
)
from coefvq.mllm.fused.words import BLOCKS, BUCKETS, WordHead, count_words
from tests.unit.mllm import tiny_backend

NOTHING = count_words([])


def head(bias: float = 0.0) -> StateHead:
    """Two inputs; mean 1, spread 2, weights 1, 10, 100."""
    mean, spread = np.ones(3, np.float32), np.full(3, 2.0, np.float32)
    weights = np.array([1.0, 10.0, 100.0], np.float32)
    return StateHead((("text", 2), ("motion", 1)), mean, spread, weights, bias)


def states(text: tuple[float, float], motion: float) -> dict:
    return {"text": np.array(text, np.float32), "motion": np.array([motion], np.float32)}


@pytest.mark.parametrize(
    ("given", "log_odds"),
    [
        pytest.param(states((1.0, 1.0), 1.0), 0.0, id="the mean says nothing"),
        pytest.param(states((3.0, 1.0), 1.0), 1.0, id="one spread"),
        pytest.param(states((1.0, 3.0), 5.0), 210.0, id="several"),
        pytest.param(states((99.0, 1.0), 1.0), LIMIT, id="far out"),
        pytest.param(states((math.nan, 1.0), 3.0), 100.0, id="no number"),
        pytest.param(states((math.inf, 1.0), 1.0), LIMIT, id="infinite"),
        pytest.param({}, 0.0, id="all absent"),
        pytest.param({"text": np.array([1.0, 3.0], np.float32)}, 10.0, id="one absent"),
        pytest.param(states((1.0, 1.0), 1.0) | {"sound": np.ones(7)}, 0.0, id="one too many"),
    ],
)
def test_a_state_head_standardises_and_adds(given, log_odds):
    assert head()(given) == pytest.approx(log_odds)
    assert head(bias=-0.5)(given) == pytest.approx(log_odds - 0.5)


def policy(words: WordHead | None = None, weights=(1.0, 2.0, 0.5, 0.0)) -> PolicyReadout:
    return PolicyReadout(weights, -1.0, head(), words, ("caption",))


def test_the_log_odds_are_the_weighted_sum_of_the_parts():
    one = policy()
    parts = one.parts(0.3, -0.2, states((3.0, 1.0), 1.0), NOTHING)
    assert parts == pytest.approx([0.3, -0.2, 1.0, 0.0])
    assert one.terms(parts) == pytest.approx([0.3, -0.4, 0.5, 0.0])
    log_odds = one.terms(parts).sum() + one.intercept
    assert math.log(one.probability(parts) / (1 - one.probability(parts))) == pytest.approx(
        log_odds
    )


def test_many_rows_at_once():
    one = policy()
    rows = np.random.default_rng(0).normal(size=(5, 4))
    assert one.terms(rows).shape == (5, 4)
    assert one.probability(rows) == pytest.approx([float(one.probability(row)) for row in rows])


@pytest.mark.parametrize("huge", [1e9, -1e9])
def test_huge_log_odds_stay_probabilities(huge):
    found = float(policy().probability(np.array([huge, 0.0, 0.0, 0.0])))
    assert 0.0 < found < 1.0


def test_words_count_where_there_is_a_word_head():
    weight = np.zeros(BLOCKS * BUCKETS, np.float32)
    counted = count_words(["money"])
    weight[counted[0]] = 1.0
    words = WordHead(np.ones(BLOCKS * BUCKETS, np.float32), weight, 0.25)
    assert policy(words).parts(0, 0, {}, counted)[3] > 0.25
    assert policy(words).parts(0, 0, {}, NOTHING)[3] == 0.25


def test_saved_and_loaded_is_equal(tmp_path):
    made = tiny_backend.readout()
    save_readout(made, tmp_path)
    found = load_readout(tmp_path)
    assert (found.thresholds, found.facts) == (made.thresholds, made.facts)
    assert len(found.tensors_sha256) == 64
    assert list(found.policies) == list(made.policies)
    for name, one in made.policies.items():
        other = found.policies[name]
        assert (other.weights, other.intercept, other.needs) == (
            one.weights, one.intercept, one.needs
        )  # fmt: skip
        assert (other.states.inputs, other.states.bias) == (one.states.inputs, one.states.bias)
        for key in ("mean", "spread", "weights"):
            assert np.array_equal(getattr(other.states, key), getattr(one.states, key)), key
        assert (other.words is None) is (one.words is None)
        if one.words is not None and other.words is not None:
            assert other.words.bias == one.words.bias
            assert np.array_equal(other.words.idf, one.words.idf)
            assert np.array_equal(other.words.weight, one.words.weight)


def test_saving_the_same_twice_gives_the_same_version(tmp_path):
    for folder in ("a", "b"):
        save_readout(tiny_backend.readout(), tmp_path / folder)
    save_readout(tiny_backend.readout(seed=9), tmp_path / "c")
    a, b, c = (load_readout(tmp_path / name).tensors_sha256 for name in "abc")
    assert a == b != c
    assert joined_version([a, b]) == joined_version([a, b]) != joined_version([a, c])


def test_another_calibration_is_another_version(tmp_path):
    one = tiny_backend.readout()
    policies = {k: replace(v, intercept=v.intercept + 1e-9) for k, v in one.policies.items()}
    save_readout(one, tmp_path / "a")
    save_readout(replace(one, policies=policies), tmp_path / "b")
    a, b = (load_readout(tmp_path / name).tensors_sha256 for name in "ab")
    assert a != b


def _edit(folder, change) -> None:
    details = json.loads((folder / DETAILS).read_text())
    change(details)
    (folder / DETAILS).write_text(json.dumps(details))


DAMAGE = {
    "no details": lambda folder: (folder / DETAILS).unlink(),
    "no tensors": lambda folder: (folder / TENSORS).unlink(),
    "no JSON": lambda folder: (folder / DETAILS).write_text("{"),
    "no object": lambda folder: (folder / DETAILS).write_text("[]"),
    "cut tensors": lambda folder: (folder / TENSORS).write_bytes(
        (folder / TENSORS).read_bytes()[:1000]
    ),
    "other tensors": lambda folder: save_readout_tensors_of_another(folder),
    "other format": lambda folder: _edit(folder, lambda d: d.update(format=99)),
    "no policies": lambda folder: _edit(folder, lambda d: d.pop("policies")),
    "no facts": lambda folder: _edit(folder, lambda d: d.pop("facts")),
    "unknown policy": lambda folder: _edit(
        folder, lambda d: d["policies"].update(other=d["policies"]["violence"])
    ),
    "no weight": lambda folder: _edit(
        folder, lambda d: d["policies"]["violence"]["weights"].pop("words")
    ),
    "other sizes": lambda folder: _edit(
        folder, lambda d: d["policies"]["violence"].update(inputs=[["visual", 7]])
    ),
    "calibration changed": lambda folder: _edit(
        folder, lambda d: d["policies"]["violence"].update(intercept=0.2)
    ),
    "policies as a list": lambda folder: _edit(folder, lambda d: d.update(policies=[1])),
}


def save_readout_tensors_of_another(folder) -> None:
    other = folder / "other"
    save_readout(tiny_backend.readout(seed=9), other)
    (other / TENSORS).replace(folder / TENSORS)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_readout_is_refused_with_a_remedy(tmp_path, damage):
    save_readout(tiny_backend.readout(), tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match="coefvq train mllm") as caught:
        load_readout(tmp_path)
    assert str(tmp_path) in str(caught.value)
