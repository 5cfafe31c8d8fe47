"""Which videos were looked at for copies, and what has to be looked at again."""

from __future__ import annotations

import pytest

from coefvq.originality.fingerprint import VERSION
from coefvq.settings import Settings
from coefvq.store import copies, copy_searches, jobs, originals, videos
from coefvq.store.session import Store
from coefvq.store.tables import JobKind
from tests.copies_factory import put_original
from tests.store_factory import scored, upload


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        pytest.param((), False, id="never"),
        pytest.param((None,), True, id="once"),
        pytest.param(("no_frames",), False, id="failed"),
        pytest.param(("no_frames", None), True, id="the last time counts"),
        pytest.param((None, "no_frames"), False, id="also where it failed"),
    ],
)
def test_searched(
    store: Store, settings: Settings, failed: tuple[str | None, ...], expected: bool
) -> None:
    video = upload(store, settings)
    for why in failed:
        with store.write() as session:
            copy_searches.note(session, video, VERSION, why)
    with store.read() as session:
        assert copy_searches.searched(session, video) is expected


def test_matches_note_that_somebody_looked(store: Store, settings: Settings) -> None:
    video = upload(store, settings)
    with store.write() as session:
        copies.put_matches(session, video, (), VERSION)
        assert copy_searches.searched(session, video)
        assert copies.matches_of(session, video) == []


def test_what_was_never_looked_at_is_queued_once(store: Store, settings: Settings) -> None:
    scored(store, settings, b"one")
    scored(store, settings, b"two")
    scored(store, settings, b"old")
    upload(store, settings, b"not scored yet")
    with store.write() as session:
        found, _ = videos.search(session)
        by_size = {row.sha256: row.id for row in found if row.status == videos.SCORED}
        one, two, old = sorted(by_size.values())
        copy_searches.note(session, one, VERSION)
        copy_searches.note(session, old, "fp-0")
        assert copy_searches.enqueue_missing(session, VERSION) == 2
        assert copy_searches.enqueue_missing(session, VERSION) == 2
        for video_id, queued in ((one, False), (two, True), (old, True)):
            job = jobs.open_job(session, JobKind.FINGERPRINT, video_id=video_id)
            assert (job is not None) is queued
        copy_searches.note(session, two, VERSION, "no_frames")
        assert copy_searches.enqueue_missing(session, VERSION) == 1


def test_the_same_bytes_are_a_copy_of_the_first_upload(store: Store, settings: Settings) -> None:
    first, second = upload(store, settings), upload(store, settings)
    put_original(store, first, originals.LIBRARY, video_id=first)
    with store.read() as session:
        one, two = videos.get(session, first), videos.get(session, second)
        assert copy_searches.first_upload(session, two) == first
        assert copy_searches.same_file(session, one, 9.0, True) == []
        (match,) = copy_searches.same_file(session, two, 9.0, True)
    assert (match.score, match.transform, match.by) == (1.0, (), ("picture", "sound"))
    assert (match.query_start_s, match.query_end_s, match.reference_end_s) == (0.0, 9.0, 9.0)


def test_a_known_original_is_one_for_the_first_upload_too(store: Store, settings: Settings) -> None:
    video = upload(store, settings)
    with store.read() as session:
        digest = videos.get(session, video).sha256
    put_original(store, "film.mp4", sha256=digest)
    put_original(store, "intro.mp4", originals.DO_NOT_MATCH, sha256=digest)
    with store.read() as session:
        (match,) = copy_searches.same_file(session, videos.get(session, video), 9.0, False)
    assert (match.reference, match.bank, match.by) == ("film.mp4", "originals", ("picture",))


def test_who_came_before_and_after(store: Store, settings: Settings) -> None:
    early, late = upload(store, settings, b"early"), upload(store, settings, b"late")
    with store.read() as session:
        assert not copy_searches.later_there(session, early)
    newest = put_original(store, late, originals.LIBRARY, video_id=late)
    with store.read() as session:
        assert copy_searches.later_there(session, early)
        assert not copy_searches.later_there(session, late)
        assert not copy_searches.earlier_since(session, late, newest)
    put_original(store, early, originals.LIBRARY, video_id=early)
    with store.read() as session:
        assert copy_searches.earlier_since(session, late, newest)
        assert not copy_searches.earlier_since(session, early, newest)
