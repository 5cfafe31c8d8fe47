"""A small client of the HTTP API, and the check of its callbacks. Needs ``httpx`` alone.

Example:
    >>> with Client("https://review.example", key) as api:
    ...     video = api.submit("clip.mp4", title="a walk", uploader="ann")
    ...     print(api.wait(video["id"])["tasks"]["icd"]["verdict"])
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator, Mapping, MutableSet
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

Answer = dict[str, Any]
SIGNATURE = "X-Coefvq-Signature"
TOLERANCE_S = 300.0
_AGAIN = frozenset({429, 502, 503, 504})
_OPEN = frozenset({"waiting", "scoring"})
_LONGEST_PAUSE_S = 30.0


class ApiError(Exception):
    """The API refused. ``code`` and ``status`` as in docs/api.md; 0: nobody answered."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code = status, code


class CallbackRefused(Exception):
    """A callback that was not made by the server, or is too old."""


class CallbackRepeated(CallbackRefused):
    """A callback that came before: answer it with 200, and do nothing."""


class Client:
    """Calls the API with one key. Not for several threads at once.

    Args:
        url: Where the app is, such as ``https://review.example``.
        key: As ``coefvq key create`` printed it; ``None`` on a machine without users.
        tries: How often a request is made where nobody answers or it came too fast. Requests
            that change something carry an ``Idempotency-Key``, so that they happen once.
        transport: For tests.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        tries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        base = url.rstrip("/") + "/api/v1"
        self._http = httpx.Client(
            base_url=base, headers=headers, timeout=timeout_s, transport=transport
        )
        self._tries = tries

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the connections back."""
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def submit(
        self,
        path: str | Path,
        *,
        title: str | None = None,
        caption: str | None = None,
        uploader: str | None = None,
        callback: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Upload a file; returns its ``id``, ``sha256`` and ``status``."""
        file = Path(path)
        texts = {"title": title, "caption": caption, "uploader": uploader, "callback": callback}
        query = {"name": file.name} | {name: text for name, text in texts.items() if text}
        return self._post("/videos", idempotency_key, params=query, file=file)

    def submit_signals(
        self,
        item: Mapping[str, Any],
        *,
        stage: str = "auto",
        rationale: bool = False,
        callback: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Send signals to be scored; ``signals`` or ``wait_signals`` fetch the answer."""
        query = {"stage": stage, "rationale": str(rationale).lower()}
        query |= {"callback": callback} if callback else {}
        return self._post("/signals", idempotency_key, params=query, body=dict(item))

    def decide(
        self, case_id: str, form: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Answer:
        """Decide a case; ``form`` as in docs/api.md, at least ``labels`` and ``action``."""
        return self._post(f"/cases/{_part(case_id)}/decision", idempotency_key, body=dict(form))

    def video(self, video_id: str) -> Answer:
        """One video with its tasks' answers."""
        return self._get(f"/videos/{_part(video_id)}")

    def signals(self, request_id: str) -> Answer:
        """The answer to a request, once it is scored."""
        return self._get(f"/signals/{_part(request_id)}")

    def case(self, case_id: str) -> Answer:
        """What a reviewer sees of a case."""
        return self._get(f"/cases/{_part(case_id)}")

    def videos(self, **filters: Any) -> Iterator[Answer]:
        """All videos that fit, newest first."""
        return self._pages("/videos", filters)

    def cases(self, **filters: Any) -> Iterator[Answer]:
        """All cases that fit, newest first."""
        return self._pages("/cases", filters)

    def verdicts(self, **filters: Any) -> Iterator[Answer]:
        """The machine's answers, oldest first; ``cursor=ID`` goes on behind that one."""
        return self._pages("/verdicts", filters)

    def wait(self, video_id: str, timeout_s: float = 600.0, every_s: float = 1.0) -> Answer:
        """Ask until a video is scored or failed.

        Raises:
            TimeoutError: It is neither after ``timeout_s``.
        """
        return self._wait(lambda: self.video(video_id), video_id, timeout_s, every_s)

    def wait_signals(
        self, request_id: str, timeout_s: float = 600.0, every_s: float = 1.0
    ) -> Answer:
        """Ask until signals are scored or failed; see ``wait``."""
        return self._wait(lambda: self.signals(request_id), request_id, timeout_s, every_s)

    def _wait(self, ask: Any, name: str, timeout_s: float, every_s: float) -> Answer:
        ends = time.monotonic() + timeout_s
        while (found := ask())["status"] in _OPEN:
            if time.monotonic() > ends:
                raise TimeoutError(f"{name} is {found['status']} after {timeout_s:g} s.")
            time.sleep(every_s)
        return dict(found)

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[Answer]:
        query = {name: value for name, value in filters.items() if value is not None}
        while True:
            page = self._get(path, query)
            yield from page["items"]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Answer:
        return self._again(lambda: self._http.get(path, params=dict(query or {})))

    def _post(
        self,
        path: str,
        idempotency_key: str | None,
        params: Mapping[str, str] | None = None,
        body: Answer | None = None,
        file: Path | None = None,
    ) -> Answer:
        headers = {"idempotency-key": idempotency_key or uuid.uuid4().hex}

        def send() -> httpx.Response:
            if file is None:
                return self._http.post(path, params=params, headers=headers, json=body)
            with file.open("rb") as content:
                return self._http.post(path, params=params, headers=headers, content=content)

        return self._again(send)

    def _again(self, send: Any) -> Answer:
        for left in range(self._tries - 1, -1, -1):
            try:
                answer: httpx.Response = send()
            except httpx.TransportError as error:
                if not left:
                    raise ApiError(0, "no_answer", str(error)) from error
                pause = 2.0 ** (self._tries - left - 2)
            else:
                if answer.status_code not in _AGAIN or not left:
                    return _read(answer)
                pause = _seconds(answer.headers.get("retry-after"))
            time.sleep(min(pause, _LONGEST_PAUSE_S))
        raise ApiError(0, "no_answer", "no try was made")


def verify_callback(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    seen: MutableSet[str],
    *,
    now: float | None = None,
    tolerance_s: float = TOLERANCE_S,
) -> Answer:
    """Check a callback and return what it tells; its ``id`` is in ``seen`` from then on.

    Messages come at least once: one that could not be worked on is to be taken out of ``seen``
    again, so that the next try counts. Keep ``seen`` for longer than ``tolerance_s``, and for two
    days where a repetition must do no harm.

    Args:
        secret: The server's ``COEFVQ_CALLBACK_SECRET``.
        body: The bytes as they came.
        seen: Ids of messages that came before.

    Raises:
        CallbackRepeated: It came before.
        CallbackRefused: It was not signed with the secret, was changed, or is too old.
    """
    given = next((text for name, text in headers.items() if name.lower() == SIGNATURE.lower()), "")
    parts = dict(part.partition("=")[::2] for part in given.split(","))
    stamp, mark = parts.get("t", ""), parts.get("v1", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and mark.isascii()):
        raise CallbackRefused(f"{SIGNATURE} is missing or is none.")
    made = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made, mark):
        raise CallbackRefused("The signature does not fit the body.")
    if abs((time.time() if now is None else now) - int(stamp)) > tolerance_s:
        raise CallbackRefused("It was signed too long ago, or a clock is wrong.")
    told = json.loads(body)
    if told["id"] in seen:
        raise CallbackRepeated(f"Message {told['id']} came before.")
    seen.add(told["id"])
    return dict(told)


def _part(text: str) -> str:
    return quote(text, safe="")


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 1.0))
    except ValueError:
        return 1.0


def _read(answer: httpx.Response) -> Answer:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if answer.is_success and isinstance(found, dict):
        return found
    error = found.get("error") if isinstance(found, dict) else None
    told = error if isinstance(error, dict) else {}
    code = told.get("code") or "no_api"
    raise ApiError(answer.status_code, code, told.get("message") or "This is no answer of the API.")
