"""Tasks, policies and actions, read from the YAML files beside this module."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from coefvq.domain import Modality
from coefvq.errors import SettingsError, did_you_mean

OTHER_REASON = "other"


@dataclass(frozen=True)
class Policy:
    """One rule: a yes/no question with its guideline.

    Attributes:
        severity: 1 (nuisance) to 5 (grave).
        modalities: Where a violation can show.
        reasons: What a reviewer may give as the reason, besides ``other`` with a comment.
    """

    id: str
    task: str
    name: str
    question: str
    guideline: str
    severity: int
    modalities: tuple[Modality, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A set of policies that is decided together."""

    id: str
    name: str
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Action:
    """What a decision does to a video.

    Attributes:
        violation: It goes with a violated policy; the others go with none.
        notice: Template of the message to the uploader, with ``{title}``, ``{policy}`` and
            ``{reason}``; empty where none is sent.
        default: What the form proposes among its kind.
    """

    id: str
    name: str
    violation: bool
    notice: str
    default: bool = False


def _task(document: dict) -> Task:
    policies = tuple(
        Policy(
            **{**row, "task": document["id"], "reasons": tuple(row["reasons"])}
            | {"modalities": tuple(Modality(name) for name in row["modalities"])}
        )
        for row in document["policies"]
    )
    return Task(document["id"], document["name"], policies)


@cache
def tasks() -> dict[str, Task]:
    """All tasks by id: ``icd`` then ``ucc``."""
    found = [
        _task(yaml.safe_load(files(__package__).joinpath(f"{name}.yaml").read_text("utf-8")))
        for name in ("icd", "ucc")
    ]
    return {task.id: task for task in found}


@cache
def actions() -> dict[str, Action]:
    """All actions by id, in the order of the form."""
    rows = yaml.safe_load(files(__package__).joinpath("actions.yaml").read_text("utf-8"))
    return {row["id"]: Action(**row) for row in rows}


@cache
def policies() -> dict[str, Policy]:
    """All policies by id; an id is unique over all tasks."""
    return {policy.id: policy for task in tasks().values() for policy in task.policies}


def policy(policy_id: str) -> Policy:
    """Look one policy up.

    Raises:
        SettingsError: With the nearest known name.
    """
    if policy_id not in policies():
        raise SettingsError(f"Unknown policy '{policy_id}'.{did_you_mean(policy_id, policies())}")
    return policies()[policy_id]


def task(task_id: str) -> Task:
    """Look one task up.

    Raises:
        SettingsError: With the nearest known name.
    """
    if task_id not in tasks():
        raise SettingsError(f"Unknown task '{task_id}'.{did_you_mean(task_id, tasks())}")
    return tasks()[task_id]
