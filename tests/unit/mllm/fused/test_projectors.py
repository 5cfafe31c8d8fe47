"""Averaging in time, merging patches, projecting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from coefvq.mllm.fused.projectors import (
    Projector,
    TimeEncoding,
    merge_patches,
    pool_groups,
    tokens_a_group,
)

COUNTS = st.integers(1, 9)


def slow_groups(values, mask, size):
    """The same in plain loops."""
    batch, count = mask.shape
    groups = -(-count // size)
    means = np.zeros((batch, groups, *values.shape[2:]))
    there = np.zeros((batch, groups), bool)
    for row in range(batch):
        for group in range(groups):
            chosen = [
                n for n in range(group * size, min(count, group * size + size)) if mask[row, n]
            ]
            there[row, group] = bool(chosen)
            if chosen:
                means[row, group] = values[row, chosen].mean(0)
    return means, there


@settings(max_examples=60, deadline=None)
@given(batch=st.integers(1, 3), count=COUNTS, size=st.integers(1, 5), seed=st.integers(0, 999))
def test_groups_average_what_is_there(batch, count, size, seed):
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(batch, count, 2, 3))
    mask = chance.random((batch, count)) < 0.7
    found, there = pool_groups(torch.from_numpy(values), torch.from_numpy(mask), size)
    means, wanted = slow_groups(values, mask, size)
    assert there.tolist() == wanted.tolist()
    np.testing.assert_allclose(found.numpy(), means, atol=1e-12)


@pytest.mark.parametrize("junk", [float("nan"), float("inf"), -1e30], ids=str)
def test_masked_places_may_hold_anything(junk):
    values = torch.tensor([[[1.0], [3.0], [junk], [junk]]], requires_grad=True)
    mask = torch.tensor([[True, True, False, False]])
    found, there = pool_groups(values, mask, 2)
    assert found.tolist() == [[[2.0], [0.0]]]
    assert there.tolist() == [[True, False]]
    found.sum().backward()
    assert values.grad.isfinite().all()


def test_groups_of_one_change_nothing():
    values = torch.randn(2, 5, 4)
    found, there = pool_groups(values, torch.ones(2, 5, dtype=torch.bool), 1)
    assert torch.equal(found, values)
    assert there.all()


@settings(max_examples=60, deadline=None)
@given(rows=COUNTS, columns=COUNTS, side=st.integers(1, 4))
def test_merged_squares_hold_their_own_patches(rows, columns, side):
    grid = torch.arange(rows * columns, dtype=torch.float64).reshape(1, 1, rows, columns, 1) + 1
    concat, mean = (merge_patches(grid, side, mode)[0, 0] for mode in ("concat", "mean"))
    assert len(concat) == len(mean) == tokens_a_group(rows, columns, side)
    down = -(-columns // side)
    for token in range(len(concat)):
        top, left = token // down * side, token % down * side
        square = grid[0, 0, top : top + side, left : left + side, 0]
        kept = concat[token][concat[token] > 0]
        assert sorted(kept.tolist()) == sorted(square.flatten().tolist())
        assert mean[token].item() == pytest.approx(square.mean().item())


def test_a_square_is_read_row_by_row():
    grid = torch.arange(4.0).reshape(1, 1, 2, 2, 1)
    assert merge_patches(grid, 2, "concat").flatten().tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("rows", "columns", "side", "tokens"),
    [(7, 7, 2, 16), (7, 7, 7, 1), (14, 14, 2, 49), (1, 1, 2, 1), (3, 5, 2, 6)],
)
def test_tokens_a_group(rows, columns, side, tokens):
    assert tokens_a_group(rows, columns, side) == tokens


def test_time_is_finite_and_distinct_within_a_long_video():
    encoding = TimeEncoding(8, 16)
    nn.init.orthogonal_(encoding.weight)
    found = encoding(torch.arange(0.0, 250.0))
    assert found.shape == (250, 16)
    distance = torch.cdist(found, found) + torch.eye(250) * 9
    assert distance.min() > 1e-3


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_projected_tokens_have_the_scale_of_embeddings(scale):
    torch.manual_seed(0)
    projector = Projector(6, 8, 32, 4, scale)
    features = torch.randn(50, 6) * 1000
    found = projector(features, torch.zeros(50))
    assert found.square().mean().sqrt().item() == pytest.approx(scale, rel=0.05)


def test_features_are_cast_to_the_projectors_precision():
    projector = Projector(6, 8, 32, 4, 1.0)
    found = projector(torch.randn(3, 6).to(torch.bfloat16), torch.zeros(3))
    assert found.dtype == torch.float32
    found = projector.to(torch.bfloat16)(torch.randn(3, 6), torch.zeros(3))
    assert found.dtype == torch.bfloat16
