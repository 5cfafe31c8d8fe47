"""A real HTTP server on loopback that answers from a script, and the exchanges it is fed with.

The exchanges are written from the servers' documented formats. As real servers do, it counts
pictures, videos and sound among the prompt's tokens, unless told that it drops them.
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
from coefvq.mllm.endpoint.capabilities import TRIAL

MODEL = "org/some-model"


@dataclass(frozen=True)
class Reply:
    """One answer; ``drop`` closes the connection without a word, ``cut`` in its middle."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False

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
        """Questions about videos."""
        return [one for one in self._asked if question(one) != TRIAL]

    @property
    def trials(self) -> list[Seen]:
        """Questions about nothing, to see what the server takes."""
        return [one for one in self._asked if question(one) == TRIAL]

    @property
    def _asked(self) -> list[Seen]:
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
        disable_nagle_algorithm = True  # headers and body are two writes

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
                self.wfile.write(content[: len(content) // 2] if reply.cut else content)
                self.close_connection = self.close_connection or reply.cut
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


def kinds_in(body: Any) -> list[str]:
    """Types of the parts of the user's message; a string is one text."""
    content = body["messages"][-1]["content"]
    return ["text"] if isinstance(content, str) else [part["type"] for part in content]


def counted(body: dict[str, Any], seen: Seen, dropped: frozenset[str] = frozenset()) -> Reply:
    """A chat completion with its prompt's length: 100 and 10 for each part but text."""
    extra = [kind for kind in kinds_in(seen.body) if kind != "text" and kind not in dropped]
    hears = (seen.body.get("mm_processor_kwargs") or {}).get("use_audio_in_video", False)
    tokens = 100 + 10 * len(extra) + 5 * bool(hears)
    return Reply(body | {"usage": {"prompt_tokens": tokens, "completion_tokens": 1}})


def answering(
    chat: Any, listed: Any = None, refused: tuple[str, ...] = (), dropped: tuple[str, ...] = ()
) -> Respond:
    """Answer ``GET /models`` and then ``chat`` (a body or a ``Reply``) to every question.

    Args:
        refused: Kinds of parts that are answered with HTTP 400.
        dropped: Kinds of parts that are left out without a word.
    """

    def respond(seen: Seen) -> Reply:
        if seen.path.endswith("/models"):
            body = listed or models("openai")
            return body if isinstance(body, Reply) else Reply(body)
        if not seen.path.endswith("/chat/completions"):
            return Reply({"detail": "Not Found"}, 404)
        if set(refused) & set(kinds_in(seen.body)):
            return Reply({"error": "no such input"}, 400)
        if isinstance(chat, Reply):
            return chat
        return counted(chat, seen, frozenset(dropped))

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
