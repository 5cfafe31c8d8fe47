"""Extracted signals by media and extractor version, looked up before a file is read again."""

from __future__ import annotations

from typing import Protocol, TypeVar

from coefvq.domain import CheapSignals, ExpensiveSignals, MediaInfo
from coefvq.signals import serialise

S = TypeVar("S", CheapSignals, ExpensiveSignals)
S_co = TypeVar("S_co", covariant=True)


class SignalsCache(Protocol):
    """Extracted signals by (sha256 of the media, extractor version)."""

    def get(self, sha256: str, extractor: str) -> bytes | None:
        """Return what was put, or ``None``."""

    def put(self, sha256: str, extractor: str, data: bytes) -> None:
        """Keep ``data``."""


class Extractor(Protocol[S_co]):
    """Turns a probed file into signals."""

    @property
    def version(self) -> str:
        """Part of the cache key: changes whenever the signals would."""

    def extract(self, info: MediaInfo) -> S_co:
        """Read the file once."""


def cached(
    kind: type[S], info: MediaInfo, extractor: Extractor[S], cache: SignalsCache | None
) -> S:
    """The signals of a file: from the cache, or extracted and put there."""
    kept = cache.get(info.sha256, extractor.version) if cache else None
    if kept is not None and isinstance(signals := serialise.load(kept), kind):
        return signals
    signals = extractor.extract(info)
    if cache:
        cache.put(info.sha256, extractor.version, serialise.dump(signals))
    return signals
