"""Trials on live traffic: who may, what ends them, what workers follow, what came of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from coefvq.domain import Route, RouteName, ShadowRoute
from coefvq.errors import NotAllowed, RoutingError, SettingsError, StoreError
from coefvq.review.access import LOCAL, Actor
from coefvq.router import Router, in_split
from coefvq.routing.entropy import EntropyRouting
from coefvq.settings import Settings
from coefvq.store import events, routing_policies, routing_state
from coefvq.store import trials as stored
from coefvq.store.session import Store
from coefvq.store.tables import ShadowRouteRow, ViewsRow
from coefvq.work import routing_versions, trials
from coefvq.work.routing import Follower
from coefvq.work.routing_versions import SETTINGS, InForceChanged
from coefvq.work.trial_figures import ShadowReport, SplitReport
from tests.routing_factory import policy, with_features
from tests.store_factory import route
from tests.unit.work.past import DRAWN, FLAGGED, HUMAN, Past, keep, publish

LEAD = Actor("lena", frozenset({"lead"}))
REVIEWER = Actor("ann", frozenset({"reviewer"}))
ONE, OTHER, THIRD = policy(), policy(budget=0.2), policy(budget=0.1)
FORMER = "entropy-0.6-0.6"


@pytest.fixture
def past(store: Store, settings: Settings) -> Past:
    return Past(store, settings)


def shadow(store: Store, version: str, **how: object) -> trials.TrialView:
    return trials.start(store, LEAD, "icd", "shadow", version, "to see", **how)  # type: ignore[arg-type]


def split(store: Store, version: str, share: float = 0.5) -> trials.TrialView:
    return trials.start(store, LEAD, "icd", "split", version, "to compare", share=share)


def running(store: Store) -> list[str]:
    return [each.id for each in trials.of_task(store, LOCAL, "icd") if each.running]


def logged(store: Store) -> list[str]:
    with store.read() as session:
        return [row.kind for row in events.of_subject(session, "task", "icd")]


def test_a_trial_begins_and_ends_with_events_and_notes(store: Store) -> None:
    begun = shadow(store, keep(store, ONE), expected=SETTINGS)
    assert (begun.against, begun.share, begun.started_by, begun.running) == (
        SETTINGS,
        0,
        "lena",
        True,
    )
    ended = trials.stop(store, LOCAL, begun.id, "seen enough")
    assert (ended.ended_by, ended.running) == ("local", False)
    assert trials.of_task(store, LEAD, "icd") == (ended,)
    with store.read() as session:
        first, last = events.of_subject(session, "task", "icd")
    assert (first.kind, first.data["note"], last.kind, last.data["note"]) == (
        "trial.started", "to see", "trial.ended", "seen enough")  # fmt: skip
    with pytest.raises(StoreError, match="ended already, by local"):
        trials.stop(store, LEAD, begun.id)


def test_one_of_a_kind_and_task_and_a_new_one_after_it(store: Store) -> None:
    one, other = keep(store, ONE), keep(store, OTHER)
    first = shadow(store, one)
    split(store, other)
    with pytest.raises(RoutingError, match=f"A shadow of {one} runs for icd"):
        shadow(store, other)
    trials.start(store, LEAD, "ucc", "shadow", other, "elsewhere")
    trials.stop(store, LEAD, first.id)
    assert shadow(store, other).id in running(store)
    assert len(running(store)) == 2


BAD_SHARES = [-0.1, 0.0, 0.51, 1.0, float("nan"), float("inf")]


@pytest.mark.parametrize("share", BAD_SHARES)
def test_a_share_that_is_none_is_refused(store: Store, share: float) -> None:
    with pytest.raises(RoutingError, match="more than 0 and at most 50%"):
        split(store, keep(store, ONE), share)


def test_what_cannot_be_tried(store: Store) -> None:
    version = publish(store, ONE)
    other = keep(store, OTHER)
    with pytest.raises(RoutingError, match="nothing to try"):
        shadow(store, version)
    with pytest.raises(RoutingError, match="feature_height"):
        shadow(store, keep(store, with_features("height")))
    with pytest.raises(StoreError, match="no routing policy x"):
        shadow(store, "x")
    with pytest.raises(RoutingError, match="note"):
        trials.start(store, LEAD, "icd", "shadow", other, " ")
    with pytest.raises(RoutingError, match="no trial of kind 'ab'"):
        trials.start(store, LEAD, "icd", "ab", other, "note")
    with pytest.raises(SettingsError):
        trials.start(store, LEAD, "none", "shadow", other, "note")
    with pytest.raises(InForceChanged):
        shadow(store, other, expected=SETTINGS)
    with pytest.raises(StoreError, match="no trial x"):
        trials.stop(store, LEAD, "x")
    assert running(store) == []


def test_only_leads(store: Store, tmp_path: Path) -> None:
    for call in (
        lambda: trials.start(store, REVIEWER, "icd", "shadow", "x", "n"),
        lambda: trials.stop(store, REVIEWER, "x"),
        lambda: trials.of_task(store, REVIEWER, "icd"),
        lambda: trials.report(store, REVIEWER, "x"),
        lambda: trials.import_views(store, REVIEWER, tmp_path / "none.csv"),
    ):
        with pytest.raises(NotAllowed):
            call()


ENDING = {
    "published": lambda s, one: routing_versions.publish(s, LEAD, "icd", one, "n", SETTINGS),
    "rolled back": lambda s, one: _there_and_back(s, one),
    "stopped": lambda s, one: [trials.stop(s, LEAD, each) for each in running(s)],
}


def _there_and_back(store: Store, one: str) -> None:
    with store.write() as session:  # published before the trials began, by hand
        rows = stored.running(session, "icd")
        for version in (one, one):
            routing_policies.publish(session, "icd", version, "x")
            for row in rows:
                row.ended_at = row.ended_by = None
        other = keep_in(session)
        routing_policies.publish(session, "icd", other, "x")
        for row in rows:
            row.ended_at = row.ended_by = None
    routing_versions.rollback(store, LEAD, "icd", "", other)


def keep_in(session) -> str:
    routing_policies.add(session, THIRD.version, THIRD.rule, THIRD.to_json(), "x")
    return THIRD.version


@pytest.mark.parametrize("end", ENDING.values(), ids=ENDING)
def test_all_traffic_is_the_policys_in_force_at_once(store: Store, end) -> None:
    one, tried = keep(store, ONE), keep(store, OTHER)
    cascade = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6)))
    follower = Follower(store)
    split(store, tried)
    shadow(store, tried)
    assert follower.refresh(cascade) and not follower.refresh(cascade)
    arms = {cascade.routing.for_video(str(n)).version("icd") for n in range(40)}
    assert arms == {FORMER, OTHER.version} and cascade.routing.watched
    end(store, one)
    assert running(store) == [] and logged(store)[-2:] == ["trial.ended"] * 2
    assert follower.refresh(cascade)
    versions = {cascade.routing.for_video(str(n)).version("icd") for n in range(40)}
    assert len(versions) == 1 and OTHER.version not in versions
    assert not cascade.routing.watched


def test_what_is_only_tried_out_has_no_trials(store: Store) -> None:
    split(store, keep(store, OTHER))
    cascade = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6)))
    Follower(store, trials=False).refresh(cascade)
    assert {cascade.routing.for_video(str(n)).version("icd") for n in range(40)} == {FORMER}


def test_a_trial_whose_policy_cannot_be_read_decides_nothing(store: Store, caplog) -> None:
    with store.write() as session:
        routing_policies.add(session, "bad", "learned", {"format": 99}, "x")
        row = stored.TrialRow(kind="split", task="icd", version="bad", against=SETTINGS, note="",
                              share=0.5, started_by="x")  # fmt: skip
        stored.start(session, row)
    cascade = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6)))
    assert Follower(store).refresh(cascade)
    assert {cascade.routing.for_video(str(n)).version("icd") for n in range(40)} == {FORMER}
    assert "has no effect" in caplog.text


def went(name: RouteName, trial: trials.TrialView, **how: object) -> ShadowRoute:
    return ShadowRoute(trial.id, route(name, version=trial.version, **how))


def test_a_shadows_route_is_stored_with_its_verdict(past: Past) -> None:
    trial = shadow(past.store, keep(past.store, ONE))
    past.case(HUMAN, shadow=went(RouteName.AUTO_FLAG, trial))
    past.case(HUMAN)
    with past.store.read() as session:
        (row,) = session.query(ShadowRouteRow).all()
    assert (row.trial_id, row.route["name"]) == (trial.id, "auto_flag")


def shadow_of(past: Past, trial: trials.TrialView) -> ShadowReport:
    found = trials.report(past.store, LEAD, trial.id)
    assert isinstance(found, ShadowReport)
    return found


def test_what_a_shadow_would_have_done(past: Past) -> None:
    trial = shadow(past.store, keep(past.store, ONE))
    passed = {"escalated": False}
    past.case(HUMAN, True, "u1", went(RouteName.HUMAN, trial))
    past.case(HUMAN, True, "u2", went(RouteName.AUTO_PASS, trial, **passed), title="<i>")
    past.case(DRAWN, True, "u1", went(RouteName.AUTO_FLAG, trial, **passed))
    past.case(replace(DRAWN, audit=False), None, "u3", went(RouteName.MLLM, trial))
    found = shadow_of(past, trial)
    assert (found.n, found.uploaders, found.decided, found.unknown) == (4, 3, 3, 1)
    assert found.same.value == pytest.approx(1 / 3)
    assert found.live["escalation_rate"].value == pytest.approx(2 / 4)
    assert found.shadow["escalation_rate"].value == pytest.approx(2 / 4)
    # The one that was drawn and decided stands for both that passed.
    assert found.live["miss_rate"].value == pytest.approx(2 / 4)
    assert found.shadow["miss_rate"].value == pytest.approx(1 / 4)
    assert found.shadow["precision"].value == 1.0 and found.live["precision"].value is None
    assert found.moved == {("human", "auto_pass"): 1, ("auto_pass", "auto_flag"): 1,
                           ("auto_pass", "mllm"): 1}  # fmt: skip
    assert [each.title for each in found.cases] == [None, None, "<i>"]
    assert found.cases[0].violation is None


def test_a_shadow_before_its_first_video_says_nothing(past: Past) -> None:
    trial = shadow(past.store, keep(past.store, ONE))
    found = shadow_of(past, trial)
    assert (found.n, found.same.value, found.moved) == (0, None, {})
    assert {figure.value for figure in found.live.values()} == {None}


def arm_of(past: Past, trial: trials.TrialView, name: str) -> str:
    salt = routing_state.audit_salt(past.store)
    return trial.version if in_split(name, trial.id, trial.share, salt) else "entropy-0.9-0.8"


def uploaders(past: Past, trial: trials.TrialView) -> tuple[list[str], list[str]]:
    """Names in the tried arm, and in the other one."""
    names = [f"u{number}" for number in range(60)]
    tried = [name for name in names if arm_of(past, trial, name) == trial.version]
    return tried, [name for name in names if name not in tried]


def split_of(past: Past, trial: trials.TrialView) -> SplitReport:
    found = trials.report(past.store, LEAD, trial.id)
    assert isinstance(found, SplitReport)
    return found


def case(past: Past, trial: trials.TrialView, way: Route, violation: bool | None, who: str) -> str:
    return past.case(replace(way, version=arm_of(past, trial, who)), violation, who)


def views(past: Past, tmp_path: Path, counts: dict[str, object]) -> trials.ViewsImport:
    lines = ["video_id,views", *(f"{video},{count}" for video, count in counts.items())]
    path = tmp_path / "views.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return trials.import_views(past.store, LEAD, path)


def test_outcomes_of_both_arms_weighed_by_views(past: Past, tmp_path: Path) -> None:
    trial = split(past.store, keep(past.store, ONE))
    tried, others = uploaders(past, trial)
    seen = {}
    for name, bad in ((tried[0], True), (tried[1], False), (others[0], False), (others[1], False)):
        seen[case(past, trial, DRAWN, bad, name)] = 900 if bad else 100
    case(past, trial, HUMAN, True, others[2])
    case(past, trial, HUMAN, True, tried[2])
    bare = split_of(past, trial)
    assert not bare.views_known and bare.tried.figures["up_view_rate"].value is None
    assert (bare.tried.videos, bare.tried.uploaders, bare.tried.audited) == (3, 3, 2)
    assert bare.tried.figures["up_rate"].value == pytest.approx(1 / 3)
    assert bare.other.figures["up_rate"].value == 0.0
    assert bare.tried.figures["miss_rate"].value == pytest.approx(1 / 2)
    assert bare.difference["up_rate"].value == pytest.approx(1 / 3)
    assert bare.tried.figures["people_rate"].value == 1.0
    assert bare.tried.figures["human_rate"].value == pytest.approx(1 / 3)
    views(past, tmp_path, {past.video(each): count for each, count in seen.items()})
    weighed = split_of(past, trial)
    assert weighed.views_known and weighed.tried.with_views == 2
    assert weighed.tried.figures["up_view_rate"].value == pytest.approx(0.9)
    assert weighed.other.figures["up_view_rate"].value == 0.0
    difference = weighed.difference["up_view_rate"]
    assert difference.value == pytest.approx(0.9)
    assert difference.low is not None and difference.low <= 0.9 <= difference.high


def test_a_video_that_neither_arms_version_decided_is_left_out_and_counted(past: Past) -> None:
    publish(past.store, THIRD)
    trial = split(past.store, keep(past.store, ONE))
    tried, others = uploaders(past, trial)
    for who in (tried[0], others[0]):
        past.case(replace(HUMAN, version="learned-0123456789"), None, who)
        past.case(replace(HUMAN, version=ONE.version), None, who)
        past.case(replace(HUMAN, version=THIRD.version), None, who)
    found = split_of(past, trial)
    assert (found.tried.videos, found.other.videos, found.left_out) == (1, 1, 4)


def test_a_split_before_its_first_video_and_one_without_audits(past: Past) -> None:
    trial = split(past.store, keep(past.store, ONE))
    empty = split_of(past, trial)
    assert (empty.tried.videos, empty.left_out) == (0, 0)
    assert {figure.value for figure in empty.difference.values()} == {None}
    tried, _ = uploaders(past, trial)
    case(past, trial, replace(DRAWN, audit=False), None, tried[0])
    case(past, trial, FLAGGED, True, tried[1])
    found = split_of(past, trial).tried.figures
    assert found["up_rate"].value is None and found["miss_rate"].value is None
    assert found["escalation_rate"].value == 0.0


def test_what_was_scored_before_or_after_a_trial_is_not_its(past: Past) -> None:
    past.case(HUMAN)
    trial = split(past.store, keep(past.store, ONE))
    tried, _ = uploaders(past, trial)
    case(past, trial, HUMAN, None, tried[0])
    trials.stop(past.store, LEAD, trial.id)
    case(past, trial, HUMAN, None, tried[0])
    assert split_of(past, trial).tried.videos == 1


def test_without_an_uploader_a_split_goes_by_the_media(past: Past) -> None:
    trial = split(past.store, keep(past.store, ONE))
    for _ in range(4):
        past.case(replace(HUMAN, version="entropy-0.9-0.8"), None, LOCAL.name)
    found = split_of(past, trial)
    assert found.other.uploaders == found.other.videos
    assert found.other.videos + found.left_out == 4


def test_views_are_read_line_by_line(past: Past, tmp_path: Path) -> None:
    known = past.video(past.case(HUMAN))
    other = past.video(past.case(HUMAN))
    found = views(past, tmp_path, {known: 12, "=cmd": 3, "": 4, other: "many", "gone": 2**70})
    assert found.kept == 1
    assert found.refused == (
        "line 3: there is no video =cmd",
        "line 4: there is no video_id",
        "line 5: views must be a whole number from 0 on, got 'many'",
        f"line 6: views must be a whole number from 0 on, got '{2**70}'",
    )
    views(past, tmp_path, {known: 20, other: 0})
    with past.store.read() as session:
        kept = {row.video_id: row.views for row in session.query(ViewsRow)}
        last = session.query(events.EventRow).filter_by(kind="views.imported").count()
    assert kept == {known: 20, other: 0} and last == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"video,views\n", "needs the columns video_id, views"),
        (b"", "needs the columns"),
        (b"video_id,views\n\xff\xfe,1\n", "no CSV file in UTF-8|not a CSV file"),
        (None, "No such file"),
    ],
    ids=["another column", "empty", "not UTF-8", "missing"],
)
def test_a_file_of_views_that_cannot_be_read(past: Past, tmp_path: Path, content, why) -> None:
    path = tmp_path / "views.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=why):
        trials.import_views(past.store, LEAD, path)
