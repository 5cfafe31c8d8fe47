"""What a decision must have, and what the uploader is told."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, did_you_mean
from coefvq.review.views import DecisionForm
from coefvq.store.decisions import OK, VIOLATION
from coefvq.taxonomy import OTHER_REASON, Action, Policy, Task, Taxonomy

OLD_ACTIONS = {"notice": "Add a notice", "remove_notify": "Remove, notify uploader"}
"""Actions of earlier releases: decisions that were taken with them still have a name."""

NOTICE_LIMIT = 2000
_SLACK_S = 1.0  # a container's length may be a little short of its last frame
_FIELDS = re.compile(r" \(\{reason\}\)|\{title\}|\{policy\}|\{reason\}")
_UNTITLED = "without a title"
_CHANGED = " (a lead may have changed it since; open the case again)."


def action_names() -> dict[str, str]:
    """Action id to what people read, in the order of the form."""
    return {action.id: action.name for action in taxonomy.actions().values()}


def default_action(violation: bool) -> str:
    """What the form proposes, by whether any policy is violated."""
    return taxonomy.in_force().default_action(violation).id


def action_name(action_id: str, rules: Taxonomy | None = None) -> str:
    """What people read for an action, also for those that are gone.

    Args:
        rules: The taxonomy that it was taken under; ``None``: the one in force.
    """
    known = (rules or taxonomy.in_force()).actions.get(action_id)
    return known.name if known else OLD_ACTIONS.get(action_id, action_id)


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
    action = _action(action_id, taxonomy.in_force())
    return filled(action.notice, case_title, policy_names, reasons)


def filled(
    template: str, case_title: str | None, policy_names: Iterable[str], reasons: Iterable[str] = ()
) -> str:
    """Fill the fields of a notice's template; see ``notice_for``."""
    given = ", ".join(reason for reason in reasons if reason and reason != OTHER_REASON)
    fields = {
        "{title}": (case_title or _UNTITLED).strip(),
        "{policy}": " and ".join(policy_names) or "what may be posted",
        "{reason}": given or OTHER_REASON,
        " ({reason})": f" ({given})" if given else "",
    }
    return _FIELDS.sub(lambda found: fields[found[0]], template).strip()[:NOTICE_LIMIT]


def reasons_for(policy_id: str) -> tuple[str, ...]:
    """The reasons of a policy, ``other`` last.

    Raises:
        SettingsError: There is no such policy.
    """
    return (*taxonomy.policy(policy_id).reasons, OTHER_REASON)


def full_labels(
    form: DecisionForm, task: Task, shown: Collection[str] | None = None
) -> dict[str, str]:
    """A label for every policy of the task that was shown: what was not marked is ok.

    Args:
        shown: Ids of the policies that the reviewer was asked about; ``None``: all of the task.
    """
    return {
        policy.id: VIOLATION if form.labels.get(policy.id) else OK
        for policy in task.policies
        if shown is None or policy.id in shown
    }


def check_form(
    form: DecisionForm,
    task: Task,
    duration_s: float | None = None,
    rules: Taxonomy | None = None,
) -> None:
    """Refuse a form that lacks something or contradicts itself.

    A policy that is gone and was not marked is passed over: the form was opened before.

    Args:
        rules: The taxonomy that the task is from; ``None``: the one in force.

    Raises:
        DecisionRefused: Says what to add or change.
    """
    known = {policy.id: policy for policy in task.policies}
    violated = [policy_id for policy_id, marked in form.labels.items() if marked]
    for policy_id in violated:
        if policy_id not in known:
            raise DecisionRefused(
                f"Policy '{policy_id}' is not in task '{task.id}'{_CHANGED}"
                f"{did_you_mean(policy_id, known)}"
            )
        _check_reason(form, known[policy_id])
    _check_action(_action(form.action, rules or taxonomy.in_force()), bool(violated))
    _check_range(form.start_s, form.end_s, duration_s)
    if len(form.notice) > NOTICE_LIMIT:
        raise DecisionRefused(
            f"The notice has {len(form.notice)} characters: cut it to {NOTICE_LIMIT}."
        )


def _check_reason(form: DecisionForm, policy: Policy) -> None:
    name, reason = policy.name, form.reasons.get(policy.id)
    offered = (*policy.reasons, OTHER_REASON)
    if not reason:
        raise DecisionRefused(f"Give a reason for '{name}'.")
    if reason not in offered:
        hint = did_you_mean(reason, offered)
        raise DecisionRefused(f"'{reason}' is no reason of '{name}'{_CHANGED}{hint}")
    if reason == OTHER_REASON and not form.comment.strip():
        raise DecisionRefused(f"The reason for '{name}' is 'other': say more in the comment.")


def _action(action_id: str, rules: Taxonomy) -> Action:
    action = rules.actions.get(action_id)
    if action is None:
        hint = did_you_mean(action_id, rules.actions)
        raise DecisionRefused(f"Unknown action '{action_id}'{_CHANGED}{hint}")
    return action


def _check_action(action: Action, violated: bool) -> None:
    if violated and not action.violation:
        raise DecisionRefused(
            f"A policy is marked as violated: choose another action than '{action.id}'."
        )
    if not violated and action.violation:
        keep = default_action(False)
        raise DecisionRefused(
            f"No policy is marked: mark one, or choose '{keep}', not '{action.id}'."
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
