"""A deleted video leaves every snapshot: its texts go, the ids stay, a crash changes nothing."""

from __future__ import annotations

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.learning.dataset import files, removal
from coefvq.learning.dataset.make import make_snapshot
from coefvq.learning.dataset.read import list_snapshots, read_card, read_snapshot
from coefvq.learning.dataset.snapshot import Snapshot
from coefvq.settings import Settings
from coefvq.store import cases, events, snapshots
from coefvq.store.session import Store
from tests.unit.review.quality import ANN, HATE, LEA, answer, scored

SECRET = "the secret title of somebody who left"


@pytest.fixture
def made(store: Store, settings: Settings) -> Snapshot:
    """A snapshot of two videos; the first one's title is secret."""
    for content, title in ((b"one", SECRET), (b"two", "what everybody may read here today")):
        answer(store, settings, scored(store, settings, content, title=title)["icd"], HATE)
    return make_snapshot(store, settings, LEA)


def first_video(store: Store, made: Snapshot) -> str:
    (found,) = (item.video_id for item in made.items if item.posted.title == SECRET)
    return found


def test_its_texts_go_and_the_id_stays(store: Store, settings: Settings, made: Snapshot) -> None:
    video = first_video(store, made)
    assert removal.forget_video(store, settings, LEA, video) == 1
    after = read_snapshot(store, settings, made.id)
    assert after.items == tuple(item for item in made.items if item.video_id != video)
    assert (after.id, after.document) == (made.id, made.document)
    for path in made.folder.iterdir():
        assert SECRET.encode() not in path.read_bytes()
    assert video in (made.folder / files.CARD).read_text()
    assert "1 videos were deleted" in read_card(store, settings, LEA, made.id)
    assert [view.removed for view in list_snapshots(store, LEA)] == [1]
    with store.read() as session:
        (told,) = events.of_subject(session, "video", video)[-1:]
    assert (told.kind, told.data) == (removal.FORGOTTEN, {"snapshots": [made.id]})
    assert removal.forget_video(store, settings, LEA, video) == 0


def test_between_the_transaction_and_the_file_it_is_read_no_more(
    store: Store, settings: Settings, made: Snapshot
) -> None:
    """The process that deleted it died: the next reader passes it over and mends the file."""
    video = first_video(store, made)
    with store.write() as session:
        assert snapshots.forget_video(session, video) == (made.id,)
        assert snapshots.forget_video(session, video) == ()
    assert SECRET.encode() in (made.folder / files.ITEMS).read_bytes()
    after = read_snapshot(store, settings, made.id)
    assert video not in {item.video_id for item in after.items}
    assert SECRET.encode() not in (made.folder / files.ITEMS).read_bytes()
    assert removal.clean(store, settings) == 0


def test_a_disk_that_takes_nothing_is_no_reason_to_read_it(
    store: Store, settings: Settings, made: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = first_video(store, made)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        removal.forget_video(store, settings, LEA, video)
    assert video not in {item.video_id for item in read_snapshot(store, settings, 1).items}
    monkeypatch.undo()
    assert removal.clean(store, settings) == 1


def test_a_line_that_nobody_removed_is_missed(
    store: Store, settings: Settings, made: Snapshot
) -> None:
    video = first_video(store, made)
    files.rewrite_without(made.folder / files.ITEMS, {video})
    with pytest.raises(StoreError, match=f"lacks video {video}, which nobody removed"):
        read_snapshot(store, settings, made.id)


def test_only_leads(store: Store, settings: Settings) -> None:
    with pytest.raises(NotAllowed):
        removal.forget_video(store, settings, ANN, "v")


def test_what_was_never_in_one(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings)["icd"]
    with store.read() as session:
        video = cases.get(session, case_id).video_id
    assert removal.forget_video(store, settings, LEA, video) == 0
