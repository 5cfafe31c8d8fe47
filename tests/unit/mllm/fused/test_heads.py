"""Late fusion, answers and losses against plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.mllm.fused.fusion import Stream
from coefvq.mllm.fused.heads import (
    PARTS,
    Combination,
    FusedHead,
    FusedOutput,
    LateFusion,
    Standardise,
    read_labels,
    stream_statistics,
)
from coefvq.mllm.fused.losses import next_token_loss, slot_loss, total_loss
from tests.unit.mllm.fused import parts


def stream(steps, mask):
    steps, mask = torch.as_tensor(steps, dtype=torch.float32), torch.as_tensor(mask)
    return Stream(steps, mask, steps[:, :, None], mask)


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 8), there=st.integers(1, 8), seed=st.integers(0, 999))
def test_statistics_of_what_is_there(count, there, seed):
    there = min(there, count)
    steps = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    found = stream_statistics(stream(steps[None], [[n < there for n in range(count)]]))[0].numpy()
    real = steps[:there]
    move = np.abs(np.diff(real, axis=0)).mean(0) if there > 1 else np.zeros(3)
    np.testing.assert_allclose(found[:3], real.mean(0), atol=1e-5)
    np.testing.assert_allclose(found[3:6], np.sqrt(real.var(0) + 1e-6), atol=1e-4)
    np.testing.assert_allclose(found[6:], move, atol=1e-5)


def test_statistics_know_the_order_but_only_in_the_last_third():
    steps = torch.tensor([[[0.0], [1.0], [2.0], [3.0]]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    slow = stream_statistics(stream(steps, mask))
    wild = stream_statistics(stream(steps[:, [0, 3, 1, 2]], mask))
    assert torch.allclose(slow[:, :2], wild[:, :2])
    assert wild[0, 2] > slow[0, 2]


def test_statistics_of_nothing_are_finite_and_have_gradients():
    steps = torch.full((1, 3, 2), float("nan"), requires_grad=True)
    mask = torch.zeros(1, 3, dtype=torch.bool)
    found = stream_statistics(Stream(steps, mask, steps[:, :, None], mask))
    assert found.isfinite().all()
    found.sum().backward()
    assert steps.grad.isfinite().all()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(3.0, 1.0), (1.0, 0.0), (-1e9, -10.0), (float("inf"), 10.0), (float("nan"), 0.0)],
    ids=str,
)
def test_standardised_values_stay_within_ten_spreads(value, wanted):
    scale = Standardise(1)
    scale.mean.fill_(1.0)
    scale.spread.fill_(2.0)
    assert scale(torch.tensor([[value]])).item() == pytest.approx(wanted)


def test_a_constant_measurement_does_not_divide_by_zero():
    scale = Standardise(1)
    scale.spread.zero_()
    assert scale(torch.tensor([[0.0]])).item() == 0.0


def late_inputs(count=2):
    generator = torch.Generator().manual_seed(0)
    sizes = {"visual": 3 * parts.SEEN, "sound": 3 * parts.HEARD, "motion": parts.MOTION, "text": 32}
    pooled = {k: torch.randn(count, size, generator=generator) for k, size in sizes.items()}
    return pooled, {name: torch.ones(count, dtype=torch.bool) for name in PARTS}


@pytest.mark.parametrize("name", PARTS)
def test_an_absent_part_is_its_learnt_state_and_no_other(name):
    fusion = LateFusion(parts.config())
    pooled, there = late_inputs()
    full = fusion(pooled, there).unflatten(1, (4, 16))
    there[name] = torch.tensor([True, False])
    found = fusion(pooled, there).unflatten(1, (4, 16))
    number = PARTS.index(name)
    assert torch.equal(found[1, number], fusion.absent.weight[number])
    found[1, number] = full[1, number]
    assert torch.equal(found, full)
    pooled.pop(name)
    gone = fusion(pooled, there).unflatten(1, (4, 16))
    assert torch.equal(gone[:, number], fusion.absent.weight[number].expand(2, -1))


def test_a_model_without_motion_has_no_map_for_it():
    fusion = LateFusion(parts.config(motion_size=0))
    pooled, there = late_inputs()
    found = fusion(pooled, there).unflatten(1, (4, 16))
    assert "motion" not in fusion.maps
    assert torch.equal(found[:, 2], fusion.absent.weight[2].expand(2, -1))


@pytest.mark.parametrize("late", [True, False])
def test_each_policy_has_weights_of_its_own(late):
    torch.manual_seed(0)
    head = FusedHead(parts.config(late_fusion=late)).eval()
    torch.nn.init.normal_(head.weight)
    slots = torch.randn(2, 3, 32)
    states = torch.randn(2, 64) if late else None
    before = head(slots, states)
    assert before.shape == (2, 3)
    with torch.no_grad():
        head.weight[1] += 1.0
        head.bias[2] += 5.0
    change = head(slots, states) - before
    assert torch.equal(change[:, 0], torch.zeros(2))
    assert (change[:, 1] != 0).all()
    assert torch.allclose(change[:, 2], torch.full((2,), 5.0), atol=1e-5)


def test_at_first_both_parts_count_half():
    joined = Combination(3)(torch.tensor([[2.0, 0.0, -4.0]]), torch.tensor([[0.0, 2.0, -4.0]]))
    assert torch.allclose(joined, torch.tensor([[1.0, 1.0, -4.0]]), atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(raw=st.floats(-30, 30), more=st.floats(0.1, 10))
def test_no_part_can_count_against_itself(raw, more):
    combination = Combination(1)
    torch.nn.init.constant_(combination.raw, raw)
    low, high = (combination(torch.tensor([[x]]), torch.zeros(1, 1)) for x in (0.0, more))
    assert high >= low


def test_labels_are_read_as_shares_of_probability():
    shares = torch.tensor([0.1, 0.3, 0.2, 0.05, 0.35])
    margin, log_mass = read_labels(shares.log()[None, None], [0, 1], [2])
    assert margin.item() == pytest.approx(math.log(0.4 / 0.2), abs=1e-5)
    assert log_mass.exp().item() == pytest.approx(0.6, abs=1e-5)


def test_label_mass_survives_large_logits_in_half_precision():
    logits = torch.tensor([[[300.0, 290.0, 0.0]]], dtype=torch.bfloat16)
    margin, log_mass = read_labels(logits, [0], [1])
    assert margin.isfinite().all()
    assert log_mass.exp().item() == pytest.approx(1.0)


def test_slot_loss_is_weighted_cross_entropy():
    logits, targets = torch.tensor([[0.3, -1.0, 2.0]]), torch.tensor([[1.0, 0.0, float("nan")]])
    weights = torch.tensor([[1.0, 3.0, 7.0]])
    each = [-math.log(1 / (1 + math.exp(-0.3))), -math.log(1 - 1 / (1 + math.exp(1.0)))]
    wanted = (each[0] + 3 * each[1]) / 4
    assert slot_loss(logits, targets, weights).item() == pytest.approx(wanted, abs=1e-5)
    assert slot_loss(logits, targets, None).item() == pytest.approx(sum(each) / 2, abs=1e-5)


def test_slot_loss_of_no_label_is_zero_with_a_gradient_of_zero():
    logits = torch.zeros(1, 2, requires_grad=True)
    loss = slot_loss(logits, torch.full((1, 2), float("nan")), None)
    loss.backward()
    assert loss.item() == 0.0
    assert (logits.grad == 0).all()


def test_next_token_loss_predicts_the_next_and_skips_the_rest():
    logits = torch.zeros(1, 4, 5)
    logits[0, 1, 3] = 50.0  # at position 1 the next is 3, with certainty
    labels = torch.tensor([[-100, -100, 3, -100]])
    assert next_token_loss(logits, labels).item() == pytest.approx(0.0, abs=1e-6)
    labels[0, 2] = 4
    assert next_token_loss(logits, labels).item() == pytest.approx(50.0, abs=1e-3)


def output():
    one = torch.tensor([[1.0]])
    return FusedOutput(
        logits=torch.zeros(1, 3, 5), slot_logits=one, label_logits=2 * one, fused_logits=3 * one
    )


def test_the_total_is_the_weighted_sum_of_its_terms():
    config = parts.config(lm_loss_weight=0.25, part_loss_weight=0.5, mass_loss_weight=2.0)
    log_mass, ones = torch.tensor([[-0.5]]), torch.ones(1, 1)
    slots = [math.log1p(math.exp(-x)) for x in (1.0, 2.0, 3.0)]
    wanted = slots[0] + 0.5 * slots[1] + 0.5 * slots[2] + 2.0 * 0.5
    found = total_loss(config, output(), log_mass, None, ones, None)
    assert found.item() == pytest.approx(wanted, abs=1e-5)
    labels = torch.tensor([[-100, 2, -100]])
    both = total_loss(config, output(), log_mass, labels, ones, None)
    assert both.item() == pytest.approx(wanted + 0.25 * math.log(5), abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "slot_labels"),
    [(None, None), (torch.full((1, 3), -100), None)],
    ids=["no targets", "no rationale"],
)
def test_without_targets_there_is_no_loss(labels, slot_labels):
    log_mass = torch.zeros(1, 1)
    assert total_loss(parts.config(), output(), log_mass, labels, slot_labels, None) is None
