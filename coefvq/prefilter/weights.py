"""The trained prefilter on disk: ``model.safetensors`` beside ``model.json``. No pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from coefvq.errors import ModelError
from coefvq.prefilter.adjust import Adjustment
from coefvq.prefilter.features import BLOCKS, Scaling
from coefvq.prefilter.model import POLICIES, PrefilterNet, Shape
from coefvq.prefilter.text import STATES, SURFACE
from coefvq.routing.calibration import Calibrator

FORMAT = 1
REFITTED = 2
"""The format of a refitted model: that of its root with adjustments beside it."""
TENSORS, DESCRIPTION = "model.safetensors", "model.json"
SHIPPED = Path(__file__).parent / "weights"
_IDF = "idf"
TEXT_SURFACE = "surface"
"""Key in ``averages`` of the training texts' mean surface counts."""


@dataclass(frozen=True)
class Root:
    """What a refit replaced, so that the next one can begin where the first began.

    Attributes:
        version: Of the model that was trained on data sets.
    """

    version: str
    calibration: dict[str, Calibrator]
    tasks: dict[str, Calibrator]
    without_text: dict[str, float]


@dataclass(frozen=True)
class Trained:
    """Everything that turns signals into probabilities.

    Attributes:
        idf: float32 (2 * BUCKETS,), text weights.
        scaling: Standardisation by block.
        calibration: By policy.
        tasks: By task, the map from the log-odds of its largest probability to the task's.
        without_text: Probability of each text policy where nothing was typed.
        names: By block, what its numbers are called (for people).
        averages: Mean evidence by block and policy over the training clips, and the mean surface
            counts of the training texts.
        facts: Data hashes, figures, recipe: for the model card and the registry.
        adjustments: By policy what a refit learnt; empty in a model trained on data sets.
        root: What the refit replaced; ``None`` in a model trained on data sets.
    """

    net: PrefilterNet
    shape: Shape
    idf: NDArray[np.float32]
    scaling: dict[str, Scaling]
    calibration: dict[str, Calibrator]
    tasks: dict[str, Calibrator]
    without_text: dict[str, float]
    names: dict[str, list[str]] = field(default_factory=dict)
    averages: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    adjustments: dict[str, Adjustment] = field(default_factory=dict)
    root: Root | None = None

    @property
    def covers(self) -> tuple[str, ...]:
        """Policies that it answers: those of the network, then those that a refit taught it."""
        return (*POLICIES, *(name for name in self.adjustments if name not in POLICIES))


def root_of(trained: Trained, version: str) -> tuple[Trained, str]:
    """The model without what refits added, and its version."""
    if trained.root is None:
        return trained, version
    root = trained.root
    plain = replace(
        trained,
        calibration=dict(root.calibration),
        tasks=dict(root.tasks),
        without_text=dict(root.without_text),
        adjustments={},
        root=None,
        facts={},
    )
    return plain, root.version


def save(trained: Trained, folder: Path) -> str:
    """Write both files.

    Returns:
        The version: it names the exact weights and calibration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_arrays(trained), folder / TENSORS)
    digest = hashlib.sha256((folder / TENSORS).read_bytes())
    body = _description(trained)
    digest.update(json.dumps(body, sort_keys=True).encode())
    version = f"prefilter-{body['format']}-{digest.hexdigest()[:8]}"
    text = json.dumps({"version": version, **body, "facts": trained.facts}, indent=1)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    return version


def _arrays(trained: Trained) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.ascontiguousarray(value.detach().numpy().astype(np.float16))
        for name, value in trained.net.state_dict().items()
    }
    arrays[_IDF] = trained.idf.astype(np.float16)
    for name, scale in trained.scaling.items():
        arrays[f"scaling.{name}.mean"] = scale.mean
        arrays[f"scaling.{name}.spread"] = scale.spread
    for policy, adjustment in trained.adjustments.items():
        arrays |= adjustment.arrays(policy)
    return arrays


def _description(trained: Trained) -> dict[str, Any]:
    body = {
        "format": FORMAT if trained.root is None else REFITTED,
        "covers": list(trained.covers),
        "shape": {"widths": trained.shape.widths, "hidden": trained.shape.hidden},
        "calibration": {name: item.to_json() for name, item in trained.calibration.items()},
        "tasks": {name: item.to_json() for name, item in trained.tasks.items()},
        "without_text": trained.without_text,
        "names": trained.names,
        "averages": trained.averages,
    }
    if trained.root is None:
        return body
    adjustments = {name: each.to_json() for name, each in trained.adjustments.items()}
    return body | {"adjustments": adjustments, "root": _root_json(trained.root)}


def _root_json(root: Root) -> dict[str, Any]:
    return {
        "version": root.version,
        "calibration": {name: item.to_json() for name, item in root.calibration.items()},
        "tasks": {name: item.to_json() for name, item in root.tasks.items()},
        "without_text": root.without_text,
    }


def load(folder: Path = SHIPPED) -> tuple[Trained, str]:
    """Read what ``save`` wrote.

    Returns:
        The model and its version.

    Raises:
        ModelError: If a file is missing, damaged or of another format.
    """
    remedy = "Reinstall the project, or make the weights with: coefvq train prefilter --data DIR"
    try:
        body = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        arrays = load_file(folder / TENSORS)
        if body["format"] not in (FORMAT, REFITTED):
            raise ModelError(f"Prefilter weights of format {body['format']} in {folder}. {remedy}")
        return _trained(body, arrays), str(body["version"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError,
            SafetensorError) as error:  # fmt: skip
        raise ModelError(f"The prefilter's weights in {folder} cannot be read. {remedy}") from error


def _trained(body: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Trained:
    shape = Shape(body["shape"]["widths"], body["shape"]["hidden"])
    net = PrefilterNet(shape)
    state = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in net.state_dict()}
    net.load_state_dict(state)
    net.eval().requires_grad_(False)
    scaling = {
        name: Scaling(arrays[f"scaling.{name}.mean"], arrays[f"scaling.{name}.spread"])
        for name in BLOCKS
    }
    adjustments = {
        name: Adjustment.read(name, each, arrays)
        for name, each in body.get("adjustments", {}).items()
    }
    for name, each in adjustments.items():
        _check(name, each, scaling)
    return Trained(
        net=net,
        shape=shape,
        idf=arrays[_IDF].astype(np.float32),
        scaling=scaling,
        calibration={k: Calibrator.from_json(v) for k, v in body["calibration"].items()},
        tasks={k: Calibrator.from_json(v) for k, v in body["tasks"].items()},
        without_text={k: float(v) for k, v in body["without_text"].items()},
        names=body["names"],
        averages=body["averages"],
        facts=body.get("facts", {}),
        adjustments=adjustments,
        root=_root(body["root"]) if body["format"] == REFITTED else None,
    )


def _check(policy: str, adjustment: Adjustment, scaling: dict[str, Scaling]) -> None:
    for name, weights in adjustment.blocks.items():
        if weights.shape != scaling[name].mean.shape:
            raise ValueError(f"the adjustment of {policy} does not fit the block {name}")
    if adjustment.surface is not None and adjustment.surface.shape != (len(SURFACE) + len(STATES),):
        raise ValueError(f"the adjustment of {policy} does not fit the counts of a text")


def _root(body: dict[str, Any]) -> Root:
    return Root(
        version=str(body["version"]),
        calibration={k: Calibrator.from_json(v) for k, v in body["calibration"].items()},
        tasks={k: Calibrator.from_json(v) for k, v in body["tasks"].items()},
        without_text={k: float(v) for k, v in body["without_text"].items()},
    )
