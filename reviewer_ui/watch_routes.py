"""What machines that watch the app ask: whether it is alive, whether it is ready, its figures."""

from __future__ import annotations

import anyio
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from coefvq.errors import NotAllowed
from coefvq.ops import metrics, readiness
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.who import ALIVE_PATH, METRICS_PATH, READY_PATH, actor_of

PATIENCE_S = 5.0
"""A store that takes longer to answer is not ready."""


def watch_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes."""
    router = APIRouter()

    @router.get(ALIVE_PATH)
    async def alive() -> JSONResponse:
        """The process answers; nothing else is looked at."""
        return JSONResponse({"status": "ok"})

    @router.get(READY_PATH)
    async def ready() -> JSONResponse:
        """Whether requests can be served: store, schema and disk. 503 with what is amiss."""
        try:
            with anyio.fail_after(PATIENCE_S):
                amiss = await anyio.to_thread.run_sync(
                    readiness.examine, store, settings, abandon_on_cancel=True
                )
        except TimeoutError:
            amiss = {"store": f"no answer within {PATIENCE_S:g} s"}
        if amiss:
            return JSONResponse({"status": "not ready", "failed": amiss}, 503)
        return JSONResponse({"status": "ok"})

    @router.get(METRICS_PATH)
    async def figures(request: Request) -> Response:
        """Figures in Prometheus' text format, for keys with the scope `metrics` and for leads."""
        try:
            text = await run_in_threadpool(metrics.render, store, settings, actor_of(request))
        except NotAllowed as error:
            return JSONResponse({"error": {"code": error.code, "message": str(error)}}, 403)
        return Response(
            text, media_type=metrics.CONTENT_TYPE, headers={"cache-control": "no-store"}
        )

    return router
