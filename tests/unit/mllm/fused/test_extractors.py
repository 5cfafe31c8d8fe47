"""The default model's image and sound slots on their own."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import AutoFeatureExtractor, AutoImageProcessor

from coefvq.errors import ModelError
from coefvq.mllm.fused import EfficientNetLite0ImageProcessorPil, SoundStatesExtractor


@pytest.mark.parametrize(
    ("slot", "auto", "setting"),
    [
        (
            EfficientNetLite0ImageProcessorPil(size={"height": 96, "width": 96}),
            AutoImageProcessor,
            "size",
        ),
        (SoundStatesExtractor(feature_size=9), AutoFeatureExtractor, "feature_size"),
        (SoundStatesExtractor(states_per_second=25.0), AutoFeatureExtractor, "states_per_second"),
    ],
    ids=["pictures", "width", "rate"],
)
def test_auto_classes_find_what_was_saved(slot, auto, setting, tmp_path):
    slot.save_pretrained(tmp_path)
    again = auto.from_pretrained(tmp_path)
    assert type(again) is type(slot)
    assert getattr(again, setting) == getattr(slot, setting)


def test_states_pass_as_float32():
    states = np.arange(6.0).reshape(2, 3)
    found = SoundStatesExtractor(feature_size=3)(states)["sound_features"]
    assert found.dtype == np.float32
    assert np.array_equal(found, states)


@pytest.mark.parametrize("shape", [(4,), (4, 2), (1, 4, 3)], ids=str)
def test_states_of_another_shape_are_refused(shape):
    with pytest.raises(ModelError, match="expected"):
        SoundStatesExtractor(feature_size=3)(np.zeros(shape))


@pytest.mark.parametrize("value", [0, 127, 255])
def test_pictures_are_normalised_as_published(value):
    frame = np.full((224, 224, 3), value, np.uint8)
    found = EfficientNetLite0ImageProcessorPil()(images=[frame], return_tensors="np")
    assert found["pixel_values"] == pytest.approx((value - 127.0) / 128.0, abs=1e-5)
