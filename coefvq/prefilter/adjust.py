"""What a refit adds to a prefilter: for each policy a few numbers more, and evidence still adds up.

A policy's log-odds become ``slope * parent + shift + words + surface + blocks``. Where the parent
does not know the policy there is no parent to add to. The parent's own weights stay as they are,
so that an adjustment can be taken off again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.prefilter.text import TextRow

TEXT, PICTURES = "text", "pictures"
ABSENT = "absent"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Adjustment:
    """What was learnt of one policy from people's decisions.

    Attributes:
        reads: ``TEXT``, ``PICTURES`` or both; empty: only slope and shift were learnt.
        slope: Of the parent's log-odds, above 0; 0 where the parent does not know the policy.
        shift: Added to every video.
        buckets: int64 (k,), rising: n-grams that count, as ``prefilter.text`` hashes them.
        words: float32 (k,), log-odds for each unit of an n-gram's TF-IDF weight.
        surface: float32 (len(SURFACE) + len(STATES),).
        blocks: By block float32 (width,), log-odds for each standardised unit.
        absent: By block the log-odds where it is absent.
    """

    reads: frozenset[str]
    slope: float = 1.0
    shift: float = 0.0
    buckets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    words: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    surface: Floats | None = None
    blocks: Mapping[str, Floats] = field(default_factory=dict)
    absent: Mapping[str, float] = field(default_factory=dict)

    def text_evidence(self, row: TextRow) -> float:
        """Log-odds that the typed words add; 0.0 where there is no word."""
        if TEXT not in self.reads or row.empty:
            return 0.0
        words = float(row.weights @ self.per_bucket(row.buckets))
        return words if self.surface is None else words + float(self.surface @ row.surface)

    def per_bucket(self, buckets: NDArray[np.int64]) -> Floats:
        """float32 (n,): what each of these n-grams counts; 0 for those not learnt."""
        if not len(self.buckets):
            return np.zeros(len(buckets), np.float32)
        at = np.minimum(np.searchsorted(self.buckets, buckets), len(self.buckets) - 1)
        return np.where(self.buckets[at] == buckets, self.words[at], np.float32(0))

    def block_evidence(self, standard: Mapping[str, Floats | None]) -> dict[str, float]:
        """By block the log-odds that it adds.

        Args:
            standard: By block its standardised numbers, ``None`` where it is absent.
        """
        found = {}
        for name, weights in self.blocks.items():
            block = standard.get(name)
            found[name] = self.absent.get(name, 0.0) if block is None else float(weights @ block)
        return found

    def arrays(self, policy: str) -> dict[str, NDArray[np.generic]]:
        """Its tensors by their names in the weights file."""
        found: dict[str, NDArray[np.generic]] = {
            f"adjust.{policy}.buckets": self.buckets.astype(np.int32),
            f"adjust.{policy}.words": self.words.astype(np.float32),
        }
        if self.surface is not None:
            found[f"adjust.{policy}.surface"] = self.surface.astype(np.float32)
        for name, weights in self.blocks.items():
            found[f"adjust.{policy}.block.{name}"] = weights.astype(np.float32)
        return found

    def to_json(self) -> dict[str, Any]:
        """Everything that is no tensor."""
        return {
            "reads": sorted(self.reads),
            "slope": self.slope,
            "shift": self.shift,
            "absent": dict(sorted(self.absent.items())),
            "blocks": sorted(self.blocks),
        }

    @classmethod
    def read(
        cls, policy: str, body: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> Adjustment:
        """Read what ``arrays`` and ``to_json`` gave.

        Raises:
            KeyError: A tensor is missing.
            ValueError: A tensor's shape or a number makes no sense.
        """
        surface = arrays.get(f"adjust.{policy}.surface")
        found = cls(
            reads=frozenset(body["reads"]),
            slope=float(body["slope"]),
            shift=float(body["shift"]),
            buckets=arrays[f"adjust.{policy}.buckets"].astype(np.int64),
            words=arrays[f"adjust.{policy}.words"].astype(np.float32),
            surface=None if surface is None else surface.astype(np.float32),
            blocks={
                name: arrays[f"adjust.{policy}.block.{name}"].astype(np.float32)
                for name in body["blocks"]
            },
            absent={name: float(value) for name, value in body["absent"].items()},
        )
        found._check(policy)
        return found

    def _check(self, policy: str) -> None:
        numbers = [self.words, *self.blocks.values(), np.asarray([self.slope, self.shift])]
        numbers += [np.asarray(list(self.absent.values()), dtype=np.float64)]
        numbers += [] if self.surface is None else [self.surface]
        if not all(np.isfinite(each).all() for each in numbers) or self.slope < 0:
            raise ValueError(f"the adjustment of {policy} holds numbers that are not finite")
        if len(self.words) != len(self.buckets) or (np.diff(self.buckets) <= 0).any():
            raise ValueError(f"the adjustment of {policy} holds n-grams out of order")
