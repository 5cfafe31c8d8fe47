"""Uploads over HTTP: authorised, streamed to a temporary file, cut off at the limit."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from coefvq.errors import CoefVQError, MediaError
from coefvq.review import uploads
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.guard import UPLOAD_PATH
from reviewer_ui.who import actor_of

NAME_LIMIT, TITLE_LIMIT, CAPTION_LIMIT = 255, 500, 4000
STATUS = {"too_large": 413, "not_allowed": 403}


def _too_large(limit: int) -> MediaError:
    return MediaError(
        f"The file is larger than {limit / 2**20:.0f} MB. Make it smaller, or raise "
        "COEFVQ_MAX_BYTES.",
        code="too_large",
    )


async def receive(chunks: AsyncIterator[bytes], folder: Path, limit: int) -> Path:
    """Write a request's body to a new file in a folder.

    Raises:
        MediaError: ``too_large`` as soon as the limit is passed, ``unreadable_media`` for an
            empty body; no file is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="upload-", dir=folder)
    path, size = Path(name), 0
    try:
        with os.fdopen(handle, "wb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                await run_in_threadpool(file.write, chunk)
        if size == 0:
            raise MediaError("The file is empty. Choose another one.")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


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


def upload_folder(settings: Settings) -> Path:
    """Where half-sent files lie: on the same disk as the media folder."""
    return settings.home / "uploads"


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
                raise _too_large(settings.max_bytes)
            path = await receive(request.stream(), upload_folder(settings), settings.max_bytes)
            posted = _posted(request)
            video_id = await run_in_threadpool(_register, store, settings, actor, path, posted)
        except ClientDisconnect:
            return JSONResponse({"error": "The upload was broken off."}, 400)
        except CoefVQError as error:
            answer = {"error": str(error), "code": error.code}
            return JSONResponse(answer, STATUS.get(error.code, 400))
        return JSONResponse({"video_id": video_id})

    return router
