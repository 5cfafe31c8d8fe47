"""What the omni profile needs of the machine: torchvision, the model's folder, a device."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
from pathlib import Path
from typing import Any

import torch

from coefvq.errors import ModelError, SettingsError

log = logging.getLogger(__name__)

INSTALL = "python3.11 -m venv .venv-omni && .venv-omni/bin/pip install -r requirements-omni.txt"
_CHUNK = 65_536
_CHUNKS = 16


def check_environment() -> None:
    """See whether the library that every video processor needs can be used here.

    Raises:
        SettingsError: If torchvision is not installed, with the command.
        ModelError: If it is installed and does not fit torch.
    """
    if importlib.util.find_spec("torchvision") is None:
        raise SettingsError(
            "COEFVQ_MLLM=omni:... needs torchvision, which is not in this environment and must not "
            "be put into it: beside a CPU build of torch it breaks transformers. On a machine with "
            f"a GPU make a second one: {INSTALL}; docs/models/omni.md has the other two commands. "
            "Here set COEFVQ_MLLM=embedded, or unset it."
        )
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, AttributeError) as error:
        raise ModelError(
            f"torchvision does not fit torch {torch.__version__} ({error}). Make the environment "
            f"again: {INSTALL}"
        ) from error


def model_folder(model: str) -> Path:
    """Find a model: a folder, or a hub name that was downloaded before.

    Nothing is downloaded here: the stage makes no connection of its own.

    Raises:
        ModelError: If there is no such folder and no such download.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder} holds no config.json: it is not a model folder.")
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"There is no folder '{model}', and no model of that name was downloaded. Download it "
            f"(hf download {model}) or name a folder: COEFVQ_MLLM=omni:/path/to/model."
        ) from error


def fingerprint(folder: Path) -> str:
    """Eight hex digits of a model: its settings, and samples of every file of weights.

    Reading 60 GB to name them would take minutes, so 16 pieces of 64 KiB are read of each file.
    """
    found = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        found.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as file:
            for place in range(_CHUNKS):
                file.seek(path.stat().st_size * place // _CHUNKS)
                found.update(file.read(_CHUNK))
    return found.hexdigest()[:8]


def choose_device() -> torch.device:
    """The first GPU; without one the CPU, which is said once in the log."""
    if torch.cuda.is_available():
        return torch.device("cuda:0")
    log.warning(
        "No GPU was found: the omni model runs on the CPU, minutes a video at its real sizes. "
        "COEFVQ_MLLM=embedded is made for machines without a GPU."
    )
    return torch.device("cpu")


def out_of_memory(frames: int, sound_s: float) -> ModelError:
    """What to do when the GPU's memory does not hold the model or the video."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return ModelError(
        "The GPU's memory is full. Use fewer frames "
        f"(COEFVQ_OMNI_FRAMES={max(1, frames // 2)}, now {frames}), less sound "
        f"(COEFVQ_OMNI_SOUND_S={sound_s / 2:g}, now {sound_s:g}) or a smaller model, and see with "
        "nvidia-smi what else is on the GPU."
    )


def read_config(folder: Path) -> Any:
    """Read the model's settings without running code from its folder.

    Raises:
        ModelError: If they are damaged or of a kind that transformers does not know.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: config.json cannot be used ({error}).") from error
