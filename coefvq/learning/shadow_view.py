"""A model in the shadow beside the one in force, on the videos that both scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coefvq.domain import Stage
from coefvq.learning.registry import in_force, stage_of
from coefvq.review.access import Actor, Permission, require
from coefvq.store import model_publications, routing_policies, shadow_scores
from coefvq.store.session import Store
from coefvq.store.shadow_scores import Both

CUT = 0.5
"""Where the machine says "violation", for tasks whose published routing says nothing else."""


@dataclass(frozen=True)
class PolicyShadow:
    """One policy.

    Attributes:
        n: Videos on which both models answer.
        mean, spread: Of the shadow's probability minus the live one.
        cut: From which either says "violation".
        raised, lowered: Videos that only the shadow calls a violation, and only the live model.
        gained, lost: Videos that only the shadow answers, and only the live model.
    """

    policy: str
    n: int
    mean: float
    spread: float
    cut: float
    raised: int
    lowered: int
    gained: int
    lost: int


@dataclass(frozen=True)
class ShadowComparison:
    """What a shadow has shown so far. There are no labels in it: the gate has those.

    Attributes:
        since: When it began; ``None``: it never was in the shadow.
        running: Whether it still is.
        n: Videos that it scored.
        compared: Those of them that have a live answer of another version.
        live: Versions of those answers.
        milliseconds: Median of the shadow's own time a video; ``None`` without a video.
    """

    version: str
    stage: Stage
    since: Any
    running: bool
    n: int
    compared: int
    live: tuple[str, ...]
    milliseconds: float | None
    policies: tuple[PolicyShadow, ...]


def shadow_comparison(store: Store, actor: Actor, version: str) -> ShadowComparison:
    """What a model in the shadow has shown, on its newest 5,000 videos.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such model.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        stage = stage_of(session, version)
        runs = model_publications.history(session, stage, model_publications.SHADOW)
        mine = next((row for row in runs if row.version == version), None)
        rows = list(shadow_scores.beside(session, version, stage.value))
        n = shadow_scores.count(session, version)
        cuts = _cuts(session)
        live = {row.live_version for row in rows} or {in_force(session)[stage]}
    times = [row.shadow_ms for row in rows]
    return ShadowComparison(
        version, stage, mine.published_at if mine else None,
        mine is not None and mine.ended_at is None, n, len(rows), tuple(sorted(live)),
        float(np.median(times)) if times else None, tuple(_policies(rows, cuts)),
    )  # fmt: skip


def _cuts(session: Any) -> dict[str, float]:
    from coefvq import taxonomy

    found: dict[str, float] = {}
    for task in routing_policies.versions_in_force(session):
        row = routing_policies.in_force(session, task)
        cut = (row.document if row else {}).get("thresholds", {}).get("call_from")
        if isinstance(cut, int | float) and task in taxonomy.tasks():
            found |= {policy.id: float(cut) for policy in taxonomy.task(task).policies}
    return found


def _policies(rows: Sequence[Both], cuts: dict[str, float]) -> list[PolicyShadow]:
    names = sorted({name for row in rows for name in row.shadow})
    found = [_policy(name, rows, cuts.get(name, CUT)) for name in names]
    return [each for each in found if each.n or each.gained or each.lost]


def _policy(name: str, rows: Sequence[Both], cut: float) -> PolicyShadow:
    values = np.array(
        [[_probability(row.shadow, name), _probability(row.live, name)] for row in rows]
    ).reshape(-1, 2)
    ours, live = values.T
    both = ~np.isnan(ours) & ~np.isnan(live)
    gap = (ours - live)[both]
    return PolicyShadow(
        name, int(both.sum()), float(gap.mean()) if len(gap) else 0.0,
        float(gap.std()) if len(gap) else 0.0, cut,
        int(((ours >= cut) & (live < cut))[both].sum()),
        int(((ours < cut) & (live >= cut))[both].sum()),
        int((~np.isnan(ours) & np.isnan(live)).sum()),
        int((np.isnan(ours) & ~np.isnan(live)).sum()) if _answers(rows, name) else 0,
    )  # fmt: skip


def _answers(rows: Sequence[Both], name: str) -> bool:
    """Whether the shadow answers the policy at all: what a search answers is no model's."""
    return any(row.shadow.get(name, {}).get("probability") is not None for row in rows)


def _probability(scores: dict[str, Any], name: str) -> float:
    found = scores.get(name, {}).get("probability")
    return float("nan") if found is None else float(found)
