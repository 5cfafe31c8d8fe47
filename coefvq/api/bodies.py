"""Bodies that are JSON: read in time, and checked field by field."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from coefvq.api.errors import BadRequest
from coefvq.api.receive import JSON_LIMIT, receive_bytes
from coefvq.domain import STAGES
from coefvq.review.form import NOTICE_LIMIT
from coefvq.settings import Settings

Model = TypeVar("Model", bound=BaseModel)
_COMMENT = 10_000


class Strict(BaseModel):
    """Refuses what it does not know, and numbers written as words."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class DecisionBody(Strict):
    """The decision form: what a reviewer fills in on the page."""

    labels: dict[str, bool] = Field(description="Policy to whether it is violated.", max_length=500)
    action: str = Field(max_length=64)
    reasons: dict[str, str] = Field(default_factory=dict, max_length=500)
    comment: str = Field("", max_length=_COMMENT)
    start_s: float | None = None
    end_s: float | None = None
    verdict_id: str | None = Field(None, pattern=r"^[0-9a-z]{1,32}$")
    notice: str = Field("", max_length=NOTICE_LIMIT)


class SignalsBody(Strict):
    """Signals that a platform already has: a line of `coefvq score --from-signals`."""

    id: str = Field(max_length=200)
    title: str | None = None
    caption: str | None = None
    speech: list[dict[str, Any]] | None = None
    screen_text: list[dict[str, Any]] | None = None


def described(model: type[BaseModel]) -> dict[str, Any]:
    """A body for the OpenAPI document."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


async def read_bytes(request: Request, settings: Settings) -> bytes:
    """Read a small body whole.

    Raises:
        MediaError: It is too large or too slow.
    """
    return await receive_bytes(request.stream(), settings.upload_idle_s, JSON_LIMIT)


def parse(model: type[Model], body: bytes) -> Model:
    """Read a body.

    Raises:
        BadRequest: It is no JSON, or does not fit.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("The body is not JSON.") from None
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200] or "body"
        raise BadRequest(f"{where}: {first['msg']}.") from None


def digest(body: bytes) -> str:
    """SHA-256 of a body."""
    return hashlib.sha256(body).hexdigest()


def stage_of(stage: str) -> str:
    """How far to go with an item.

    Raises:
        BadRequest: There is no such stage.
    """
    if stage not in STAGES:
        raise BadRequest(f"stage: one of {', '.join(STAGES)}.")
    return stage
