"""The fused multimodal model. Importing this package registers it with transformers' Auto classes.

model = AutoModelForMultimodalLM.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
output = model.score(**processor(item))
"""

from coefvq.mllm.fused.configuration import (
    MODALITIES,
    EfficientNetLite0Config,
    FusedConfig,
    PrecomputedConfig,
)
from coefvq.mllm.fused.extractors import EfficientNetLite0ImageProcessorPil, SoundStatesExtractor
from coefvq.mllm.fused.heads import FusedOutput
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.layout import Layout
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.processing import FusedProcessor

__all__ = [
    "MODALITIES",
    "EfficientNetLite0Config",
    "EfficientNetLite0ImageProcessorPil",
    "FusedConfig",
    "FusedForConditionalGeneration",
    "FusedItem",
    "FusedOutput",
    "FusedProcessor",
    "Layout",
    "PrecomputedConfig",
    "SoundStatesExtractor",
]
