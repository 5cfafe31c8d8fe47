"""HTTP to one server: bounded in time, size and number, and silent about the key.

Connections that fail or break, and the states 429, 500, 502, 503 and 504, are tried again with
exponential backoff; ``Retry-After`` is kept. A timeout is not tried again: a second copy of the
request would only add to the load that made the first one slow; nor is a failed TLS handshake,
which will not mend itself. Redirects are never followed,
because the key and the video's content would go to an address that nobody chose. Proxies and
``.netrc`` of the environment are not used.
"""

from __future__ import annotations

import json
import random
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from coefvq.errors import ModelError, SettingsError
from coefvq.mllm.sanitise import sanitise

MAX_ANSWER_BYTES = 4 * 1024**2
MAX_TOLD = 200
RETRIED = frozenset({429, 500, 502, 503, 504})


class EndpointError(ModelError):
    """The server did not answer, refused, or answered what cannot be used.

    Attributes:
        status: HTTP status of the refusal, ``None`` where there was no usable answer.
    """

    def __init__(self, message: str, *, status: int | None = None):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Retry:
    """How often and how long apart.

    Attributes:
        attempts: Tries in all, at least 1.
        base_s: Wait before the second try, seconds; doubled each time, less up to half of it
            at random so that several workers do not come back at once.
        max_wait_s: A server that asks for a longer wait is not waited for.
    """

    attempts: int = 4
    base_s: float = 0.5
    max_wait_s: float = 30.0


class _Again(Exception):
    """One try failed in a way that may pass."""

    def __init__(self, error: EndpointError, wait_s: float | None = None):
        super().__init__(str(error))
        self.error, self.wait_s = error, wait_s


class EndpointClient:
    """JSON requests to one base address. Safe to use from several threads."""

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout_s: float = 60.0,
        concurrency: int = 4,
        retry: Retry | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        """Make a client; nothing is sent yet.

        Args:
            url: Base address, for example ``http://127.0.0.1:8000/v1``.
            key: Sent as a bearer token; empty: no such header.
            timeout_s: Longest silence, and longest time of one try to the last byte, seconds.
            concurrency: Requests under way at once, at least 1.
            sleep: Waits between tries, seconds.
            clock: Seconds that never go back.

        Raises:
            SettingsError: For a key that cannot stand in an HTTP header.
        """
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise SettingsError(
                "COEFVQ_ENDPOINT_KEY holds white space or characters other than ASCII: "
                "copy the key again, without a line break."
            )
        self.url, self._key, self._timeout_s = url.rstrip("/"), key, timeout_s
        self._retry, self._sleep, self._clock = retry or Retry(), sleep, clock
        self._places = threading.BoundedSemaphore(concurrency)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.Client(
            headers=headers, timeout=timeout_s, follow_redirects=False, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at ``path``; see ``post`` for the errors."""
        return self._tried("GET", f"{self.url}/{path}", None)

    def post(self, path: str, body: dict[str, Any], *, at_root: bool = False) -> dict[str, Any]:
        """Send a JSON object and return the one that comes back.

        Args:
            at_root: Whether ``path`` stands beside ``/v1``, not below it.

        Raises:
            EndpointError: If no usable answer came, with what to do about it.
        """
        # ASCII only: whatever the texts hold, the bytes that leave are valid JSON.
        content = json.dumps(body, allow_nan=False).encode("ascii")
        base = self.url.removesuffix("/v1") if at_root else self.url
        return self._tried("POST", f"{base}/{path}", content)

    def _tried(self, method: str, place: str, content: bytes | None) -> dict[str, Any]:
        for attempt in range(1, self._retry.attempts + 1):
            try:
                with self._places:
                    return self._once(method, place, content)
            except _Again as again:
                wait = self._wait_s(again, attempt)
                if wait is None:
                    raise again.error from again.__cause__
                self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _wait_s(self, again: _Again, attempt: int) -> float | None:
        """Seconds to the next try, or ``None`` where there is none."""
        if attempt >= self._retry.attempts:
            return None
        if again.wait_s is not None:
            return again.wait_s if again.wait_s <= self._retry.max_wait_s else None
        longest = self._retry.base_s * 2.0 ** (attempt - 1)
        return longest * random.uniform(0.5, 1.0)

    def _once(self, method: str, place: str, content: bytes | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        deadline = self._clock() + self._timeout_s
        try:
            with self._http.stream(method, place, content=content, headers=headers) as answer:
                body = self._body(answer, deadline)
        except httpx.TimeoutException as error:
            raise self._too_slow() from error
        except httpx.TransportError as error:
            if _is_tls(error):
                raise self._untrusted() from error
            raise _Again(
                EndpointError(
                    f"No answer from {self.url} ({type(error).__name__}). "
                    "Check that the server runs and that the address in COEFVQ_MLLM is right."
                )
            ) from error
        if answer.status_code != 200:
            raise self._refusal(answer, body)
        return self._parsed(body)

    def _body(self, answer: httpx.Response, deadline: float) -> bytes:
        parts, size = [], 0
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise EndpointError(f"{self.url} sent a compressed answer, which was not asked for.")
        for part in answer.iter_raw():
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise EndpointError(
                    f"{self.url} sent more than {MAX_ANSWER_BYTES // 1024**2} MiB; the rest was "
                    "not read. Check that the address in COEFVQ_MLLM is that of the server's API."
                )
            # The library's own limit is between two parts: a trickle would pass it for ever.
            if self._clock() > deadline:
                raise self._too_slow()
            parts.append(part)
        return b"".join(parts)

    def _too_slow(self) -> EndpointError:
        return EndpointError(
            f"{self.url} did not answer within {self._timeout_s:g} s. Check the server's load, "
            "or raise COEFVQ_ENDPOINT_TIMEOUT_S."
        )

    def _untrusted(self) -> EndpointError:
        return EndpointError(
            f"No secure connection to {self.url}: its certificate is not trusted, or it does not "
            "speak https. Check the address in COEFVQ_MLLM and the server's certificate."
        )

    def _parsed(self, body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise EndpointError(
                f"{self.url} did not answer in JSON. Check that the address in COEFVQ_MLLM is "
                "that of an OpenAI-compatible API (it mostly ends in /v1)."
            ) from error
        if not isinstance(found, dict):
            raise EndpointError(f"{self.url} answered JSON that is not an object.")
        return found

    def _refusal(self, answer: httpx.Response, body: bytes) -> EndpointError | _Again:
        status = answer.status_code
        what = f"{self.url} refused the request (HTTP {status})."
        if status in (401, 403):  # its words are not repeated: servers quote the key in them
            advice = "Check the key in COEFVQ_ENDPOINT_KEY and what it may use."
            return EndpointError(f"{what} {advice}", status=status)
        if answer.is_redirect or 300 <= status < 400:
            advice = "Redirects are not followed: name the final address in COEFVQ_MLLM."
            return EndpointError(f"{what} {advice}", status=status)
        error = EndpointError(f"{what} {_advice(status)}{self._told(body)}", status=status)
        if status in RETRIED:
            return _Again(error, retry_after_s(answer.headers.get("retry-after")))
        return error

    def _told(self, body: bytes) -> str:
        """The server's words, cleaned and without the key."""
        text = body.decode("utf-8", errors="replace")
        if self._key:
            text = text.replace(self._key, "***")
        text = sanitise(text)[:MAX_TOLD]
        return f" It says: {text}" if text else ""


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3): seconds or a date.

    Returns:
        Seconds, at least 0; ``None`` where the header is absent or cannot be read.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def _is_tls(error: BaseException | None) -> bool:
    """Whether a failed handshake is what stands behind a failed connection."""
    while error is not None:
        if isinstance(error, ssl.SSLError) or "[SSL" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _advice(status: int) -> str:
    if status == 404:
        return "Check the model's name after # in COEFVQ_MLLM, and that the address ends in /v1."
    if status in (400, 413, 422):
        return (
            "Check that the model takes pictures, and as many (COEFVQ_ENDPOINT_FRAMES=0 sends "
            "text only), and that its context is long enough."
        )
    if status == 429:
        return "It is asked too often: lower COEFVQ_ENDPOINT_CONCURRENCY."
    return "Look at the server's log."


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
