"""The columns of corrections: one row a policy of a decision. The import reads them too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from coefvq.export.records import Answer, Machine, Video


@dataclass(frozen=True)
class Correction:
    """A reviewer's label on one policy beside the machine's. Field order is column order.

    Attributes:
        path: The stored file.
        reviewer: A pseudonym, unless the export was asked for names.
        label: ``violation`` or ``ok``.
        machine_label: As ``label``; ``None`` where no model covers the policy.
        machine_probability: What was on the screen, 0..1.
        stage: The stage whose probability counted.
        propensity: Probability with which the video came to a person; 1.0 where no draw was made.
        audit: 1 where an automatic outcome was drawn at random for this person, else 0.
        taxonomy_version: What its policies and reasons come from (docs/taxonomy.md).
    """

    video_id: str
    video_sha256: str
    path: str
    title: str | None
    task: str
    policy: str
    label: str
    machine_label: str | None
    machine_probability: float | None
    stage: str | None
    reviewer: str
    role: str
    reason: str | None
    comment: str
    start_s: float | None
    end_s: float | None
    decided_at: datetime
    propensity: float
    audit: int = 0
    taxonomy_version: str | None = None


COLUMNS = tuple(field.name for field in fields(Correction))


def rows_of(video: Video, answer: Answer, media_dir: Path) -> Iterator[Correction]:
    """The rows of one answer."""
    path = str(media_dir / video.file_name) if video.file_name else ""
    for policy, label in answer.labels.items():
        machine = answer.machine.get(policy, Machine())
        yield Correction(
            video.video_id, video.sha256, path, video.title, answer.task, policy, label,
            machine.label, machine.probability, machine.stage, answer.reviewer, answer.role,
            answer.reasons.get(policy), answer.comment, answer.start_s, answer.end_s,
            answer.decided_at, answer.propensity, int(answer.audit), answer.taxonomy_version,
        )  # fmt: skip
