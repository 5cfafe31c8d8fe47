from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.example import ALWAYS, HELD, Example
from coefvq.learning.fused.heads import PLANS, fit_states, fit_weights, fit_words, rows_of
from coefvq.learning.fused.runs import may_train
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.fused.words import Sparse, count_words
from tests.unit.learning.fused import toys

N, SIZE = 90, 6


@pytest.mark.parametrize(
    ("fold", "held", "may"),
    [
        pytest.param(0, 1, True, id="another fold"),
        pytest.param(1, 1, False, id="its own fold"),
        pytest.param(1, None, True, id="the final run"),
        pytest.param(ALWAYS, 1, True, id="always"),
        pytest.param(ALWAYS, None, True, id="always, final"),
        pytest.param(HELD, 1, False, id="never"),
        pytest.param(HELD, None, False, id="never, final"),
    ],
)
def test_what_a_run_may_train_on(fold: int, held: int | None, may: bool) -> None:
    assert may_train(toys.example(fold=fold), held) is may


@pytest.mark.parametrize("policy", PLANS)
def test_heads_learn_from_the_parts_of_the_plan_only(policy: str) -> None:
    plan = PLANS[policy]
    rows = [toys.example("a", part, 0, targets={policy: 1}) for part in plan.parts]
    rows += [toys.example("b", "elsewhere", 0, targets={policy: 1})]
    rows += [toys.example("c", plan.primary, 0, targets={"other": 1})]
    rows += [toys.example("d", plan.primary, 1, targets={policy: 1})]
    assert rows_of(rows, policy, 1, plan.parts) == list(range(len(plan.parts)))
    assert plan.primary in plan.parts


def _examples(policy: str) -> list[Example]:
    part = PLANS[policy].primary
    return [
        toys.example(f"{part}/{n}", part, n % 3, targets={policy: (n // 3) % 2}) for n in range(N)
    ]


def _states(examples: list[Example], policy: str) -> list[dict[str, Any]]:
    chance = np.random.default_rng(0)
    name = PLANS[policy].inputs[0]
    signal = [2.0 * one.targets[policy] for one in examples]
    return [
        {name: (chance.normal(size=SIZE) + s * np.eye(SIZE)[0]).astype(np.float32)} for s in signal
    ]


@pytest.mark.parametrize("policy", PLANS)
def test_the_state_head_finds_the_signal(policy: str) -> None:
    examples = _examples(policy)
    states = _states(examples, policy)
    head = fit_states(examples, states, policy, 0, 0)
    unseen = [i for i, one in enumerate(examples) if one.fold == 0]
    label = np.array([examples[i].targets[policy] for i in unseen])
    score = np.array([head(states[i]) for i in unseen])
    assert score[label == 1].mean() > score[label == 0].mean() + 0.1
    assert int(np.argmax(np.abs(head.weights))) == 0
    assert np.isfinite(head({}))


@pytest.mark.parametrize("policy", PLANS)
def test_labels_and_states_of_the_held_fold_change_no_weight(policy: str) -> None:
    examples = _examples(policy)
    states = _states(examples, policy)
    clean = fit_states(examples, states, policy, 1, 0)
    poisoned = [_flipped(one, policy) if one.fold == 1 else one for one in examples]
    moved = [
        {k: v + np.float32(99) for k, v in one.items()} if example.fold == 1 else one
        for one, example in zip(states, examples, strict=True)
    ]
    again = fit_states(poisoned, moved, policy, 1, 0)
    assert np.array_equal(clean.weights, again.weights) and clean.bias == again.bias
    assert np.array_equal(clean.mean, again.mean) and np.array_equal(clean.spread, again.spread)
    seen = fit_states(poisoned, states, policy, 0, 0)
    assert not np.array_equal(fit_states(examples, states, policy, 0, 0).weights, seen.weights)


def _flipped(one: Example, policy: str) -> Example:
    return replace(one, targets={policy: 1 - one.targets[policy]})


def _counted(examples: list[Example], policy: str) -> list[Sparse]:
    return [
        count_words([toys.sentence(3 * n + n // 6 % 3, bool(one.targets[policy]))])
        for n, one in enumerate(examples)
    ]  # fmt: skip


@pytest.mark.parametrize("policy", [HATE, SCAM])
def test_the_word_head_learns_the_deciding_words_of_other_folds_only(policy: str) -> None:
    examples = _examples(policy)
    counted = _counted(examples, policy)
    head = fit_words(examples, counted, policy, 1)
    assert head is not None
    for bad, good in zip(toys.BAD, toys.GOOD, strict=True):
        assert head(count_words([f"{bad} news"])) > 0.5 > head(count_words([f"{good} news"]))
    poisoned = [_flipped(one, policy) if one.fold == 1 else one for one in examples]
    again = fit_words(poisoned, counted, policy, 1)
    assert again is not None and np.array_equal(head.weight, again.weight)
    assert np.array_equal(head.idf, again.idf) and head.bias == again.bias


def test_violence_has_no_word_head() -> None:
    assert fit_words(_examples(VIOLENCE), [], VIOLENCE, None) is None


def test_items_without_the_state_are_left_out() -> None:
    examples = _examples(HATE)
    states = _states(examples, HATE)
    some = [one if n % 2 else {} for n, one in enumerate(states)]
    odd = [example for n, example in enumerate(examples) if n % 2]
    whole = fit_states(examples, some, HATE, None, 0)
    alone = fit_states(odd, [s for n, s in enumerate(states) if n % 2], HATE, None, 0)
    assert np.array_equal(whole.weights, alone.weights)


@settings(max_examples=40)
@given(
    signs=st.lists(st.sampled_from([-3.0, -1.0, 0.0, 1.0, 3.0]), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
def test_no_part_counts_negatively(signs: list[float], seed: int) -> None:
    chance = np.random.default_rng(seed)
    label = np.arange(60) % 2
    parts = np.outer(label, signs) + chance.normal(size=(60, 4))
    weights, intercept = fit_weights(parts, label)
    assert len(weights) == 4 and min(weights) >= 0.0 and np.isfinite(intercept)


def test_a_part_that_counts_backwards_or_says_nothing_is_left_out() -> None:
    chance = np.random.default_rng(0)
    label = np.arange(400) % 2
    good, bad = (sign * label + chance.normal(size=400) for sign in (2.0, -2.0))
    weights, intercept = fit_weights(np.column_stack([good, bad, np.zeros(400), good]), label)
    assert weights[0] > 0.3 and weights[1] == weights[2] == 0.0 and weights[3] > 0.3
    raw = good * (weights[0] + weights[3]) + intercept
    mean = (1.0 / (1.0 + np.exp(-raw))).mean()
    assert mean == pytest.approx(0.5, abs=0.02)  # calibrated in the large
