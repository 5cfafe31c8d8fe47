"""What changed from one document to another, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coefvq.taxonomy.read import Document


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        subject: What it is about: ``Policy violence``.
        words: What happened: ``added to icd``, ``severity``.
        before: The old value; empty where something came or went.
        after: The new value.
    """

    subject: str
    words: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        if not (self.before or self.after):
            return f"{self.subject} {self.words}"
        return f"{self.subject}: {self.words} {_said(self.before)} -> {_said(self.after)}"


def diff(old: Document, new: Document) -> tuple[Change, ...]:
    """Every difference between two documents: tasks first, then their policies, then actions."""
    return (*_tasks(old["tasks"], new["tasks"]), *_actions(old["actions"], new["actions"]))


def _tasks(old: list[Document], new: list[Document]) -> Iterator[Change]:
    before, after = _by_id(old), _by_id(new)
    yield from _came_and_went("Task", before, after)
    yield from _order("Tasks", old, new)
    for name in (name for name in after if name in before):
        yield from _field(f"Task {name}", "name", before[name], after[name])
    for task in new:
        if task["id"] in before:
            yield from _policies(task["id"], before[task["id"]]["policies"], task["policies"])


def _policies(task: str, old: list[Document], new: list[Document]) -> Iterator[Change]:
    before, after = _by_id(old), _by_id(new)
    yield from _came_and_went("Policy", before, after, f"task {task}")
    yield from _order(f"Policies of {task}", old, new)
    for policy in new:
        if policy["id"] in before:
            yield from _policy(before[policy["id"]], policy)


def _policy(old: Document, new: Document) -> Iterator[Change]:
    subject = f"Policy {new['id']}"
    for field in ("name", "question", "guideline", "severity"):
        yield from _field(subject, field, old, new)
    for field in ("modalities", "reasons"):
        if old[field] != new[field]:
            yield Change(subject, field, ", ".join(old[field]), ", ".join(new[field]))


def _actions(old: list[Document], new: list[Document]) -> Iterator[Change]:
    before, after = _by_id(old), _by_id(new)
    yield from _came_and_went("Action", before, after)
    yield from _order("Actions", old, new)
    for action in new:
        if action["id"] not in before:
            continue
        for field in ("name", "notice"):
            yield from _field(f"Action {action['id']}", field, before[action["id"]], action)
        if action["default"] and not before[action["id"]]["default"]:
            yield Change(f"Action {action['id']}", "is what the form proposes now")


def _came_and_went(
    kind: str, before: dict[str, Document], after: dict[str, Document], home: str = ""
) -> Iterator[Change]:
    to, off = (f" to {home}", f" from {home}") if home else ("", "")
    for name, row in after.items():
        if name not in before:
            yield Change(f"{kind} {name}", f"added{to}: {row['name']}{_inside(row)}")
    for name, row in before.items():
        if name not in after:
            yield Change(f"{kind} {name}", f"removed{off}: {row['name']}{_inside(row)}")


def _inside(row: Document) -> str:
    names = [policy["id"] for policy in row.get("policies", ())]
    return f" (with {', '.join(names)})" if names else ""


def _order(subject: str, old: Sequence[Document], new: Sequence[Document]) -> Iterator[Change]:
    both = {row["id"] for row in old} & {row["id"] for row in new}
    before = [row["id"] for row in old if row["id"] in both]
    after = [row["id"] for row in new if row["id"] in both]
    if before != after:
        yield Change(subject, "order", ", ".join(before), ", ".join(after))


def _field(subject: str, field: str, old: Document, new: Document) -> Iterator[Change]:
    if old[field] != new[field]:
        yield Change(subject, field, str(old[field]), str(new[field]))


def _by_id(rows: list[Document]) -> dict[str, Any]:
    return {row["id"]: row for row in rows}


def _said(text: str, most: int = 120) -> str:
    short = " ".join(text.split())
    if not short:
        return "nothing"
    if short.isdecimal():
        return short
    return f"“{short[:most]}…”" if len(short) > most else f"“{short}”"
