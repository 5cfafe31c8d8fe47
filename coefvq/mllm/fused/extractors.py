"""What stands in the processor's image and sound slots of the default model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoFeatureExtractor, AutoImageProcessor, BatchFeature
from transformers.feature_extraction_utils import FeatureExtractionMixin
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import PILImageResampling

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import EfficientNetLite0Config, PrecomputedConfig
from coefvq.towers.efficientnet_lite import MEAN, SCALE, SIDE


class EfficientNetLite0ImageProcessorPil(PilBackend):
    """Squeezes the whole picture to a square: a crop would lose borders, where overlays sit."""

    resample = PILImageResampling.BILINEAR
    image_mean = [MEAN / 255.0] * 3
    image_std = [SCALE / 255.0] * 3
    size = {"height": SIDE, "width": SIDE}
    default_to_square = True
    do_resize = True
    do_rescale = True
    do_normalize = True
    do_convert_rgb = True


class SoundStatesExtractor(FeatureExtractionMixin):
    """Passes encoder states on that the speech recogniser has computed already.

    Args:
        feature_size: Width of a state.
        states_per_second: How many states make a second (Whisper: 50).
        sampling_rate: Hz of the sound that the states were computed from.
    """

    model_input_names = ["sound_features"]

    def __init__(
        self,
        feature_size: int = 384,
        states_per_second: float = 50.0,
        sampling_rate: int = 16_000,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.feature_size, self.states_per_second = feature_size, states_per_second
        self.sampling_rate = sampling_rate

    def __call__(self, states: NDArray[np.floating], **_: Any) -> BatchFeature:
        """Check states (T, feature_size) and return them as ``sound_features``.

        Raises:
            ModelError: If they have another width.
        """
        found = np.asarray(states, dtype=np.float32)
        if found.ndim != 2 or found.shape[1] != self.feature_size:
            raise ModelError(
                f"Sound states have shape {found.shape}, expected (T, {self.feature_size}). "
                "Use the encoder that the model was trained with."
            )
        return BatchFeature({"sound_features": found})


AutoImageProcessor.register(
    EfficientNetLite0Config, image_processor_classes={"pil": EfficientNetLite0ImageProcessorPil}
)
AutoFeatureExtractor.register(PrecomputedConfig, SoundStatesExtractor)
