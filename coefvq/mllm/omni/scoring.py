"""One pass over the video, then one short pass a question on a fork of what was computed.

Of V tokens of video and N questions of Q tokens, N separate passes cost N (V + Q); here V + N Q.
The answer is the next-token distribution after a question::

    p = yes / (yes + no),    label_mass = yes + no

where *yes* is the probability on all single tokens that spell Yes, from ``log_softmax`` over the
whole vocabulary in float32. Nothing is calibrated.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DummyLayer, DynamicLayer, DynamicSlidingWindowLayer

from coefvq.errors import ModelError
from coefvq.mllm.endpoint.labels import NO, TOP_LOGPROBS, YES, Labels, from_tokens

_LONGEST_LABEL = 8
_BOUND_ANEW = frozenset({DynamicLayer, DynamicSlidingWindowLayer, DummyLayer})


class Scorer:
    """Asks one model. Not for several threads at once: some models keep the last video's positions.

    Args:
        model: A causal multimodal model of transformers, ready for inference.
        tokenizer: Its tokenizer.
        labels: Tokens of the answers with their spelling; ``None`` finds them in the tokenizer.

    Raises:
        ModelError: If Yes and No are not one token each.
    """

    def __init__(self, model: Any, tokenizer: Any, labels: dict[int, str] | None = None):
        self._model, self._tokenizer = model, tokenizer
        self._device, self._dtype = model.device, model.dtype
        self._accepts = frozenset(inspect.signature(model.forward).parameters)
        self._labels = label_tokens(tokenizer) if labels is None else labels
        self._stops = _stop_tokens(model, tokenizer)

    @torch.inference_mode()
    def read(self, inputs: dict[str, Any]) -> Any:
        """Compute the shared part.

        Args:
            inputs: As in ``Reading``.

        Returns:
            The cache that ``ask`` and ``write`` start from; they leave it as it is.
        """
        given = {name: self._placed(x) for name, x in inputs.items() if name in self._accepts}
        # Several families compute the positions of video tokens only when given a mask.
        given["attention_mask"] = torch.ones_like(given["input_ids"])
        return self._forward(given).past_key_values

    @torch.inference_mode()
    def ask(self, cache: Any, ids: Sequence[int]) -> Labels | None:
        """Read the answer to a question.

        Args:
            ids: The question and what closes the turn.

        Returns:
            The probability; ``None`` if no spelling of Yes or No is among the
            ``TOP_LOGPROBS`` likeliest tokens, as with a server that names so many.

        Raises:
            ModelError: If the model's numbers are none.
        """
        logits = self._step(fork(cache), ids)
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        if not torch.isfinite(logprobs.max()):
            raise ModelError(
                "The model's log-probabilities are not numbers. Weights may be damaged; float16 "
                "weights of a model made for bfloat16 do the same."
            )
        top = set(logprobs.topk(min(TOP_LOGPROBS, len(logprobs))).indices.tolist())
        if top.isdisjoint(self._labels):
            return None
        return from_tokens([(text, float(logprobs[at])) for at, text in self._labels.items()])

    @torch.inference_mode()
    def write(self, cache: Any, ids: Sequence[int], max_tokens: int) -> tuple[str, int]:
        """Let the model write, always taking the likeliest token.

        Returns:
            The text without control tokens, and the number of tokens.
        """
        own = fork(cache)
        written: list[int] = []
        logits = self._step(own, ids)
        while len(written) < max_tokens:
            token = int(logits.argmax())
            if token in self._stops:
                break
            written.append(token)
            logits = self._step(own, [token])
        return self._tokenizer.decode(written, skip_special_tokens=True), len(written)

    def _step(self, cache: Any, ids: Sequence[int]) -> torch.Tensor:
        given = {"input_ids": torch.tensor([list(ids)], device=self._device)}
        return self._forward(given | {"past_key_values": cache}).logits[0, -1]

    def _forward(self, given: dict[str, Any]) -> Any:
        # Logits of a whole video would take gigabytes: 150,000 words a token.
        if "logits_to_keep" in self._accepts:
            return self._model(**given, use_cache=True, logits_to_keep=1)
        if "past_key_values" not in given and hasattr(self._model, "lm_head"):
            return self._model.base_model(**given, use_cache=True)
        return self._model(**given, use_cache=True)

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        dtype = self._dtype if value.is_floating_point() else None
        return value.to(self._device, dtype)


def fork(cache: Any) -> Any:
    """A cache that can grow without changing the first.

    Growing makes new tensors and binds them to the layer, so a copy of the layers that shares
    their tensors is enough; layers of other kinds (recurrent states) are copied whole. Cutting
    the cache back instead would not do: a layer with a sliding window cannot be cut back once
    the window is full.
    """
    layers = getattr(cache, "layers", None)
    if not layers or not _BOUND_ANEW.issuperset(map(type, layers)):
        return copy.deepcopy(cache)
    forked = copy.copy(cache)
    forked.layers = [copy.copy(layer) for layer in layers]
    return forked


def label_tokens(tokenizer: Any) -> dict[int, str]:
    """Single tokens that spell Yes or No, in any case, with or without what stands around.

    Raises:
        ModelError: If the plain words are not one token each.
    """
    texts = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    short = ((at, text) for at, text in enumerate(texts) if text and len(text) <= _LONGEST_LABEL)
    found = {at: text for at, text in short if from_tokens([(text, 0.0)]) is not None}
    for label in (YES.capitalize(), NO.capitalize()):
        ids = tokenizer(label, add_special_tokens=False)["input_ids"]
        if len(ids) != 1 or ids[0] not in found:
            raise ModelError(
                f"The tokenizer does not write '{label}' as one token ({len(ids)} instead): this "
                "model's answers cannot be scored."
            )
    return found


def _stop_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    settings = getattr(model, "generation_config", None)
    named = getattr(settings, "eos_token_id", None)
    ids = named if isinstance(named, list) else [named]
    own = getattr(tokenizer, "eos_token_id", None)
    return frozenset(at for at in [*ids, own] if at is not None)
