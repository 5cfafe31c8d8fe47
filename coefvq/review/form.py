"""What a decision must have, and what the uploader is told."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, did_you_mean
from coefvq.review.views import DecisionForm
from coefvq.store.decisions import OK, VIOLATION
from coefvq.taxonomy import OTHER_REASON, Task

KEEP = "keep"
ACTIONS: dict[str, str] = {action.id: action.name for action in taxonomy.actions().values()}
"""Action id to what people read. ``keep`` goes with no violation, the others with at least one."""

OLD_ACTIONS = {"notice": "Add a notice", "remove_notify": "Remove, notify uploader"}
"""Actions of earlier versions: decisions that were taken with them still have a name."""

DEFAULT_ACTION = {
    False: KEEP,
    True: next(action.id for action in taxonomy.actions().values() if action.default),
}
"""What the form proposes, by whether any policy is violated."""

NOTICE_LIMIT = 2000
_SLACK_S = 1.0  # a container's length may be a little short of its last frame
_FIELDS = re.compile(r" \(\{reason\}\)|\{title\}|\{policy\}|\{reason\}")
_UNTITLED = "without a title"


def action_name(action_id: str) -> str:
    """What people read for an action, also for those of earlier versions."""
    return ACTIONS.get(action_id) or OLD_ACTIONS.get(action_id, action_id)


def notice_for(
    action_id: str,
    case_title: str | None,
    policy_names: Iterable[str],
    reasons: Iterable[str] = (),
) -> str:
    """Write the message to the uploader; empty where the action sends none.

    All fields are filled in one pass, so that a title cannot bring in a field of its own.

    Args:
        case_title: The video's title, or its file name.
        policy_names: Names of the violated policies.
        reasons: As given in the form; ``other`` says nothing to the uploader and is left out.

    Raises:
        DecisionRefused: There is no such action.
    """
    if action_id not in ACTIONS:
        raise DecisionRefused(f"Unknown action '{action_id}'.{did_you_mean(action_id, ACTIONS)}")
    given = ", ".join(reason for reason in reasons if reason and reason != OTHER_REASON)
    fields = {
        "{title}": (case_title or _UNTITLED).strip(),
        "{policy}": " and ".join(policy_names) or "what may be posted",
        "{reason}": given or OTHER_REASON,
        " ({reason})": f" ({given})" if given else "",
    }
    template = taxonomy.actions()[action_id].notice
    return _FIELDS.sub(lambda found: fields[found[0]], template).strip()[:NOTICE_LIMIT]


def reasons_for(policy_id: str) -> tuple[str, ...]:
    """The reasons of a policy, ``other`` last.

    Raises:
        SettingsError: There is no such policy.
    """
    return (*taxonomy.policy(policy_id).reasons, OTHER_REASON)


def full_labels(form: DecisionForm, task: Task) -> dict[str, str]:
    """A label for every policy of the task: what was not marked is ok."""
    return {policy.id: VIOLATION if form.labels.get(policy.id) else OK for policy in task.policies}


def check_form(form: DecisionForm, task: Task, duration_s: float | None = None) -> None:
    """Refuse a form that lacks something or contradicts itself.

    Raises:
        DecisionRefused: Says what to add or change.
    """
    known = {policy.id for policy in task.policies}
    for policy_id in (*form.labels, *form.reasons):
        if policy_id not in known:
            hint = did_you_mean(policy_id, known)
            raise DecisionRefused(f"Policy '{policy_id}' is not in task '{task.id}'.{hint}")
    violated = [policy_id for policy_id, marked in form.labels.items() if marked]
    for policy_id in violated:
        _check_reason(form, policy_id)
    _check_action(form.action, bool(violated))
    _check_range(form.start_s, form.end_s, duration_s)
    if len(form.notice) > NOTICE_LIMIT:
        raise DecisionRefused(
            f"The notice has {len(form.notice)} characters: cut it to {NOTICE_LIMIT}."
        )


def _check_reason(form: DecisionForm, policy_id: str) -> None:
    name, reason = taxonomy.policy(policy_id).name, form.reasons.get(policy_id)
    if not reason:
        raise DecisionRefused(f"Give a reason for '{name}'.")
    if reason not in reasons_for(policy_id):
        hint = did_you_mean(reason, reasons_for(policy_id))
        raise DecisionRefused(f"'{reason}' is no reason of '{name}'.{hint}")
    if reason == OTHER_REASON and not form.comment.strip():
        raise DecisionRefused(f"The reason for '{name}' is 'other': say more in the comment.")


def _check_action(action_id: str, violated: bool) -> None:
    action = taxonomy.actions().get(action_id)
    if action is None:
        raise DecisionRefused(f"Unknown action '{action_id}'.{did_you_mean(action_id, ACTIONS)}")
    if violated and not action.violation:
        raise DecisionRefused(
            f"A policy is marked as violated: choose another action than '{action_id}'."
        )
    if not violated and action.violation:
        raise DecisionRefused(
            f"No policy is marked: mark one, or choose 'keep', not '{action_id}'."
        )


def _check_range(start_s: float | None, end_s: float | None, duration_s: float | None) -> None:
    if start_s is None and end_s is None:
        return
    if start_s is None or end_s is None:
        raise DecisionRefused("The range has only one end: set both, or none.")
    last = math.inf if duration_s is None else duration_s + _SLACK_S
    if not 0.0 <= start_s <= end_s <= last:
        raise DecisionRefused(
            f"The range {start_s:.2f} to {end_s:.2f} s is not inside the video: set it again."
        )
