"""Previews over HTTP: looked up by video id, authorised, with byte ranges, from one folder.

A browser keeps no copy of what stands in a restricted queue, and asks before it uses another.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import library, queues
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.who import actor_of

KINDS = {
    "proxy": ("proxy", "video/mp4"),
    "poster": ("poster", "image/jpeg"),
    "sheet": ("contact_sheet", "image/jpeg"),
}
"""Last part of the address to the service's name of the file and the type it is served as.
The original is not among them: a browser never gets the bytes that were uploaded."""


def preview_path(store: Store, settings: Settings, actor: Actor, video_id: str, kind: str) -> Path:
    """Find the file of a preview.

    Raises:
        NotAllowed: The actor may not look.
        StoreError: No such video, kind or file, or a file outside the previews folder.
    """
    if kind not in KINDS:
        raise StoreError(f"There is no preview called '{kind}'.")
    path = library.media_file(store, settings, actor, video_id, KINDS[kind][0]).resolve()
    if not path.is_relative_to(settings.previews_dir.resolve()):
        raise StoreError(f"Video {video_id} has no {kind} in the previews folder.")
    return path


def unchanged(asked: str | None, etag: str) -> bool:
    """Whether ``If-None-Match`` names the file as it is (RFC 9110, 13.1.2: weak comparison)."""
    known = [each.strip().removeprefix("W/") for each in (asked or "").split(",")]
    return "*" in known or etag.removeprefix("W/") in known


def answer(path: Path, kind: str, restricted: bool, request: Request) -> Response:
    """Send a preview, a part of it, or that the browser's copy still holds.

    A browser asks before it shows its copy, so that after a sign-out it gets nothing. Of what
    may be illegal it keeps none: no copy, no name to save it under.
    """
    media_type = KINDS[kind][1]
    if restricted:
        headers = {"cache-control": "no-store", "content-disposition": "inline"}
        return FileResponse(path, media_type=media_type, headers=headers)
    headers = {"cache-control": "private, no-cache"}
    whole = FileResponse(path, media_type=media_type, headers=headers, stat_result=path.stat())
    if not unchanged(request.headers.get("if-none-match"), whole.headers["etag"]):
        return whole
    return Response(status_code=304, headers=headers | {"etag": whole.headers["etag"]})


def media_router(store: Store, settings: Settings) -> APIRouter:
    """Make the route. ``FileResponse`` answers ranges, ``If-Range`` and HEAD."""
    router = APIRouter()

    @router.api_route("/media/{video_id}/{kind}", methods=["GET", "HEAD"])
    async def preview(video_id: str, kind: str, request: Request) -> Response:
        """Send a preview or a part of it."""
        try:
            path, restricted = await run_in_threadpool(
                _look_up, store, settings, actor_of(request), video_id, kind
            )
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except StoreError as error:
            raise HTTPException(404, str(error)) from error
        return answer(path, kind, restricted, request)

    return router


def _look_up(
    store: Store, settings: Settings, actor: Actor, video_id: str, kind: str
) -> tuple[Path, bool]:
    path = preview_path(store, settings, actor, video_id, kind)
    return path, queues.is_restricted(store, actor, video_id)
