"""Cases, forms, drafts and history while the taxonomy changes under them."""

from __future__ import annotations

from typing import Any

import pytest

from coefvq import taxonomy
from coefvq.errors import DecisionRefused, SettingsError
from coefvq.review import bulk, case_view, decide, exposure, history, library, queue, taxonomies
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, decisions
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow
from coefvq.taxonomy.read import Document
from tests import taxonomy_factory as make
from tests.store_factory import ANN, scored, upload
from tests.taxonomy_factory import action_row, policy_row

LEA = Actor("lea", frozenset({"lead"}))
HATE = {"hate_harassment": True}
SLUR = {"hate_harassment": "slur"}


def publish(store: Store, found: Document, note: str = "why") -> str:
    return taxonomies.publish(store, LEA, found, note).version


def edited(policy: str, **changes: Any) -> Document:
    made = make.document()
    policy_row(made, policy).update(changes)
    return made


def opened(store: Store, settings: Settings) -> tuple[str, int, DecisionForm]:
    """A case that ann has open, and the form that she would send."""
    case_id = scored(store, settings)["icd"]
    view = queue.open_case(store, settings, ANN, case_id)
    assert view.lease is not None and view.lease.token is not None
    form = DecisionForm(
        {policy.id: policy.id in HATE for policy in view.policies},
        "remove",
        SLUR,
        taxonomy_version=taxonomy.version(),
    )
    return case_id, view.lease.token, form


def standing(store: Store, case_id: str) -> DecisionRow | None:
    with store.read() as session:
        return decisions.standing(session, case_id)


def test_a_decision_keeps_the_version_it_was_taken_under(store: Store, settings: Settings) -> None:
    case_id, token, form = opened(store, settings)
    decide.submit(store, settings, ANN, case_id, token, form)
    row = standing(store, case_id)
    assert row is not None and row.taxonomy_version == taxonomy.packaged().version
    version = publish(store, edited("hate_harassment", name="hatred"))
    with store.read() as session:
        then = taxonomies.at(session, row.taxonomy_version)
        now = taxonomies.at(session, version)
    assert then is not None and now is not None
    assert then.policy("hate_harassment").name == "hate, harassment"
    assert now.policy("hate_harassment").name == "hatred"


GONE_REASON = edited("hate_harassment", reasons=["threat"])
GONE_ACTION = make.document()
GONE_ACTION["actions"] = [a for a in GONE_ACTION["actions"] if a["id"] != "restrict"]


@pytest.mark.parametrize(
    ("after", "changes", "says"),
    [
        pytest.param(make.without_policy("hate_harassment"), {},
                     "Policy 'hate_harassment' is not in task 'icd' .a lead may have", id="policy"),
        pytest.param(GONE_REASON, {}, "'slur' is no reason of .* .a lead may have", id="reason"),
        pytest.param(GONE_ACTION, {"action": "restrict"}, "Unknown action 'restrict'", id="action"),
        pytest.param(make.without_task("icd"), {}, "the task 'icd' was taken out", id="task"),
    ],
)  # fmt: skip
def test_an_old_form_that_uses_what_is_gone_is_refused_and_kept(
    store: Store, settings: Settings, after: Document, changes: dict[str, Any], says: str
) -> None:
    case_id, token, form = opened(store, settings)
    publish(store, after)
    sent = DecisionForm(form.labels, changes.get("action", "remove"), form.reasons, "look",
                        taxonomy_version=form.taxonomy_version)  # fmt: skip
    with pytest.raises(DecisionRefused, match=says):
        decide.submit(store, settings, ANN, case_id, token, sent)
    view = case_view.view(store, settings, ANN, case_id)
    assert view.draft is not None and view.draft.comment == "look"
    assert standing(store, case_id) is None


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(make.without_policy("sexual"), id="another policy is gone"),
        pytest.param(edited("hate_harassment", question="Is it?", severity=1), id="other words"),
        pytest.param(make.with_policy("gambling"), id="a new policy"),
        pytest.param(make.without_task("ucc"), id="another task is gone"),
    ],
)
def test_an_old_form_that_still_fits_is_taken(
    store: Store, settings: Settings, after: Document
) -> None:
    case_id, token, form = opened(store, settings)
    version = publish(store, after)
    decide.submit(store, settings, ANN, case_id, token, form)
    row = standing(store, case_id)
    assert row is not None and row.taxonomy_version == version
    assert row.labels["hate_harassment"] == "violation"
    known = {policy.id for policy in taxonomy.task("icd").policies}
    assert row.labels.keys() == known - {"gambling"}, "nobody was asked about gambling"


def test_a_form_of_the_new_version_has_the_new_policy(store: Store, settings: Settings) -> None:
    case_id, token, _ = opened(store, settings)
    version = publish(store, make.with_policy("gambling"))
    sent = DecisionForm({"gambling": True}, "remove", {"gambling": "link"},
                        taxonomy_version=version)  # fmt: skip
    done = decide.submit(store, settings, ANN, case_id, token, sent)
    row = standing(store, case_id)
    assert row is not None and row.labels["gambling"] == "violation" and done.correction


def test_the_same_answer_sent_twice_is_one_though_the_taxonomy_changed(
    store: Store, settings: Settings
) -> None:
    case_id, token, form = opened(store, settings)
    first = decide.submit(store, settings, ANN, case_id, token, form)
    publish(store, make.without_policy("sexual"))
    second = decide.submit(store, settings, ANN, case_id, token, form)
    assert second.decision_id == first.decision_id


def test_a_new_policy_is_not_covered_in_older_answers(store: Store, settings: Settings) -> None:
    case_id, _, _ = opened(store, settings)
    publish(store, make.with_policy("gambling"))
    view = case_view.view(store, settings, ANN, case_id)
    new = view.policies[-1]
    assert (new.id, new.key, new.covered, new.final) == ("gambling", 6, False, None)
    assert new.why_not == "not_asked" and new.reasons == ("advertisement", "link", "other")
    for card in (view.prefilter, view.mllm):
        if card is not None:  # hidden in a case that is decided blind
            assert not card.scores[-1].covered


@pytest.mark.parametrize("policy", ["hate_harassment", "violence"])
def test_a_policy_that_is_gone_is_passed_over(
    store: Store, settings: Settings, policy: str
) -> None:
    case_id, _, form = opened(store, settings)
    queue.save_draft(store, ANN, case_id, form)
    publish(store, make.without_policy(policy))
    view = case_view.view(store, settings, ANN, case_id)
    assert policy not in [each.id for each in view.policies]
    assert policy not in [each.policy for each in view.evidence]
    page = library.list_videos(store, settings, ANN)
    assert page.total == 1
    with store.read() as session:
        exposure.severity_of(session, session.get_one(CaseRow, case_id), "ann")
    with pytest.raises(SettingsError, match="may have been taken out of the taxonomy"):
        library.list_videos(store, settings, ANN, policy=policy)


def test_a_case_of_a_task_that_is_gone_can_be_read_and_not_decided(
    store: Store, settings: Settings
) -> None:
    ids = scored(store, settings)
    publish(store, make.without_task("ucc"))
    view = case_view.view(store, settings, ANN, ids["ucc"])
    assert view.task_name == "Unoriginal content (retired)"
    assert view.policies[0].id == "reupload"
    batch = bulk.decide_many(store, settings, LEA, [ids["ucc"]], DecisionForm({}, "keep"))
    assert batch.done == 0 and "was taken out" in batch.refused[ids["ucc"]]


def test_a_case_that_comes_after_its_task_went_is_nobodys_turn(
    store: Store, settings: Settings
) -> None:
    publish(store, make.without_task("icd"))
    held = taxonomy.in_force()
    taxonomy.install(None)  # a worker that began before
    case_id = scored(store, settings)["icd"]
    taxonomy.install(held)
    assert queue.next_case(store, settings, ANN) is None
    with store.read() as session:
        assert cases.get(session, case_id).state == "set_aside"


def test_an_upload_opens_cases_of_the_tasks_in_force(store: Store, settings: Settings) -> None:
    publish(store, make.with_task("health", "quackery"))
    video_id = upload(store, settings)
    with store.read() as session:
        assert list(cases.of_video(session, video_id)) == ["icd", "ucc", "health"]


def test_history_has_the_names_of_the_time(store: Store, settings: Settings) -> None:
    case_id, token, form = opened(store, settings)
    decide.submit(store, settings, ANN, case_id, token, form)
    after = make.without_policy("hate_harassment")
    action_row(after, "remove")["name"] = "Take down"
    publish(store, after)
    with store.read() as session:
        video_id = cases.get(session, case_id).video_id
    told = history.of_video(store, ANN, video_id)
    (decided,) = [entry for entry in told.entries if entry.kind == "case.decided"]
    assert decided.data["names"]["hate_harassment"] == "hate, harassment"
    assert decided.data["action_name"] == "Remove"
