"""The configuration names every part and survives saving."""

from __future__ import annotations

import json

import pytest
from transformers import (
    AutoConfig,
    LlamaConfig,
    Qwen3Config,
    Siglip2VisionConfig,
    SiglipVisionConfig,
    WhisperConfig,
)

from coefvq.errors import ModelError
from coefvq.mllm.fused import (
    MODALITIES,
    EfficientNetLite0Config,
    FusedConfig,
    PrecomputedConfig,
)
from tests.unit.mllm.fused import parts


def test_the_defaults_are_the_shipped_models_parts():
    config = FusedConfig()
    assert isinstance(config.vision_config, EfficientNetLite0Config)
    assert isinstance(config.sound_config, PrecomputedConfig)
    assert isinstance(config.text_config, LlamaConfig)
    assert config.vision_config.hidden_size == 1280
    assert config.sound_config.hidden_size == 384
    sizes = config.text_config
    assert (sizes.hidden_size, sizes.num_hidden_layers, sizes.vocab_size) == (576, 30, 49152)
    assert config.tie_word_embeddings is True


@pytest.mark.parametrize("kind", parts.KINDS)
def test_saved_and_loaded_by_auto_config(kind, tmp_path):
    config = parts.config(kind, frame_pool=3, merge_mode="mean", late_text_layer=1)
    config.save_pretrained(tmp_path)
    again = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(again, FusedConfig)
    for name in ("vision_config", "sound_config", "text_config"):
        assert type(getattr(again, name)) is type(getattr(config, name))
    wanted, found = config.to_dict(), again.to_dict()
    for data in (wanted, found):
        for key in ("transformers_version", "_name_or_path"):
            data.pop(key, None)
    assert json.loads(json.dumps(found, default=str)) == json.loads(json.dumps(wanted, default=str))


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("vision_config", {"model_type": "siglip_vision_model"}, SiglipVisionConfig),
        ("vision_config", {"model_type": "siglip2_vision_model"}, Siglip2VisionConfig),
        ("vision_config", {"model_type": "coefvq_precomputed"}, PrecomputedConfig),
        ("vision_config", {"image_size": 96}, EfficientNetLite0Config),
        ("sound_config", {"model_type": "whisper", "d_model": 16}, WhisperConfig),
        ("text_config", {"model_type": "qwen3", "hidden_size": 16}, Qwen3Config),
    ],
    ids=["siglip", "siglip2", "precomputed", "default kind", "whisper", "qwen3"],
)  # fmt: skip
def test_parts_are_chosen_by_their_model_type(name, data, kind):
    part = getattr(FusedConfig(**{name: data}), name)
    assert type(part) is kind
    for key, value in data.items():
        assert getattr(part, key) == value


@pytest.mark.parametrize("tied", [True, False])
def test_the_language_model_decides_on_tying(tied):
    config = FusedConfig(text_config=LlamaConfig(tie_word_embeddings=tied))
    assert config.tie_word_embeddings is tied


def test_policies_are_never_shared_between_configurations():
    one, other = FusedConfig(), FusedConfig()
    one.policies.append("violence")
    assert other.policies == []


WRONG = [
    {"merge_mode": "sum"},
    {"frame_pool": 0},
    {"patch_merge": -1},
    {"sound_pool": 0},
    {"modality_dropout": 1.5},
    {"modality_dropout": float("nan")},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_values_that_fit_no_model_are_refused(wrong):
    with pytest.raises(ModelError, match=next(iter(wrong))):
        FusedConfig(**wrong)


def test_modalities_are_in_their_published_order():
    assert MODALITIES == ("visual", "sound", "motion", "speech", "screen_text", "caption")


def test_label_and_mark_tokens_come_from_the_tokenizer():
    config, tokenizer = parts.config(), parts.tokenizer()
    for ids, words in ((config.yes_token_ids, {"yes"}), (config.no_token_ids, {"no"})):
        assert ids
        assert {tokenizer.decode([at]).strip().lower() for at in ids} == words
    marks = [getattr(config, f"{name}_token_id") for name in ("visual", "sound", "absent", "slot")]
    assert len(set(marks)) == 4
    assert all(at < config.text_config.vocab_size for at in marks)
