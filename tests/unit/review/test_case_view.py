"""What the Review page is given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.review import assessment_view, case_view
from coefvq.review.views import CaseView
from coefvq.settings import Settings
from coefvq.store import cases, codec
from coefvq.store.session import Store
from coefvq.store.tables import MediaRow
from tests.store_factory import (
    ANN,
    EVIDENCE,
    RATIONALE,
    SCREEN,
    SPEECH,
    result,
    route,
    scored,
    upload,
)


def view(store: Store, settings: Settings, task: str = "icd", **how: object) -> CaseView:
    ids = scored(store, settings, **how)  # type: ignore[arg-type]
    return case_view.view(store, settings, ANN, ids[task])


def test_a_case_that_waits_for_its_score_shows_what_there_is(
    store: Store, settings: Settings
) -> None:
    video_id = upload(store, settings, title="my cat", caption="look")
    with store.read() as session:
        case_id = cases.of_video(session, video_id)["icd"].id
    seen = case_view.view(store, settings, ANN, case_id)
    assert (seen.state, seen.verdict, seen.prefilter, seen.mllm) == ("pending", None, None, None)
    assert (seen.video.title, seen.video.caption) == ("my cat", "look")
    assert (seen.transcript, seen.evidence, seen.video.duration_s) == (None, (), None)
    assert {policy.why_not for policy in seen.policies} == {"not_scored"}


def test_policies_come_in_the_tasks_order_with_keys_and_guidelines(
    store: Store, settings: Settings
) -> None:
    seen = view(store, settings)
    known = taxonomy.task("icd").policies
    assert [(policy.key, policy.id) for policy in seen.policies] == [
        (number, policy.id) for number, policy in enumerate(known, 1)
    ]
    assert [policy.guideline for policy in seen.policies] == [each.guideline for each in known]
    hate = seen.policies[1]
    assert (hate.prefilter, hate.mllm, hate.final, hate.covered) == (0.435, 0.87, 0.87, True)
    assert hate.reasons[-1] == "other"


@pytest.mark.parametrize(
    ("card", "probability", "trust"), [("prefilter", 0.435, None), ("mllm", 0.87, 0.96)]
)
def test_cards(
    store: Store, settings: Settings, card: str, probability: float, trust: float | None
) -> None:
    seen = getattr(view(store, settings), card)
    assert seen.probability == pytest.approx(probability)
    assert seen.trust == trust
    assert [score.policy for score in seen.scores] == [
        policy.id for policy in taxonomy.task("icd").policies
    ]
    sexual = next(score for score in seen.scores if score.policy == "sexual")
    assert (sexual.probability, sexual.covered, sexual.why_not) == (None, False, "not_trained")


def test_the_prefilters_card_names_what_moved_it(store: Store, settings: Settings) -> None:
    seen = view(store, settings)
    assert seen.prefilter is not None
    assert seen.prefilter.top_contributions == (("caption wording", 0.3), ("loud voices", 0.1))


def test_without_the_mllm_there_is_no_card_and_no_transcript(
    store: Store, settings: Settings
) -> None:
    seen = view(store, settings, mllm=False)
    assert (seen.mllm, seen.transcript, seen.screen_text, seen.disagreement) == (None,) * 4


def test_lines_and_evidence_of_this_task_only(store: Store, settings: Settings) -> None:
    seen = view(store, settings)
    assert (seen.transcript, seen.screen_text, seen.speech_understood) == (SPEECH, SCREEN, True)
    assert seen.evidence == EVIDENCE[:1]
    ucc = case_view.view(store, settings, ANN, dict(seen.siblings)["ucc"])
    assert ucc.evidence == EVIDENCE[1:]


def test_evidence_of_the_rationale_is_shown_once(store: Store, settings: Settings) -> None:
    rationale = replace(RATIONALE, evidence=EVIDENCE[:1])
    seen = view(store, settings, rationale=rationale)
    assert seen.evidence == EVIDENCE[:1]
    assert seen.mllm is not None and seen.mllm.rationale == rationale


def test_the_route_shows_the_band_that_its_rule_escalates(store: Store, settings: Settings) -> None:
    seen = view(store, settings).route
    assert seen is not None and seen.escalate_low is not None and seen.escalate_high is not None
    assert (seen.rule, seen.threshold, seen.escalated) == ("entropy", 0.6, True)
    assert seen.escalate_low == pytest.approx(0.1461, abs=1e-3)
    assert seen.escalate_high == pytest.approx(1 - seen.escalate_low)


def test_other_rules_have_no_band() -> None:
    shown = assessment_view.route_view(route(rule="learned"))
    assert (shown.escalate_low, shown.escalate_high) == (None, None)


@pytest.mark.parametrize(
    ("prefilter", "mllm", "differ"),
    [
        pytest.param(0.41, 0.87, True, id="two sides of one half"),
        pytest.param(0.9, 0.55, True, id="far apart on one side"),
        pytest.param(0.7, 0.8, False, id="near"),
        pytest.param(None, 0.9, False, id="prefilter does not cover it"),
        pytest.param(0.9, None, False, id="MLLM does not cover it"),
    ],
)
def test_disagreement(prefilter: float | None, mllm: float | None, differ: bool) -> None:
    made = result("00" * 32)
    task = taxonomy.task("icd")
    finals = dict(made.tasks["icd"].policies)
    for policy, score in finals.items():
        finals[policy] = replace(score, prefilter=None, mllm=None)
    finals["hate_harassment"] = replace(finals["hate_harassment"], prefilter=prefilter, mllm=mllm)
    found = assessment_view.disagreement(task, finals, made.mllm, route())
    assert (found is not None) is differ
    if found is not None:
        assert (found.policy, found.prefilter, found.mllm) == ("hate_harassment", prefilter, mllm)
        assert (found.modalities, found.route_reason) == (("speech",), "unsure")


def test_the_largest_difference_is_named() -> None:
    made = result("00" * 32, icd={"hate_harassment": 0.8, "violence": 0.99})
    found = assessment_view.disagreement(
        taxonomy.task("icd"), made.tasks["icd"].policies, made.mllm, None
    )
    assert found is not None and found.policy == "violence"


def test_the_first_route_is_shown_beside_the_last(store: Store, settings: Settings) -> None:
    ids = scored(store, settings)
    from coefvq.review.priority import of
    from coefvq.store import results, videos

    with store.write() as session:
        video = videos.get(session, cases.get(session, ids["icd"]).video_id)
        made = result(video.sha256)
        icd = replace(made.tasks["icd"], first_route=route(RouteName.MLLM, score=0.91))
        made = replace(made, tasks={**made.tasks, "icd": icd})
        results.record(session, video, made, payloads={}, priority=of, actor="w")
    seen = case_view.view(store, settings, ANN, ids["icd"])
    assert seen.first_route is not None and seen.first_route.score == 0.91
    assert case_view.view(store, settings, ANN, ids["ucc"]).first_route is None


def test_files_and_facts_of_the_video(store: Store, settings: Settings) -> None:
    seen = view(store, settings, title="clip")
    assert (seen.video.proxy, seen.video.poster, seen.video.copies) == (None, None, ())
    assert (seen.video.duration_s, seen.video.width, seen.video.warnings) == (
        10.0,
        320,
        ("no_audio",),
    )
    with store.write() as session:
        session.get_one(MediaRow, seen.video.sha256).proxy = "p.mp4"
    again = case_view.view(store, settings, ANN, seen.id)
    assert again.video.proxy == settings.previews_dir / "p.mp4"


def test_a_second_upload_of_the_same_bytes_names_the_first(
    store: Store, settings: Settings
) -> None:
    first = view(store, settings)
    second = view(store, settings)
    assert second.video.copies == (first.video.id,)


def test_a_damaged_assessment_is_not_hidden(store: Store, settings: Settings) -> None:
    with pytest.raises(ValueError, match="covered scores have a probability"):
        codec.scores_from({"violence": {"policy": "violence", "probability": None}})
