"""What a snapshot holds, in numbers: its document."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coefvq import __version__, taxonomy
from coefvq.learning.dataset.gather import Gathered, Known
from coefvq.learning.dataset.groups import FEED_SHARE, NEAR
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.dataset.splits import SHARES, Assigned
from coefvq.learning.dataset.wanted import Wanted

FORMAT = 1
_SURE = 1.0


def document_of(
    items: Sequence[LabelledVideo],
    known: Mapping[str, Known],
    dealt: Assigned,
    found: Gathered,
    wanted: Wanted,
    feeds: int,
    look: str | None,
) -> dict[str, Any]:
    """Count everything that the card tells, as plain JSON.

    Args:
        feeds: Uploaders who hold so much that they join nothing.
        look: Extractor version of the vectors that footage was compared by.
    """
    mine = [known[item.video_id] for item in items]
    held = {item.video_id for item in items}
    return {
        "format": FORMAT,
        "wanted": wanted.to_json(),
        "videos": len(items),
        "labels": sum(len(item.labels) for item in items),
        "splits": dict(sorted(Counter(item.split for item in items).items())),
        "groups": len({item.group for item in items}),
        "largest_group": max(Counter(item.group for item in items).values(), default=0),
        "policies": _policies(items),
        "languages": _counted(item.language or "unknown" for item in items),
        "roles": _counted(role for each in mine for role in each.roles),
        "corrected": sum(bool(item.corrected) for item in items),
        "audits": sum(item.audit for item in items),
        "drawn": sum(not item.audit and item.propensity < _SURE for item in items),
        "disputed": sum(any(len(set(v)) > 1 for v in item.votes.values()) for item in items),
        "left_out": {name: int(number) for name, number in sorted(found.left_out.items())},
        "merged": sorted(dealt.merged & held),
        "once_trained": sorted(dealt.once_trained & held),
        "feeds": feeds,
        "taxonomies": sorted({version for each in mine for version in each.taxonomies}),
        "taxonomy": taxonomy.version(),
        "look": look,
        "rules": {"near": NEAR, "feed_share": FEED_SHARE, "shares": dict(SHARES)},
        "program": __version__,
    }


def _policies(items: Sequence[LabelledVideo]) -> dict[str, dict[str, list[int]]]:
    """By policy and split, how many are ok and how many violate."""
    found: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for item in items:
        for policy, label in item.labels.items():
            found[policy].setdefault(item.split, [0, 0])[label] += 1
    return {policy: dict(sorted(found[policy].items())) for policy in sorted(found)}


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
