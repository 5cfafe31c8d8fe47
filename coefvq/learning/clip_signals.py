"""Cheap signals of many clips, kept in a folder so that a second training starts at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from coefvq.domain import CheapSignals
from coefvq.errors import MediaError, StoreError
from coefvq.learning.clip_corpora import ClipItem
from coefvq.media.probe import probe
from coefvq.signals.extract import CheapExtractor
from coefvq.signals.serialise import dump, load

OnClip = Callable[[int, int], None]


def clip_signals(
    items: Iterable[ClipItem],
    folder: Path,
    extractor: CheapExtractor,
    on_clip: OnClip | None = None,
) -> dict[str, CheapSignals]:
    """Extract what is not in ``folder`` yet.

    Args:
        on_clip: Called with clips done and clips in all.

    Returns:
        By item id. A clip that cannot be read is left out.
    """
    wanted, found = list(items), {}
    place = folder / "signals" / extractor.version
    place.mkdir(parents=True, exist_ok=True)
    for number, item in enumerate(wanted):
        signals = _one(item, place, extractor)
        if signals is not None:
            found[item.id] = signals
        if on_clip is not None:
            on_clip(number + 1, len(wanted))
    return found


def _one(item: ClipItem, place: Path, extractor: CheapExtractor) -> CheapSignals | None:
    stat = item.path.stat()
    key = f"{item.id}/{stat.st_size}"
    path = place / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
    if path.is_file():
        try:
            cached = load(path.read_bytes())
        except StoreError:
            path.unlink()
        else:
            return cached if isinstance(cached, CheapSignals) else None
    try:
        signals = extractor.extract(probe(item.path))
    except MediaError:
        return None
    partial = path.with_suffix(".part")
    partial.write_bytes(dump(signals))
    partial.rename(path)
    return signals
