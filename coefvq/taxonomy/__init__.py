"""Tasks, policies and actions, as they are in force in this process.

Until a lead publishes a taxonomy, the YAML files beside this module hold. The store's newest
version is put in force with ``install``; ``coefvq.store.taxonomies`` does so. Everything is read
late: whoever keeps a policy in a module constant does not see an edit. Whoever needs several
things that fit together takes ``in_force()`` once and reads from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from coefvq.taxonomy.model import OTHER_REASON as OTHER_REASON
from coefvq.taxonomy.model import Action as Action
from coefvq.taxonomy.model import Policy as Policy
from coefvq.taxonomy.model import Task as Task
from coefvq.taxonomy.model import Taxonomy as Taxonomy
from coefvq.taxonomy.read import packaged as packaged

_installed: Taxonomy | None = None


def in_force() -> Taxonomy:
    """The taxonomy of this process: one immutable object, replaced as a whole."""
    return packaged() if _installed is None else _installed


def install(taxonomy: Taxonomy | None) -> None:
    """Put a taxonomy in force in this process; ``None``: the one that comes with the program."""
    global _installed
    _installed = taxonomy


def version() -> str:
    """Names the content of the taxonomy in force; decisions keep it."""
    return in_force().version


def tasks() -> Mapping[str, Task]:
    """All tasks by id, in their order."""
    return in_force().tasks


def actions() -> Mapping[str, Action]:
    """All actions by id, in the order of the form."""
    return in_force().actions


def policies() -> Mapping[str, Policy]:
    """All policies by id; an id is unique over all tasks."""
    return in_force().policies


def policy(policy_id: str) -> Policy:
    """Look one policy up.

    Raises:
        SettingsError: With the nearest known name.
    """
    return in_force().policy(policy_id)


def task(task_id: str) -> Task:
    """Look one task up.

    Raises:
        SettingsError: With the nearest known name.
    """
    return in_force().task(task_id)
