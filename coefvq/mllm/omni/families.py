"""Which model families are known, what they hear, and how their weights are loaded.

==================  =====================================  ==============================
``model_type``      class                                  sound
==================  =====================================  ==============================
qwen2_5_omni        Qwen2_5OmniThinkerFor...               woven into the frames by time
qwen3_omni_moe      Qwen3OmniMoeThinkerFor...              woven into the frames by time
gemma4              Gemma4ForConditionalGeneration         after the frames, first 30 s;
                                                           none without ``audio_config``
any other           AutoModelForMultimodalLM               not heard; frames as pictures
==================  =====================================  ==============================

Of the Qwen models only the thinker is loaded: the talker makes speech, which nobody asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from coefvq.errors import ModelError
from coefvq.mllm.quiet import quiet_libraries


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes:
        name: For the log and the measurements.
        model_class: Name of the class in transformers.
        video: Whether frames go in as one video (else as single pictures).
        woven: Whether sound is woven into the video's tokens by time.
        sound_s: Longest sound it takes, seconds; 0.0: it hears nothing.
    """

    name: str
    model_class: str
    video: bool = True
    woven: bool = False
    sound_s: float = 0.0


# The feature extractors of both Qwen families cut at 300 s, that of Gemma at 480,000 samples.
QWEN25 = Family(
    "qwen2.5-omni", "Qwen2_5OmniThinkerForConditionalGeneration", woven=True, sound_s=300.0
)
QWEN3 = Family(
    "qwen3-omni", "Qwen3OmniMoeThinkerForConditionalGeneration", woven=True, sound_s=300.0
)
GEMMA4 = Family("gemma4", "Gemma4ForConditionalGeneration", sound_s=30.0)
GEMMA4_DEAF = Family("gemma4", "Gemma4ForConditionalGeneration")
OTHER = Family("other", "AutoModelForMultimodalLM", video=False)

_KNOWN = {
    "qwen2_5_omni": QWEN25,
    "qwen2_5_omni_thinker": QWEN25,
    "qwen3_omni_moe": QWEN3,
    "qwen3_omni_moe_thinker": QWEN3,
    "gemma4": GEMMA4,
}


def family_of(config: Any) -> Family:
    """Tell the family from a model's settings."""
    found = _KNOWN.get(config.model_type, OTHER)
    if found is GEMMA4 and getattr(config, "audio_config", None) is None:
        return GEMMA4_DEAF
    return found


def load_model(folder: Path, family: Family, device: torch.device) -> Any:
    """Load the weights in the type they were saved in, without running code from the folder.

    Raises:
        ModelError: If weights are missing, damaged or of another shape, or transformers knows
            no such model.
        torch.OutOfMemoryError: If they do not fit.
    """
    import transformers

    quiet_libraries()
    loader = getattr(transformers, family.model_class)
    try:
        model, report = loader.from_pretrained(
            folder,
            local_files_only=True,
            dtype="auto",
            device_map={"": device},
            output_loading_info=True,
        )
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: the model cannot be loaded ({error}).") from error
    # The library fills holes with random numbers and goes on; such a model must not decide.
    if report["missing_keys"]:
        first = sorted(report["missing_keys"])[0]
        raise ModelError(
            f"{folder}: {len(report['missing_keys'])} weights are missing, such as '{first}'. "
            "Download the model again."
        )
    return model.eval().requires_grad_(False)


def load_processor(folder: Path) -> Any:
    """Load what turns frames, sound and text into the model's input.

    Raises:
        ModelError: If the folder holds none, or one that takes no pictures.
    """
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
        raise ModelError(f"{folder}: the processor cannot be loaded ({error}).") from error
    if getattr(processor, "tokenizer", None) is None:
        raise ModelError(f"{folder}: this model reads text only; frames cannot be shown to it.")
    if not (processor.chat_template or processor.tokenizer.chat_template):
        raise ModelError(f"{folder}: there is no chat template. Take an instruction-tuned model.")
    return processor
