"""A vision-language model small enough for a test, with random weights and its own processor."""

from __future__ import annotations

from typing import Any

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}<image>{% else %}{{ p['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}"
)
_SIDE, _PATCH, _WIDTH = 32, 16, 32
_SMALL: dict[str, int] = {"hidden_size": _WIDTH, "intermediate_size": _WIDTH,
                          "num_hidden_layers": 1, "num_attention_heads": 2}  # fmt: skip


def processor() -> Any:
    """Bytes as tokens, pictures of 32 pixels a side. The image processor that needs Pillow only."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    pictures = CLIPImageProcessorPil(
        size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
    )
    return LlavaProcessor(
        pictures, tokenizer, patch_size=_PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE,
    )  # fmt: skip


def model(read: Any) -> Any:
    """A LLaVA of one layer each; ``read``: what ``processor`` made."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    tokens = len(read.tokenizer)
    return LlavaForConditionalGeneration(LlavaConfig(
        vision_config=CLIPVisionConfig(**_SMALL, image_size=_SIDE, patch_size=_PATCH).to_dict(),
        text_config=LlamaConfig(
            **_SMALL, vocab_size=tokens, num_key_value_heads=2, max_position_embeddings=8192
        ).to_dict(),
        image_token_index=read.tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    ))  # fmt: skip
