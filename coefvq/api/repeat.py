"""Requests that may come twice: the same ``Idempotency-Key`` does one thing once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.requests import Request

from coefvq.api.errors import BadRequest, Conflict
from coefvq.review.api_keys import Caller
from coefvq.store import api_keys
from coefvq.store.session import Store

HEADER = "idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
Answer = dict[str, Any]
Keep = Callable[[Session, Answer], None]
"""Called in the transaction that does the thing, with what will be answered."""


class _Repeated(Exception):
    """The same request was answered meanwhile: nothing of this one may stay."""

    def __init__(self, digest: str, answer: Answer) -> None:
        super().__init__()
        self.digest, self.answer = digest, answer


@dataclass(frozen=True)
class Once:
    """A request as it is told from others.

    Attributes:
        key: What its sender calls it; ``None``: it may be done again.
        digest: Of all that it asks for.
    """

    key_id: str
    key: str | None
    digest: str

    def do(self, store: Store, act: Callable[[Keep], Answer]) -> Answer:
        """Do it unless it was done before; either way the first answer.

        Raises:
            Conflict: Another request came under this key.
        """
        known = self._known(store)
        if known is not None:
            return known
        try:
            return act(self._keep)
        except _Repeated as repeated:
            return self._checked(repeated.digest, repeated.answer)
        except IntegrityError:
            known = self._known(store)  # on PostgreSQL both may begin; the second cannot end
            if known is None:
                raise
            return known

    def _keep(self, session: Session, answer: Answer) -> None:
        if self.key is None:
            return
        row = api_keys.answered(session, self.key_id, self.key)
        if row is not None:
            raise _Repeated(row.digest, dict(row.answer))
        api_keys.keep_answer(session, self.key_id, self.key, self.digest, answer)

    def _known(self, store: Store) -> Answer | None:
        if self.key is None:
            return None
        with store.read() as session:
            row = api_keys.answered(session, self.key_id, self.key)
        return None if row is None else self._checked(row.digest, row.answer)

    def _checked(self, digest: str, answer: Answer) -> Answer:
        if digest != self.digest:
            raise Conflict(
                f"The Idempotency-Key '{self.key}' came before with another request. "
                "Give each request a key of its own."
            )
        return dict(answer)


def once(request: Request, caller: Caller, body_sha256: str) -> Once:
    """Read what a request is called, and what it asks for.

    Raises:
        BadRequest: The header is no key.
    """
    key = request.headers.get(HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key: 1 to 128 visible ASCII characters.")
    asked = "\n".join((request.method, request.url.path, request.url.query, body_sha256))
    return Once(caller.key_id, key, hashlib.sha256(asked.encode()).hexdigest())
