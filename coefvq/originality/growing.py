"""An array that grows at its end without being copied at every addition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SLACK = 16
"""One part in so many is reserved beyond what is needed."""


class Growing:
    """Rows of one shape. Appending n rows to N costs O(n) on average, and N / 16 rows of space."""

    def __init__(self, rows: NDArray[Any]):
        self._held = rows
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[Any]:
        """All rows, (n, ...); a view that is good until the next change."""
        return self._held[: self._count]

    def extend(self, rows: NDArray[Any]) -> None:
        """Append rows of the same shape and type."""
        need = self._count + len(rows)
        if need > len(self._held):
            room = need + need // _SLACK
            wider = np.empty((room, *self._held.shape[1:]), self._held.dtype)
            wider[: self._count] = self.rows
            self._held = wider
        self._held[self._count : need] = rows
        self._count = need

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the rows whose mask is false, (n,), and the reserve."""
        self._held = self.rows[mask]
        self._count = len(self._held)
