"""Who is asking: the person of the sign-in cookie, or ``local`` on a machine without users."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from coefvq.api.app import PREFIX as API_PREFIX
from coefvq.api.auth import bearer
from coefvq.errors import NotAllowed, SettingsError
from coefvq.review import api_keys, sign_in, taxonomies, users
from coefvq.review.access import LOCAL, Actor
from coefvq.settings import Settings
from coefvq.store.session import Store

COOKIE = "coefvq_sign_in"
LOGIN_PATH, HEALTH_PATH, STATIC_PREFIX = "/login", "/health", "/ui/"
ALIVE_PATH, READY_PATH, METRICS_PATH = "/healthz", "/readyz", "/metrics"
WHO_PATH, LOGOUT_PATH, PASSWORD_PATH = "/who", "/logout", "/password"
NO_PAGES = ("/media/", "/gradio_api/", "/upload", METRICS_PATH)
"""Where a browser that is not signed in gets 401 and never the login page."""

_KEY = "coefvq_actor"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine only."""
    bare = host.strip("[]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def require_users(settings: Settings, store: Store, host: str) -> None:
    """Let only loopback through while nobody is set up to tell apart.

    Raises:
        SettingsError: The app could be reached from elsewhere, with the remedy.
    """
    named = ", ".join(sorted(settings.host_names))
    if (is_loopback(host) and not named) or users.any_user(store):
        return
    asked = f"COEFVQ_ALLOWED_HOSTS={named}" if is_loopback(host) else f"--host {host}"
    raise SettingsError(
        f"{asked}: the page would be open to everyone who can reach this machine, because "
        "nobody is set up yet. Add an admin first: coefvq user add NAME --role admin"
    )


def actor_of(request: object) -> Actor:
    """Return who makes a request of Gradio's or FastAPI's.

    Raises:
        NotAllowed: The request did not come through the door, so nobody knows.
    """
    scope = getattr(getattr(request, "request", None) or request, "scope", None) or {}
    actor = scope.get("state", {}).get(_KEY)
    if not isinstance(actor, Actor):
        raise NotAllowed("Nobody is signed in. Sign in and try again.")
    return actor


def from_here(scope: Scope, host: str) -> bool:
    """Tell whether a request came to and from this machine, under its own name."""
    client = scope.get("client")
    asked = host_name(HTTPConnection(scope).headers.get("host", ""))
    return client is not None and all(is_loopback(name) for name in (host, client[0], asked))


def is_local(scope: Scope, host: str, store: Store) -> bool:
    """Tell whether a request needs no sign-in: it is this machine's own, and nobody is set up."""
    return from_here(scope, host) and not users.any_user(store)


class Identify:
    """ASGI middleware: finds out who asks, and lets nobody else in.

    Args:
        host: What the server is bound to.
        pages: Paths that answer a person who is not signed in with the way to the login page.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, store: Store, host: str, pages: frozenset[str]
    ) -> None:
        self.app, self.settings, self.store = app, settings, store
        self.host, self.pages = host, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its actor, or turn it away."""
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        actor = await run_in_threadpool(self.identify, scope)
        if actor is None:
            await self._turn_away(scope)(scope, receive, send)
            return
        scope.setdefault("state", {})[_KEY] = actor
        await self.app(scope, receive, send)

    def identify(self, scope: Scope) -> Actor | None:
        """Whose request it is; ``None``: nobody's who is allowed in."""
        taxonomies.follow(self.store)  # what a lead published elsewhere holds from here on
        key = bearer(HTTPConnection(scope).headers) if scope["path"] == METRICS_PATH else None
        if key is not None:
            caller = api_keys.caller(self.store, key)
            return caller.actor if caller else None
        token = HTTPConnection(scope).cookies.get(COOKIE, "")
        if token and (actor := sign_in.who(self.store, self.settings, token)) is not None:
            return actor
        return LOCAL if is_local(scope, self.host, self.store) else None

    def _turn_away(self, scope: Scope) -> Response:
        path = scope["path"]
        wants_page = "text/html" in HTTPConnection(scope).headers.get("accept", "")
        is_page = path in self.pages or (wants_page and not path.startswith(NO_PAGES))
        if scope["method"] not in {"GET", "HEAD"} or not is_page:
            answer = {"error": "Nobody is signed in. Sign in and try again.", "code": "signed_out"}
            return JSONResponse(answer, 401)
        query = scope["query_string"].decode("latin-1")
        wanted = quote(path) + (f"?{query}" if query else "")
        return RedirectResponse(f"{LOGIN_PATH}?next={quote(wanted, safe='/')}", 303)


def is_open(path: str) -> bool:
    """Tell whether a path is answered to people who are not signed in.

    The API asks for keys by itself, and cookies count for nothing there.
    """
    open_ = {LOGIN_PATH, LOGOUT_PATH, HEALTH_PATH, ALIVE_PATH, READY_PATH}
    return path in open_ or path.startswith((STATIC_PREFIX, API_PREFIX + "/"))
