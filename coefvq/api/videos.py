"""``/videos``: take a file in, and tell what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from coefvq.api import lookup
from coefvq.api.auth import caller_of
from coefvq.api.receive import Received, receive_file, too_large
from coefvq.api.repeat import Keep, Once, once
from coefvq.review import uploads
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import callbacks
from coefvq.store.session import Store
from coefvq.work.callbacks import check_callback

NAME_LIMIT, TITLE_LIMIT, CAPTION_LIMIT, UPLOADER_LIMIT = 255, 500, 4000, 200
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Limit = Annotated[int, Query(ge=1, le=lookup.MOST)]


def upload_folder(settings: Settings) -> Path:
    """Where half-sent files lie: on the same disk as the media folder."""
    return settings.home / "uploads"


def videos_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/videos", tags=["videos"])

    @router.post("", status_code=202, openapi_extra=FILE_BODY)
    async def submit(
        request: Request,
        name: str = "",
        title: str = "",
        caption: str = "",
        uploader: str = "",
        callback: str = "",
    ) -> JSONResponse:
        """Take a file in and queue its scoring. The body is the file.

        `uploader` is whoever posted it: limits of the MLLM are kept for each. `callback` is told
        when it is scored or decided.
        """
        caller = caller_of(request)
        require(caller.actor, Permission.UPLOAD)
        posted = _posted(name, title, caption, uploader)
        posted["callback"] = check_callback(settings, callback) if callback else ""
        stated = request.headers.get("content-length", "")
        if stated.isdigit() and int(stated) > settings.max_bytes:
            raise too_large(settings.max_bytes)
        got = await receive_file(
            request.stream(), upload_folder(settings), settings.max_bytes,
            settings.upload_idle_s, settings.upload_max_s,
        )  # fmt: skip
        asked = once(request, caller, got.sha256)
        answer = await run_in_threadpool(_take, store, settings, caller.actor, got, posted, asked)
        return JSONResponse(answer, 202)

    @router.get("")
    def listed(
        request: Request,
        cursor: str | None = None,
        limit: Limit = lookup.PAGE,
        text: str | None = None,
        task: str | None = None,
        status: str | None = None,
        queue: str | None = None,
        policy: str | None = None,
        uploader: str | None = None,
    ) -> dict[str, Any]:
        """List videos, newest first."""
        wanted = {"text": text, "task": task, "status": status, "queue": queue,
                  "policy": policy, "uploader": uploader}  # fmt: skip
        clean = {name: lookup.plain(value, name) for name, value in wanted.items()}
        return lookup.list_videos(
            store, settings, caller_of(request).actor, lookup.cursor_of(cursor), limit,
            **{name: value for name, value in clean.items() if value},
        )  # fmt: skip

    @router.get("/{video_id}")
    def one(request: Request, video_id: str) -> dict[str, Any]:
        """One video: its status, and each task's answer."""
        known = lookup.known_id(video_id, "video")
        return lookup.video(store, settings, caller_of(request).actor, known)

    return router


def _posted(name: str, title: str, caption: str, uploader: str) -> dict[str, str]:
    """The texts as the pages take them: cut to their limits, the name without folders."""
    bare = Path(name.replace("\\", "/").replace("\x00", "")).name[:NAME_LIMIT]
    return {
        "name": bare or "unnamed",
        "title": title[:TITLE_LIMIT],
        "caption": caption[:CAPTION_LIMIT],
        "uploader": lookup.plain(uploader[:UPLOADER_LIMIT], "uploader") or "",
    }


def _take(
    store: Store,
    settings: Settings,
    actor: Actor,
    got: Received,
    posted: dict[str, str],
    asked: Once,
) -> dict[str, Any]:
    def act(keep: Keep) -> dict[str, Any]:
        made: dict[str, Any] = {}

        def also(session: Session, video_id: str) -> None:
            made.update({"id": video_id, "sha256": got.sha256, "status": "waiting"})
            if posted["callback"]:
                callbacks.subscribe(session, video_id, asked.key_id, posted["callback"])
            keep(session, made)

        uploads.register(
            store,
            settings,
            actor,
            got.path,
            title=posted["title"] or None,
            caption=posted["caption"] or None,
            original_name=posted["name"],
            uploader=posted["uploader"] or None,
            inside=got.path.parent,
            also=also,
        )
        return made

    try:
        return asked.do(store, act)
    finally:
        got.path.unlink(missing_ok=True)
