"""The fused model: sight, sound and text in one language model, all policies in one pass.

After COEF-VQ (arXiv 2412.10435), whose own architecture is not public: visual and sound tokens
stand in the prompt at their place in time (early fusion), and pooled states of every modality
join each policy's slot before its head (late fusion).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.modeling_utils import slice_logits_to_keep
from transformers.models.auto.modeling_auto import AutoModelForMultimodalLM
from transformers.utils.generic import can_return_tuple

from coefvq.errors import ModelError
from coefvq.mllm.fused.configuration import MODALITIES, FusedConfig
from coefvq.mllm.fused.fusion import (
    EarlyFusion,
    Stream,
    draw_dropped,
    drop_modalities,
    pooled_text,
    positions_of,
)
from coefvq.mllm.fused.heads import (
    _HALF,
    Combination,
    FusedHead,
    FusedOutput,
    LateFusion,
    Standardise,
    read_labels,
    stream_statistics,
)
from coefvq.mllm.fused.losses import total_loss
from coefvq.mllm.fused.projectors import TimeEncoding
from coefvq.mllm.fused.towers import build_tower

MEDIA_INPUTS = (
    "pixel_values",
    "vision_features",
    "frame_mask",
    "frame_times",
    "input_features",
    "sound_features",
    "sound_mask",
    "sound_times",
    "motion_features",
)
_PROMPT_INPUTS = ("modality_ids", "slot_positions", "dropped")


class FusedForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Answers every policy at its slot, and can go on to write a rationale.

    ``language_model`` is any causal language model; ``vision_tower`` and ``sound_tower`` are
    frozen and may be missing where their states come precomputed.
    """

    config_class = FusedConfig
    config: FusedConfig
    main_input_name = "input_ids"
    input_modalities = ["image", "audio", "text"]
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]
    _tied_weights_keys = {
        "language_model.lm_head.weight": "language_model.model.embed_tokens.weight"
    }

    def __init__(self, config: FusedConfig):
        super().__init__(config)
        self.vision_tower = build_tower(config.vision_config)
        self.sound_tower = build_tower(config.sound_config)
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        self.early = EarlyFusion(config)
        self.late = LateFusion(config) if config.late_fusion else None
        self.head = FusedHead(config)
        self.combination = Combination(len(config.policies or ()))
        if config.freeze_towers:
            self._towers().requires_grad_(False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, TimeEncoding):
            init.zeros_(module.weight)
        elif isinstance(module, FusedHead):
            init.normal_(module.weight, std=self.config.initializer_range)
            init.zeros_(module.bias)
        elif isinstance(module, Combination):
            init.constant_(module.raw, _HALF)
            init.zeros_(module.bias)
        elif isinstance(module, Standardise):
            init.zeros_(module.get_buffer("mean"))
            init.ones_(module.get_buffer("spread"))
        else:
            super()._init_weights(module)

    def _towers(self) -> nn.ModuleList:
        return nn.ModuleList([t for t in (self.vision_tower, self.sound_tower) if t is not None])

    def train(self, mode: bool = True) -> FusedForConditionalGeneration:
        """Frozen towers stay in evaluation mode."""
        super().train(mode)
        if self.config.freeze_towers:
            self._towers().eval()
        return self

    def get_input_embeddings(self) -> nn.Module:
        """The language model's embedding table."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's embedding table."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The language model's output layer."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's output layer."""
        self.language_model.set_output_embeddings(value)

    @torch.inference_mode()
    def score(self, **inputs: Any) -> FusedOutput:
        """One pass for the slots only: no vocabulary-wide logits but theirs, no gradients."""
        return self(**{"logits_to_keep": 1, "use_cache": False, **inputs})

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        modality_ids: Tensor | None = None,
        slot_positions: Tensor | None = None,
        pixel_values: Tensor | None = None,
        vision_features: Tensor | None = None,
        frame_mask: Tensor | None = None,
        frame_times: Tensor | None = None,
        input_features: Tensor | None = None,
        sound_features: Tensor | None = None,
        sound_mask: Tensor | None = None,
        sound_times: Tensor | None = None,
        motion_features: Tensor | None = None,
        dropped: Tensor | None = None,
        dropout_generator: torch.Generator | None = None,
        labels: Tensor | None = None,
        slot_labels: Tensor | None = None,
        slot_weights: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> FusedOutput:
        """Run the model over prompts that ``FusedProcessor`` made.

        Args:
            input_ids: (B, L).
            attention_mask: (B, L), or (B, cached + L) with a cache.
            modality_ids: (B, L); see ``fusion.drop_modalities``.
            slot_positions: (B, P), index into ``input_ids``, in the order of the policies.
            pixel_values: (B, F, 3, S, S), for the vision tower.
            vision_features: (B, F, C, rows, columns), in place of ``pixel_values``.
            frame_mask: bool (B, F).
            frame_times: Seconds, (B, F).
            input_features: Log-mel windows (B, W, bands, frames), for the sound tower.
            sound_features: (B, T, C), in place of ``input_features``.
            sound_mask: bool (B, T).
            sound_times: Seconds, (B, T).
            motion_features: (B, M).
            dropped: bool (B, 6), modalities to leave out (also for ablations). ``None``: drawn
                with ``config.modality_dropout`` in training, else nothing.
            dropout_generator: Chance for that draw; ``None``: torch's own.
            labels: (B, L) next-token targets, -100 where none.
            slot_labels: 0..1 or NaN (not labelled), (B, P).
            slot_weights: (B, P).
            logits_to_keep: As in transformers.

        Returns:
            ``FusedOutput``; everything about slots is ``None`` without ``slot_positions``.

        Raises:
            ModelError: If placeholders and features do not fit each other.
        """
        media = {
            "visual": (pixel_values, vision_features, frame_mask, frame_times),
            "sound": (input_features, sound_features, sound_mask, sound_times),
        }
        absent = None
        streams: dict[str, Stream] = {}
        if inputs_embeds is None and modality_ids is not None:
            assert input_ids is not None
            attention_mask, absent = self._presence(
                input_ids, attention_mask, modality_ids, dropped, dropout_generator
            )
            streams = self._streams(media)
            inputs_embeds = self.early.embed(self.get_input_embeddings(), input_ids, streams)
            inputs_embeds = self.early.learnt(inputs_embeds, modality_ids, slot_positions)
        elif inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        hidden, pooled_layer, cache = self._read(
            inputs_embeds, attention_mask, position_ids, past_key_values, use_cache, kwargs
        )
        logits = self.get_output_embeddings()(slice_logits_to_keep(hidden, logits_to_keep))
        output = FusedOutput(logits=logits, past_key_values=cache)
        log_mass = None
        if slot_positions is not None and absent is not None:
            assert attention_mask is not None and modality_ids is not None
            read = attention_mask[:, -modality_ids.shape[1] :] > 0
            text = pooled_text(pooled_layer, read, modality_ids)
            late = self._join(streams, motion_features, text, absent)
            log_mass = self._answer(output, hidden, slot_positions, late)
        output.loss = total_loss(self.config, output, log_mass, labels, slot_labels, slot_weights)
        return output

    def _presence(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        modality_ids: Tensor,
        dropped: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor]:
        if attention_mask is None:
            raise ModelError("attention_mask is missing; pass all that the processor gave.")
        length = input_ids.shape[1]
        before, mask = attention_mask[:, :-length], attention_mask[:, -length:]
        rate = self.config.modality_dropout
        if dropped is None and self.training and rate > 0:
            dropped = draw_dropped(mask, modality_ids, rate, generator)
        if dropped is None:
            dropped = modality_ids.new_zeros(len(modality_ids), len(MODALITIES), dtype=torch.bool)
        mask, absent = drop_modalities(mask, modality_ids, dropped)
        return torch.cat([before, mask], 1), absent

    def _streams(self, media: dict[str, Any]) -> dict[str, Stream]:
        makers = {
            "visual": (self.early.see, self.vision_tower),
            "sound": (self.early.hear, self.sound_tower),
        }
        streams = {}
        for name, (maker, tower) in makers.items():
            raw, states, mask, times = media[name]
            if mask is not None and (raw is not None or states is not None):
                assert times is not None
                streams[name] = maker(tower, raw, states, mask.bool(), times)
        return streams

    def _read(
        self,
        embeds: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        past_key_values: Any,
        use_cache: bool | None,
        kwargs: dict[str, Any],
    ) -> tuple[Tensor, Tensor, Any]:
        if position_ids is None and attention_mask is not None and attention_mask.dim() == 2:
            position_ids = positions_of(attention_mask)[:, -embeds.shape[1] :]
        layer = self.config.late_text_layer
        if layer is not None:
            kwargs = {**kwargs, "output_hidden_states": True}
        found = self.language_model.get_decoder()(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            **kwargs,
        )
        last = found.last_hidden_state
        pooled = last if layer is None else found.hidden_states[layer]
        return last, pooled, found.past_key_values

    def _join(
        self,
        streams: dict[str, Stream],
        motion: Tensor | None,
        text: tuple[Tensor, Tensor],
        absent: Tensor,
    ) -> Tensor | None:
        if self.late is None:
            return None
        pooled = {name: stream_statistics(stream) for name, stream in streams.items()}
        pooled["text"], read = text
        if motion is not None:
            pooled["motion"] = motion
        senses = ("visual", "sound", "motion")
        there = {name: ~absent[:, MODALITIES.index(name)] for name in senses}
        return self.late(pooled, there | {"text": read})

    def _answer(
        self, output: FusedOutput, hidden: Tensor, slots: Tensor, late: Tensor | None
    ) -> Tensor:
        rows = torch.arange(len(slots), device=slots.device)[:, None]
        states = hidden[rows, slots]
        yes, no = self.config.yes_token_ids or [], self.config.no_token_ids or []
        logits = self.get_output_embeddings()(states)
        output.label_logits, log_mass = read_labels(logits, yes, no)
        output.fused_logits = self.head(states, late)
        output.slot_logits = self.combination(output.label_logits, output.fused_logits)
        output.label_mass = log_mass.exp().clamp(0.0, 1.0)
        return log_mass

    def prepare_inputs_for_generation(  # type: ignore[override]
        self,
        input_ids: Any,
        past_key_values: Any = None,
        is_first_iteration: bool | None = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Media and prompt layout go in once, with the prompt; a filled cache holds them.

        Raises:
            ModelError: If modalities are dropped, which later tokens would not know of.
        """
        if kwargs.get("dropped") is not None:
            raise ModelError("generate takes no `dropped`; leave the modality out of the item.")
        cached = past_key_values is not None and past_key_values.get_seq_length() > 0
        prepared = super().prepare_inputs_for_generation(  # type: ignore[misc]
            input_ids,
            past_key_values=past_key_values,
            is_first_iteration=is_first_iteration,
            **kwargs,
        )
        if cached:
            for name in (*MEDIA_INPUTS, *_PROMPT_INPUTS):
                prepared.pop(name, None)
        return prepared


AutoModelForMultimodalLM.register(FusedConfig, FusedForConditionalGeneration)
