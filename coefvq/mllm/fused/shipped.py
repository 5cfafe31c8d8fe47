"""The trained fused model on disk, and how it becomes a scorer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from coefvq.errors import ModelError
from coefvq.mllm.base import converted_hash, ensure_base
from coefvq.mllm.decoder import best_dtype
from coefvq.mllm.fused.assemble import assemble
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.processing import FusedProcessor
from coefvq.mllm.fused.readout import Readout, joined_version, load_readout
from coefvq.mllm.fused.scorer import FusedScorer
from coefvq.mllm.fused.trained import (
    TENSORS,
    TrainedParts,
    add_lora,
    check_bases,
    file_hash,
    load_trained,
    merge_lora,
    read_trained,
)
from coefvq.towers.efficientnet_lite import weights_path

SHIPPED = Path(__file__).parents[1] / "weights"
_SIZES = (
    "early_fusion", "late_fusion", "frame_pool", "patch_merge", "merge_mode", "sound_pool",
    "motion_size", "projector_size", "embedding_scale", "time_bands", "late_size",
    "late_text_layer", "head_dropout", "modality_dropout", "lm_loss_weight", "part_loss_weight",
    "mass_loss_weight",
)  # fmt: skip


@dataclass(frozen=True)
class Shipped:
    """A checked checkpoint, without its tensors.

    Attributes:
        version: Changes with the bytes of the trained parts or of the readout.
    """

    folder: Path
    parts: TrainedParts
    readout: Readout
    version: str


def read_shipped(folder: Path = SHIPPED) -> Shipped:
    """Read and check a checkpoint.

    Raises:
        ModelError: If a file is missing, damaged or of another format.
    """
    parts, _, _ = read_trained(folder)
    readout = load_readout(folder)
    version = joined_version([file_hash(folder / TENSORS), readout.tensors_sha256])
    return Shipped(folder, parts, readout, f"fused-{version}")


def load_scorer(shipped: Shipped, cache_dir: Path, threads: int = 0) -> FusedScorer:
    """Assemble the model from its bases and the trained parts, adapters merged.

    Raises:
        ModelError: If bases are missing or are not those of the training.
    """
    if threads:
        torch.set_num_threads(threads)
    model, processor = load_model(shipped, cache_dir)
    merge_lora(model)
    return FusedScorer(model, processor, shipped.readout)


def load_model(
    shipped: Shipped, cache_dir: Path
) -> tuple[FusedForConditionalGeneration, FusedProcessor]:
    """The model as it was trained, adapters apart, with its processor.

    Raises:
        ModelError: If bases are missing or are not those of the training.
    """
    base = ensure_base(cache_dir)
    check_bases(shipped.parts, installed_bases(base))
    parts, config, tensors = read_trained(shipped.folder)
    layout = parts.layout
    model, processor = assemble(
        base,
        layout.policies,
        rules=layout.rules,
        dtype=best_dtype(),
        max_tokens=layout.max_tokens,
        **{name: config[name] for name in _SIZES if name in config},
    )
    if parts.lora is not None:
        add_lora(model, parts.lora)
    load_trained(model, tensors)
    if processor.writer.layout != layout:
        raise ModelError(
            f"The fused model in {shipped.folder} was trained with another prompt layout. "
            "Train it again with `coefvq train mllm`, or reinstall coefvq."
        )
    return model, processor


def installed_bases(base: Path) -> dict[str, str]:
    """SHA-256 by name of the installed bases.

    Args:
        base: The converted language model, from ``ensure_base``.
    """
    return {"smollm2": converted_hash(base), "efficientnet_lite0": file_hash(weights_path())}
