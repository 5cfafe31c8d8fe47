"""Previews over HTTP: looked up by video id, authorised, with byte ranges, from one folder."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import library
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


def media_router(store: Store, settings: Settings) -> APIRouter:
    """Make the route. ``FileResponse`` answers ranges, ``If-Range`` and HEAD."""
    router = APIRouter()

    @router.api_route("/media/{video_id}/{kind}", methods=["GET", "HEAD"])
    async def preview(video_id: str, kind: str, request: Request) -> FileResponse:
        """Send a preview or a part of it."""
        try:
            path = await run_in_threadpool(
                preview_path, store, settings, actor_of(request), video_id, kind
            )
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except StoreError as error:
            raise HTTPException(404, str(error)) from error
        # Files are named by their content's hash and never change under one name.
        headers = {"cache-control": "private, max-age=3600"}
        return FileResponse(path, media_type=KINDS[kind][1], headers=headers)

    return router
