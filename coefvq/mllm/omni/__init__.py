"""The MLLM stage as a large omni model on one GPU: ``COEFVQ_MLLM=omni:MODEL``."""

from coefvq.mllm.omni.backend import OmniMllm

__all__ = ["OmniMllm"]
