"""The built-in tasks and policies."""

from __future__ import annotations

import pytest

from coefvq import taxonomy
from coefvq.errors import SettingsError


def test_the_built_in_tasks() -> None:
    assert {
        task.id: [policy.id for policy in task.policies] for task in taxonomy.tasks().values()
    } == {
        "icd": ["violence", "hate_harassment", "sexual", "scam_spam", "dangerous_acts"],
        "ucc": ["reupload", "watermark", "static_slideshow", "screen_recording"],
    }


@pytest.mark.parametrize("policy", taxonomy.policies().values(), ids=lambda policy: policy.id)
def test_every_policy_is_complete(policy: taxonomy.Policy) -> None:
    assert policy.question.endswith("?")
    assert 1 <= policy.severity <= 5
    assert policy.modalities and policy.reasons
    assert taxonomy.OTHER_REASON not in policy.reasons, "`other` is added by the form"
    assert len(set(policy.reasons)) == len(policy.reasons)


@pytest.mark.parametrize(
    ("look_up", "word", "says"),
    [
        pytest.param(taxonomy.policy, "violense", "Did you mean 'violence'", id="policy"),
        pytest.param(taxonomy.task, "icdd", "Did you mean 'icd'", id="task"),
        pytest.param(taxonomy.task, "zzz", "Known: icd, ucc", id="nothing near"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(look_up, word: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        look_up(word)


def test_the_built_in_actions() -> None:
    actions = taxonomy.actions()
    assert [action.id for action in actions.values() if not action.violation] == ["keep"]
    assert [action.id for action in actions.values() if action.default] == ["keep", "remove"]


@pytest.mark.parametrize("action", taxonomy.actions().values(), ids=lambda action: action.id)
def test_every_action_tells_the_uploader_where_something_is_done(action: taxonomy.Action) -> None:
    assert action.name
    fields = [name for name in ("{title}", "{policy}", "{reason}") if name in action.notice]
    assert len(fields) == (3 if action.violation else 0)
