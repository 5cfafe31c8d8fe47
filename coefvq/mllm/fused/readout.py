"""From the fused model's parts to one calibrated probability a policy.

A policy's log-odds are a weighted sum of up to four parts: the label tokens at its slot, the
fused head, a linear head on pooled states (the mean state of the words, or statistics of the
pictures and of movement), and a head on words. The weights are those of a logistic model fitted
on held-out predictions, so each part counts for what it is worth on unseen items, and the sum is
calibrated (Platt 1999). ``readout.safetensors`` and ``readout.json`` hold it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from coefvq.errors import ModelError
from coefvq.mllm.fused.trained import file_hash
from coefvq.mllm.fused.words import Sparse, WordHead

FORMAT = 1
TENSORS, DETAILS = "readout.safetensors", "readout.json"
LIMIT = 4.0
"""Standard deviations; what lies further out says no more than that."""
PARTS = ("label_tokens", "fused_head", "pooled_states", "words")


@dataclass(frozen=True)
class StateHead:
    """A linear head on pooled states: ``scaled(x) @ weights + bias``.

    Attributes:
        inputs: Which states are joined, in order, with their sizes: some of ``text``,
            ``visual``, ``sound``, ``motion``.
        mean: float32 (D,), subtracted.
        spread: float32 (D,), divided by.
        weights: float32 (D,).
    """

    inputs: tuple[tuple[str, int], ...]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float

    def __call__(self, states: Mapping[str, NDArray[np.float32]]) -> float:
        """Log-odds of one item; a state that is absent counts as the mean."""
        scaled = np.clip((self.joined(states) - self.mean) / self.spread, -LIMIT, LIMIT)
        return float(np.nan_to_num(scaled) @ self.weights) + self.bias

    def joined(self, states: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """The inputs side by side, (D,)."""
        parts, start = [], 0
        for name, size in self.inputs:
            known = states.get(name)
            parts.append(self.mean[start : start + size] if known is None else known)
            start += size
        return np.concatenate(parts).astype(np.float32)


@dataclass(frozen=True)
class PolicyReadout:
    """One policy's heads and how its parts are joined.

    Attributes:
        weights: One for each of ``PARTS``, none negative.
        needs: The policy is answered only where at least one of these modalities is there.
    """

    weights: tuple[float, ...]
    intercept: float
    states: StateHead
    words: WordHead | None
    needs: tuple[str, ...]

    def parts(
        self,
        label_tokens: float,
        fused_head: float,
        states: Mapping[str, NDArray[np.float32]],
        counted: Sparse,
    ) -> NDArray[np.float64]:
        """Log-odds (4,) of each part, in the order of ``PARTS``."""
        words = 0.0 if self.words is None else self.words(counted)
        return np.array([label_tokens, fused_head, self.states(states), words])

    def terms(self, parts: Any) -> Any:
        """The summands (..., 4) of the log-odds."""
        return np.asarray(parts, dtype=np.float64) * np.array(self.weights)

    def probability(self, parts: Any) -> Any:
        """Calibrated probability, 0..1, of (..., 4)."""
        raw = self.terms(parts).sum(-1) + self.intercept
        return 1.0 / (1.0 + np.exp(-np.clip(raw, -30.0, 30.0)))


@dataclass(frozen=True)
class Readout:
    """All policies' readouts; policies that are not here are not covered.

    Attributes:
        thresholds: By policy, the probability with the best macro-F1 on held-out items.
        facts: Figures and data for people; not used in scoring.
    """

    policies: dict[str, PolicyReadout]
    thresholds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    tensors_sha256: str = ""


def save_readout(readout: Readout, folder: Path) -> None:
    """Write both files; a half-written pair is noticed on loading by its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, torch.Tensor] = {}
    details: dict[str, Any] = {}
    for name, one in readout.policies.items():
        tensors |= {f"{name}.{key}": value for key, value in _tensors(one).items()}
        tensors[f"{name}.joint"] = _joint(one)
        details[name] = {
            "weights": dict(zip(PARTS, one.weights, strict=True)),
            "intercept": one.intercept,
            "inputs": [list(pair) for pair in one.states.inputs],
            "needs": list(one.needs),
            "biases": {"states": one.states.bias, "words": one.words.bias if one.words else None},
        }
    save_file(tensors, folder / TENSORS)
    body = {
        "format": FORMAT,
        "tensors_sha256": file_hash(folder / TENSORS),
        "policies": details,
        "thresholds": readout.thresholds,
        "facts": readout.facts,
    }
    (folder / DETAILS).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def _joint(one: PolicyReadout) -> torch.Tensor:
    """Weights, intercept and biases, float64: so the tensors' hash names the calibration too."""
    words = 0.0 if one.words is None else one.words.bias
    numbers = [*one.weights, one.intercept, one.states.bias, words]
    return torch.tensor(numbers, dtype=torch.float64)


def _tensors(one: PolicyReadout) -> dict[str, torch.Tensor]:
    found = {
        "states.mean": one.states.mean, "states.spread": one.states.spread,
        "states.weights": one.states.weights,
    }  # fmt: skip
    tensors = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in found.items()}
    if one.words is not None:
        for key, value in (("idf", one.words.idf), ("weight", one.words.weight)):
            tensors[f"words.{key}"] = torch.from_numpy(value).to(torch.float16)
    return tensors


def load_readout(folder: Path) -> Readout:
    """Read and check a readout.

    Raises:
        ModelError: If a file is missing, damaged or of another format.
    """
    try:
        details = json.loads((folder / DETAILS).read_text(encoding="utf-8"))
        found = file_hash(folder / TENSORS)
        tensors = load_file(folder / TENSORS)
        if (details["format"], details["tensors_sha256"]) != (FORMAT, found):
            raise ValueError("its two files do not belong together")
        policies = {k: _policy(v, tensors, k) for k, v in details["policies"].items()}
        return Readout(policies, details["thresholds"], details["facts"], found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError(
            f"The readout in {folder} cannot be read: {error}. "
            "Reinstall coefvq, or train one with `coefvq train mllm`."
        ) from error


def _policy(row: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], name: str
            ) -> PolicyReadout:  # fmt: skip
    def array(key: str) -> NDArray[np.float32]:
        return tensors[f"{name}.{key}"].float().numpy()

    inputs = tuple((str(key), int(size)) for key, size in row["inputs"])
    mean, spread, weights = (array(f"states.{key}") for key in ("mean", "spread", "weights"))
    states = StateHead(inputs, mean, spread, weights, float(row["biases"]["states"]))
    width = sum(size for _, size in inputs)
    if {mean.shape, spread.shape, weights.shape} != {(width,)}:
        raise ValueError(f"the state head of {name} is not of size {width}")
    words = None
    if row["biases"]["words"] is not None:
        words = WordHead(array("words.idf"), array("words.weight"), float(row["biases"]["words"]))
    shares = tuple(float(row["weights"][part]) for part in PARTS)
    found = PolicyReadout(shares, float(row["intercept"]), states, words, tuple(row["needs"]))
    joint = tensors.get(f"{name}.joint")  # missing in readouts of before
    if joint is not None and not torch.equal(joint, _joint(found)):
        raise ValueError(f"the calibration of {name} was changed")
    return found


def joined_version(hashes: Sequence[str]) -> str:
    """A short name of several files' hashes."""
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:10]
