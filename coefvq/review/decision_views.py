"""What a reviewer fills in, and what is stored of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coefvq.review.case_views import CaseView


@dataclass(frozen=True)
class DraftView:
    """A form that was filled in and not sent. The fields of ``DecisionForm``."""

    labels: dict[str, bool]
    reasons: dict[str, str]
    action: str
    comment: str
    start_s: float | None
    end_s: float | None
    saved_at: datetime
    notice: str = ""


@dataclass(frozen=True)
class DecisionView:
    """A reviewer's answer. ``labels`` maps policy to ``violation`` or ``ok``.

    Attributes:
        correction: Whether it differs from what the machine had said.
        undone_at: When a later event took it back; ``None`` while it stands.
        snapshot: What was on the screen when it was taken.
    """

    id: str
    case_id: str
    task: str
    reviewer: str
    role: str
    action: str
    labels: dict[str, str]
    reasons: dict[str, str]
    comment: str
    start_s: float | None
    end_s: float | None
    decided_at: datetime
    correction: bool
    undone_at: datetime | None
    snapshot: dict[str, Any]
    notice: str = ""
    batch_id: str | None = None


@dataclass(frozen=True)
class DecisionForm:
    """What a reviewer sends.

    Attributes:
        labels: Policy id to whether it is violated; policies left out are not.
        reasons: Policy id to a reason of that policy's list, or ``other``.
        action: One of ``decide.action_names()``.
        comment: Required where a reason is ``other``.
        start_s: Start of the range that shows it, seconds; with ``end_s`` or not at all.
        verdict_id: ``CaseView.verdict_id`` of what was on the screen.
        notice: Message to the uploader; empty: none is sent.
        taxonomy_version: The taxonomy that the form was made from; a policy that it did not have
            gets no label. ``None``: the one in force.
    """

    labels: dict[str, bool]
    action: str
    reasons: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    start_s: float | None = None
    end_s: float | None = None
    verdict_id: str | None = None
    notice: str = ""
    taxonomy_version: str | None = None


@dataclass(frozen=True)
class Submitted:
    """The answer to a decision: its id, whether it corrects the machine, the next case."""

    decision_id: str
    correction: bool
    next: CaseView | None
