"""What a search of the index gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Near:
    """Pairs of looked-up row and indexed frame, by row and then the nearest first.

    Attributes:
        query: int32 (n,), which row of what was looked up.
        key: int64 (n,), whose frame it is.
        time_s: float32 (n,), where in that video, seconds.
        distance: float32 (n,), differing bits 0..256, or 1 - cosine, 0..2.
    """

    query: NDArray[np.int32]
    key: NDArray[np.int64]
    time_s: NDArray[np.float32]
    distance: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.query)


def nearest_first(
    query: NDArray[Any], row: NDArray[Any], distance: NDArray[Any], most: int
) -> NDArray[np.intp]:
    """Positions of the ``most`` nearest of each query, in the order of ``Near``.

    Of equal ones the row that was added first comes first, so that later copies of a much used
    picture cannot crowd out the original.
    """
    order = np.lexsort((row, distance, query))
    ordered = query[order]
    firsts = np.searchsorted(ordered, ordered, side="left")
    return order[np.arange(len(order)) - firsts < most]
