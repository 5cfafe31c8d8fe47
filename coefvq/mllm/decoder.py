"""The language model as two halves: frozen lower layers, adapted upper layers.

Training computes the lower half once an item and keeps its states; scoring runs both halves
in one pass. Prompts are padded on the right and attention is causal, so padding comes only
after everything that is read and no mask is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coefvq.errors import ModelError
from coefvq.mllm.prompt import Prompt
from coefvq.mllm.quiet import quiet_libraries

YES = ("YES", " YES", "Yes", " Yes", "yes", " yes")
NO = ("NO", " NO", "No", " No", "no", " no")


@dataclass(frozen=True)
class SlotAnswers:
    """What the slots of a batch say.

    Attributes:
        margin: float (items, policies): log-odds of the YES tokens against the NO tokens.
        mass: float (items, policies), 0..1: next-token probability on all label tokens.
        pooled: float (items, hidden): mean lower-half state over the user's texts.
    """

    margin: torch.Tensor
    mass: torch.Tensor
    pooled: torch.Tensor


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


class SplitDecoder:
    """A Llama-style causal model, run in two halves.

    Args:
        model: A transformers causal language model with ``model.layers``.
        tokenizer: Its tokenizer, for the ids of the label tokens.
        split: Number of layers in the frozen lower half.
    """

    def __init__(self, model: Any, tokenizer: Any, split: int):
        self.model, self.split = model, split
        self.body = model.model
        self._yes, self._no = _single_tokens(tokenizer, YES), _single_tokens(tokenizer, NO)

    def embed(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Token ids to states, (items, longest, hidden), padded with the last token's."""
        longest = max(len(prompt.ids) for prompt in prompts)
        rows = [[*p.ids, *[p.ids[-1]] * (longest - len(p.ids))] for p in prompts]
        return self.body.embed_tokens(torch.tensor(rows))

    def run(self, states: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Run layers ``first`` up to, but not including, ``last``."""
        positions = torch.arange(states.shape[1]).unsqueeze(0)
        rotary = self.body.rotary_emb(states, positions)
        for layer in self.body.layers[first:last]:
            out = layer(states, position_ids=positions, position_embeddings=rotary)
            states = out[0] if isinstance(out, tuple) else out
        return states

    def lower(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        """States after the frozen half, (items, longest, hidden)."""
        return self.run(self.embed(prompts), 0, self.split)

    def upper(self, states: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """From lower states to log-odds and label mass at ``slots`` (items, policies)."""
        states = self.run(states, self.split, len(self.body.layers))
        rows = torch.arange(states.shape[0]).unsqueeze(1)
        logits = self.model.lm_head(self.body.norm(states[rows, slots])).float()
        yes = logits[..., self._yes].logsumexp(-1)
        no = logits[..., self._no].logsumexp(-1)
        log_mass = torch.logaddexp(yes, no) - logits.logsumexp(-1)
        return yes - no, log_mass

    @torch.inference_mode()
    def answer(self, prompts: Sequence[Prompt]) -> SlotAnswers:
        """Read every slot of every prompt in one forward pass."""
        states = self.lower(prompts)
        margin, log_mass = self.upper(states, slot_index(prompts))
        pooled = torch.stack([pool(row, p) for row, p in zip(states, prompts, strict=True)])
        return SlotAnswers(margin, log_mass.exp().clamp(0.0, 1.0), pooled)


def pool(states: torch.Tensor, prompt: Prompt) -> torch.Tensor:
    """Mean state over the user's texts, float32 (hidden,)."""
    first, last = prompt.text_span
    return states[first:last].float().mean(0)


def slot_index(prompts: Sequence[Prompt]) -> torch.Tensor:
    """Slot positions, int64 (items, policies)."""
    return torch.tensor([list(prompt.slots.values()) for prompt in prompts])


def _single_tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    encoded = [tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
    found = sorted({ids[0] for ids in encoded if len(ids) == 1})
    if not found:
        raise ModelError(f"The tokenizer has no single token for any of {', '.join(words)}.")
    return found
