"""The API as one application, to be mounted under ``PREFIX``."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from coefvq import __version__
from coefvq.api import errors
from coefvq.api.auth import Authenticate, IsHere
from coefvq.api.cases import cases_router, verdicts_router
from coefvq.api.pace import Buckets
from coefvq.api.signals import signals_router
from coefvq.api.videos import videos_router
from coefvq.settings import Settings
from coefvq.store.session import Store

PREFIX = "/api/v1"
UPLOAD = f"{PREFIX}/videos"
"""The route whose body is a file."""


def build_api(store: Store, settings: Settings, is_here: IsHere) -> FastAPI:
    """Make the API.

    Args:
        is_here: Tells whether a request without a key may act as ``local``.
    """
    api = FastAPI(
        title="COEF-VQ Review",
        version=__version__,
        description="Submit videos or signals, fetch cases and verdicts, post decisions.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        # For the document only: `Authenticate` has let the caller in by then.
        dependencies=[Depends(HTTPBearer(auto_error=False, description="coefvq key create"))],
    )
    errors.install(api)
    for router in (
        videos_router(store, settings),
        signals_router(store, settings),
        cases_router(store, settings),
        verdicts_router(store, settings),
    ):
        api.include_router(router)
    buckets = Buckets(settings.api_requests_per_minute)
    api.add_middleware(Authenticate, store, buckets, is_here)
    return api
