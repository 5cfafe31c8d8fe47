"""A cascade's answer in the store: assessments, verdicts, and where cases go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq.domain import Rationale, RouteName
from coefvq.errors import StoreError
from coefvq.review.priority import of as priority_of
from coefvq.settings import Settings
from coefvq.store import assessments, cases, codec, events, results, videos
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CaseState, VerdictRow
from tests.store_factory import RATIONALE, result, route, scored


def case_of(store: Store, case_id: str) -> CaseRow:
    with store.read() as session:
        return cases.get(session, case_id)


def record_again(store: Store, case_id: str, **how: object) -> None:
    with store.write() as session:
        case = cases.get(session, case_id)
        video = videos.get(session, case.video_id)
        made = result(video.sha256, **how)  # type: ignore[arg-type]
        results.record(session, video, made, payloads={}, priority=priority_of, actor="w")


@pytest.mark.parametrize(
    ("name", "state"),
    [
        pytest.param(RouteName.AUTO_PASS, CaseState.AUTO, id="passed"),
        pytest.param(RouteName.AUTO_FLAG, CaseState.AUTO, id="flagged"),
        pytest.param(RouteName.HUMAN, CaseState.QUEUED, id="a person is due"),
        pytest.param(RouteName.MLLM, CaseState.QUEUED, id="the MLLM was due and failed"),
    ],
)
def test_the_route_decides_where_the_case_goes(
    store: Store, settings: Settings, name: RouteName, state: CaseState
) -> None:
    case = case_of(store, scored(store, settings, routes={"icd": route(name)})["icd"])
    assert (case.state, case.route) == (state, name.value)
    assert (case.queued_at is not None) == (state is CaseState.QUEUED)


@pytest.mark.parametrize("name", [RouteName.AUTO_PASS, RouteName.AUTO_FLAG])
def test_an_automatic_outcome_that_was_drawn_waits_for_a_person(
    store: Store, settings: Settings, name: RouteName
) -> None:
    drawn = route(name, audit=True, propensity=0.02)
    case = case_of(store, scored(store, settings, routes={"icd": drawn})["icd"])
    assert (case.state, case.route, case.audit) == (CaseState.QUEUED, name.value, True)
    assert case.queued_at is not None and case.verdict in ("ok", "violation")
    with store.read() as session:
        stored = session.get_one(VerdictRow, case.verdict_id).route
    assert (stored["audit"], stored["propensity"]) == (True, 0.02)


def test_a_drawn_case_that_is_scored_again_without_a_draw_leaves_the_queue(
    store: Store, settings: Settings
) -> None:
    drawn = route(RouteName.AUTO_PASS, audit=True, propensity=0.02)
    case_id = scored(store, settings, routes={"icd": drawn})["icd"]
    record_again(store, case_id, routes={"icd": replace(drawn, audit=False)})
    assert case_of(store, case_id).state == CaseState.AUTO


def test_the_verdict_holds_what_a_reviewer_will_see(store: Store, settings: Settings) -> None:
    first = route(RouteName.MLLM, score=0.99)
    made = result("00" * 32)
    icd = replace(made.tasks["icd"], first_route=first)
    case_id = scored(store, settings)["icd"]
    with store.write() as session:
        video = videos.get(session, cases.get(session, case_id).video_id)
        made = replace(made, sha256=video.sha256, tasks={**made.tasks, "icd": icd})
        results.record(session, video, made, payloads={}, priority=priority_of, actor="w")
    with store.read() as session:
        verdict = session.get_one(VerdictRow, cases.get(session, case_id).verdict_id)
        assert codec.finals_from(verdict.policies) == icd.policies
        assert codec.route_from(verdict.route) == icd.route
        assert codec.route_from(verdict.first_route or {}) == first
        assert verdict.models == {"prefilter": "prefilter-test", "mllm": "mllm-test"}


def test_scoring_again_adds_rows_and_changes_none(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    before = case_of(store, case_id)
    record_again(store, case_id, icd={"hate_harassment": 0.2})
    after = case_of(store, case_id)
    assert after.verdict_id != before.verdict_id
    assert (before.probability, after.probability) == (0.87, 0.2)
    with store.read() as session:
        assert len(assessments.of_video(session, before.video_id)) == 4
        assert session.get_one(VerdictRow, before.verdict_id).probability == 0.87


def test_a_waiting_case_keeps_its_place_when_scored_again(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    before = case_of(store, case_id).queued_at
    record_again(store, case_id)
    assert case_of(store, case_id).queued_at == before


def test_what_a_person_decided_stays_decided(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    with store.write() as session:
        cases.get(session, case_id).state = CaseState.DECIDED.value
    record_again(store, case_id)
    assert case_of(store, case_id).state == CaseState.DECIDED


def test_the_video_is_scored_and_its_warnings_are_kept(store: Store, settings: Settings) -> None:
    case = case_of(store, scored(store, settings)["icd"])
    with store.read() as session:
        video = videos.get(session, case.video_id)
        assert video.status == videos.SCORED
        assert video.media.info is not None and video.media.info["warnings"] == ["no_audio"]
        kinds = [event.kind for event in events.of_subject(session, "video", video.id)]
    assert kinds == ["video.uploaded", "video.scored"]


def test_without_cases_only_signals_and_assessments_are_stored(
    store: Store, settings: Settings
) -> None:
    case = case_of(store, scored(store, settings)["icd"])
    with store.write() as session:
        video = videos.get(session, case.video_id)
        recorded = results.record(
            session,
            video,
            result(video.sha256),
            payloads={},
            priority=priority_of,
            actor="w",
            open_cases=False,
        )
        assert recorded.case_ids == {}
        assert assessments.get(session, recorded.prefilter_id).stage == "prefilter"
    assert case_of(store, case.id).verdict_id == case.verdict_id


def test_a_later_rationale_is_a_new_row_for_all_tasks_of_the_video(
    store: Store, settings: Settings
) -> None:
    ids = scored(store, settings)
    before = {task: case_of(store, case_id) for task, case_id in ids.items()}
    with store.write() as session:
        new = results.add_rationale(session, cases.get(session, ids["icd"]), RATIONALE, "w")
        said = codec.assessment_from(assessments.get(session, str(new.mllm_id)))
    assert said.rationale == RATIONALE
    for task, case_id in ids.items():
        after = case_of(store, case_id)
        assert after.verdict_id != before[task].verdict_id
        assert (after.verdict, after.state) == (before[task].verdict, before[task].state)
    with store.read() as session:
        old = session.get_one(VerdictRow, before["icd"].verdict_id)
        assert assessments.get(session, str(old.mllm_id)).rationale is None


def test_what_the_mllm_never_saw_cannot_be_explained(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, mllm=False)["icd"]
    with pytest.raises(StoreError, match="has not looked"), store.write() as session:
        results.add_rationale(session, cases.get(session, case_id), Rationale("x"), "w")
