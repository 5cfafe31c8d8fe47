"""What a decision must have."""

from __future__ import annotations

import pytest

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, SettingsError
from coefvq.review import form as forms
from coefvq.review.form import (
    action_names,
    check_form,
    default_action,
    full_labels,
    reasons_for,
)
from coefvq.review.views import DecisionForm

ICD = taxonomy.task("icd")
HATE = {"hate_harassment": True}
SLUR = {"hate_harassment": "slur"}


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(DecisionForm({}, "keep"), id="nothing wrong"),
        pytest.param(DecisionForm({"violence": False}, "keep"), id="a toggle set back"),
        pytest.param(DecisionForm(HATE, "remove", SLUR), id="one policy"),
        pytest.param(
            DecisionForm(HATE, "restrict", {"hate_harassment": "other"}, "sarcasm"), id="other"
        ),
        pytest.param(
            DecisionForm(HATE | {"violence": True}, "age_gate", SLUR | {"violence": "weapon used"}),
            id="two policies",
        ),
        pytest.param(DecisionForm(HATE, "remove", SLUR, "", 1.0, 2.5), id="a range"),
        pytest.param(
            DecisionForm(HATE, "remove", SLUR, "", 10.0, 10.0), id="one instant at the end"
        ),
        pytest.param(DecisionForm(HATE, "remove", SLUR | {"violence": "other"}), id="spare reason"),
    ],
)
def test_accepted(form: DecisionForm) -> None:
    check_form(form, ICD, duration_s=10.0)


@pytest.mark.parametrize(
    ("form", "says"),
    [
        pytest.param(DecisionForm(HATE, "remove"), "Give a reason for 'hate, har", id="no reason"),
        pytest.param(
            DecisionForm(HATE, "remove", {"hate_harassment": "slurr"}),
            "no reason of .*Did you mean 'slur'",
            id="unknown reason",
        ),
        pytest.param(
            DecisionForm(HATE, "remove", {"hate_harassment": "weapon used"}),
            "no reason of",
            id="another policy's reason",
        ),
        pytest.param(
            DecisionForm(HATE, "remove", {"hate_harassment": "other"}, "  "),
            "say more in the comment",
            id="other without a comment",
        ),
        pytest.param(
            DecisionForm(HATE | {"violence": True}, "remove", SLUR),
            "Give a reason for 'violence'",
            id="one of two without",
        ),
        pytest.param(DecisionForm({}, "destroy"), "Unknown action 'destroy'", id="action"),
        pytest.param(DecisionForm({}, ""), "Unknown action ''", id="no action"),
        pytest.param(DecisionForm(HATE, "keep", SLUR), "another action", id="kept violation"),
        pytest.param(DecisionForm({}, "remove"), "No policy is marked", id="removed for nothing"),
        pytest.param(
            DecisionForm({"watermark": True}, "remove", {"watermark": "platform logo"}),
            "not in task 'icd'",
            id="another task's policy",
        ),
        pytest.param(
            DecisionForm({"violense": True}, "remove"), "Did you mean 'violence'", id="typing error"
        ),
        pytest.param(DecisionForm({}, "keep", start_s=1.0), "only one end", id="half a range"),
        pytest.param(
            DecisionForm({}, "keep", start_s=3.0, end_s=1.0), "not inside", id="backwards"
        ),
        pytest.param(DecisionForm({}, "keep", start_s=-1.0, end_s=1.0), "not inside", id="before"),
        pytest.param(DecisionForm({}, "keep", start_s=1.0, end_s=99.0), "not inside", id="after"),
        pytest.param(
            DecisionForm({}, "keep", start_s=float("nan"), end_s=1.0), "not inside", id="no number"
        ),
    ],
)
def test_refused_with_what_to_do(form: DecisionForm, says: str) -> None:
    with pytest.raises(DecisionRefused, match=says):
        check_form(form, ICD, duration_s=10.0)


def test_every_policy_of_the_task_gets_a_label() -> None:
    labels = full_labels(DecisionForm(HATE, "remove", SLUR), ICD)
    assert set(labels) == {policy.id for policy in ICD.policies}
    assert [policy for policy, label in labels.items() if label == "violation"] == list(HATE)


@pytest.mark.parametrize("policy", list(taxonomy.policies()))
def test_other_is_the_last_reason_everywhere(policy: str) -> None:
    assert reasons_for(policy)[-1] == "other"
    assert len(reasons_for(policy)) > 1


def test_reasons_of_an_unknown_policy() -> None:
    with pytest.raises(SettingsError, match="Did you mean"):
        reasons_for("watermarks")


def test_the_proposed_actions_fit_the_labels() -> None:
    assert default_action(False) == "keep"
    assert default_action(True) in action_names() and default_action(True) != "keep"


def test_actions_that_a_decision_can_take() -> None:
    assert list(action_names()) == ["keep", "warn", "age_gate", "restrict", "remove"]
    assert (default_action(False), default_action(True)) == ("keep", "remove")


@pytest.mark.parametrize(
    ("action", "name"),
    [
        pytest.param("remove", "Remove", id="now"),
        pytest.param("remove_notify", "Remove, notify uploader", id="of an earlier version"),
        pytest.param("notice", "Add a notice", id="another earlier one"),
        pytest.param("zap", "zap", id="unknown: as it is stored"),
    ],
)
def test_actions_of_the_past_have_a_name(action: str, name: str) -> None:
    assert forms.action_name(action) == name


@pytest.mark.parametrize("action", ["notice", "remove_notify"])
def test_actions_of_the_past_cannot_be_taken(action: str) -> None:
    with pytest.raises(DecisionRefused, match="Unknown action"):
        check_form(DecisionForm(HATE, action, SLUR), ICD)


@pytest.mark.parametrize(
    ("how", "holds"),
    [
        pytest.param(("keep", "cats", [], []), "", id="keep sends none"),
        pytest.param(
            ("remove", "cats", ["violence"], ["weapon used"]),
            'Your video "cats" was removed, because it goes against our rule on violence '
            "(weapon used).",
            id="all fields",
        ),
        pytest.param(
            ("warn", "cats", ["violence", "sexual"], ["weapon used", "nudity"]),
            "violence and sexual (weapon used, nudity)",
            id="two policies",
        ),
        pytest.param(
            ("restrict", "cats", ["violence"], ["other"]), "rule on violence.", id="other is silent"
        ),
        pytest.param(("age_gate", None, ["sexual"], []), '"without a title"', id="no title"),
        pytest.param(
            ("remove", "{policy} {reason}", ["violence"], ["weapon used"]),
            '"{policy} {reason}" was removed',
            id="a title with fields of its own",
        ),
    ],
)
def test_the_notice_is_filled_in(how: tuple, holds: str) -> None:
    made = forms.notice_for(*how)
    assert holds in made if holds else made == ""


def test_a_notice_for_an_unknown_action() -> None:
    with pytest.raises(DecisionRefused, match="Did you mean 'remove'"):
        forms.notice_for("remov", "cats", ["violence"])


@pytest.mark.parametrize(("length", "fits"), [(forms.NOTICE_LIMIT, True), (2001, False)])
def test_how_long_a_notice_may_be(length: int, fits: bool) -> None:
    form = DecisionForm(HATE, "remove", SLUR, notice="x" * length)
    if fits:
        check_form(form, ICD)
    else:
        with pytest.raises(DecisionRefused, match="has 2001 characters: cut it to 2000"):
            check_form(form, ICD)
