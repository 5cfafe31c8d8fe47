from __future__ import annotations

import pytest
import torch

from coefvq.errors import ModelError
from coefvq.mllm.decoder import SplitDecoder, best_dtype, load_language_model, pool, slot_index
from coefvq.mllm.prompt import Prompt, posted_lines
from tests.unit.mllm import tiny


def _prompts() -> list[Prompt]:
    texts = ["a", "a rather longer title than the first", "mid one"]
    return [tiny.builder().build(posted_lines("title", text)) for text in texts]


def test_the_two_halves_equal_the_whole_model() -> None:
    model, prompts = tiny.model(), _prompts()
    decoder = SplitDecoder(model, tiny.tokenizer(), 2)
    found = decoder.answer(prompts[:1])
    with torch.inference_mode():
        logits = model(torch.tensor([prompts[0].ids])).logits[0]
    at = torch.tensor(list(prompts[0].slots.values()))
    yes = logits[at][:, decoder._yes].logsumexp(-1)
    no = logits[at][:, decoder._no].logsumexp(-1)
    assert torch.allclose(found.margin[0], yes - no, atol=1e-4)


def test_padding_in_a_batch_changes_nothing() -> None:
    decoder = SplitDecoder(tiny.model(), tiny.tokenizer(), 1)
    together = decoder.answer(_prompts())
    for row, prompt in enumerate(_prompts()):
        alone = decoder.answer([prompt])
        assert torch.allclose(together.margin[row], alone.margin[0], atol=1e-4)
        assert torch.allclose(together.pooled[row], alone.pooled[0], atol=1e-4)


def test_all_policies_are_answered_in_one_forward_pass() -> None:
    model = tiny.model()
    calls = []
    model.model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    found = SplitDecoder(model, tiny.tokenizer(), 2).answer(_prompts())
    assert len(calls) == 1 and found.margin.shape == (3, len(tiny.POLICIES))


def test_label_mass_is_a_share() -> None:
    mass = SplitDecoder(tiny.model(), tiny.tokenizer(), 2).answer(_prompts()).mass
    assert bool(((mass > 0) & (mass < 1)).all())


def test_a_slot_is_not_moved_by_what_comes_after_it() -> None:
    decoder, prompt = SplitDecoder(tiny.model(), tiny.tokenizer(), 2), _prompts()[0]
    at = prompt.slots["hate_harassment"]
    first = {"hate_harassment": at}
    shorter = Prompt(prompt.ids[: at + 1], first, False, prompt.text_span)
    whole, part = decoder.answer([prompt]), decoder.answer([shorter])
    assert torch.allclose(whole.margin[0, 0], part.margin[0, 0], atol=1e-4)


def test_pool_reads_the_texts_only() -> None:
    states = torch.arange(10.0).unsqueeze(1)
    prompt = Prompt(tuple(range(10)), {"a": 9}, False, (2, 5))
    assert pool(states, prompt).tolist() == [3.0]


def test_slot_index() -> None:
    prompt = Prompt((1, 2, 3), {"a": 1, "b": 2}, False, (0, 1))
    assert slot_index([prompt, prompt]).tolist() == [[1, 2], [1, 2]]


def test_a_tokenizer_without_label_tokens_is_refused() -> None:
    def spells(_: str, **__: object) -> dict[str, list[int]]:
        return {"input_ids": [1, 2]}

    with pytest.raises(ModelError, match="no single token"):
        SplitDecoder(tiny.model(), spells, 1)


def test_load_from_a_folder(tmp_path) -> None:
    model, tokenizer = load_language_model(tiny.save_to(tmp_path), torch.float32)
    assert not model.training and tokenizer("Yes")["input_ids"]
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert best_dtype() in (torch.bfloat16, torch.float32)
