"""Random audits of automatic outcomes: who is drawn, and with which probability.

Labels otherwise exist only where the machine was unsure, so every rate computed from them is
biased. A random share of the automatic outcomes goes to a person as well; the probability of the
draw (the propensity) is stored with the route. ``coefvq.routing.audit_estimate`` computes rates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError
from coefvq.routing.audit_estimate import AuditEstimate, Estimated, estimate

__all__ = ["AuditEstimate", "AuditPlan", "Estimated", "draw", "draws", "estimate"]

_RESOLUTION = 2**53


@dataclass(frozen=True)
class AuditPlan:
    """Shares of automatic outcomes that are checked at random.

    Attributes:
        people: A person looks at the outcome as well. The route stays, ``audit`` is True and the
            propensity is this share. Not counted in the MLLM's budget.
        mllm: An item that the prefilter would settle goes to the MLLM as well. Counted in the
            budget.
    """

    people: float = 0.01
    mllm: float = 0.002

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            _check_share(f"the audit share {name}", share)

    def to_json(self) -> dict[str, float]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AuditPlan:
        """Read what ``to_json`` wrote.

        Raises:
            RoutingError: For unknown keys or shares that are not numbers in [0, 1).
        """
        try:
            return cls(**{name: float(share) for name, share in data.items()})
        except (TypeError, ValueError, AttributeError) as error:
            raise RoutingError(f"not an audit plan: {error}.") from error


def draw(key: str, share: float, salt: str) -> bool:
    """Whether an item is drawn: the same key, share and salt always give the same answer.

    The hash of salt and key is a uniform number in [0, 1); the item is drawn where it is below
    ``share``. So replays repeat, the order of items does not matter, and who is drawn at a small
    share is drawn at every larger one. Keep the salt secret from uploaders, and use different
    salts for people and the MLLM: with the same salt they would draw the same items.

    Args:
        key: What identifies the item, for instance its video id and task.
        share: Probability of a draw, in [0, 1).
        salt: Any text.

    Raises:
        RoutingError: For a share outside [0, 1).
    """
    return bool(draws([key], share, salt)[0])


def draws(
    keys: Sequence[str] | NDArray[np.integer[Any]], share: float, salt: str
) -> NDArray[np.bool_]:
    """``draw`` for many items.

    Args:
        keys: Texts (hashed one by one with SHA-256, the same answers as ``draw``), or an integer
            array (mixed by splitmix64 in one go, for replays of row numbers; its answers are as
            random and as repeatable, but are not those for the same digits as text).
        share: Probability of a draw, in [0, 1).
        salt: Any text.

    Returns:
        bool (keys,).

    Raises:
        RoutingError: For a share outside [0, 1) or an array of keys that are not integers.
    """
    _check_share("the audit share", share)
    if not isinstance(keys, np.ndarray) or keys.dtype.kind in "UOT":
        bits = _sha256_bits([str(key) for key in keys], salt)
    elif keys.dtype.kind in "iu":
        bits = _splitmix64(keys.astype(np.uint64), int(_sha256_bits([""], salt)[0]))
    else:
        raise RoutingError(f"audit keys must be texts or integers, not {keys.dtype}.")
    return (bits >> np.uint64(11)) < np.uint64(round(share * _RESOLUTION))


def _sha256_bits(keys: list[str], salt: str) -> NDArray[np.uint64]:
    """First 64 bits of SHA-256(salt, NUL, key) for each key."""
    start, sha256 = salt.encode() + b"\0", hashlib.sha256
    whole = b"".join([sha256(start + key.encode()).digest() for key in keys])
    return np.frombuffer(whole, dtype=">u8")[::4].astype(np.uint64)


def _splitmix64(keys: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """The output function of splitmix64 (Steele et al., 2014) at each key's place."""
    with np.errstate(over="ignore"):
        z = (keys + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _check_share(name: str, share: float) -> None:
    if not 0.0 <= share < 1.0:
        raise RoutingError(f"{name} is {share!r}: it must be at least 0 and below 1.")
