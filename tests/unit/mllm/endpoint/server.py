"""A real HTTP server on loopback that answers from a script, and the exchanges it is fed with.

The exchanges are written from the servers' documented formats.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coefvq.domain import ExpensiveSignals, PostedText, TimedText
from coefvq.mllm.backend import MllmInput

MODEL = "org/some-model"


@dataclass(frozen=True)
class Reply:
    """One answer; ``drop`` closes the connection without a word."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Respond = Callable[[Seen], Reply]


class FakeServer:
    """Holds what was asked; ``respond`` decides what is answered."""

    def __init__(self, respond: Respond):
        self.respond, self.seen, self._lock = respond, [], threading.Lock()  # type: ignore[var-annotated]
        self.url, self.under_way, self.most_under_way = "", 0, 0

    @property
    def chats(self) -> list[Seen]:
        return [one for one in self.seen if one.path.endswith("/chat/completions")]

    def handle(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return self.respond(seen)
        finally:
            with self._lock:
                self.under_way -= 1


@contextmanager
def serving(respond: Respond) -> Iterator[FakeServer]:
    """Serve on a free port of loopback until the block ends."""
    fake = FakeServer(respond)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = fake.handle(Seen(self.command, self.path, headers, body))
            if reply.drop:
                self.close_connection = True
                return
            content = reply.content()
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(content))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:  # a client that had enough has hung up
                self.close_connection = True

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def models(owned_by: str = "vllm", **more: Any) -> dict[str, Any]:
    """``GET /v1/models``."""
    row = {"id": MODEL, "object": "model", "created": 1, "owned_by": owned_by} | more
    return {"object": "list", "data": [row]}


def completion(
    tokens: dict[str, float] | None = None, text: str | None = None, **choice: Any
) -> dict[str, Any]:
    """``POST /v1/chat/completions``: the likeliest of ``tokens`` (probabilities) was chosen."""
    logprobs = None
    if tokens:
        rows = [
            {"token": token, "logprob": math.log(p), "bytes": list(token.encode())}
            for token, p in sorted(tokens.items(), key=lambda row: -row[1])
        ]
        logprobs = {"content": [rows[0] | {"top_logprobs": rows}]}
        text = rows[0]["token"] if text is None else text
    message = {"role": "assistant", "content": text}
    row = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "length"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [row | choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101},
    }


def answering(chat: Any, listed: Any = None) -> Respond:
    """Answer the probe and then ``chat`` (a body or a ``Reply``) to every question."""

    def respond(seen: Seen) -> Reply:
        body = (listed or models()) if seen.path.endswith("/models") else chat
        return body if isinstance(body, Reply) else Reply(body)

    return respond


def question(seen: Seen) -> str:
    """The rule asked about: the last text of the user's message."""
    content = seen.body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def item(
    caption: str | None = "You are all worthless people.",
    speech: tuple[TimedText, ...] | None = (TimedText(3.0, 5.0, "send me money now"),),
    **more: Any,
) -> MllmInput:
    """A video without a file."""
    screen = (TimedText(1.0, 2.0, "WIN BIG"),)
    signals = ExpensiveSignals("test", speech=speech, screen_text=screen, **more)
    return MllmInput(PostedText("A title", caption), signals, 10.0)
