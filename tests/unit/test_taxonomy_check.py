"""What may become the taxonomy in force, and in which words the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coefvq import taxonomy
from coefvq.errors import SettingsError
from coefvq.taxonomy.check import Problem, ids, problems, returning
from coefvq.taxonomy.read import Document, digest, from_document, packaged_document, to_document
from coefvq.taxonomy.shape import shaped
from tests import taxonomy_factory as make
from tests.taxonomy_factory import action_row, policy_row, task_row

Edit = Callable[[Document], Any]


def edited(edit: Edit) -> Document:
    made = make.document()
    edit(made)
    return made


def set_policy(policy: str, **changes: Any) -> Edit:
    return lambda d: policy_row(d, policy).update(changes)


def set_action(action: str, **changes: Any) -> Edit:
    return lambda d: action_row(d, action).update(changes)


def test_what_comes_with_the_program_may_be_published() -> None:
    assert problems(packaged_document()) == ()
    assert to_document(taxonomy.packaged()) == packaged_document()
    assert shaped(packaged_document()) == packaged_document()


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(set_policy("violence", severity=5, question="Is it?"), id="fields"),
        pytest.param(lambda d: task_row(d, "icd")["policies"].reverse(), id="order"),
        pytest.param(lambda d: task_row(d, "icd")["policies"].pop(), id="a policy less"),
        pytest.param(
            lambda d: task_row(d, "icd")["policies"].extend(make.policy(f"p{n}") for n in range(4)),
            id="nine policies",
        ),
        pytest.param(lambda d: d["tasks"].pop(), id="a task less"),
        pytest.param(
            lambda d: d["actions"].append(
                {"id": "later", "name": "Later", "violation": False, "default": False, "notice": ""}
            ),
            id="a second action without a violation",
        ),
        pytest.param(set_action("warn", notice="{title} {policy} {reason}"), id="all fields"),
        pytest.param(
            lambda d: d["tasks"].append(
                {"id": "violence", "name": "V", "policies": [make.policy("x")]}
            ),
            id="a task may be called like a policy",
        ),
    ],
)
def test_accepted(edit: Edit) -> None:
    assert problems(shaped(edited(edit)), [packaged_document()]) == ()


@pytest.mark.parametrize(
    ("edit", "where", "says"),
    [
        (lambda d: d["tasks"].clear(), "tasks", "1 to 12 tasks"),
        (lambda d: task_row(d, "icd")["policies"].clear(), "tasks.0.policies", "has no policy"),
        (
            lambda d: task_row(d, "icd")["policies"].extend(make.policy(f"p{n}") for n in range(5)),
            "tasks.0.policies",
            "at most 9",
        ),
        (lambda d: task_row(d, "icd").update(name=""), "tasks.0.name", "name is empty"),
        (lambda d: task_row(d, "ucc").update(id="icd"), "tasks.1.id", "another task"),
        (set_policy("watermark", id="violence"), "tasks.1.policies.1.id", "another policy"),
        (set_policy("violence", id="Violence"), "tasks.0.policies.0.id", "small letters"),
        (set_policy("violence", id=""), "tasks.0.policies.0.id", "small letters"),
        (set_policy("violence", id="9lives"), "tasks.0.policies.0.id", "small letters"),
        (set_policy("violence", id="a" * 33), "tasks.0.policies.0.id", "1 to 32"),
        (set_policy("violence", name="x" * 61), "tasks.0.policies.0.name", "61 characters"),
        (set_policy("violence", name="SEXUAL"), "tasks.0.policies.2.name", "called 'sexual' too"),
        (set_policy("violence", question=" "), "tasks.0.policies.0.question", "is empty"),
        (set_policy("violence", question="x" * 301), "tasks.0.policies.0.question", "cut it"),
        (set_policy("violence", guideline=""), "tasks.0.policies.0.guideline", "is empty"),
        (set_policy("violence", guideline="x" * 4001), "tasks.0.policies.0.guideline", "cut it"),
        (set_policy("violence", severity=0), "tasks.0.policies.0.severity", "1 (nuisance) to 5"),
        (set_policy("violence", severity=6), "tasks.0.policies.0.severity", "1 (nuisance) to 5"),
        (set_policy("violence", modalities=[]), "tasks.0.policies.0.modalities", "at least one"),
        (
            set_policy("violence", modalities=["smell"]),
            "tasks.0.policies.0.modalities",
            "no modality 'smell'",
        ),
        (
            set_policy("violence", modalities=["audio", "audio"]),
            "tasks.0.policies.0.modalities",
            "listed twice",
        ),
        (set_policy("violence", reasons=[]), "tasks.0.policies.0.reasons", "1 to 20 reasons"),
        (set_policy("violence", reasons=["Other"]), "tasks.0.policies.0.reasons", "always offered"),
        (set_policy("violence", reasons=["a", "A"]), "tasks.0.policies.0.reasons", "listed twice"),
        (set_policy("violence", reasons=["x" * 81]), "tasks.0.policies.0.reasons", "one line"),
        (set_policy("violence", reasons=[""]), "tasks.0.policies.0.reasons", "one line"),
        (set_action("keep", violation=True), "actions", "at least one action without"),
        (set_action("keep", default=False), "actions", "0 are marked"),
        (set_action("warn", default=True), "actions", "2 are marked"),
        (lambda d: d["actions"].__delitem__(slice(1, None)), "actions", "action for a violation"),
        (set_action("warn", id="keep"), "actions.1.id", "another action"),
        (set_action("warn", name=""), "actions.1.name", "is empty"),
        (set_action("warn", notice="Dear {uploader}"), "actions.1.notice", "'{uploader}' is no"),
        (set_action("warn", notice="{title"), "actions.1.notice", "'{' is no field"),
        (set_action("warn", notice="x" * 1001), "actions.1.notice", "1001 characters"),
        (set_action("keep", notice="Bye"), "actions.0.notice", "leave it empty"),
    ],
    ids=lambda value: "" if callable(value) else value.replace("policies", "p"),
)  # fmt: skip
def test_refused_beside_the_field(edit: Edit, where: str, says: str) -> None:
    found = [(each.where, each.words) for each in problems(shaped(edited(edit)))]
    assert any(place == where and says in words for place, words in found), found


def test_an_id_keeps_its_meaning() -> None:
    before = [make.with_policy("gambling"), packaged_document()]
    moved = make.with_policy("gambling", task="ucc")
    assert problems(moved, before) == (
        Problem("tasks.1.policies.4.id",
                "'gambling' belongs to task 'icd' in decisions: use another id."),
    )  # fmt: skip
    turned = make.document()
    action_row(turned, "warn").update(violation=False, notice="")
    found = problems(turned, before)
    assert [each.where for each in found] == ["actions.1.id"]
    assert "an action for a violation in decisions" in found[0].words


def test_ids_that_come_back_are_named() -> None:
    gone, again = make.without_policy("sexual"), make.with_policy("gambling")
    older = [packaged_document(), gone]
    assert returning(again, gone, older) == (), "in the words that it had"
    policy_row(again, "sexual")["question"] = "Is it something else?"
    assert returning(again, gone, older) == ("sexual",)
    assert returning(again, packaged_document(), older) == (), "it was never away"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(None, "The taxonomy: an object", id="nothing"),
        pytest.param([], "The taxonomy: an object", id="a list"),
        pytest.param({"tasks": {}, "actions": []}, "tasks: a list", id="tasks no list"),
        pytest.param({"tasks": [], "actions": ["x"]}, "actions.0: an object", id="a text"),
        pytest.param({"tasks": [{}] * 201, "actions": []}, "at most 200", id="too many"),
        pytest.param({"tasks": [{"id": 3, "name": "", "policies": []}], "actions": []},
                     "tasks.0.id: a text", id="a number as id"),
        pytest.param({"tasks": [{"id": "a", "name": "", "policies": [{"severity": True}]}],
                      "actions": []}, "severity: a whole number", id="severity true"),
        pytest.param({"tasks": [], "actions": [{"violation": "no"}]},
                     "actions.0.violation: true or false", id="violation as text"),
        pytest.param({"tasks": [{"id": "x" * 20_001, "policies": []}], "actions": []}, "20000",
                     id="endless"),
    ],
)  # fmt: skip
def test_what_is_no_taxonomy_is_refused_by_its_field(given: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        shaped(given)


def test_texts_are_trimmed_and_what_cannot_be_kept_is_left_out() -> None:
    made = make.document()
    row = policy_row(made, "violence")
    row.update(name="  two\nlines\x00 ", guideline=" a\r\nb \ud800", extra="no", severity=2)
    row["modalities"] = ["audio", "visual"]
    kept = policy_row(shaped(made), "violence")
    assert (kept["name"], kept["guideline"]) == ("two lines", "a\nb")
    assert kept["modalities"] == ["visual", "audio"] and "extra" not in kept


def test_a_version_names_its_content() -> None:
    one, two = make.document(), edited(set_policy("violence", severity=5))
    assert digest(one) == digest(packaged_document()) != digest(two)
    made = from_document("1-x", two)
    assert made.policy("violence").severity == 5 and made.version == "1-x"
    with pytest.raises(SettingsError, match="cannot be read by this version"):
        from_document("2-y", edited(set_policy("violence", modalities=["smell"])))


def test_installing_replaces_everything_at_once() -> None:
    held = taxonomy.in_force()
    made = make.install(make.with_task("health", "quackery"))
    assert taxonomy.version() == made.version
    assert list(taxonomy.tasks()) == ["icd", "ucc", "health"]
    assert taxonomy.policy("quackery").task == "health"
    assert "quackery" not in held.policies, "who holds the old one keeps all of it"
    with pytest.raises(TypeError):
        taxonomy.tasks()["x"] = taxonomy.task("icd")  # type: ignore[index]
    taxonomy.install(None)
    assert taxonomy.version() == taxonomy.packaged().version


def test_ids_have_kinds() -> None:
    assert {("task", "icd"), ("policy", "violence"), ("action", "keep")} <= ids(make.document())
