"""The whole app in this process, on a store with scored videos, and a key for each scope."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from coefvq.api.app import PREFIX, build_api
from coefvq.review import api_keys
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.guard import Guard
from tests.store_fixtures import database_url, store

__all__ = ["database_url", "store"]
ADA = Actor("ada", frozenset({"admin"}))
SECRET = "a long enough secret"
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


@dataclass
class Api:
    """The API behind the door, with a key for each scope.

    Attributes:
        local: Whether requests without a key are ``local``'s.
    """

    store: Store
    settings: Settings
    keys: dict[str, str]
    http: TestClient
    local: bool = field(default=False)

    def call(
        self, scope: str | None, method: str, path: str, *, key: str | None = None, **how: Any
    ) -> Any:
        """Make a request with the key of a scope; ``None``: without one."""
        headers = dict(how.pop("headers", {}))
        if scope is not None:
            headers["authorization"] = f"Bearer {self.keys[scope]}"
        if key is not None:
            headers["idempotency-key"] = key
        return self.http.request(method, path, headers=headers, **how)

    def get(self, scope: str | None, path: str, **query: Any) -> Any:
        """Get something of the API."""
        return self.call(scope, "GET", PREFIX + path, params=query)

    def post(self, scope: str | None, path: str, key: str | None = None, **how: Any) -> Any:
        """Post something to the API."""
        return self.call(scope, "POST", PREFIX + path, key=key, **how)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with callbacks, which may go to this machine."""
    return Settings(home=tmp_path / "home", callback_secret=SECRET, callback_private=True,
                    max_bytes=50_000, api_requests_per_minute=0)  # fmt: skip


@pytest.fixture
def api(store: Store, settings: Settings) -> Iterator[Api]:
    """The API on an empty store."""
    with serve(store, settings) as made:
        yield made


class serve:
    """Enter to get an ``Api`` with these settings."""

    def __init__(self, store: Store, settings: Settings, keys: bool = True) -> None:
        scopes = api_keys.SCOPES if keys else ()
        made = {scope: api_keys.create(store, ADA, scope, [scope]) for scope in scopes}
        self.api = Api(store, settings, made, None)  # type: ignore[arg-type]
        inner = build_api(store, settings, lambda _: self.api.local)
        from fastapi import FastAPI

        app = FastAPI(openapi_url=None)
        app.mount(PREFIX, inner)
        app.add_middleware(Guard, frozenset(), False)
        self.api.http = TestClient(
            app, base_url="http://127.0.0.1", client=("127.0.0.1", 5), raise_server_exceptions=False
        )

    def __enter__(self) -> Api:
        self.api.http.__enter__()
        return self.api

    def __exit__(self, *_: object) -> None:
        self.api.http.__exit__(None, None, None)
