"""Decided cases as columns, made by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from coefvq.routing.route import HUMAN
from coefvq.routing_inputs import known_features
from coefvq.work.figures.gather import Decided


def decided(label: Sequence[int], **columns: Any) -> Decided:
    """Cases sent to people, one policy, both stages sure and right, decided now; or as given."""
    n = len(label)
    y = np.array(label, dtype=np.int8)
    sure = np.where(y == 1, 0.9, 0.1)
    made: dict[str, Any] = {
        "case_id": np.array([f"c{at}" for at in range(n)], dtype=object),
        "reviewer": np.array(["ann"] * n, dtype=object),
        "decided_at": np.zeros(n),
        "scored_at": np.zeros(n),
        "waited_s": np.full(n, 60.0),
        "correction": np.zeros(n, dtype=bool),
        "label": y,
        "why": np.array([""] * n, dtype=object),
        "audit": np.zeros(n, dtype=bool),
        "weight": np.ones(n),
        "outcome": np.full(n, HUMAN, dtype=np.int8),
        "prefilter": sure,
        "mllm": sure,
        "prefilter_ms": np.full(n, 100.0),
        "mllm_ms": np.full(n, 1000.0),
        "features": np.full((n, len(known_features())), math.nan),
        "policies": np.stack([y, sure, sure, sure], 1)[:, None].astype(np.float32),
        "policy_ids": ("violence",),
    }
    given = {
        name: value if name == "policy_ids" else np.asarray(value, dtype=made[name].dtype)
        for name, value in columns.items()
    }
    return Decided(**(made | given))
