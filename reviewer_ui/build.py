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

from coefvq.api.app import PREFIX as API_PREFIX
from coefvq.api.app import build_api
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.exports_route import exports_router
from reviewer_ui.guard import BODY_LIMIT, EVERY_ADDRESS, Guard, names_of
from reviewer_ui.insights_files import insights_router
from reviewer_ui.login import login_router
from reviewer_ui.media_route import media_router
from reviewer_ui.pages.admin import admin_page
from reviewer_ui.pages.admin_events import events_router
from reviewer_ui.pages.alarm_calls import alarm_router
from reviewer_ui.pages.exports import exports_page
from reviewer_ui.pages.insights import insights_page
from reviewer_ui.pages.library import library_page
from reviewer_ui.pages.review import review_page
from reviewer_ui.pages.routing import routing_page, routing_router
from reviewer_ui.pages.training import training_page
from reviewer_ui.pages.video import video_page
from reviewer_ui.password import password_router
from reviewer_ui.theme import STATIC, STATIC_PATH, gradio_theme
from reviewer_ui.upload_route import clean, upload_router
from reviewer_ui.watch_routes import watch_router
from reviewer_ui.who import PASSWORD_PATH, Identify, is_local

TITLE = "COEF-VQ Review"


def build_blocks(store: Store, settings: Settings) -> gr.Blocks:
    """The Gradio part: one route a page."""
    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        gr.Navbar(visible=False)  # our header has its own
        review_page(store, settings)
    with blocks.route("Library", "/library"):
        gr.Navbar(visible=False)
        library_page(store, settings)
    with blocks.route("Video", "/video"):
        gr.Navbar(visible=False)
        video_page(store, settings)
    with blocks.route("Routing", "/routing"):
        gr.Navbar(visible=False)
        routing_page(store, settings)
    with blocks.route("Training", "/training"):
        gr.Navbar(visible=False)
        training_page(store, settings)
    with blocks.route("Insights", "/insights"):
        gr.Navbar(visible=False)
        insights_page(store, settings)
    with blocks.route("Exports", "/exports"):
        gr.Navbar(visible=False)
        exports_page(store, settings)
    with blocks.route("Admin", "/admin"):
        gr.Navbar(visible=False)
        admin_page(store, settings)
    return blocks


def page_paths(blocks: gr.Blocks) -> frozenset[str]:
    """Addresses of the pages."""
    return frozenset(f"/{route}" for route, *_ in blocks.pages)


def build_app(settings: Settings, store: Store, host: str = "127.0.0.1") -> FastAPI:
    """Make the application: our own routes first, Gradio for the rest.

    Nothing is kept in the process: two of these on one store show the same.

    Args:
        host: What the server is bound to; beyond loopback everyone signs in.
    """
    clean(settings)
    blocks = build_blocks(store, settings)
    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(login_router(store, settings))
    app.include_router(password_router(store, settings))
    app.include_router(media_router(store, settings))
    app.include_router(upload_router(store, settings))
    app.include_router(insights_router(store))
    app.include_router(routing_router(store, settings))
    app.include_router(exports_router(store, settings))
    app.include_router(events_router(store))
    app.include_router(alarm_router(store, settings))
    app.include_router(watch_router(store, settings))
    app.mount(API_PREFIX, build_api(store, settings, lambda scope: is_local(scope, host, store)))
    app.mount(STATIC_PATH, StaticFiles(directory=STATIC), name="ui")
    app.add_middleware(Identify, settings, store, host, page_paths(blocks) | {PASSWORD_PATH})
    app.add_middleware(Guard, names_of(settings, host), host in EVERY_ADDRESS)
    with warnings.catch_warnings():
        # It says that server-side rendering is off, which is what we ask for.
        warnings.filterwarnings("ignore", message="SSR mode is not supported")
        return _mount(app, blocks, settings)


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
