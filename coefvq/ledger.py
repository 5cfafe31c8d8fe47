"""The cost ledger: how long each stage took for one video, and how many tokens it used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from coefvq.domain import Cost


class Ledger:
    """Adds up wall time by stage.

    Example:
        >>> ledger = Ledger()
        >>> with ledger("media_ms"):
        ...     pass
        >>> ledger.cost().media_ms >= 0
        True
    """

    def __init__(self) -> None:
        self._milliseconds: dict[str, float] = {}
        self._tokens_in = 0
        self._tokens_out = 0

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Charge the block's wall time to ``stage``, a ``*_ms`` field of ``Cost``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - started) * 1000
            self._milliseconds[stage] = self._milliseconds.get(stage, 0.0) + spent

    def add_tokens(self, tokens_in: int, tokens_out: int) -> None:
        """Charge MLLM tokens."""
        self._tokens_in += tokens_in
        self._tokens_out += tokens_out

    def cost(self) -> Cost:
        """What was charged so far."""
        return Cost(**self._milliseconds, tokens_in=self._tokens_in, tokens_out=self._tokens_out)
