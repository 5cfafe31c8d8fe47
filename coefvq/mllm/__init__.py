"""The second stage of the cascade: a multimodal language model."""
