"""The rationale that an example teaches, where its evidence is known."""

from __future__ import annotations

from coefvq.learning.fused.example import POLICIES, Example
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.reasons import target

_PLACES = {
    "speech": "speech",
    "screen_text": "screen text",
    "caption": "caption",
    "pictures": "pictures",
}


def reason_of(example: Example, item: FusedItem) -> str | None:
    """The target text, or ``None`` where nobody knows what carries the label.

    Args:
        item: The example as it is shown, after modality dropout.
    """
    if example.part.startswith(("video", "comment_moved")):
        return None
    if example.evidence is not None:
        policy, place = example.evidence
        return target(item, policy, [(_PLACES[place], None)], policies=POLICIES)
    broken = violated(example)
    if broken is None:
        return target(item, None, policies=POLICIES)
    where = "caption" if example.footage is None else "pictures"
    return target(item, broken, [(where, None)], policies=POLICIES)


def violated(example: Example) -> str | None:
    """The first policy, in slot order, that the example is known to violate."""
    return next((policy for policy in POLICIES if example.targets.get(policy) == 1), None)
