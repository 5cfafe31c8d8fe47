"""From decisions to a snapshot: labels, what is left out, identity, and what goes wrong on disk."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from coefvq.domain import RouteName
from coefvq.errors import NotAllowed, SettingsError, StoreError, TrainingError
from coefvq.learning.dataset import files
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.dataset.make import make_snapshot
from coefvq.learning.dataset.read import list_snapshots, read_card, read_snapshot, show_snapshot
from coefvq.learning.dataset.snapshot import Snapshot
from coefvq.learning.dataset.wanted import Wanted
from coefvq.review import adjudicate, appeals, copy_answers, decide, golden, queues
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store import cases, events, snapshots
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, VideoRow, utcnow
from tests.copies_factory import copy_of_video
from tests.store_factory import route, upload
from tests.unit.review.quality import (
    ANN,
    BOB,
    CYD,
    HATE,
    KEEP,
    LEA,
    VIOLENCE,
    answer,
    differing,
    scored,
)

TITLE = "you should really watch this one"


def make(store: Store, settings: Settings, **wanted: object) -> Snapshot:
    return make_snapshot(store, settings, LEA, wanted=Wanted(**wanted))  # type: ignore[arg-type]


def only(snapshot: Snapshot) -> LabelledVideo:
    (item,) = snapshot.items
    return item


def video_of(store: Store, case_id: str) -> str:
    with store.read() as session:
        return cases.get(session, case_id).video_id


def several(store: Store, settings: Settings, number: int) -> list[str]:
    """So many decided cases of videos with nothing in common; ids of the videos."""
    made = []
    for at in range(number):
        content = f"bytes {at}".encode()
        case_id = scored(store, settings, content, title=f"{TITLE} {at}")["icd"]
        answer(store, settings, case_id, HATE if at % 2 else KEEP)
        made.append(video_of(store, case_id))
    return made


def test_a_decision_becomes_an_item(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, title=TITLE)["icd"]
    answer(store, settings, case_id, replace(VIOLENCE, start_s=1.5, end_s=4.0))
    item = only(make(store, settings))
    assert item.video_id == video_of(store, case_id)
    assert (item.posted.title, item.language, item.span) == (TITLE, "en", (1.5, 4.0))
    assert item.labels == {
        "violence": 1, "hate_harassment": 0, "sexual": 0, "scam_spam": 0, "dangerous_acts": 0,
    }  # fmt: skip
    assert item.votes["violence"] == (1,) and item.weights["violence"] == 1.0
    assert item.machine["violence"] == pytest.approx(0.1) and item.machine["sexual"] is None
    assert item.corrected == {"violence", "hate_harassment"}
    assert (item.audit, item.propensity, item.audited) == (False, 1.0, frozenset())


@pytest.mark.parametrize(
    ("ruled", "label", "weight"),
    [
        pytest.param(None, None, None, id="two people differ: no label"),
        pytest.param("first", 1, 2 / 3, id="adjudicated for the first"),
        pytest.param("second", 0, 2 / 3, id="adjudicated for the second"),
    ],
)
def test_a_second_look_is_a_vote(
    store: Store, settings: Settings, ruled: str | None, label: int | None, weight: float | None
) -> None:
    look = differing(store, settings)
    if ruled:
        adjudicate.settle(store, settings, LEA, look.id, ruled)
    snapshot = make(store, settings)
    item = only(snapshot)
    assert item.labels.get("hate_harassment") == label
    assert item.weights.get("hate_harassment") == (weight and pytest.approx(weight))
    assert item.votes["hate_harassment"][:2] == (1, 0)
    assert item.labels["violence"] == 0
    assert snapshot.document["left_out"]["tied"] == (0 if ruled else 1)
    assert snapshot.document["disputed"] == 1


def test_an_appeal_overrules_the_review(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, settings, case_id, HATE)
    filed = appeals.file(store, LEA, case_id, "it was satire")
    appeals.overturn(store, settings, LEA, filed.id, "satire")
    item = only(make(store, settings))
    assert (item.labels["hate_harassment"], item.votes["hate_harassment"]) == (0, (1, 0))


def test_what_was_undone_does_not_count(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, settings, case_id, HATE)
    decide.undo_last(store, settings, ANN)
    with pytest.raises(TrainingError, match="nothing to learn from"):
        make(store, settings)


@pytest.mark.parametrize(
    ("drawn", "propensity"),
    [pytest.param(True, 0.02, id="an audit"), pytest.param(False, 1.0, id="no audit")],
)
def test_random_audits_carry_their_propensity(
    store: Store, settings: Settings, drawn: bool, propensity: float
) -> None:
    passed = route(RouteName.AUTO_PASS, audit=drawn, propensity=0.02)
    case_id = scored(store, settings, routes={"icd": passed})["icd"]
    answer(store, settings, case_id, HATE)
    item = only(make(store, settings))
    assert (item.audit, item.propensity) == (drawn, propensity)
    assert set(item.propensities.values()) == {propensity}
    assert item.audited == (frozenset(item.labels) if drawn else frozenset())


def test_golden_cases_are_apart_and_stay_so_once_retired(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    answer(store, settings, case_id, HATE)
    known = golden.add(store, LEA, case_id, {"violence": True})
    answer(store, settings, case_id, HATE, CYD)
    first = only(make(store, settings))
    assert (first.split, first.labels["violence"], first.labels["hate_harassment"]) == (
        "golden", 1, 0,
    )  # fmt: skip
    golden.retire(store, LEA, known.id)
    assert only(make(store, settings)).split == "golden"


@pytest.mark.parametrize(
    ("said", "also", "label"),
    [
        pytest.param(["confirmed"], None, 1, id="confirmed"),
        pytest.param(["rejected"], None, 0, id="all rejected"),
        pytest.param(["rejected", None], None, None, id="rejected, and one not answered"),
        pytest.param(["rejected", "confirmed"], None, 1, id="one of two confirmed"),
        pytest.param(["confirmed"], KEEP, 0, id="a decision on the case counts more"),
    ],
)
def test_copy_answers_label_reupload(
    store: Store,
    settings: Settings,
    said: list[str | None],
    also: object,
    label: int | None,
) -> None:
    originals = [upload(store, settings, f"original {at}".encode()) for at in range(len(said))]
    ucc = scored(store, settings, b"the copy")["ucc"]
    copy = video_of(store, ucc)
    for original, word in zip(originals, said, strict=True):
        match = copy_of_video(store, copy, original)
        if word:
            copy_answers.answer(store, settings, LEA, match, word)
        _keep_earlier_matches(store, copy)
    if also is not None:
        answer(store, settings, ucc, also)  # type: ignore[arg-type]
    elif label is None:
        with pytest.raises(TrainingError):
            make(store, settings)
        return
    item = {item.video_id: item for item in make(store, settings).items}[copy]
    assert item.labels["reupload"] == label


def _keep_earlier_matches(store: Store, video_id: str) -> None:
    """A search replaces the one before it; these came from one."""
    from sqlalchemy import update

    from coefvq.store.tables import CopyMatchRow

    with store.write() as session:
        mine = update(CopyMatchRow).where(CopyMatchRow.video_id == video_id)
        session.execute(mine.values(replaced_at=None))


def test_an_original_that_came_later_makes_no_copy(store: Store, settings: Settings) -> None:
    first = video_of(store, scored(store, settings, b"earlier")["ucc"])
    later = upload(store, settings, b"later")
    match = copy_of_video(store, first, later)
    copy_answers.answer(store, settings, LEA, match, "confirmed")
    with pytest.raises(TrainingError):
        make(store, settings)


def test_restricted_queues_are_left_out(store: Store, settings: Settings) -> None:
    queues.add(store, LEA, "Worst", policies=["hate_harassment"], restricted=True)
    case_id = scored(store, settings, b"one")["icd"]
    answer(store, settings, case_id, HATE)
    other = scored(store, settings, b"two", icd={"violence": 0.9})["icd"]
    answer(store, settings, other, VIOLENCE)
    snapshot = make(store, settings)
    assert [item.video_id for item in snapshot.items] == [video_of(store, other)]
    assert snapshot.document["left_out"]["restricted"] == 1
    assert "1 videos are left out: in a restricted queue" in read_card(store, settings, LEA, 1)


WANTED = [
    ({}, 2, 9),
    ({"tasks": ("icd",)}, 1, 5),
    ({"policies": ("violence",)}, 1, 1),
    ({"roles": ("reviewer",)}, 1, 5),
    ({"since": timedelta(0)}, 0, 0),
    ({"since": timedelta(days=-1), "until": timedelta(0)}, 2, 9),
    ({"until": timedelta(days=-1)}, 0, 0),
]
"""What is wanted (times count from now), and how many videos and labels that is."""


def test_what_is_wanted(anywhere: Store, settings: Settings) -> None:
    answer(anywhere, settings, scored(anywhere, settings, b"one")["icd"], HATE, ANN)
    answer(anywhere, settings, scored(anywhere, settings, b"two")["ucc"], KEEP, LEA)
    for wanted, videos, labels in WANTED:
        given = {
            name: utcnow() + value if isinstance(value, timedelta) else value
            for name, value in wanted.items()
        }
        if not videos:
            with pytest.raises(TrainingError, match="No decision"):
                make(anywhere, settings, **given)
            continue
        snapshot = make(anywhere, settings, **given)
        assert len(snapshot.items) == videos, wanted
        assert sum(len(item.labels) for item in snapshot.items) == labels, wanted


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"tasks": ("idc",)}, id="task"),
        pytest.param({"policies": ("violense",)}, id="policy"),
        pytest.param({"roles": ("reviewr",)}, id="role"),
    ],
)
def test_unknown_names_are_refused(
    store: Store, settings: Settings, wanted: dict[str, object]
) -> None:
    with pytest.raises(SettingsError, match="Did you mean"):
        make(store, settings, **wanted)


def test_only_leads(store: Store, settings: Settings) -> None:
    for call in (
        lambda: make_snapshot(store, settings, ANN),
        lambda: list_snapshots(store, ANN),
        lambda: show_snapshot(store, ANN, 1),
        lambda: read_card(store, settings, ANN, 1),
    ):
        with pytest.raises(NotAllowed):
            call()


def test_the_same_answers_are_the_same_snapshot(store: Store, settings: Settings) -> None:
    several(store, settings, 2)
    first, again = make(store, settings), make(store, settings, seed=5)
    assert (again.id, again.number, again.items) == (first.id, 1, first.items)
    answer(store, settings, scored(store, settings, b"more")["icd"], HATE)
    second = make(store, settings)
    assert second.number == 2 and second.id != first.id
    assert [view.number for view in list_snapshots(store, LEA)] == [2, 1]
    with store.read() as session:
        told = events.of_subject(session, "snapshot", first.id)
    assert [(event.kind, event.actor) for event in told] == [("dataset.made", "lea")]


def test_it_is_read_as_it_was_made(store: Store, settings: Settings) -> None:
    several(store, settings, 2)
    made = make(store, settings)
    for name in (1, "1", "#1", made.id, made.id[:8], made.id[:8].upper()):
        assert read_snapshot(store, settings, name) == made
    assert {item.video_id for item in made.split("train", "validation", "test", "golden")} == {
        item.video_id for item in made.items
    }
    assert [item.split for item in made.split("train")] == ["train"] * len(made.split("train"))
    with pytest.raises(TrainingError, match="Did you mean 'train'"):
        made.split("trian")
    for wrong in ("2", "zz", "0000000000"):
        with pytest.raises(StoreError, match="no snapshot"):
            read_snapshot(store, settings, wrong)


def test_merged_groups_are_the_most_protected(anywhere: Store, settings: Settings) -> None:
    """Two of different splits turn out to show the same footage."""
    store = anywhere
    trained, tested, other = several(store, settings, 3)
    with store.write() as session:
        dealt = {trained: "train", tested: "test", other: "validation"}
        snapshots.add(session, "f" * 64, 1, {}, dealt, 3, "lea")
    assert {i.video_id: i.split for i in make(store, settings).items} == dealt
    copy_of_video(store, trained, tested)
    after = make(store, settings)
    found = {item.video_id: item for item in after.items}
    assert {video: item.split for video, item in found.items()} == dealt | {trained: "test"}
    assert found[trained].group == found[tested].group != found[other].group
    assert after.document["merged"] == after.document["once_trained"] == [trained]
    assert "flatter earlier models" in read_card(store, settings, LEA, after.number)


def test_a_file_changed_on_disk_is_refused_with_its_hash(store: Store, settings: Settings) -> None:
    several(store, settings, 2)
    made = make(store, settings)
    path = made.folder / files.ITEMS
    path.write_bytes(path.read_bytes().replace(b'"violence":0', b'"violence":1'))
    with pytest.raises(StoreError, match=rf"changed on disk: .* is [0-9a-f]{{64}}.*{made.id}"):
        read_snapshot(store, settings, 1)
    assert make(store, settings).id == made.id  # making it again mends it
    assert read_snapshot(store, settings, 1).items == made.items


DAMAGE = [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(path.read_bytes()[:-40]),
    lambda path: path.write_bytes(b""),
]


def test_damage_is_told_and_mended(store: Store, settings: Settings) -> None:
    several(store, settings, 2)
    made = make(store, settings)
    for damage in DAMAGE:
        damage(made.folder / files.ITEMS)
        with pytest.raises(StoreError, match="backup, or make a new snapshot"):
            read_snapshot(store, settings, 1)
        assert make(store, settings).number == 1
        assert read_snapshot(store, settings, 1) == made


CRASHES = [(files, "write_whole"), (os, "rename"), (snapshots, "add")]


def test_a_crash_leaves_nothing_half(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(store, settings, 2)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for where, step in CRASHES:
        with monkeypatch.context() as broken:
            broken.setattr(where, step, crash)
            with pytest.raises(KeyboardInterrupt):
                make(store, settings)
        assert list_snapshots(store, LEA) == []
        left = [path.name for path in settings.datasets_dir.iterdir()]
        assert all(len(name) == 64 for name in left)  # a whole folder, or none
    assert read_snapshot(store, settings, make(store, settings).id).number == 1


def test_a_full_disk_is_told_and_nothing_is_kept(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(store, settings, 2)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match=r"No space left on device\. Make room"):
        make(store, settings)
    assert list(settings.datasets_dir.iterdir()) == []
    assert list_snapshots(store, LEA) == []


def test_another_snapshot_made_meanwhile_is_heeded(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its splits must be known, or one could train on what the other holds out."""
    several(store, settings, 2)
    real, calls = snapshots.newest_number, iter([7])
    monkeypatch.setattr(snapshots, "newest_number", lambda s: next(calls, None) or real(s))
    assert make(store, settings).number == 1
    monkeypatch.setattr(snapshots, "newest_number", lambda s: object())
    answer(store, settings, scored(store, settings, b"more")["icd"], HATE)
    with pytest.raises(TrainingError, match="at the same time"):
        make(store, settings)


def test_a_deleted_video_does_not_come_back(store: Store, settings: Settings) -> None:
    first, second = several(store, settings, 2)
    make(store, settings)
    with store.write() as session:
        snapshots.forget_video(session, first)
    again = make(store, settings)
    assert [item.video_id for item in again.items] == [second]
    assert again.document["left_out"]["removed"] == 1


def test_a_held_out_video_that_was_deleted_still_holds_its_group_out(
    store: Store, settings: Settings
) -> None:
    """Its uploads come again: the same footage must not be trained on now."""
    video = several(store, settings, 1)[0]
    with store.write() as session:
        snapshots.add(session, "f" * 64, 1, {}, {video: "test"}, 1, "lea")
        snapshots.forget_video(session, video)
        sha256 = session.get_one(VideoRow, video).sha256
        icd = session.query(CaseRow).filter_by(video_id=video, task="icd").one()
        assert icd.state == "decided" and sha256
    again = scored(store, settings, b"bytes 0")["icd"]
    answer(store, settings, again, HATE, BOB)
    assert only(make(store, settings)).split == "test"


def test_local_is_nobody(store: Store, settings: Settings) -> None:
    several(store, settings, 3)
    with store.read() as session:
        assert {row.uploader for row in session.query(VideoRow)} == {LOCAL.name}
    assert len({item.group for item in make(store, settings).items}) == 3
