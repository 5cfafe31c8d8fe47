"""Two halves one after the other give what the whole model gives."""

from __future__ import annotations

import pytest
import torch

from coefvq.mllm.fused import MODALITIES
from coefvq.mllm.fused.split import embed, lower, part_of, upper
from tests.unit.mllm.fused import parts

FIELDS = ("slot_logits", "label_logits", "fused_logits", "label_mass")
LOSSES = ((), ("speech",), ("visual", "sound", "motion"), ("caption", "speech"))


@pytest.mark.parametrize("split", [0, 1])
@pytest.mark.parametrize("lost", LOSSES, ids=lambda names: "+".join(names) or "whole")
@pytest.mark.parametrize("kind", parts.KINDS)
def test_halves_give_what_the_whole_gives(kind, lost, split):
    model = parts.model(kind, late_text_layer=split)
    batch = parts.processor(kind)([parts.item(1, kind), parts.item(2, kind, without=("sound",))])
    dropped = torch.tensor([[name in lost for name in MODALITIES]] * 2)
    with torch.no_grad():
        whole = model(**batch, dropped=dropped)
        found = lower(model, embed(model, batch, dropped), split)
        halves, log_mass, hidden = upper(model, found, split)
    for name in FIELDS:
        assert torch.allclose(getattr(halves, name), getattr(whole, name), atol=1e-4), name
    assert torch.allclose(log_mass.exp(), whole.label_mass, atol=1e-4)
    assert hidden.shape[:2] == (2, max(len(item.states) for item in found))


def test_only_attended_tokens_are_kept():
    model, processor = parts.model(), parts.processor()
    batch = processor([parts.item(1), parts.item(2, without=("speech",))])
    kept = [len(one.embeds) for one in embed(model, batch)]
    assert kept == batch["attention_mask"].sum(1).tolist()


def test_a_decoder_is_whole_again_after_a_part_has_failed():
    decoder = parts.model().language_model.get_decoder()
    layers, norm = decoder.layers, decoder.norm
    with pytest.raises(RuntimeError), part_of(decoder, 0, 1):
        raise RuntimeError
    assert decoder.layers is layers
    assert decoder.norm is norm
    assert decoder.config.num_hidden_layers == len(layers)
