"""Which trust each stage has earned on a policy: shipped with the weights, by model version."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from coefvq.routing.combination import Combination

SHIPPED = Path(__file__).with_name("combinations.json")
MLLM_ALONE = Combination()


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
    return _shipped().get((prefilter, mllm), {}).get(policy, MLLM_ALONE)


@cache
def _shipped() -> dict[tuple[str, str], dict[str, Combination]]:
    pairs = json.loads(SHIPPED.read_text(encoding="utf-8"))["pairs"]
    return {
        (pair["prefilter"], pair["mllm"]): {
            policy: Combination.from_json(found["combination"])
            for policy, found in pair["policies"].items()
        }
        for pair in pairs
    }
