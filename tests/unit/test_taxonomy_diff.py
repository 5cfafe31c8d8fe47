"""Differences between two taxonomies in words, and two people's edits in one document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coefvq.taxonomy.diff import diff
from coefvq.taxonomy.merge import merge
from coefvq.taxonomy.read import Document
from tests import taxonomy_factory as make
from tests.taxonomy_factory import action_row, policy_row, task_row


def edit(change: Callable[[Document], Any], base: Document | None = None) -> Document:
    made = make.document() if base is None else base
    change(made)
    return made


def test_nothing_differs() -> None:
    assert diff(make.document(), make.document()) == ()


@pytest.mark.parametrize(
    ("new", "says"),
    [
        pytest.param(make.with_policy("gambling"),
                     ["Policy gambling added to task icd: gambling"], id="policy added"),
        pytest.param(make.without_policy("sexual"),
                     ["Policy sexual removed from task icd: sexual"], id="policy removed"),
        pytest.param(make.with_task("health", "quackery", "pills"),
                     ["Task health added: Health (with quackery, pills)"], id="task added"),
        pytest.param(
            make.without_task("ucc"),
            ["Task ucc removed: Unoriginal content "
             "(with reupload, watermark, static_slideshow, screen_recording)"], id="task removed"),
        pytest.param(edit(lambda d: task_row(d, "icd").update(name="Bad")),
                     ["Task icd: name “Inappropriate content” -> “Bad”"], id="task renamed"),
        pytest.param(edit(lambda d: policy_row(d, "violence").update(severity=5)),
                     ["Policy violence: severity 4 -> 5"], id="severity"),
        pytest.param(edit(lambda d: policy_row(d, "violence").update(question="Is it?")),
                     ["Policy violence: question “Does the video show people hurting or fighting "
                      "each other?” -> “Is it?”"], id="question"),
        pytest.param(edit(lambda d: policy_row(d, "violence").update(modalities=["visual"])),
                     ["Policy violence: modalities “visual, audio” -> “visual”"], id="modalities"),
        pytest.param(edit(lambda d: policy_row(d, "static_slideshow")["reasons"].append("gif")),
                     ["Policy static_slideshow: reasons “single still, several stills” -> "
                      "“single still, several stills, gif”"], id="reasons"),
        pytest.param(edit(lambda d: task_row(d, "ucc")["policies"].reverse()),
                     ["Policies of ucc: order “reupload, watermark, static_slideshow, "
                      "screen_recording” -> “screen_recording, static_slideshow, watermark, "
                      "reupload”"], id="order"),
        pytest.param(edit(lambda d: [action_row(d, "remove").update(default=False),
                                     action_row(d, "warn").update(default=True)]),
                     ["Action warn is what the form proposes now"], id="default"),
        pytest.param(edit(lambda d: action_row(d, "warn").update(notice="")),
                     ["Action warn: notice “Your video \"{title}\" goes against our rule on "
                      "{policy} ({reason}). It stays up this time. Please read the rule before yo"
                      "…” -> nothing"], id="notice"),
    ],
)  # fmt: skip
def test_said_in_words(new: Document, says: list[str]) -> None:
    assert [str(change) for change in diff(make.document(), new)] == says


def test_both_peoples_edits_are_in_the_merged_document() -> None:
    mine = make.with_policy("gambling")
    policy_row(mine, "violence").update(question="Mine?")
    theirs = make.with_task("health", "quackery")
    policy_row(theirs, "violence").update(severity=5)
    action_row(theirs, "warn").update(name="Caution")
    made = merge(make.document(), mine, theirs)
    assert made.clashes == ()
    assert [str(change) for change in diff(theirs, made.document)] == [
        "Policy gambling added to task icd: gambling",
        "Policy violence: question “Does the video show people hurting or fighting each other?” "
        "-> “Mine?”",
    ]
    assert policy_row(made.document, "violence")["severity"] == 5
    assert task_row(made.document, "health") and action_row(made.document, "warn")["name"] != "Warn"


@pytest.mark.parametrize(
    ("mine", "theirs", "clash", "left"),
    [
        pytest.param(edit(lambda d: policy_row(d, "sexual").update(severity=1)),
                     edit(lambda d: policy_row(d, "sexual").update(severity=5)),
                     "Task icd, policy sexual: severity", True, id="the same field"),
        pytest.param(edit(lambda d: policy_row(d, "sexual").update(severity=5)),
                     edit(lambda d: policy_row(d, "sexual").update(severity=5)),
                     "", True, id="the same change"),
        pytest.param(make.without_policy("sexual"),
                     edit(lambda d: policy_row(d, "sexual").update(severity=5)),
                     "Task icd, policy sexual: removed by one, changed by the other", False,
                     id="mine removed it"),
        pytest.param(edit(lambda d: policy_row(d, "sexual").update(severity=1)),
                     make.without_policy("sexual"),
                     "Task icd, policy sexual: removed by one, changed by the other", True,
                     id="they removed it"),
        pytest.param(make.document(), make.without_policy("sexual"), "", False,
                     id="they removed it, mine left it"),
        pytest.param(make.without_policy("sexual"), make.document(), "", False,
                     id="mine removed it, they left it"),
    ],
)  # fmt: skip
def test_where_two_meet_mine_stands_and_it_is_said(
    mine: Document, theirs: Document, clash: str, left: bool
) -> None:
    made = merge(make.document(), mine, theirs)
    assert list(made.clashes) == ([clash] if clash else [])
    ids = [policy["id"] for policy in task_row(made.document, "icd")["policies"]]
    assert ("sexual" in ids) is left
    if left:
        rows = (mine, theirs) if clash else (theirs,)
        assert policy_row(made.document, "sexual") == policy_row(rows[0], "sexual")


@pytest.mark.parametrize("who", ["mine", "theirs"])
def test_a_new_order_is_kept(who: str) -> None:
    turned = edit(lambda d: task_row(d, "ucc")["policies"].reverse())
    plain = make.document()
    made = merge(plain, turned, plain) if who == "mine" else merge(plain, plain, turned)
    assert task_row(made.document, "ucc") == task_row(turned, "ucc")
