"""What the servers write differently in ``POST /chat/completions``.

=========  =======================  ==========================================
dialect    length                   structured answer
=========  =======================  ==========================================
vllm       max_completion_tokens    response_format.json_schema.schema
sglang     max_tokens               response_format.json_schema.schema
llamacpp   max_tokens               response_format.schema
openai     max_completion_tokens    response_format.json_schema.schema, strict
=========  =======================  ==========================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coefvq.mllm.endpoint.labels import TOP_LOGPROBS


@dataclass(frozen=True)
class Dialect:
    """One server's way of writing a request."""

    name: str
    length_field: str
    schema_on_top: bool = False
    strict: bool = False

    def scoring(self, model: str, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One token with the log-probabilities of its rivals."""
        limits = {self.length_field: 1, "logprobs": True, "top_logprobs": TOP_LOGPROBS}
        return _common(model, messages) | limits

    def structured(
        self,
        model: str,
        messages: Sequence[dict[str, Any]],
        schema: dict[str, Any],
        max_tokens: int,
    ) -> dict[str, Any]:
        """A JSON object that keeps ``schema``, of at most ``max_tokens`` tokens."""
        form: dict[str, Any] = {"name": "rationale", "schema": schema}
        if self.strict:
            form["strict"] = True
        wanted = {"schema": schema} if self.schema_on_top else {"json_schema": form}
        return _common(model, messages) | {
            self.length_field: max_tokens,
            "response_format": {"type": "json_schema", **wanted},
        }


def _common(model: str, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"model": model, "messages": list(messages), "temperature": 0, "stream": False}


VLLM = Dialect("vllm", "max_completion_tokens")
SGLANG = Dialect("sglang", "max_tokens")
LLAMACPP = Dialect("llamacpp", "max_tokens", schema_on_top=True)
OPENAI = Dialect("openai", "max_completion_tokens", strict=True)
DIALECTS = {each.name: each for each in (VLLM, SGLANG, LLAMACPP, OPENAI)}
