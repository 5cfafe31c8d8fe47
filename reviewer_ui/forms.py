"""Fields of a plain HTML form."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request

FORM_LIMIT = 8192
"""Bytes of a form of ours."""


async def posted_fields(request: Request) -> dict[str, str]:
    """Read the posted fields; too long or no form at all is an empty one."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or len(body) > FORM_LIMIT:
        return {}
    try:
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
