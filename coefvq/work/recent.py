"""Fingerprints that were read from the store lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from coefvq.originality.fingerprint import Fingerprint

MOST_BYTES = 64 << 20


class Recent:
    """A cache bounded by bytes; what was not asked for the longest goes first."""

    def __init__(self, read: Callable[[int], Fingerprint], most_bytes: int = MOST_BYTES):
        self._read, self._most = read, most_bytes
        self._held: OrderedDict[int, tuple[Fingerprint, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: int) -> Fingerprint:
        """The fingerprint, read where it is not at hand."""
        if key not in self._held:
            fp = self._read(key)
            self._held[key] = fp, _size(fp)
            self._bytes += self._held[key][1]
        self._held.move_to_end(key)
        fp = self._held[key][0]
        while self._bytes > self._most and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1][1]
        return fp

    def forget(self, key: int) -> None:
        """Leave one out; nothing happens where it is not there."""
        if key in self._held:
            self._bytes -= self._held.pop(key)[1]


def _size(fp: Fingerprint) -> int:
    return sum(getattr(value, "nbytes", 0) for value in vars(fp).values())
