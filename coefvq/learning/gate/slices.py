"""Parts of the held-out videos on which a candidate must not be worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from coefvq.learning.dataset.items import LabelledVideo
from coefvq.store.session import Store
from coefvq.store.tables import CachedSignalsRow

_MANY = 400
_FEW = 5


def slices_of(store: Store | None, items: Sequence[LabelledVideo]) -> dict[str, NDArray[np.bool_]]:
    """By name, which videos belong: language, media, speech, where they come from, the uploader.

    Args:
        store: Where speech was recognised; ``None``: nothing is known of it.
    """
    spoken = _spoken(store, items) if store is not None else {}
    groups = Counter(item.group for item in items)
    names: list[list[str]] = [
        [
            f"language {item.language or 'not known'}",
            "with media" if item.sha256 else "text only",
            _speech(spoken.get(item.sha256 or "")),
            "golden cases" if item.split == "golden" else "out of the traffic",
            "drawn at random" if item.audit else "sent to people",
            _size(groups[item.group]),
            "with a title" if item.posted.title else "without a title",
        ]
        for item in items
    ]
    found = sorted({name for row in names for name in row})
    parts = {name: np.array([name in row for row in names], dtype=bool) for name in found}
    return {name: part for name, part in parts.items() if 0 < part.sum() < len(items)}


def _size(number: int) -> str:
    if number == 1:
        return "uploader with one video"
    return f"uploader with up to {_FEW} videos" if number <= _FEW else "uploader with more videos"


def _speech(found: bool | None) -> str:
    if found is None:
        return "speech not looked for"
    return "with speech" if found else "without speech"


def _spoken(store: Store, items: Sequence[LabelledVideo]) -> dict[str, bool]:
    """By digest, whether somebody speaks; media that no recogniser heard are absent."""
    hashes, found = sorted({item.sha256 for item in items if item.sha256}), {}
    with store.read() as session:
        for begin in range(0, len(hashes), _MANY):
            query = select(CachedSignalsRow.sha256, CachedSignalsRow.readable).where(
                CachedSignalsRow.sha256.in_(hashes[begin : begin + _MANY]),
                CachedSignalsRow.readable.is_not(None),
            )
            for digest, readable in session.execute(query):
                found[digest] = bool((readable or {}).get("speech"))
    return found
