"""How many MLLM calls there may be, and who gets them in a batch: a hard share.

``Budget`` turns money into a share of calls and refuses what cannot be met; ``batch_select`` spends
it on a batch. ``coefvq/routing/tracker.py`` holds it item by item, under drift.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.errors import RoutingError

ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996, and must count as 29

State = TypeVar("State")


@dataclass(frozen=True)
class Budget:
    """A hard share of videos that may go to the MLLM.

    Attributes:
        share: Calls / videos, 0..1, MLLM audits included.
        audit_share: The part of it, 0..1, that random MLLM audits take; at most ``share``.
    """

    share: float
    audit_share: float = 0.0

    def __post_init__(self) -> None:
        must_be_share("budget", self.share)
        must_be_share("MLLM audit share", self.audit_share)
        if self.share < self.audit_share - ROUNDING:
            raise RoutingError(
                f"a budget of {self.share:.4g} is below the MLLM audit share of "
                f"{self.audit_share:.4g}: the least that can be met is {self.audit_share:.4g}; "
                "raise the budget or lower the audit share"
            )

    @classmethod
    def from_cost_per_thousand(
        cls, cost: float, prefilter_cost: float, mllm_cost: float, audit_share: float = 0.0
    ) -> Budget:
        """The share whose total cost fits: (cost / 1000 - prefilter_cost) / mllm_cost, at most 1.

        Args:
            cost: What 1,000 videos may cost, in any unit of money or time.
            prefilter_cost: Of one video, same unit, >= 0; every video pays it.
            mllm_cost: Of one call, same unit, > 0.
            audit_share: As in ``Budget``.

        Raises:
            RoutingError: If the prefilter and the audits alone cost more; names the least cost.
        """
        prices = (cost, prefilter_cost, mllm_cost)
        if not all(math.isfinite(p) and p >= 0 for p in prices) or mllm_cost == 0:
            raise RoutingError("costs must be numbers >= 0, and the MLLM's above 0")
        share = (cost / 1000 - prefilter_cost) / mllm_cost
        if share < audit_share - ROUNDING:
            least = 1000 * (prefilter_cost + audit_share * mllm_cost)
            raise RoutingError(
                f"{cost:.6g} per 1,000 videos does not pay for the prefilter and the audits: the "
                f"least that can be met is {least:.6g} per 1,000"
            )
        return cls(min(1.0, max(share, audit_share)), audit_share)

    def cost_per_thousand(self, prefilter_cost: float, mllm_cost: float) -> float:
        """What 1,000 videos cost when the whole share is used."""
        return 1000 * (prefilter_cost + self.share * mllm_cost)

    def calls(self, videos: int) -> int:
        """The most calls that ``videos`` videos may use: floor(share * videos)."""
        return math.floor(self.share * videos + ROUNDING)

    @property
    def routable_share(self) -> float:
        """What is left for escalations by rule once the audits are paid."""
        return max(0.0, self.share - self.audit_share)

    def to_json(self) -> dict[str, float]:
        """Plain values for the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Budget:
        """The inverse of ``to_json``; ``RoutingError`` for values that do not fit."""
        return read_state(cls, raw)


def batch_select(
    scores: ArrayLike,
    budget_share: float,
    forced: ArrayLike | None = None,
    keep: ArrayLike | None = None,
    *,
    keys: ArrayLike | None = None,
    threshold: float | None = None,
) -> NDArray[np.bool_]:
    """Who is escalated in a batch: at most floor(share * n), forced first, then highest scores.

    Permuting the rows permutes the answer and changes nothing else. Equal scores at the cut are
    chosen by a hash of their keys; without keys nobody among them is chosen if not all fit,
    because any choice would depend on the order of the rows.

    Args:
        scores: (n,), higher = escalate sooner; NaN is never due by its score.
        budget_share: 0..1.
        forced: (n,) bool, gaps that go first whatever their score.
        keep: (n,) bool, items that may be escalated; False wins over ``forced``.
        keys: (n,) ids, strings or integers.
        threshold: Scores below it are not due, even within the budget.

    Returns:
        (n,) bool.

    Raises:
        RoutingError: For a share outside 0..1 or arrays of different lengths.
    """
    must_be_share("budget", budget_share)
    values = np.asarray(scores, dtype=np.float64).ravel()
    names = None if keys is None else _column("keys", np.asarray(keys), values.size)
    must = _mask("forced", forced, values.size, missing=False)
    may = _mask("keep", keep, values.size, missing=True)
    must = must & may
    room = math.floor(budget_share * values.size + ROUNDING)
    chosen = _highest(np.where(must, 0.0, -np.inf), room, names)
    due = may & ~must & ~np.isnan(values)
    if threshold is not None:
        due &= values >= threshold
    ranked = np.where(due, np.clip(values, -np.finfo(float).max, None), -np.inf)
    return chosen | _highest(ranked, room - int(must.sum()), names)


def _highest(
    ranked: NDArray[np.float64], room: int, names: NDArray[Any] | None
) -> NDArray[np.bool_]:
    """The ``room`` highest of those above minus infinity, ties at the cut by hashed name."""
    chosen = ranked > -np.inf
    if room <= 0 or chosen.sum() <= room:
        return chosen if room > 0 else np.zeros(ranked.size, dtype=bool)
    cut = np.partition(ranked, ranked.size - room)[ranked.size - room]
    chosen = ranked > cut
    left = room - int(chosen.sum())
    tied = np.flatnonzero(ranked == cut)
    if names is not None or len(tied) <= left:
        order = np.arange(len(tied)) if names is None else np.argsort(_hashes(names[tied]))
        chosen[tied[order[:left]]] = True
    return chosen


def unit_hash(key: str) -> float:
    """A stable number in [0, 1) for an item id: the same on every machine and in every run."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def _hashes(names: NDArray[Any]) -> NDArray[np.uint64]:
    """A stable 64-bit hash per name: polynomial in its code points, then the murmur3 finaliser.

    Vectorised, because a million equal scores means a million keys to hash.
    """
    texts = np.ascontiguousarray(names.astype(np.str_))
    codes = texts.view(np.uint32).reshape(texts.size, -1)
    total = np.zeros(texts.size, dtype=np.uint64)
    factor = 1
    for column in codes.T:  # padding is zero and adds nothing, so the width does not matter
        total += column.astype(np.uint64) * np.uint64(factor)
        factor = factor * 0x9E3779B97F4A7C15 % 2**64
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        total ^= total >> np.uint64(33)
        total *= np.uint64(multiplier)
    return total ^ (total >> np.uint64(33))


def must_be_share(what: str, value: float) -> None:
    """Raise ``RoutingError`` for a value that is no share."""
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise RoutingError(f"{what} must be a share in 0..1, got {value}")


def _column(what: str, values: NDArray[Any], rows: int) -> NDArray[Any]:
    if values.shape != (rows,):
        raise RoutingError(f"{what} has shape {values.shape}, there are {rows} scores")
    return values


def _mask(what: str, values: ArrayLike | None, rows: int, *, missing: bool) -> NDArray[np.bool_]:
    if values is None:
        return np.full(rows, missing)
    return _column(what, np.asarray(values, dtype=bool), rows)


def read_state(kind: type[State], raw: Mapping[str, Any]) -> State:
    """Make a frozen dataclass from the values it was saved as."""
    try:
        return kind(**raw)
    except TypeError as error:
        raise RoutingError(f"this is no saved {kind.__name__}: {error}") from error
