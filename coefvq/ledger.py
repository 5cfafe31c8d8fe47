"""The cost ledger: how long each stage took for one video, and how many tokens it used.

Loading models is no video's cost: what runs under ``loading`` is logged and not charged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from coefvq.domain import Cost

log = logging.getLogger(__name__)
_LOGGED_FROM_S = 0.05


class _Loaded(threading.local):
    """What this thread spent on loading so far."""

    seconds = 0.0
    inside = False


_loaded = _Loaded()


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Leave the block's wall time out of whatever is charged in this thread, and log it.

    Args:
        what: Is loaded: models, as a person would call them.
    """
    if _loaded.inside:
        yield
        return
    started, _loaded.inside = time.perf_counter(), True
    try:
        yield
    finally:
        spent = time.perf_counter() - started
        _loaded.inside = False
        _loaded.seconds += spent
        if spent >= _LOGGED_FROM_S:
            log.info("loaded %s in %.1f s", what, spent)


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
        """Charge the block's wall time without ``loading`` to ``stage``, a field of ``Cost``."""
        started, loaded = time.perf_counter(), _loaded.seconds
        try:
            yield
        finally:
            spent = (time.perf_counter() - started - _loaded.seconds + loaded) * 1000
            self._milliseconds[stage] = self._milliseconds.get(stage, 0.0) + spent

    def add_tokens(self, tokens_in: int, tokens_out: int) -> None:
        """Charge MLLM tokens."""
        self._tokens_in += tokens_in
        self._tokens_out += tokens_out

    def cost(self) -> Cost:
        """What was charged so far."""
        return Cost(**self._milliseconds, tokens_in=self._tokens_in, tokens_out=self._tokens_out)
