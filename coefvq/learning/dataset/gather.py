"""Read the store: what people said of each video, before splits are dealt."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from coefvq.learning.dataset.labels import Resolved, Vote, resolve
from coefvq.learning.dataset.wanted import Wanted
from coefvq.review.copy_answers import REUPLOAD
from coefvq.review.decision_rows import REVIEW
from coefvq.store import labelled
from coefvq.store.decisions import VIOLATION
from coefvq.store.labelled import CopyAnswer, Decided, Golden, Second

_HALF = 0.5
_LOOK_ROLE = "reviewer"
COPIES = "ucc"
"""The task that a copy answer speaks to."""

Chances = dict[str, list[tuple[datetime, float]]]


@dataclass
class Known:
    """What is known of one video from all its cases.

    Attributes:
        span: Seconds that were marked last.
        roles: In which the counted answers were given.
        taxonomies: Versions that the answers were given under.
    """

    labels: dict[str, int] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    votes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    propensities: dict[str, float] = field(default_factory=dict)
    audited: set[str] = field(default_factory=set)
    machine: dict[str, float | None] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    at: datetime | None = None
    roles: set[str] = field(default_factory=set)
    taxonomies: set[str] = field(default_factory=set)
    tied: set[str] = field(default_factory=set)

    @property
    def corrected(self) -> frozenset[str]:
        """Policies whose label is not what the machine leant to."""
        return frozenset(
            policy
            for policy, label in self.labels.items()
            if (said := self.machine.get(policy)) is not None and (said >= _HALF) != bool(label)
        )


@dataclass
class Gathered:
    """All labelled videos, and what was left out.

    Attributes:
        golden: Videos of which a case is or was ever golden, labelled or not.
        left_out: Reason to number: of labels (``tied``), of videos (the rest).
    """

    videos: dict[str, Known]
    golden: frozenset[str]
    left_out: Counter[str]


def gather(session: Session, wanted: Wanted) -> Gathered:
    """Read all answers that stand and settle them; restricted queues are left out."""
    chances = labelled.chosen(session)
    videos = _from_cases(session, wanted, chances)
    _add_copies(videos, labelled.copy_answers(session), wanted)
    golden = labelled.golden(session)
    shut = set(session.scalars(labelled.restricted()))
    _add_golden(videos, [row for row in golden if row.video_id not in shut], wanted)
    left_out: Counter[str] = Counter(restricted=labelled.count_restricted(session))
    left_out["tied"] = sum(len(known.tied) for known in videos.values())
    kept = {video: known for video, known in sorted(videos.items()) if _is_kept(known, wanted)}
    return Gathered(kept, frozenset(row.video_id for row in golden), left_out)


def _is_kept(known: Known, wanted: Wanted) -> bool:
    fresh = wanted.since is None or (known.at is not None and known.at >= wanted.since)
    return bool(known.labels) and fresh


def _from_cases(session: Session, wanted: Wanted, chances: Chances) -> dict[str, Known]:
    seconds: dict[str, list[Second]] = defaultdict(list)
    for second in labelled.seconds(session):
        if wanted.in_role(_LOOK_ROLE) and wanted.in_time(second.at):
            seconds[second.case_id].append(second)
    cases: dict[str, list[Decided]] = defaultdict(list)
    for row in labelled.decided(session):
        if wanted.takes(row.task) and wanted.in_time(row.at) and wanted.in_role(row.role):
            cases[row.case_id].append(row)
    videos: dict[str, Known] = defaultdict(Known)
    for case_id, decisions in cases.items():
        known = videos[decisions[0].video_id]
        _add_case(known, decisions, seconds[case_id], chances.get(case_id, []), wanted)
    return dict(videos)


def _add_case(
    known: Known,
    decisions: Sequence[Decided],
    seconds: Sequence[Second],
    chances: Sequence[tuple[datetime, float]],
    wanted: Wanted,
) -> None:
    last = decisions[-1]
    votes = [
        Vote(d.reviewer, d.at, _numbers(d.labels, wanted), d.kind != REVIEW) for d in decisions
    ]
    votes += [Vote(s.reviewer, s.at, _numbers(s.labels, wanted)) for s in seconds]
    found = resolve(votes)
    _add_resolved(known, found)
    mine = list(found.labels)
    known.propensities |= dict.fromkeys(mine, _came(decisions[0], chances))
    if _was_drawn(decisions[0]):
        known.audited |= set(mine)
    shown = last.shown or {}
    known.machine |= {policy: (shown.get(policy) or {}).get("final") for policy in mine}
    ranges = [(d.start_s, d.end_s) for d in decisions if d.start_s is not None]
    if ranges and ranges[-1][1] is not None:
        known.span = (float(ranges[-1][0] or 0.0), float(ranges[-1][1]))
    known.at = max(filter(None, (known.at, *(vote.at for vote in votes))))
    known.roles |= {decision.role for decision in decisions} | {_LOOK_ROLE for _ in seconds}
    known.taxonomies |= {d.taxonomy for d in decisions if d.taxonomy}


def _add_resolved(known: Known, found: Resolved) -> None:
    known.labels |= found.labels
    known.weights |= found.weights
    known.votes |= found.votes
    known.tied = (known.tied | found.tied) - found.labels.keys()


def _vote(row: Decided, wanted: Wanted) -> Vote:
    return Vote(row.reviewer, row.at, _numbers(row.labels, wanted), row.kind != REVIEW)


def _numbers(labels: dict[str, str], wanted: Wanted) -> dict[str, int]:
    return {p: int(label == VIOLATION) for p, label in labels.items() if wanted.labels(p)}


def _was_drawn(first: Decided) -> bool:
    return bool((first.route or {}).get("audit"))


def _came(first: Decided, chances: Iterable[tuple[datetime, float]]) -> float:
    """Probability with which a case came to its first person.

    An outcome that was not drawn for an audit carries the share too, but that is not why somebody
    looked at it.
    """
    if _was_drawn(first):
        return float((first.route or {}).get("propensity", 1.0))
    before = [propensity for at, propensity in chances if at <= first.at]
    return before[-1] if before else 1.0


def _add_copies(videos: dict[str, Known], answers: Iterable[CopyAnswer], wanted: Wanted) -> None:
    """A confirmed match is a vote for ``reupload``; rejected ones only where none is confirmed.

    A decision on the task stays the answer where there is one.
    """
    if not (wanted.takes(COPIES) and wanted.labels(REUPLOAD)):
        return
    by_video: dict[str, list[CopyAnswer]] = defaultdict(list)
    for answer in answers:
        if wanted.in_time(answer.at) and wanted.in_role(_LOOK_ROLE):
            by_video[answer.video_id].append(answer)
    for video_id, found in by_video.items():
        known = videos.setdefault(video_id, Known())
        if REUPLOAD in known.labels:
            continue
        said = [a for a in found if a.confirmed] or found
        votes = [Vote(a.reviewer, a.at, {REUPLOAD: int(a.confirmed)}) for a in said]
        _add_resolved(known, resolve(votes))
        known.propensities[REUPLOAD] = 1.0
        known.at = max(filter(None, (known.at, *(vote.at for vote in votes))))
        known.roles.add(_LOOK_ROLE)


def _add_golden(videos: dict[str, Known], rows: Iterable[Golden], wanted: Wanted) -> None:
    """What is expected of a golden case is its label, whatever reviewers answered."""
    for row in sorted(rows, key=lambda row: not row.retired):  # one in use counts last
        if not (wanted.takes(row.task) and wanted.in_time(row.at)):
            continue
        known = videos.setdefault(row.video_id, Known())
        labels = _numbers(row.labels, wanted)
        known.labels |= labels
        known.weights |= dict.fromkeys(labels, 1.0)
        known.tied -= labels.keys()
        for policy in labels:
            known.propensities.setdefault(policy, 1.0)
        if row.start_s is not None and row.end_s is not None:
            known.span = (row.start_s, row.end_s)
        known.at = known.at or row.at
