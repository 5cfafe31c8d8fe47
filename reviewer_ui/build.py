"""Put the pages, our own routes and the door together into one ASGI application."""

from __future__ import annotations

import os
import warnings

# Before Gradio is imported: it would report home and look for updates otherwise.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gradio as gr
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.guard import BODY_LIMIT, Guard
from reviewer_ui.media_route import media_router
from reviewer_ui.pages.library import library_page
from reviewer_ui.pages.review import review_page
from reviewer_ui.theme import STATIC, STATIC_PATH, gradio_theme
from reviewer_ui.upload_route import clean, upload_router

TITLE = "COEF-VQ Review"


def build_blocks(store: Store, settings: Settings) -> gr.Blocks:
    """The Gradio part: one page at ``/`` and one at ``/library``."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.Navbar(visible=False)  # our header has its own
        review_page(store, settings)
    with blocks.route("Library", "/library"):
        gr.Navbar(visible=False)
        library_page(store, settings)
    return blocks


def build_app(settings: Settings, store: Store) -> FastAPI:
    """Make the application: media and upload routes first, Gradio for the rest.

    Nothing is kept in the process: two of these on one store show the same.
    """
    clean(settings)
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(media_router(store, settings))
    app.include_router(upload_router(store, settings))
    app.mount(STATIC_PATH, StaticFiles(directory=STATIC), name="ui")
    app.add_middleware(Guard)
    with warnings.catch_warnings():
        # It says that server-side rendering is off, which is what we ask for.
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        return _mount(app, build_blocks(store, settings), settings)


def _mount(app: FastAPI, blocks: gr.Blocks, settings: Settings) -> FastAPI:
    return gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        mcp_server=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        show_error=False,
        theme=gradio_theme(),
        max_file_size=BODY_LIMIT,
        allowed_paths=[],
        blocked_paths=[str(settings.home.resolve())],
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
