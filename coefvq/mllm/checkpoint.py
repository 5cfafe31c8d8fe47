"""The trained parts of the embedded model on disk: adapter, heads and calibration.

A folder with two files: ``adapter.safetensors`` (LoRA matrices and word weights in float16,
state head in float32) and ``mllm.json`` (everything else, readable). A checkpoint names the
base it was trained on by its hash and the prompt by its version, and is refused on any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from coefvq.errors import ModelError
from coefvq.mllm.lexical import WordHead
from coefvq.mllm.prompt import PROMPT_VERSION

FORMAT = 1
TENSORS, DETAILS = "adapter.safetensors", "mllm.json"
# label_tokens: log-odds at the slot; text_state: head on the mean state; words: word head.
PARTS = ("label_tokens", "text_state", "words")
SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Readout:
    """How one policy's probability comes from the parts of the model.

    ``probability = sigmoid(sum(weights * parts) + intercept)``: a logistic model of the parts'
    held-out predictions, so a part counts for what it is worth on unseen items, and the sum
    is calibrated. No weight is negative.

    Attributes:
        weights: One for each of ``PARTS``.
    """

    weights: tuple[float, ...]
    intercept: float

    def terms(self, parts: Any) -> Any:
        """The summands, (..., parts), of the log-odds."""
        return np.asarray(parts, dtype=np.float64) * np.array(self.weights)

    def probability(self, parts: Any) -> Any:
        """Calibrated probability, 0..1, of (..., parts)."""
        raw = self.terms(parts).sum(-1) + self.intercept
        return 1.0 / (1.0 + np.exp(-np.clip(raw, -30.0, 30.0)))


@dataclass(frozen=True)
class Checkpoint:
    """What training made.

    Attributes:
        policies: Policy ids in slot order.
        split: Number of frozen layers below the adapter; the head reads their output.
        scaling: LoRA's ``alpha / rank``.
        adapter: ``layers.N.path.lora_A`` (rank, in) and ``.lora_B`` (out, rank).
        head: float32 (policies, hidden).
        bias: float32 (policies,).
        words: By policy.
        readouts: By policy.
        facts: Figures and data for people; not used in scoring.
    """

    base_hash: str
    policies: tuple[str, ...]
    split: int
    scaling: float
    adapter: dict[str, torch.Tensor]
    head: torch.Tensor
    bias: torch.Tensor
    words: dict[str, WordHead]
    readouts: dict[str, Readout]
    facts: dict[str, Any] = field(default_factory=dict)
    version: str = ""


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write both files; a half-written pair is noticed on loading by its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"adapter.{name}": value.to(torch.float16).contiguous()
        for name, value in checkpoint.adapter.items()
    }
    tensors |= {"head.weight": checkpoint.head.float(), "head.bias": checkpoint.bias.float()}
    for name, head in checkpoint.words.items():
        tensors[f"words.{name}.idf"] = torch.from_numpy(head.idf).to(torch.float16)
        tensors[f"words.{name}.weight"] = torch.from_numpy(head.weight).to(torch.float16)
        tensors[f"words.{name}.bias"] = torch.tensor([head.bias])
    save_file(tensors, folder / TENSORS)
    details = {
        "format": FORMAT,
        "base_sha256": checkpoint.base_hash,
        "prompt_version": PROMPT_VERSION,
        "tensors_sha256": _hash(folder / TENSORS),
        "policies": list(checkpoint.policies),
        "split": checkpoint.split,
        "scaling": checkpoint.scaling,
        "readouts": {
            name: {
                "weights": dict(zip(PARTS, one.weights, strict=True)),
                "intercept": one.intercept,
            }
            for name, one in checkpoint.readouts.items()
        },
        "facts": checkpoint.facts,
    }
    (folder / DETAILS).write_text(json.dumps(details, indent=1) + "\n", encoding="utf-8")


def load_checkpoint(folder: Path = SHIPPED) -> Checkpoint:
    """Read and check a checkpoint.

    Raises:
        ModelError: If a file is missing, damaged or of another format or prompt.
    """
    try:
        details = json.loads((folder / DETAILS).read_text(encoding="utf-8"))
        found = _hash(folder / TENSORS)
        tensors = load_file(folder / TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(
            f"The MLLM checkpoint in {folder} cannot be read: {error}. "
            "Reinstall coefvq, or train one with `coefvq train mllm`."
        ) from error
    _check(details, found, folder)
    return Checkpoint(
        base_hash=details["base_sha256"],
        policies=tuple(details["policies"]),
        split=details["split"],
        scaling=details["scaling"],
        adapter={k.removeprefix("adapter."): v for k, v in tensors.items() if "lora" in k},
        head=tensors["head.weight"],
        bias=tensors["head.bias"],
        words={name: _word_head(tensors, name) for name in details["policies"]},
        readouts={name: _readout(row) for name, row in details["readouts"].items()},
        facts=details["facts"],
        version=f"embedded-{found[:10]}",
    )


def _check(details: Mapping[str, Any], tensors_hash: str, folder: Path) -> None:
    expected = {
        "format": FORMAT,
        "prompt_version": PROMPT_VERSION,
        "tensors_sha256": tensors_hash,
    }
    for key, value in expected.items():
        if details.get(key) != value:
            raise ModelError(
                f"The MLLM checkpoint in {folder} does not fit: {key} is "
                f"{details.get(key)!r}, expected {value!r}. Train it again with "
                "`coefvq train mllm`, or reinstall coefvq."
            )


def check_base(checkpoint: Checkpoint, base_hash: str) -> None:
    """Refuse a base other than the one the adapter was trained on.

    Raises:
        ModelError: With both hashes.
    """
    if checkpoint.base_hash != base_hash:
        raise ModelError(
            f"The MLLM adapter was trained on base {checkpoint.base_hash[:12]}, but the "
            f"installed weights are {base_hash[:12]}. Install the pinned weights with "
            "`make setup`."
        )


@torch.no_grad()
def merge_adapter(model: Any, adapter: Mapping[str, torch.Tensor], scaling: float) -> None:
    """Add ``scaling * B @ A`` to the model's weights in place, computed in float32.

    Raises:
        ModelError: If the adapter names a layer that the model does not have.
    """
    for name in sorted({key.rsplit(".", 1)[0] for key in adapter}):
        try:
            linear = model.model.get_submodule(name)
        except AttributeError as error:
            raise ModelError(f"The MLLM adapter has no place for {name}: wrong base.") from error
        down, up = adapter[f"{name}.lora_A"].float(), adapter[f"{name}.lora_B"].float()
        merged = linear.weight.float() + scaling * (up @ down)
        linear.weight.copy_(merged.to(linear.weight.dtype))


def head_scores(checkpoint: Checkpoint, pooled: torch.Tensor) -> np.ndarray:
    """The text head's log-odds, (items, policies)."""
    return (pooled.float() @ checkpoint.head.T + checkpoint.bias).numpy()


def _plain(readout: Readout) -> dict[str, Any]:
    weights = dict(zip(PARTS, readout.weights, strict=True))
    return {"weights": weights, "intercept": readout.intercept}


def _readout(row: Mapping[str, Any]) -> Readout:
    return Readout(tuple(row["weights"][part] for part in PARTS), row["intercept"])


def _word_head(tensors: Mapping[str, torch.Tensor], name: str) -> WordHead:
    idf, weight = (tensors[f"words.{name}.{key}"].float().numpy() for key in ("idf", "weight"))
    return WordHead(idf, weight, float(tensors[f"words.{name}.bias"][0]))


def _hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
