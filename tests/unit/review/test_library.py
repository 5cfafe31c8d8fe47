"""The library: statuses, filters, progress, retry, files."""

from __future__ import annotations

import pytest

from coefvq.domain import RouteName
from coefvq.errors import SettingsError, StoreError
from coefvq.review import decide, library, queue, queues
from coefvq.review.access import LOCAL
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import jobs, videos
from coefvq.store.session import Store
from coefvq.store.tables import MediaRow
from tests.store_factory import ANN, route, scored, upload

PASS, FLAG = route(RouteName.AUTO_PASS), route(RouteName.AUTO_FLAG)


def every_status(store: Store, settings: Settings) -> None:
    """Make one video of each status; titles are the statuses."""
    scored(store, settings, b"1", title="to_review")
    scored(store, settings, b"2", title="auto_flag", routes={"icd": FLAG})
    scored(store, settings, b"3", title="auto_pass", routes={"icd": PASS})
    case_id = scored(store, settings, b"4", title="decided")["icd"]
    lease = queue.open_case(store, settings, ANN, case_id).lease
    assert lease is not None and lease.token is not None
    decide.submit(store, settings, ANN, case_id, lease.token, DecisionForm({}, "keep"))
    upload(store, settings, b"5", title="failed")
    with store.write() as session:
        job = jobs.claim_next(session, "w", 60.0)
        assert job is not None
        jobs.fail(session, job.lease, "unreadable_media", "No frame.", permanent=True)
    upload(store, settings, b"6", title="scoring")
    with store.write() as session:
        job = jobs.claim_next(session, "w", 60.0)
        assert job is not None
        jobs.report(session, job.lease, 0.5, "making previews")
    upload(store, settings, b"7", title="waiting")


def test_every_status_is_told_and_found(store: Store, settings: Settings) -> None:
    every_status(store, settings)
    page = library.list_videos(store, settings, ANN)
    assert {item.title: item.status for item in page.items} == {
        status: status for status in library.STATUSES
    }
    for status in library.STATUSES:
        found = library.list_videos(store, settings, ANN, status=status)
        assert ([item.title for item in found.items], found.total) == ([status], 1), status
    assert library.status_counts(store, ANN) == dict.fromkeys(library.STATUSES, 1)


def test_a_task_narrows_status_and_badges(store: Store, settings: Settings) -> None:
    scored(store, settings, title="clip")
    icd = library.list_videos(store, settings, ANN, task="icd")
    ucc = library.list_videos(store, settings, ANN, task="ucc")
    assert [item.status for item in icd.items] == ["to_review"]
    assert [item.status for item in ucc.items] == ["auto_pass"]
    assert [badge.task for badge in ucc.items[0].cases] == ["ucc"]
    assert library.list_videos(store, settings, ANN, task="ucc", status="to_review").total == 0
    assert library.status_counts(store, ANN, task="ucc")["auto_pass"] == 1


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        pytest.param({"status": "decidet"}, "Did you mean 'decided'", id="status"),
        pytest.param({"task": "icdd"}, "Did you mean 'icd'", id="task"),
    ],
)
def test_unknown_filters_get_a_hint(
    store: Store, settings: Settings, filters: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        library.list_videos(store, settings, ANN, **filters)  # type: ignore[arg-type]


def test_badges_carry_verdict_route_and_decision(store: Store, settings: Settings) -> None:
    every_status(store, settings)
    item = library.list_videos(store, settings, ANN, text="decided").items[0]
    icd = next(badge for badge in item.cases if badge.task == "icd")
    assert (icd.state, icd.verdict, icd.route) == ("decided", "needs_human", "human")
    assert (icd.decided, icd.probability) == ("ok", 0.87)


def test_a_failed_video_says_why_and_can_be_retried(store: Store, settings: Settings) -> None:
    every_status(store, settings)
    item = library.list_videos(store, settings, ANN, status="failed").items[0]
    assert (item.error_code, item.error) == ("unreadable_media", "No frame.")
    assert [job.id for job in library.set_aside(store, ANN)] == [item.job_id]
    assert library.set_aside(store, ANN)[0].title == "failed"
    library.retry(store, ANN, str(item.job_id))
    assert library.set_aside(store, ANN) == ()
    again = library.list_videos(store, settings, ANN, text="failed").items[0]
    assert (again.status, again.error, again.job_id) == ("waiting", None, None)


def test_an_unknown_job_cannot_be_retried(store: Store) -> None:
    with pytest.raises(StoreError, match="no job j0"):
        library.retry(store, ANN, "j0")


def test_running_jobs_show_their_progress(store: Store, settings: Settings) -> None:
    every_status(store, settings)
    (job,) = library.running(store, ANN)
    assert (job.title, job.progress, job.note) == ("scoring", 0.5, "making previews")


def test_progress_of_an_upload(store: Store, settings: Settings) -> None:
    every_status(store, settings)
    page = library.list_videos(store, settings, ANN)
    by_title = {item.title: item.video_id for item in page.items}
    wanted = [by_title[name] for name in ("waiting", "scoring", "failed", "to_review")]
    progress = library.progress(store, settings, ANN, wanted)
    assert (progress.total, progress.done, progress.failed) == (4, 1, 1)
    assert progress.fraction == pytest.approx((0.0 + 0.4 * 0.5 + 1 + 1) / 4)
    assert progress.note == "scoring: making previews"


@pytest.mark.parametrize("ids", [[], ["gone"]])
def test_progress_of_nothing_is_complete(store: Store, settings: Settings, ids: list[str]) -> None:
    progress = library.progress(store, settings, ANN, ids)
    assert (progress.total, progress.fraction, progress.items) == (0, 1.0, ())


def test_progress_of_many_is_not_cut(store: Store, settings: Settings) -> None:
    ids = [upload(store, settings, bytes([number])) for number in range(70)]
    assert library.progress(store, settings, ANN, ids).total == 70


def test_untitled_videos_show_their_file_name(store: Store, settings: Settings) -> None:
    upload(store, settings, original_name="../../=cmd.mp4")
    assert library.list_videos(store, settings, ANN).items[0].title == "../../=cmd.mp4"


def test_files_are_found_by_kind(store: Store, settings: Settings) -> None:
    video_id = upload(store, settings)
    original = library.media_file(store, settings, ANN, video_id, "original")
    assert original.read_bytes() == b"bytes"
    poster = settings.previews_dir / "poster.jpg"
    poster.parent.mkdir(parents=True)
    poster.write_bytes(b"jpeg")
    with store.write() as session:
        media = session.get_one(MediaRow, videos.get(session, video_id).sha256)
        media.poster, media.proxy = "poster.jpg", "not-there.mp4"
    assert library.media_file(store, settings, ANN, video_id, "poster") == poster


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        pytest.param("proxy", "has no proxy yet", id="not made"),
        pytest.param("contact_sheet", "no contact sheet yet", id="not made, two words"),
        pytest.param("../../etc/passwd", "Unknown kind of file", id="no path"),
        pytest.param("sha256", "Unknown kind of file", id="a column that is no file"),
    ],
)
def test_files_that_are_not_there(store: Store, settings: Settings, kind: str, says: str) -> None:
    video_id = upload(store, settings)
    with pytest.raises(StoreError, match=says):
        library.media_file(store, settings, ANN, video_id, kind)


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        pytest.param({"queue": "hate"}, ["waits"], id="queue"),
        pytest.param({"queue": "nobody's"}, [], id="an empty queue"),
        pytest.param({"policy": "hate_harassment"}, ["passed", "waits"], id="likeliest policy"),
        pytest.param({"policy": "hate_harassment", "status": "to_review"}, ["waits"], id="both"),
        pytest.param({"policy": "hate_harassment", "task": "ucc"}, [], id="of another task"),
        pytest.param({"uploader": "zoe"}, ["posted"], id="uploader"),
        pytest.param({"uploader": "zo"}, [], id="uploader is no start"),
        pytest.param({"text": "waits thrown", "status": "to_review"}, ["waits"], id="speech"),
        pytest.param({"text": "waits", "status": "auto_pass"}, [], id="text and another status"),
    ],
)
def test_filters_narrow(
    store: Store, settings: Settings, filters: dict[str, str], titles: list[str]
) -> None:
    queues.add(store, LOCAL, name="Hate", task="icd", policies=["hate_harassment"])
    upload(store, settings, b"0", title="posted", uploader="zoe")
    scored(store, settings, b"1", title="waits")
    scored(store, settings, b"2", title="passed", routes={"icd": PASS})
    found = library.list_videos(store, settings, ANN, **filters)  # type: ignore[arg-type]
    assert [item.title for item in found.items] == titles
    assert (found.total, found.uncounted) == (len(titles), False)


def test_an_unknown_policy_gets_a_hint(store: Store, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'violence'"):
        library.list_videos(store, settings, ANN, policy="violense")


def test_counting_stops_behind_a_limit(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "COUNTED", 3)
    for number in range(6):
        upload(store, settings, bytes([number]), title="same")
    first = library.list_videos(store, settings, ANN, text="same", limit=2)
    assert (first.total, first.uncounted, first.following) == (3, True, True)
    last = library.list_videos(store, settings, ANN, text="same", offset=4, limit=2)
    assert (len(last.items), last.following) == (2, False)
    whole = library.list_videos(store, settings, ANN, limit=2)
    assert (whole.total, whole.uncounted) == (6, False)


def test_where_it_was_found_is_told(store: Store, settings: Settings) -> None:
    scored(store, settings, b"1", title="clip")
    found = library.list_videos(store, settings, ANN, text="thrown").items[0].found
    assert found is not None and (found.part, found.hit) == ("speech", "thrown")
    assert library.list_videos(store, settings, ANN).items[0].found is None


def test_progress_of_everything(store: Store, settings: Settings) -> None:
    every_status(store, settings)
    progress = library.progress_of_all(store, ANN)
    assert (progress.total, progress.done, progress.failed) == (7, 4, 1)


def test_cases_of_a_task_are_found_for_a_selection(store: Store, settings: Settings) -> None:
    made = [scored(store, settings, bytes([number])) for number in range(3)]
    ids = {item.cases[0].case_id: item.video_id for item in
           library.list_videos(store, settings, ANN).items}  # fmt: skip
    chosen = [ids[made[2]["icd"]], ids[made[0]["icd"]]]
    assert library.case_ids(store, ANN, chosen, "icd") == (made[2]["icd"], made[0]["icd"])
    assert library.case_ids(store, ANN, ["gone"], "icd") == ()
