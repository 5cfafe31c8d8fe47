"""Between a document, as it is stored, exported and edited, and a taxonomy."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from coefvq.domain import Modality
from coefvq.errors import SettingsError
from coefvq.taxonomy.model import Action, Policy, Task, Taxonomy

BUILT_IN = "built-in"
PACKAGED_TASKS = ("icd", "ucc")

Document = dict[str, Any]
"""``{"tasks": [...], "actions": [...]}`` in the form of the YAML files beside this module."""


def digest(document: Document) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a document's canonical JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def in_order(modalities: list[str]) -> list[str]:
    """As they are always listed, so that two lists of the same ones are the same."""
    known = [modality.value for modality in Modality]
    return sorted(modalities, key=lambda name: known.index(name) if name in known else len(known))


def from_document(version: str, document: Document) -> Taxonomy:
    """Read a document that was checked before (``check.problems``).

    Raises:
        SettingsError: This version of the program cannot read it.
    """
    try:
        return Taxonomy(
            version,
            tuple(_task(row) for row in document["tasks"]),
            tuple(_action(row) for row in document["actions"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"Taxonomy {version} cannot be read by this version of the program: {error!r}. "
            "Update the program."
        ) from error


def to_document(taxonomy: Taxonomy) -> Document:
    """The document that ``from_document`` reads back as the same taxonomy."""
    return {
        "tasks": [
            {
                "id": task.id,
                "name": task.name,
                "policies": [_policy_row(policy) for policy in task.policies],
            }
            for task in taxonomy.task_list
        ],
        "actions": [
            {
                "id": action.id,
                "name": action.name,
                "violation": action.violation,
                "default": action.default,
                "notice": action.notice,
            }
            for action in taxonomy.action_list
        ],
    }


@cache
def packaged_document() -> Document:
    """What comes with the program. Do not change what is returned."""
    document = {
        "tasks": [_yaml(f"{name}.yaml") for name in PACKAGED_TASKS],
        "actions": _yaml("actions.yaml"),
    }
    return to_document(from_document(BUILT_IN, document))


@cache
def packaged() -> Taxonomy:
    """What comes with the program, and holds until a lead publishes another."""
    document = packaged_document()
    return from_document(f"{BUILT_IN}-{digest(document)}", document)


def _yaml(name: str) -> Any:
    return yaml.safe_load(files(__package__).joinpath(name).read_text("utf-8"))


def _task(row: Document) -> Task:
    policies = tuple(_policy(row["id"], each) for each in row["policies"])
    return Task(row["id"], row["name"], policies)


def _policy(task: str, row: Document) -> Policy:
    return Policy(
        id=row["id"],
        task=task,
        name=row["name"],
        question=row["question"],
        guideline=row["guideline"],
        severity=int(row["severity"]),
        modalities=tuple(Modality(name) for name in row["modalities"]),
        reasons=tuple(row["reasons"]),
    )


def _policy_row(policy: Policy) -> Document:
    return {
        "id": policy.id,
        "name": policy.name,
        "question": policy.question,
        "guideline": policy.guideline,
        "severity": policy.severity,
        "modalities": in_order([modality.value for modality in policy.modalities]),
        "reasons": list(policy.reasons),
    }


def _action(row: Document) -> Action:
    return Action(
        id=row["id"],
        name=row["name"],
        violation=bool(row["violation"]),
        notice=row.get("notice", ""),
        default=bool(row.get("default", False)),
    )
