"""The MLLM stage on an OpenAI-compatible server: vLLM, SGLang, llama.cpp or plain OpenAI."""

from coefvq.mllm.endpoint.backend import EndpointMllm

__all__ = ["EndpointMllm"]
