"""Exports over HTTP: a ZIP file that is made while it is sent, and files to import."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, StreamingResponse

from coefvq.errors import CoefVQError, MediaError, NotAllowed
from coefvq.export import desk
from coefvq.export.output import listed
from coefvq.export.take import check_format
from coefvq.review.access import Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.components.exports import ZIP_PATH
from reviewer_ui.guard import IMPORT_PATH
from reviewer_ui.upload_route import STATUS, receive, upload_folder
from reviewer_ui.who import actor_of

LARGEST = 512 * 1024**2
"""Bytes of a file to import."""
_CHUNK = 1 << 18
_STORED = frozenset({".mp4", ".webm", ".mov", ".mkv", ".avi", ".jpg", ".parquet"})
"""Packed already: packing them again only takes time."""


class _Pipe:
    """What ``ZipFile`` writes to: bytes that wait to be sent. It cannot go back."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep bytes."""
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing to do."""

    def take(self) -> bytes:
        """All that waits."""
        found, self._waiting = b"".join(self._waiting), []
        return found


def zipped(folder: Path, inside: Path) -> Iterator[bytes]:
    """A folder as a ZIP file, piece by piece.

    Args:
        inside: Links are followed into this folder only.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", allowZip64=True) as archive:  # type: ignore[call-overload]
        for name in listed(folder):
            path = folder / name
            if name.startswith(".") or not _is_ours(path, folder, inside):
                continue
            packed = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
            entry = zipfile.ZipInfo.from_file(path.resolve(), f"{folder.name}/{name}",
                                              strict_timestamps=False)  # fmt: skip
            entry.compress_type = packed
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield pipe.take()
    yield pipe.take()


def _is_ours(path: Path, folder: Path, inside: Path) -> bool:
    found = path.resolve()
    places = (folder.resolve(), inside.resolve())
    return found.is_file() and any(found.is_relative_to(place) for place in places)


def exports_router(store: Store, settings: Settings) -> APIRouter:
    """Make both routes, for leads."""
    router = APIRouter()

    @router.get(ZIP_PATH)
    async def download(export_id: str, request: Request) -> StreamingResponse:
        """Send a finished export."""
        try:
            actor = actor_of(request)
            found = await run_in_threadpool(desk.download, store, settings, actor, export_id)
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except CoefVQError as error:
            raise HTTPException(404, str(error)) from error
        view, folder = found
        name = f"coefvq-{view.name}-{view.created_at:%Y%m%d-%H%M}.zip"
        headers = {"content-disposition": f'attachment; filename="{name}"',
                   "cache-control": "no-store"}  # fmt: skip
        pieces = zipped(folder, settings.media_dir)
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    @router.post(IMPORT_PATH)
    async def take_in(request: Request) -> JSONResponse:
        """Take a file in and queue its import: the body is the file, the query its format."""
        try:
            actor = require(actor_of(request), Permission.LEAD)
            name = request.query_params.get("format", "")
            check_format(name)
            shown = Path(request.query_params.get("name", "").replace("\\", "/")).name or "unnamed"
            path = await receive(request.stream(), upload_folder(settings), LARGEST)
            made = await run_in_threadpool(
                desk.start_import, store, settings, actor, name, path, shown
            )
        except ClientDisconnect:
            return JSONResponse({"error": "The upload was broken off."}, 400)
        except MediaError as error:
            words = str(error).replace("Make it smaller, or raise COEFVQ_MAX_BYTES.", "Split it.")
            return JSONResponse({"error": words, "code": error.code}, STATUS.get(error.code, 400))
        except CoefVQError as error:
            answer = {"error": str(error), "code": error.code}
            return JSONResponse(answer, STATUS.get(error.code, 400))
        return JSONResponse({"import": made})

    return router
