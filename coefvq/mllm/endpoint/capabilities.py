"""Which server it is and what its model takes, as far as ``GET /models`` tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.dialects import DIALECTS, OPENAI, Dialect

_NO_SUCH_ROUTE = frozenset({404, 405, 501})


@dataclass(frozen=True)
class Capabilities:
    """What a probe found.

    Attributes:
        dialect: How to write requests.
        pictures: Whether the model takes pictures; ``None`` where the server does not say.
    """

    dialect: Dialect
    pictures: bool | None


def probe(client: EndpointClient, model: str) -> Capabilities:
    """Ask the server once. Gateways without that route count as plain OpenAI.

    Raises:
        EndpointError: If the server does not answer, or refuses the key.
    """
    try:
        answer = client.get("models")
    except EndpointError as error:
        if error.status not in _NO_SUCH_ROUTE:
            raise
        return Capabilities(OPENAI, None)
    rows = answer.get("data")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    named = [row for row in found if row.get("id") == model]
    # A llama.cpp server holds one model and answers under any name.
    row = (named or found or [{}])[0]
    return Capabilities(_dialect(row), _pictures(row))


def _dialect(row: dict[str, Any]) -> Dialect:
    return DIALECTS.get(str(row.get("owned_by", "")).lower(), OPENAI)


def _pictures(row: dict[str, Any]) -> bool | None:
    architecture = row.get("architecture")
    kinds = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    return "image" in kinds if isinstance(kinds, list) else None
