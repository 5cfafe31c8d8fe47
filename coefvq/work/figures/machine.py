"""How often people and the machine agree, a policy at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.reliability import wilson
from coefvq.work.figures.gather import STAGES, Decided, reviewers

_FINAL = 1 + STAGES.index("final")
HALF = 0.5


def machine_agreement(rows: Decided) -> dict[str, Any]:
    """Share of corrections by policy, of what was sent to people and of random audits apart.

    What was sent is what the machine was unsure of, so its share says little of all videos; that
    of the audits does.
    """
    found = []
    for at, policy in enumerate(rows.policy_ids):
        label, final = rows.policies[:, at, 0], rows.policies[:, at, _FINAL]
        known = ~np.isnan(label) & ~np.isnan(final)
        differs = (final >= HALF) != (label == 1)
        violated = known & (label == 1)
        found.append(
            {
                "policy": policy,
                "violations": int(violated.sum()),
                "sent": _share(differs, known & ~rows.audit),
                "audits": _share(differs, known & rows.audit),
                "missed": _share(differs, violated),
            }
        )
    whole = _share(rows.correction, np.ones(len(rows), dtype=bool))
    return {"n": len(rows), "reviewers": reviewers(rows.reviewer), "all": whole, "policies": found}


def _share(hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> dict[str, Any]:
    n, hits = int(among.sum()), int((hit & among).sum())
    if n == 0:
        return {"n": 0, "hits": 0, "rate": None}
    return {"n": n, "hits": hits, "rate": [hits / n, *wilson(hits, n)]}
