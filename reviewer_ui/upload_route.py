"""Uploads over HTTP: authorised, streamed to a temporary file, cut off at the limit."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from coefvq.api.receive import IDLE_S, WHOLE_S, receive_file, too_large
from coefvq.api.videos import CAPTION_LIMIT, NAME_LIMIT, TITLE_LIMIT, upload_folder
from coefvq.errors import CoefVQError
from coefvq.review import uploads
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.guard import UPLOAD_PATH
from reviewer_ui.who import actor_of

STATUS = {"too_large": 413, "not_allowed": 403, "too_slow": 408}


async def receive(
    chunks: AsyncIterator[bytes],
    folder: Path,
    limit: int,
    idle_s: float = IDLE_S,
    whole_s: float = WHOLE_S,
) -> Path:
    """Write a request's body to a new file in a folder; see ``receive_file``."""
    return (await receive_file(chunks, folder, limit, idle_s, whole_s)).path


def _register(
    store: Store, settings: Settings, actor: Actor, path: Path, posted: dict[str, str]
) -> str:
    try:
        return uploads.register(
            store,
            settings,
            actor,
            path,
            original_name=posted["name"],
            title=posted["title"] or None,
            caption=posted["caption"] or None,
            inside=path.parent,
        )
    finally:
        path.unlink(missing_ok=True)


def clean(settings: Settings) -> None:
    """Remove what an earlier run left half-sent."""
    for left in upload_folder(settings).glob("upload-*"):
        with contextlib.suppress(OSError):
            left.unlink()


def _posted(request: Request) -> dict[str, str]:
    query = request.query_params
    name = Path(query.get("name", "").replace("\\", "/")).name[:NAME_LIMIT]
    return {
        "name": name or "unnamed",
        "title": query.get("title", "")[:TITLE_LIMIT],
        "caption": query.get("caption", "")[:CAPTION_LIMIT],
    }


def upload_router(store: Store, settings: Settings) -> APIRouter:
    """Make the route: the body is the file, the query says its name, title and caption."""
    router = APIRouter()

    @router.post(UPLOAD_PATH)
    async def upload(request: Request) -> JSONResponse:
        """Take one file in and queue its scoring."""
        try:
            actor = require(actor_of(request), Permission.UPLOAD)
            stated = request.headers.get("content-length", "")
            if stated.isdigit() and int(stated) > settings.max_bytes:
                raise too_large(settings.max_bytes)
            path = await receive(
                request.stream(), upload_folder(settings), settings.max_bytes,
                settings.upload_idle_s, settings.upload_max_s,
            )  # fmt: skip
            posted = _posted(request)
            video_id = await run_in_threadpool(_register, store, settings, actor, path, posted)
        except ClientDisconnect:
            return JSONResponse({"error": "The upload was broken off."}, 400)
        except CoefVQError as error:
            answer = {"error": str(error), "code": error.code}
            return JSONResponse(answer, STATUS.get(error.code, 400))
        return JSONResponse({"video_id": video_id})

    return router
