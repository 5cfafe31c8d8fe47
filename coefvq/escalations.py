"""Who gets the MLLM: the rules' demands against the budgets and the uploaders' limits.

One short transaction a video, before the MLLM runs: a call that was reserved stays counted even
if the process dies. Where the states live is the caller's: a store, or this process's memory.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from coefvq.routing.limits import LimitState, UploaderLimits
from coefvq.routing.one_video import Demand, Grant, Seen, TaskRouting

BUDGET, UPLOADER = "budget", "uploader"


class States(Protocol):
    """JSON objects by kind and subject, inside one transaction."""

    def get(self, kind: str, subject: str) -> dict[str, Any]:
        """The state, locked where it may be written; empty the first time."""

    def put(self, kind: str, subject: str, state: dict[str, Any]) -> None:
        """Replace a state that was got."""


class StateKeeper(Protocol):
    """Hands out transactions on states."""

    def transaction(self, keep: bool) -> AbstractContextManager[States]:
        """Begin one; with ``keep`` false nothing is locked or stored."""


class MemoryStates:
    """States in this process, for calls without a store. Safe between threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[States]:
        """One at a time."""
        with self._lock:
            view = _View(dict(self._kept))
            yield view
            if keep:
                self._kept = view.kept


@dataclass(frozen=True)
class _View:
    kept: dict[tuple[str, str], dict[str, Any]]

    def get(self, kind: str, subject: str) -> dict[str, Any]:
        return self.kept.get((kind, subject), {})

    def put(self, kind: str, subject: str, state: dict[str, Any]) -> None:
        self.kept[kind, subject] = state


@dataclass(frozen=True)
class Asking:
    """One task's demand and who answers for its budget."""

    routing: TaskRouting
    seen: Seen
    demand: Demand


class Escalations:
    """Grants or refuses MLLM calls.

    Args:
        keeper: Where budgets and limits are remembered.
        limits: Of one uploader; ``None``: no limit.
        clock: Seconds, the same for all workers.
    """

    def __init__(
        self,
        keeper: StateKeeper | None = None,
        limits: UploaderLimits | None = None,
        clock: Callable[[], float] = time.time,
    ):
        self._keeper = keeper or MemoryStates()
        self._limits, self._clock = limits, clock

    def keep_in(self, keeper: StateKeeper) -> None:
        """Remember there from now on."""
        self._keeper = keeper

    def decide(
        self, asked: Mapping[str, Asking], uploader: str | None, spend: bool = True
    ) -> dict[str, Grant]:
        """Answer every task of one video.

        A video takes one escalation from its uploader's limit, however many tasks ask for it;
        random draws take none, and what the limit refuses costs the budgets nothing.

        Args:
            uploader: ``None`` is not limited.
            spend: False only tells what the answer would be.
        """
        limited = self._limits is not None and uploader is not None
        budgeted = any(each.routing.budgeted for each in asked.values())
        if not budgeted and not (limited and any(each.demand.due for each in asked.values())):
            return {task: _reserve({}, each)[1] for task, each in asked.items()}
        with self._keeper.transaction(spend) as states:
            return self._decide(states, asked, uploader)

    def _decide(
        self, states: States, asked: Mapping[str, Asking], uploader: str | None
    ) -> dict[str, Grant]:
        grants: dict[str, Grant] = {}
        after: dict[str, dict[str, Any]] = {}
        for task in sorted(asked):  # the same order everywhere: nobody waits in a circle
            each = asked[task]
            before = states.get(BUDGET, _subject(task, each)) if each.routing.budgeted else {}
            after[task], grants[task] = _reserve(before, each)
        by_rule = [task for task in asked if grants[task].call and not asked[task].demand.drawn]
        refusal = self._limit(states, uploader) if by_rule else ""
        if refusal:
            for task in by_rule:
                after[task] = asked[task].routing.refund(after[task])
                grants[task] = replace(grants[task], call=False, refused=refusal, person=True)
        for task, each in asked.items():
            if each.routing.budgeted:
                states.put(BUDGET, _subject(task, each), after[task])
        return grants

    def _limit(self, states: States, uploader: str | None) -> str:
        """Take one escalation from the uploader; the reason where there is none left."""
        if self._limits is None or uploader is None:
            return ""
        name = hashlib.sha256(uploader.encode()).hexdigest()
        kept = states.get(UPLOADER, name)
        before = LimitState.from_json(kept) if kept else None
        state, answer = self._limits.take(before, self._clock())
        states.put(UPLOADER, name, state.to_json())
        return "" if answer.allowed else answer.reason


def _reserve(state: dict[str, Any], each: Asking) -> tuple[dict[str, Any], Grant]:
    return each.routing.reserve(state, each.seen, each.demand)


def _subject(task: str, each: Asking) -> str:
    return f"{task}/{each.routing.version}"
