"""The two models that come with the project: where they lie and what they are called.

Read from their descriptions alone, so that a page may ask without loading a model.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import coefvq.mllm
import coefvq.prefilter
from coefvq.domain import Stage
from coefvq.errors import ModelError
from coefvq.learning.model_files import file_hash

FOLDERS = {
    Stage.PREFILTER: Path(coefvq.prefilter.__file__).parent / "weights",
    Stage.MLLM: Path(coefvq.mllm.__file__).parent / "weights",
}


@cache
def shipped_version(stage: Stage) -> str:
    """What a shipped model calls itself.

    Raises:
        ModelError: Its files are missing or damaged.
    """
    return version_in(stage, FOLDERS[stage])


@cache
def shipped_covers(stage: Stage) -> frozenset[str]:
    """Policies that a shipped model answers.

    Raises:
        ModelError: Its files are missing or damaged.
    """
    name, key = ("model.json", "covers") if stage is Stage.PREFILTER else ("readout.json", "")
    found = _read(FOLDERS[stage] / name)
    return frozenset(found[key] if key else found["policies"])


def version_in(stage: Stage, folder: Path) -> str:
    """What the files of a model call themselves.

    The prefilter's description says it. The MLLM is named by the bytes of its trained parts and
    of its readout, as ``coefvq.mllm.fused.shipped.read_shipped`` does; a test holds them together.

    Raises:
        ModelError: The files are missing or damaged.
    """
    if stage is Stage.PREFILTER:
        return str(_read(folder / "model.json").get("version", ""))
    try:
        parts = [file_hash(folder / f"{name}.safetensors") for name in ("fused", "readout")]
    except OSError as error:
        raise ModelError(f"The MLLM's files in {folder} cannot be read: {error}.") from error
    return f"fused-{hashlib.sha256(''.join(parts).encode()).hexdigest()[:10]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read. Reinstall the project.") from error
    return found
