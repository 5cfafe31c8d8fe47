"""A video's history: everything that happened, in order, and only for those who may see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import bulk, decide, history, library, notes, queue, queues
from coefvq.review.access import LOCAL, Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, jobs
from coefvq.store.session import Store
from tests.store_factory import ANN, BOB, scored, upload

VIEWER = Actor("eve", frozenset({"viewer"}))
REMOVE = DecisionForm(
    {"hate_harassment": True}, "remove", {"hate_harassment": "other"}, "<i>said aloud</i>",
    notice="Your video breaks a rule.",
)  # fmt: skip


def video_of(store: Store, case_id: str) -> str:
    with store.read() as session:
        return cases.get(session, case_id).video_id


def kinds(found: history.VideoHistory) -> list[str]:
    return [entry.kind for entry in found.entries]


def open_(store: Store, settings: Settings, actor: Actor, case_id: str) -> int:
    lease = queue.open_case(store, settings, actor, case_id).lease
    assert lease is not None and lease.token is not None
    return lease.token


def everything(store: Store, settings: Settings) -> str:
    """Let all happen to one video; its icd case."""
    case_id = scored(store, settings, title="clip")["icd"]
    queue.skip(store, settings, ANN, case_id, open_(store, settings, ANN, case_id), reason="unsure")
    token = open_(store, settings, ANN, case_id)
    decide.submit(store, settings, ANN, case_id, token, REMOVE)
    decide.undo_last(store, settings, ANN)
    notes.add(store, ANN, case_id, "look at the caption")
    token = open_(store, settings, ANN, case_id)
    decide.second_look(store, settings, ANN, case_id, token, "am I right?")
    queue.assign(store, LOCAL, case_id, LOCAL.name)
    return case_id


def test_everything_is_told_in_its_order(store: Store, settings: Settings) -> None:
    case_id = everything(store, settings)
    found = history.of_video(store, ANN, video_of(store, case_id))
    told = [kind for kind in kinds(found) if kind != "case.claimed"]
    assert told == [
        "video.uploaded", "video.scored", "video.scored", "case.skipped", "case.decided",
        "decision.undone", "case.noted", "case.second_look", "case.assigned",
    ]  # fmt: skip
    times = [entry.at for entry in found.entries]
    assert times == sorted(times)
    assert [head.task for head in found.cases] == ["icd", "ucc"]
    assert (found.title, found.hidden) == ("clip", 0)


def test_each_entry_says_who_and_what(store: Store, settings: Settings) -> None:
    case_id = everything(store, settings)
    found = history.of_video(store, ANN, video_of(store, case_id))
    first = {(entry.kind, entry.task): entry for entry in reversed(found.entries)}
    machine = first["video.scored", "icd"]
    assert (machine.actor, machine.case_id) == ("worker-test", case_id)
    assert machine.data["models"] == {"prefilter": "prefilter-test", "mllm": "mllm-test"}
    assert machine.data["policies"]["hate_harassment"]["final"] == 0.87
    assert (machine.data["route"], machine.data["reason"]) == ("human", "unsure")
    decided = first["case.decided", "icd"]
    assert decided.actor == "ann" and decided.data["comment"] == "<i>said aloud</i>"
    assert decided.data["labels"]["hate_harassment"] == "violation"
    assert decided.data["notice"] == "Your video breaks a rule."
    assert first["case.skipped", "icd"].data["reason"] == "unsure"
    assert first["case.second_look", "icd"].data["comment"] == "am I right?"
    assert first["case.noted", "icd"].data["text"] == "look at the caption"
    assert first["case.assigned", "icd"].data["to"] == LOCAL.name


def test_a_batch_and_its_undo_are_told(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, title="clip")["icd"]
    batch = bulk.decide_many(store, settings, LOCAL, [case_id], replace(REMOVE, notice=""))
    bulk.undo_batch(store, LOCAL, batch.batch_id)
    found = history.of_video(store, ANN, video_of(store, case_id))
    by = [(e.kind, e.data.get("batch")) for e in found.entries if "batch" in e.data]
    assert by == [("case.decided", batch.batch_id), ("decision.undone", batch.batch_id)]


def test_failures_and_retries_are_told(store: Store, settings: Settings) -> None:
    video_id = upload(store, settings)
    with store.write() as session:
        job = jobs.claim_next(session, "w", 60.0)
        assert job is not None
        jobs.fail(session, job.lease, "no_frames", "No frame.", permanent=True)
    library.retry(store, LOCAL, job.id)
    found = history.of_video(store, ANN, video_id)
    assert kinds(found) == ["video.uploaded", "job.set_aside", "job.retried"]
    assert found.entries[1].data == {"job": "ingest", "code": "no_frames"}


def test_a_video_sent_to_review_says_by_whom(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, title="clip")["icd"]
    bulk.enqueue_videos(store, BOB, [video_of(store, case_id)])
    found = history.of_video(store, ANN, video_of(store, case_id))
    sent = [(e.kind, e.actor, e.task) for e in found.entries if e.kind == "case.sent"]
    assert sent == [("case.sent", "bob", "ucc")]


def test_notes_are_for_people_who_may_decide(store: Store, settings: Settings) -> None:
    case_id = everything(store, settings)
    video_id = video_of(store, case_id)
    assert "case.noted" in kinds(history.of_video(store, ANN, video_id))
    assert "case.noted" not in kinds(history.of_video(store, VIEWER, video_id))


def test_nothing_of_a_restricted_queue_is_told_to_others(store: Store, settings: Settings) -> None:
    queues.add(store, LOCAL, name="Minors", task="icd", restricted=True)
    case_id = scored(store, settings, title="clip")["icd"]
    outsider = replace(ANN, queues=frozenset())
    found = history.of_video(store, outsider, video_of(store, case_id))
    assert [head.task for head in found.cases] == ["ucc"]
    assert found.hidden == 1
    assert {entry.task for entry in found.entries} == {None, "ucc"}
    assert library.list_videos(store, settings, outsider).items == ()
    assert library.list_videos(store, settings, outsider, text="clip").total == 0
    assert library.list_videos(store, settings, LOCAL).total == 1
    with pytest.raises(NotAllowed, match="restricted queue"):
        library.media_file(store, settings, outsider, video_of(store, case_id), "poster")


def test_other_videos_are_not_told(store: Store, settings: Settings) -> None:
    everything(store, settings)
    other = upload(store, settings, b"other")
    assert kinds(history.of_video(store, ANN, other)) == ["video.uploaded"]


def test_an_unknown_video_is_an_error(store: Store, settings: Settings) -> None:
    for call in (
        lambda actor: history.of_video(store, actor, "v0"),
        lambda actor: history.video(store, settings, actor, "v0"),
    ):
        with pytest.raises(StoreError, match="no video v0"):
            call(ANN)
        with pytest.raises(NotAllowed):
            call(Actor("x", frozenset()))
