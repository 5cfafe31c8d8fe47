"""What there is to learn from: the snapshot that a training would make now, in numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import Stage
from coefvq.errors import TrainingError
from coefvq.review.access import Actor, Permission, require
from coefvq.store import snapshots
from coefvq.store.session import Store
from coefvq.store.tables import EventRow
from coefvq.work import training_options

TRAIN, VALIDATION, TEST, GOLDEN = "train", "validation", "test", "golden"
SPLITS = (TRAIN, VALIDATION, TEST, GOLDEN)
_REST = 10.0
"""A count that took a second holds for ten, so that a look costs little however large it is."""


@dataclass(frozen=True)
class PolicyCount:
    """Labels on one policy.

    Attributes:
        splits: By split, labels that are ok and that violate.
        before: Labels of both kinds in the newest snapshot.
    """

    task: str
    policy: str
    name: str
    splits: Mapping[str, tuple[int, int]]
    before: int

    def of(self, *names: str) -> tuple[int, int]:
        """Labels of some splits together: ok, violations."""
        found = [self.splits.get(name, (0, 0)) for name in names]
        return sum(each[0] for each in found), sum(each[1] for each in found)

    @property
    def total(self) -> int:
        """All labels."""
        return sum(self.of(*SPLITS))


@dataclass(frozen=True)
class Summary:
    """What there is to learn from now.

    Attributes:
        videos, labels: Of the snapshot that would be made now.
        corrected, audits, golden: Videos among them: somebody differed from the machine, drawn at
            random, kept apart for ever.
        since: Number, time and labels of the newest snapshot; ``None``: there is none.
        policies: Those with labels, in the order of the taxonomy.
        missing: What a training still lacks, one sentence each; empty: it can begin.
        why: Why there is nothing at all to count; empty: there is.
    """

    videos: int = 0
    labels: int = 0
    corrected: int = 0
    audits: int = 0
    golden: int = 0
    since: tuple[int, datetime, int] | None = None
    policies: tuple[PolicyCount, ...] = ()
    missing: tuple[str, ...] = ()
    why: str = ""


class Summaries:
    """Counts for a page: what was counted holds until something happened, and a while longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: tuple[str, int] | None = None
        self._until = 0.0
        self._summary = Summary()

    def read(self, store: Store, actor: Actor) -> Summary:
        """Count, or give what was counted.

        Raises:
            NotAllowed: The actor is no lead.
        """
        require(actor, Permission.LEAD)
        with self._lock, store.read() as session:
            seen = (store.url, session.scalar(select(func.max(EventRow.seq))) or 0)
            fits = self._seen is not None and self._seen[0] == seen[0]
            if self._seen == seen or (fits and time.monotonic() < self._until):
                return self._summary
            began = time.monotonic()
            self._summary = _count(session)
            took = time.monotonic() - began
            self._seen, self._until = seen, time.monotonic() + (took * _REST if took > 0.5 else 0)
            return self._summary


def _count(session: Session) -> Summary:
    from coefvq.learning.dataset.make import preview
    from coefvq.learning.dataset.wanted import Wanted

    last = next(iter(snapshots.listed(session)), None)
    since = None if last is None else (last.number, last.made_at, last.labels)
    try:
        document = preview(session, Wanted())
    except TrainingError as error:
        return Summary(since=since, why=str(error))
    before = {} if last is None else dict(last.document.get("policies", {}))
    policies = _policies(document["policies"], before)
    return Summary(
        videos=document["videos"],
        labels=document["labels"],
        corrected=document["corrected"],
        audits=document["audits"],
        golden=document["splits"].get(GOLDEN, 0),
        since=since,
        policies=policies,
        missing=_missing(policies, document),
    )


def _policies(counted: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[PolicyCount, ...]:
    found = []
    for policy_id, policy in taxonomy.policies().items():
        if policy_id in counted:
            splits = {name: (int(n[0]), int(n[1])) for name, n in counted[policy_id].items()}
            known = sum(sum(each) for each in before.get(policy_id, {}).values())
            found.append(PolicyCount(policy.task, policy_id, policy.name, splits, known))
    return tuple(found)


def _missing(policies: tuple[PolicyCount, ...], document: Mapping[str, Any]) -> tuple[str, ...]:
    fewest = _fewest()
    ready = [each for each in policies if min(each.of(TRAIN)) >= fewest]
    said = []
    if not ready and policies:
        near = max(policies, key=lambda each: (min(each.of(TRAIN)), each.total))
        said.append(
            f"No policy has {fewest} labels of each kind to learn from yet; nearest is {near.name}:"
            f" {_lacks(near, fewest)}."
        )
    if not document["corrected"]:
        said.append(
            "Nobody has corrected the machine yet: a training could only learn what it does."
        )
    held = [each for each in ready if min(each.of(TEST, GOLDEN)) < fewest]
    if held:
        wants = "; ".join(f"{each.name} {_lacks(each, fewest, TEST, GOLDEN)}" for each in held)
        said.append(f"Among the videos that only measure, before the gate can judge it: {wants}.")
    return tuple(said)


def _lacks(count: PolicyCount, fewest: int, *splits: str) -> str:
    passed, violations = count.of(*(splits or (TRAIN,)))
    parts = []
    if violations < fewest:
        missing = fewest - violations
        parts.append(f"{missing} more {'violation' if missing == 1 else 'violations'}")
    if passed < fewest:
        parts.append(f"{fewest - passed} more without one")
    return f"needs {' and '.join(parts)}"


def _fewest() -> int:
    options = {option.name: option for option in training_options.known(Stage.PREFILTER)}
    return int(options["fewest"].default) if "fewest" in options else 5
