"""Changed copies of the taxonomy that comes with the program."""

from __future__ import annotations

import copy
from typing import Any

from coefvq import taxonomy
from coefvq.taxonomy.read import Document, digest, from_document, packaged_document


def document() -> Document:
    """A copy that may be changed."""
    return copy.deepcopy(packaged_document())


def policy(policy_id: str, **changes: Any) -> Document:
    """A complete policy."""
    row = {
        "id": policy_id,
        "name": policy_id.replace("_", " "),
        "question": "Is it advertised?",
        "guideline": "Advertisements for it.",
        "severity": 3,
        "modalities": ["visual", "speech"],
        "reasons": ["advertisement", "link"],
    }
    return row | changes


def task_row(found: Document, task_id: str) -> Document:
    """A task's row inside a document."""
    return next(row for row in found["tasks"] if row["id"] == task_id)


def policy_row(found: Document, policy_id: str) -> Document:
    """A policy's row inside a document."""
    return next(p for task in found["tasks"] for p in task["policies"] if p["id"] == policy_id)


def action_row(found: Document, action_id: str) -> Document:
    """An action's row inside a document."""
    return next(row for row in found["actions"] if row["id"] == action_id)


def with_policy(*ids: str, task: str = "icd") -> Document:
    """One with more policies."""
    made = document()
    task_row(made, task)["policies"] += [policy(each) for each in ids]
    return made


def without_policy(policy_id: str) -> Document:
    """One without a policy."""
    made = document()
    for task in made["tasks"]:
        task["policies"] = [p for p in task["policies"] if p["id"] != policy_id]
    return made


def with_task(task_id: str, *ids: str) -> Document:
    """One with another task."""
    made = document()
    rows = [policy(each) for each in ids]
    made["tasks"].append({"id": task_id, "name": task_id.title(), "policies": rows})
    return made


def without_task(task_id: str) -> Document:
    """One without a task."""
    made = document()
    made["tasks"] = [task for task in made["tasks"] if task["id"] != task_id]
    return made


def install(found: Document, number: int = 1) -> taxonomy.Taxonomy:
    """Put a document in force in this process, without any store."""
    made = from_document(f"{number}-{digest(found)}", found)
    taxonomy.install(made)
    return made
