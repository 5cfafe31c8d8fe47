"""What a taxonomy is: tasks with their policies, and actions. All of it immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

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


@dataclass(frozen=True)
class Taxonomy:
    """One version of all tasks, policies and actions.

    Attributes:
        version: Names exactly this content.
        task_list: In the order in which people read them.
        action_list: In the order of the form.
    """

    version: str
    task_list: tuple[Task, ...]
    action_list: tuple[Action, ...]

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """All tasks by id."""
        return MappingProxyType({task.id: task for task in self.task_list})

    @cached_property
    def policies(self) -> Mapping[str, Policy]:
        """All policies by id; an id is unique over all tasks."""
        every = (policy for task in self.task_list for policy in task.policies)
        return MappingProxyType({policy.id: policy for policy in every})

    @cached_property
    def actions(self) -> Mapping[str, Action]:
        """All actions by id."""
        return MappingProxyType({action.id: action for action in self.action_list})

    def task(self, task_id: str) -> Task:
        """Look one task up.

        Raises:
            SettingsError: With the nearest known name.
        """
        if task_id not in self.tasks:
            raise SettingsError(f"Unknown task '{task_id}'.{did_you_mean(task_id, self.tasks)}")
        return self.tasks[task_id]

    def policy(self, policy_id: str) -> Policy:
        """Look one policy up.

        Raises:
            SettingsError: With the nearest known name.
        """
        if policy_id not in self.policies:
            hint = did_you_mean(policy_id, self.policies)
            raise SettingsError(f"Unknown policy '{policy_id}'.{hint}")
        return self.policies[policy_id]

    def default_action(self, violation: bool) -> Action:
        """What the form proposes, by whether any policy is violated."""
        fits = [action for action in self.action_list if action.violation == violation]
        return next((action for action in fits if action.default), fits[0])
