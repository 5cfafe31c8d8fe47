"""What to label next: shown to leads, and opened for review."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.domain import PostedText
from coefvq.errors import SettingsError
from coefvq.learning.choose.rank import Choice, Mixing, Pool, rank
from coefvq.learning.choose.vectors import describe, looks_of
from coefvq.learning.dataset.make import looks
from coefvq.review.access import Actor, Permission, require
from coefvq.store import cases, embeddings, events, labelled
from coefvq.store.labelled import Undecided
from coefvq.store.queues import LABEL_NEXT
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CaseState, new_id

MOST_CANDIDATES, MOST_LABELLED = 4000, 4000
"""More are drawn from at random; the draw is in the propensity."""

MOST = 1000
LABEL_BONUS = 1.0
"""The machine may be sure of what was drawn at random: by doubt alone it would never come up."""


@dataclass(frozen=True)
class Suggestion:
    """A case to label. The title is hostile.

    Attributes:
        waiting: It is in a queue already.
        probability: What the machine says of its task; ``None``: not covered.
        reason, score, propensity: See ``rank.Choice``.
    """

    case_id: str
    video_id: str
    title: str
    waiting: bool
    probability: float | None
    reason: str
    score: float
    propensity: float


@dataclass(frozen=True)
class Suggestions:
    """What to label next for one task.

    Attributes:
        candidates: How many cases could be labelled.
        labels: How many are decided.
        opened: How many were sent to people just now.
    """

    task: str
    items: tuple[Suggestion, ...]
    candidates: int
    labels: int
    opened: int = 0


def next_to_label(
    store: Store,
    actor: Actor,
    task: str,
    *,
    number: int = 50,
    queue: bool = False,
    mixing: Mixing = Mixing(),  # noqa: B008 - frozen
    seed: int | None = None,
) -> Suggestions:
    """Choose the cases whose labels would teach most, and some at random.

    Args:
        queue: Send them to people: those that the machine decided by itself wait for review by
            the way ``label_next``, those that wait already come up earlier. The propensity of
            each is kept, and goes into every later snapshot.
        seed: Of the draw; ``None``: one that nobody can foretell.

    Raises:
        NotAllowed: The actor leads nobody.
        SettingsError: An unknown task, or a number that does not fit.
    """
    require(actor, Permission.LEAD)
    task = taxonomy.task(task).id
    if not 1 <= number <= MOST:
        raise SettingsError(f"{number} cases at once: choose between 1 and {MOST}.")
    drawn = secrets.randbits(63) if seed is None else seed
    with store.read() as session:
        every = list(labelled.candidates(session, task))
        some, share = _some(every, drawn)
        pool, known = _pool(session, task, some)
        labels = labelled.count_decided(session, task)
    found = rank(pool, known, number, labels=labels, mixing=mixing, seed=drawn)
    by_id = {row.case_id: row for row in some}
    items = tuple(_suggestion(by_id[choice.key], choice, share) for choice in found)
    opened = _send(store, actor, items) if queue else 0
    return Suggestions(task, items, len(every), labels, opened)


def _some(rows: list[Undecided], seed: int) -> tuple[list[Undecided], float]:
    """At most ``MOST_CANDIDATES`` at random, and the share that they are."""
    if len(rows) <= MOST_CANDIDATES:
        return rows, 1.0
    rng = np.random.default_rng([seed, 1])
    kept = np.sort(rng.choice(len(rows), MOST_CANDIDATES, replace=False))
    return [rows[at] for at in kept], MOST_CANDIDATES / len(rows)


def _pool(session: Session, task: str, rows: Sequence[Undecided]) -> tuple[Pool, Any]:
    """The candidates, and the vectors of what is labelled."""
    done = labelled.decided_videos(session, task, MOST_LABELLED)
    every: list[Undecided | labelled.Upload] = [*rows, *done]
    seen, _ = looks(session, {row.sha256 for row in every})
    posted = [PostedText(row.title, row.caption) for row in every]
    found = looks_of(seen, [row.sha256 for row in every])
    vectors = describe(posted, found, embeddings.WIDTH)
    unknown = float("nan")
    chances = [unknown if row.probability is None else row.probability for row in rows]
    gaps = [_gap(row.policies) for row in rows]
    pool = Pool(
        [row.case_id for row in rows], np.array(chances), np.array(gaps), vectors[: len(rows)]
    )
    return pool, vectors[len(rows) :]


def _gap(policies: Mapping[str, Any]) -> float:
    """Largest difference between the stages; NaN where no policy has both."""
    pairs = [(score.get("prefilter"), score.get("mllm")) for score in policies.values()]
    gaps = [abs(one - two) for one, two in pairs if one is not None and two is not None]
    return max(gaps, default=float("nan"))


def _suggestion(row: Undecided, choice: Choice, share: float) -> Suggestion:
    return Suggestion(
        row.case_id,
        row.video_id,
        row.title or row.name,
        row.state == CaseState.QUEUED.value,
        row.probability,
        choice.reason,
        choice.score,
        choice.propensity * share,
    )


def _send(store: Store, actor: Actor, items: Sequence[Suggestion]) -> int:
    """Send cases to people; one that somebody decided meanwhile is passed over."""
    batch, opened = new_id(), 0
    with store.write() as session:
        for item in sorted(items, key=lambda item: item.case_id):
            opened += _open(session, actor, item, batch)
    return opened


def _open(session: Session, actor: Actor, item: Suggestion, batch: str) -> bool:
    case = cases.locked(session, item.case_id)
    waits = case.state == CaseState.QUEUED.value
    if case.decision_id is not None or not (waits or case.state == CaseState.AUTO.value):
        return False
    _raise(session, case, waits)
    # Who waits already would have been labelled in any case.
    data = {
        "batch": batch,
        "propensity": 1.0 if waits else item.propensity,
        "reason": item.reason,
        "score": round(item.score, 4),
    }
    events.append(session, actor.name, labelled.CHOSEN, "case", case.id, data)
    return True


def _raise(session: Session, case: CaseRow, waits: bool) -> None:
    case.priority += LABEL_BONUS
    if not waits:
        case.rule = LABEL_NEXT
        cases.queue(session, case)
