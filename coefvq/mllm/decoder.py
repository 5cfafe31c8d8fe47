"""The language model and its answer tokens: loading from a local folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from coefvq.mllm.quiet import quiet_libraries

YES = ("YES", " YES", "Yes", " Yes", "yes", " yes")
NO = ("NO", " NO", "No", " No", "no", " no")


def best_dtype() -> torch.dtype:
    """bfloat16 where the CPU computes in it, else float32."""
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


def load_language_model(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """Load model and tokenizer from a local folder; nothing is fetched."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_libraries()
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
    return model.eval().requires_grad_(False), tokenizer
