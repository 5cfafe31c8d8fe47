from __future__ import annotations

from pathlib import Path

import torch

from coefvq.mllm.decoder import best_dtype, load_language_model
from tests.unit.mllm import tiny


def test_load_from_a_folder(tmp_path: Path) -> None:
    model, tokenizer = load_language_model(tiny.save_to(tmp_path), torch.float32)
    assert not model.training and tokenizer("Yes")["input_ids"]
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert best_dtype() in (torch.bfloat16, torch.float32)
