"""Who calls: the program behind a bearer key, or ``local`` on a machine without users.

Cookies count for nothing here, so that no page elsewhere can make a browser call.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from coefvq.api.errors import error_answer
from coefvq.api.pace import Buckets
from coefvq.errors import NotAllowed
from coefvq.review import api_keys
from coefvq.review.access import LOCAL
from coefvq.review.api_keys import Caller
from coefvq.store import taxonomies
from coefvq.store.session import Store

IsHere = Callable[[Scope], bool]
"""Tells whether a request without a key may act as ``local``."""
_STATE = "coefvq_caller"


def bearer(headers: Headers) -> str | None:
    """The key in an ``Authorization`` header; ``None``: there is no such header."""
    value = headers.get("authorization")
    if value is None:
        return None
    scheme, _, key = value.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


class Authenticate:
    """ASGI middleware: lets programs with a key in, at their pace.

    Args:
        is_here: Asked where a request brings no key.
    """

    def __init__(self, app: ASGIApp, store: Store, buckets: Buckets, is_here: IsHere) -> None:
        self.app, self.store, self.buckets, self.is_here = app, store, buckets, is_here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its caller, or turn it away."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        caller = await run_in_threadpool(self.identify, scope)
        if caller is None:
            words = "A valid key is needed: Authorization: Bearer KEY (`coefvq key create`)."
            answer = error_answer("signed_out", words, headers={"www-authenticate": "Bearer"})
            await answer(scope, receive, send)
            return
        wait_s = self.buckets.take(caller.key_id)
        if wait_s > 0:
            after = {"retry-after": str(math.ceil(wait_s))}
            words = f"Too many requests with this key. Try again in {math.ceil(wait_s)} s."
            await error_answer("too_many_requests", words, headers=after)(scope, receive, send)
            return
        scope.setdefault("state", {})[_STATE] = caller
        await self.app(scope, receive, send)

    def identify(self, scope: Scope) -> Caller | None:
        """Whose request it is; ``None``: nobody's who is let in."""
        taxonomies.follow(self.store)
        key = bearer(Headers(scope=scope))
        if key is not None:
            return api_keys.caller(self.store, key)
        return Caller(LOCAL.name, LOCAL) if self.is_here(scope) else None


def caller_of(request: Request) -> Caller:
    """Return who makes a request.

    Raises:
        NotAllowed: It did not come through the door.
    """
    found = request.scope.get("state", {}).get(_STATE)
    if not isinstance(found, Caller):
        raise NotAllowed("Nobody is known to call.")
    return found
