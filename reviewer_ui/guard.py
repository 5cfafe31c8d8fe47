"""The door: which hosts, origins and paths are answered, and with which headers.

Any web page a reviewer opens may post to 127.0.0.1 or to a server inside, and a name that
resolves there (DNS rebinding) may read the answers. Both are refused here, before Gradio or any
route of ours sees the request. Who is asking is found out after it, in ``who.py``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coefvq.api.app import PREFIX as API_PREFIX
from coefvq.api.app import UPLOAD as API_UPLOAD
from coefvq.api.errors import error_answer
from coefvq.settings import Settings
from reviewer_ui.who import host_name, is_loopback

BODY_LIMIT = 1024 * 1024
"""Bytes of a request body outside the upload routes."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UPLOAD_PATH = "/upload"
IMPORT_PATH = "/exports/import"
UPLOAD_PATHS = frozenset({UPLOAD_PATH, IMPORT_PATH, API_UPLOAD})
"""Where the body is a file, and its size is looked after while it comes."""
EVERY_ADDRESS = frozenset({"0.0.0.0", "::", ""})
"""What a server is bound to that listens on all addresses of its machine."""

_CLOSED_NAMES = ("call", "deep_link", "file", "file=", "mcp", "monitoring", "proxy=", "run",
                 "run-history", "runs", "stream", "upload_progress")  # fmt: skip
CLOSED = (
    "/gradio_api/upload",
    "/gradio_api/login",
    "/gradio_api/logout",
    *(f"{prefix}/{name}" for prefix in ("", "/gradio_api") for name in _CLOSED_NAMES),
)
"""Gradio's ways to files, functions and figures that these pages do not use."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio compiles its templates in the page, so it needs both of these; attributes such
        # as onerror= stay dead, whatever a title says.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "script-src-attr 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def names_of(settings: Settings, host: str) -> frozenset[str]:
    """Names that are answered besides loopback's: the setting's, and what the server is bound to.

    An address that means "every address" is no name: see ``answered``.
    """
    return settings.host_names | ({host.strip("[]").lower()} - EVERY_ADDRESS)


def answered(host: str, names: frozenset[str], reached: str | None) -> bool:
    """Tell whether a Host header names this server.

    Args:
        reached: The address of ours that the connection came in on, where the server listens on
            all of them. A page elsewhere that rebinds its name to it still sends its own name.
    """
    name = host_name(host)
    return is_loopback(name) or name in names or (reached is not None and name == reached)


def refusal(
    method: str,
    path: str,
    headers: Headers,
    names: frozenset[str] = frozenset(),
    reached: str | None = None,
) -> tuple[int, str] | None:
    """Decide whether a request is turned away: (status, reason), or ``None`` to let it in."""
    host = headers.get("host", "")
    if not answered(host, names, reached):
        return 403, (
            "This server does not answer to that name. Use http://127.0.0.1 or http://localhost "
            "on its own machine; other names go into COEFVQ_ALLOWED_HOSTS."
        )
    if _closed(path):
        return 404, "Not here."
    if _from_elsewhere(method, host, headers):
        return 403, "Requests from other sites are refused."
    return _too_big(method, path, headers)


def _closed(path: str) -> bool:
    # A line break ends what some routes match: such a path could pass by the door of its part.
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        return True
    clean = path.rstrip("/")
    return any(
        clean == name or path.startswith(name if name.endswith("=") else name + "/")
        for name in CLOSED
    )


def _from_elsewhere(method: str, host: str, headers: Headers) -> bool:
    site = headers.get("sec-fetch-site", "none")
    if method in SAFE_METHODS:
        return site == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc != host
    return site not in {"same-origin", "none"}


def _too_big(method: str, path: str, headers: Headers) -> tuple[int, str] | None:
    if method in SAFE_METHODS or path in UPLOAD_PATHS:
        return None
    length = headers.get("content-length")
    if length is None:
        return 411, "A Content-Length is needed."
    if not length.isdigit() or int(length) > BODY_LIMIT:
        return 413, "The request is too large."
    return None


def _turned_away(path: str, status: int, reason: str) -> Response:
    if path.startswith(API_PREFIX + "/"):
        code = {404: "not_found", 411: "length_required", 413: "too_large"}.get(status, "refused")
        return error_answer(code, reason, status)
    return PlainTextResponse(reason, status)


class Guard:
    """ASGI middleware around everything that is served.

    Args:
        names: Names that are answered besides loopback's.
        everywhere: The server listens on every address of the machine.
    """

    def __init__(
        self, app: ASGIApp, names: frozenset[str] = frozenset(), everywhere: bool = False
    ) -> None:
        self.app, self.names, self.everywhere = app, names, everywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass a request on, and put the headers on every answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page of ours opens a web socket
            await send({"type": "websocket.close", "code": 1008})
            return
        reached = (scope.get("server") or (None,))[0] if self.everywhere else None
        headers = Headers(scope=scope)
        refused = refusal(scope["method"], scope["path"], headers, self.names, reached)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer[name] = value
            await send(message)

        if refused is not None:
            status, reason = refused
            await _turned_away(scope["path"], status, reason)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)
