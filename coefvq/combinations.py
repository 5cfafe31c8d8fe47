"""Which trust each stage has earned on a policy, by the versions of both models.

The pair that comes with the project has its own file; pairs that were promoted in a store are told
to this process by ``know``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from coefvq.routing.combination import Combination

SHIPPED = Path(__file__).with_name("combinations.json")
MLLM_ALONE = Combination()
_Pairs = dict[tuple[str, str], dict[str, Combination]]
_known: _Pairs = {}


def combination_of(policy: str, prefilter: str, mllm: str) -> Combination:
    """How to combine two models' probabilities of a policy.

    Args:
        policy: Policy id.
        prefilter: Model version of the first stage.
        mllm: Model version of the second stage.

    Returns:
        What was fitted on held-out answers of exactly these two versions; the MLLM alone for any
        other pair, whose errors nobody has compared.
    """
    pair = (prefilter, mllm)
    found = _known.get(pair) or _shipped().get(pair, {})
    return found.get(policy, MLLM_ALONE)


def know(pairs: Iterable[Mapping[str, Any]]) -> None:
    """Tell this process the combinations of a store, in place of those it was told before.

    Args:
        pairs: In the form of the shipped file; of two with the same versions the later counts.

    Raises:
        RoutingError, KeyError, TypeError, ValueError: One cannot be read; nothing changes.
    """
    global _known
    _known = _read(pairs)


@cache
def _shipped() -> _Pairs:
    return _read(json.loads(SHIPPED.read_text(encoding="utf-8"))["pairs"])


def _read(pairs: Iterable[Mapping[str, Any]]) -> _Pairs:
    return {
        (pair["prefilter"], pair["mllm"]): {
            policy: Combination.from_json(found["combination"])
            for policy, found in pair["policies"].items()
        }
        for pair in pairs
    }
