"""Whether a document may become the taxonomy in force, in words for whoever edits it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coefvq.domain import Modality
from coefvq.taxonomy.model import OTHER_REASON
from coefvq.taxonomy.read import Document

MOST_TASKS = 12
MOST_POLICIES = 9  # a task: the keys 1 to 9 of the review page
MOST_ACTIONS = 12
MOST_REASONS = 20
NAME_LIMIT, QUESTION_LIMIT, GUIDELINE_LIMIT, REASON_LIMIT = 60, 300, 4000, 80
NOTICE_LIMIT = 1000
FIELDS = ("{title}", "{policy}", "{reason}")

_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ID_WORDS = "An id is 1 to 32 small letters, digits and _, and begins with a letter."
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


@dataclass(frozen=True)
class Problem:
    """Something that must be changed first.

    Attributes:
        where: The field, as ``tasks.0.policies.2.name``; empty: the whole.
        words: What is wrong and what to do.
    """

    where: str
    words: str


def problems(document: Document, older: Sequence[Document] = ()) -> tuple[Problem, ...]:
    """Everything that stands in the way of publishing a document.

    Args:
        document: As ``shape.shaped`` returns it.
        older: Every version that was ever in force, in any order.
    """
    found = [*_tasks(document["tasks"]), *_actions(document["actions"])]
    return (*found, *_meanings(document, older))


def returning(document: Document, base: Document, older: Iterable[Document]) -> tuple[str, ...]:
    """Ids that were taken away before ``base`` and come back in other words than they ever had.

    The note must name each: decisions name it, so it has to mean the same again.
    """
    before: dict[tuple[str, str], set[str]] = {}
    for one in older:
        for each, words in _meaning(one).items():
            before.setdefault(each, set()).add(words)
    now = _meaning(document)
    back = (now.keys() - ids(base)) & before.keys()
    return tuple(sorted(each[1] for each in back if now[each] not in before[each]))


def _meaning(document: Document) -> dict[tuple[str, str], str]:
    """What each id stands for: a policy's question and guideline, else the name."""
    found = {("task", task["id"]): task["name"] for task in document["tasks"]}
    for task in document["tasks"]:
        for policy in task["policies"]:
            words = f"{policy['question']}\n{policy['guideline']}"
            found["policy", policy["id"]] = words
    return found | {("action", action["id"]): action["name"] for action in document["actions"]}


def ids(document: Document) -> set[tuple[str, str]]:
    """All (kind, id) of a document: ``task``, ``policy``, ``action``."""
    tasks = document["tasks"]
    found = {("task", task["id"]) for task in tasks}
    found |= {("policy", each["id"]) for task in tasks for each in task["policies"]}
    return found | {("action", action["id"]) for action in document["actions"]}


def _tasks(tasks: list[Document]) -> Iterator[Problem]:
    if not 1 <= len(tasks) <= MOST_TASKS:
        yield Problem("tasks", f"There must be 1 to {MOST_TASKS} tasks, not {len(tasks)}.")
    yield from _unique("task", ((f"tasks.{n}.id", task["id"]) for n, task in enumerate(tasks)))
    places = [
        (f"tasks.{n}.policies.{m}", policy)
        for n, task in enumerate(tasks)
        for m, policy in enumerate(task["policies"])
    ]
    yield from _unique("policy", ((f"{where}.id", policy["id"]) for where, policy in places))
    for n, task in enumerate(tasks):
        yield from _text(f"tasks.{n}.name", "The name", task["name"], NAME_LIMIT)
        yield from _task(f"tasks.{n}", task)
    for where, policy in places:
        yield from _policy(where, policy)


def _task(where: str, task: Document) -> Iterator[Problem]:
    number = len(task["policies"])
    if number == 0:
        words = f"Task '{task['id']}' has no policy: give it one, or take the whole task away."
        yield Problem(f"{where}.policies", words)
    if number > MOST_POLICIES:
        words = f"A task has at most {MOST_POLICIES} policies (keys 1 to 9), not {number}."
        yield Problem(f"{where}.policies", words)
    yield from _same_names(where, task["policies"])


def _same_names(where: str, policies: list[Document]) -> Iterator[Problem]:
    seen: set[str] = set()
    for m, policy in enumerate(policies):
        name = policy["name"].casefold()
        if name and name in seen:
            words = f"Another policy of this task is called '{policy['name']}' too."
            yield Problem(f"{where}.policies.{m}.name", words)
        seen.add(name)


def _policy(where: str, policy: Document) -> Iterator[Problem]:
    yield from _text(f"{where}.name", "The name", policy["name"], NAME_LIMIT)
    yield from _text(f"{where}.question", "The question", policy["question"], QUESTION_LIMIT)
    yield from _text(f"{where}.guideline", "The guideline", policy["guideline"], GUIDELINE_LIMIT)
    if not 1 <= policy["severity"] <= 5:
        yield Problem(f"{where}.severity", "The severity is 1 (nuisance) to 5 (grave).")
    yield from _modalities(f"{where}.modalities", policy["modalities"])
    yield from _reasons(f"{where}.reasons", policy["reasons"])


def _modalities(where: str, given: list[str]) -> Iterator[Problem]:
    known = [modality.value for modality in Modality]
    if not given:
        yield Problem(where, "Choose at least one: where can a violation show?")
    for name in sorted(set(given) - set(known)):
        yield Problem(where, f"There is no modality '{name}'. Known: {', '.join(known)}.")
    if len(set(given)) < len(given):
        yield Problem(where, "A modality is listed twice.")


def _reasons(where: str, reasons: list[str]) -> Iterator[Problem]:
    if not 1 <= len(reasons) <= MOST_REASONS:
        yield Problem(where, f"Give 1 to {MOST_REASONS} reasons, one a line.")
    seen: set[str] = set()
    for reason in reasons:
        if reason.casefold() == OTHER_REASON:
            yield Problem(where, "'other' is always offered; leave it out of the list.")
        if not reason or len(reason) > REASON_LIMIT or "\n" in reason:
            yield Problem(where, f"A reason is one line of 1 to {REASON_LIMIT} characters.")
        if reason.casefold() in seen:
            yield Problem(where, f"The reason '{reason}' is listed twice.")
        seen.add(reason.casefold())


def _actions(actions: list[Document]) -> Iterator[Problem]:
    if len(actions) > MOST_ACTIONS:
        yield Problem("actions", f"There are at most {MOST_ACTIONS} actions, not {len(actions)}.")
    places = [(f"actions.{n}", action) for n, action in enumerate(actions)]
    yield from _unique("action", ((f"{where}.id", action["id"]) for where, action in places))
    for violation, kind in ((False, "without a violation"), (True, "for a violation")):
        yield from _defaults([a for a in actions if a["violation"] == violation], kind)
    for where, action in places:
        yield from _text(f"{where}.name", "The name", action["name"], NAME_LIMIT)
        yield from _notice(f"{where}.notice", action)


def _defaults(same: list[Document], kind: str) -> Iterator[Problem]:
    if not same:
        yield Problem("actions", f"There must be at least one action {kind}.")
    elif (number := sum(action["default"] for action in same)) != 1:
        words = f"Exactly one action {kind} is what the form proposes; {number} are marked so."
        yield Problem("actions", words)


def _notice(where: str, action: Document) -> Iterator[Problem]:
    notice = action["notice"]
    if len(notice) > NOTICE_LIMIT:
        words = f"The notice has {len(notice)} characters: cut it to {NOTICE_LIMIT}."
        yield Problem(where, words)
    if notice and not action["violation"]:
        yield Problem(where, "No notice goes with an action without a violation: leave it empty.")
    for odd in sorted(set(_BRACES.findall(notice)) - set(FIELDS)):
        yield Problem(where, f"'{odd}' is no field of a notice. Known: {', '.join(FIELDS)}.")


def _unique(kind: str, given: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for where, name in given:
        if not _ID.fullmatch(name):
            yield Problem(where, _ID_WORDS)
        elif name in seen:
            yield Problem(where, f"There is another {kind} with the id '{name}'.")
        seen.add(name)


def _text(where: str, what: str, text: str, limit: int) -> Iterator[Problem]:
    if not text:
        yield Problem(where, f"{what} is empty.")
    elif len(text) > limit:
        yield Problem(where, f"{what} has {len(text)} characters: cut it to {limit}.")


def _meanings(document: Document, older: Sequence[Document]) -> Iterator[Problem]:
    """An id keeps its meaning for good, because decisions name it."""
    homes: dict[str, str] = {}
    kinds: dict[str, bool] = {}
    for one in older:
        homes |= {p["id"]: task["id"] for task in one["tasks"] for p in task["policies"]}
        kinds |= {action["id"]: bool(action["violation"]) for action in one["actions"]}
    for n, task in enumerate(document["tasks"]):
        for m, policy in enumerate(task["policies"]):
            home = homes.get(policy["id"], task["id"])
            if home != task["id"]:
                words = f"'{policy['id']}' belongs to task '{home}' in decisions: use another id."
                yield Problem(f"tasks.{n}.policies.{m}.id", words)
    for n, action in enumerate(document["actions"]):
        if kinds.get(action["id"], action["violation"]) != action["violation"]:
            side = "for a violation" if kinds[action["id"]] else "without a violation"
            words = f"'{action['id']}' is an action {side} in decisions: use another id."
            yield Problem(f"actions.{n}.id", words)


def limits() -> dict[str, Any]:
    """What the editor shows and keeps to, by the name of the field."""
    return {
        "tasks": MOST_TASKS,
        "policies": MOST_POLICIES,
        "actions": MOST_ACTIONS,
        "reasons": MOST_REASONS,
        "name": NAME_LIMIT,
        "question": QUESTION_LIMIT,
        "guideline": GUIDELINE_LIMIT,
        "reason": REASON_LIMIT,
        "notice": NOTICE_LIMIT,
        "modalities": [modality.value for modality in Modality],
    }
