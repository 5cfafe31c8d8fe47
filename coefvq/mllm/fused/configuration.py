"""The fused model's configuration: which towers, how they are joined, which policies."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from coefvq.errors import ModelError
from coefvq.towers.efficientnet_lite import SIDE, WIDTH

MODALITIES = ("visual", "sound", "motion", "speech", "screen_text", "caption")
"""What an item can lack or lose to dropout, in the order of every (..., 6) mask.

Title and caption count as one. Number ``m`` in a prompt's modality ids is ``MODALITIES[m - 1]``.
"""
TEXT_MODALITIES = ("speech", "screen_text", "caption")


class EfficientNetLite0Config(PreTrainedConfig):
    """EfficientNet-Lite0 as a vision tower; its sizes are fixed by its published weights."""

    model_type = "efficientnet_lite0"

    hidden_size: int = WIDTH
    image_size: int = SIDE


class PrecomputedConfig(PreTrainedConfig):
    """A tower that ran elsewhere: its states are handed to the model, ``hidden_size`` wide."""

    model_type = "coefvq_precomputed"

    hidden_size: int = 384


AutoConfig.register(EfficientNetLite0Config.model_type, EfficientNetLite0Config)
AutoConfig.register(PrecomputedConfig.model_type, PrecomputedConfig)


class FusedConfig(PreTrainedConfig):
    """Towers, projectors, fusion and policies of a ``FusedForConditionalGeneration``.

    The defaults are the shipped model's: EfficientNet-Lite0, the encoder states of Whisper tiny
    (computed by the speech recogniser) and SmolLM2-135M.

    Attributes:
        vision_config: Any vision model that ``AutoModel`` knows, EfficientNet-Lite0, or
            ``PrecomputedConfig`` for feature maps made elsewhere.
        sound_config: A ``WhisperConfig`` (its encoder is used) or ``PrecomputedConfig``.
        text_config: Any causal language model of ``AutoModelForCausalLM``.
        policies: Policy ids in slot order.
        yes_token_ids: Tokens that mean "violates the policy".
        no_token_ids: Tokens that mean the opposite.
        visual_token_id: Placeholder of one visual token; this and the next three are never
            looked up in the embedding table.
        sound_token_id: Placeholder of one sound token.
        absent_token_id: One a modality in every prompt; attended only where it is absent.
        slot_token_id: Where a policy is answered; holds the policy's learnt embedding.
        early_fusion: Whether visual and sound tokens stand in the prompt.
        late_fusion: Whether pooled states of all modalities join the slots before the head.
        frame_pool: Consecutive frames that are averaged (NVILA's temporal averaging).
        patch_merge: Side of the square of patches that becomes one token.
        merge_mode: ``concat`` keeps all patches of a square (NVILA's spatial-to-channel);
            ``mean`` averages them, for a smaller projector.
        sound_pool: Consecutive sound states that are averaged into one token.
        motion_size: Number of motion statistics; 0 for a model without them.
        projector_size: Width between the two layers of a projector; 0: the text width.
        embedding_scale: Root mean square of a projected token, to match the text embeddings.
        time_bands: Periods (2, 4, 8, ... seconds) in which a media token is told its time.
        late_size: Width to which each pooled state is brought.
        late_text_layer: Hidden state whose mean is the pooled text state; ``None``: the last.
        head_dropout: Dropout before the fused head, in training.
        modality_dropout: Probability with which each present modality of an item is replaced
            by its absent embedding, in training. An item never loses all it has.
        lm_loss_weight: Of next-token cross-entropy (the rationale) beside the slots' loss.
        part_loss_weight: Of the slots' loss on label tokens alone and on the head alone.
        mass_loss_weight: Of ``-log(label_mass)``.
        freeze_towers: Whether towers stay as they are; they then run without gradients.

    Raises:
        ModelError: For a value that no model can be built with.
    """

    model_type = "coefvq_fused"
    sub_configs_defaults: ClassVar[dict[str, SubConfigSpec]] = {
        "vision_config": SubConfigSpec(
            config_class=AutoConfig, model_type=EfficientNetLite0Config.model_type
        ),
        "sound_config": SubConfigSpec(
            config_class=AutoConfig, model_type=PrecomputedConfig.model_type
        ),
        "text_config": SubConfigSpec(
            config_class=AutoConfig,
            model_type="llama",
            init_kwargs={
                "vocab_size": 49152,
                "hidden_size": 576,
                "intermediate_size": 1536,
                "num_hidden_layers": 30,
                "num_attention_heads": 9,
                "num_key_value_heads": 3,
                "max_position_embeddings": 8192,
                "tie_word_embeddings": True,
            },
        ),
    }

    vision_config: Any = None
    sound_config: Any = None
    text_config: Any = None
    policies: list[str] | None = None
    yes_token_ids: list[int] | None = None
    no_token_ids: list[int] | None = None
    visual_token_id: int | None = None
    sound_token_id: int | None = None
    absent_token_id: int | None = None
    slot_token_id: int | None = None
    early_fusion: bool = True
    late_fusion: bool = True
    frame_pool: int = 2
    patch_merge: int = 2
    merge_mode: Literal["concat", "mean"] = "concat"
    sound_pool: int = 25
    motion_size: int = 0
    projector_size: int = 0
    embedding_scale: float = 1.0
    time_bands: int = 8
    late_size: int = 128
    late_text_layer: int | None = None
    head_dropout: float = 0.1
    modality_dropout: float = 0.15
    lm_loss_weight: float = 0.3
    part_loss_weight: float = 0.5
    mass_loss_weight: float = 0.1
    freeze_towers: bool = True
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self._check()
        self.policies = list(self.policies or ())
        # The language model decides; the outer class only repeats it for the weight loader.
        self.tie_word_embeddings = bool(getattr(self.text_config, "tie_word_embeddings", False))

    def _check(self) -> None:
        counts = ("frame_pool", "patch_merge", "sound_pool", "time_bands", "late_size")
        wrong = [name for name in counts if getattr(self, name) < 1]
        wrong += [] if 0.0 <= self.modality_dropout <= 1.0 else ["modality_dropout"]
        wrong += [] if self.merge_mode in ("concat", "mean") else ["merge_mode"]
        if wrong:
            values = ", ".join(f"{name}={getattr(self, name)!r}" for name in wrong)
            raise ModelError(
                f"The fused model cannot be built with {values}. Pools, merges and sizes are at "
                "least 1, modality_dropout is 0 to 1, merge_mode is 'concat' or 'mean'."
            )


AutoConfig.register(FusedConfig.model_type, FusedConfig)
