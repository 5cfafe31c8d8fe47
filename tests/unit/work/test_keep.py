"""What the command line keeps of a score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq.prefilter.copies import with_copies
from coefvq.review import library
from coefvq.settings import Settings
from coefvq.store import assessments, cases, codec, status, videos
from coefvq.store.session import Store
from coefvq.store.tables import CopyMatchRow, VideoRow
from coefvq.work.keep import Keeper
from tests.copies_factory import found, put_original
from tests.store_factory import ANN, EXTRACTOR, result, upload

SHA = "ab" * 32


def keep(store: Store, **changes: object) -> None:
    keeper = Keeper(store)
    keeper.put(SHA, EXTRACTOR, b"payload")
    keeper.keep(replace(result(SHA), **changes))  # type: ignore[arg-type]
    assert keeper.pending == {}


def test_signals_and_assessments_are_kept_and_no_case(store: Store) -> None:
    keep(store)
    assert Keeper(store).get(SHA, EXTRACTOR) == b"payload"
    with store.read() as session:
        (video,) = session.query(VideoRow).all()
        assert [row.stage for row in assessments.of_video(session, video.id)] == [
            "prefilter",
            "mllm",
        ]
        assert set(cases.counts(session).values()) == {0}
        assert status.totals(session)["videos"] == 0


def test_copies_are_kept_as_evidence_and_not_as_matches(store: Store) -> None:
    """A kept file has no case and no page: nobody could answer on a match of it."""
    original = put_original(store, "film.mp4")
    match = found(store, original)
    first = with_copies(result(SHA).prefilter, [match])
    keep(store, prefilter=first, copies=(match,))
    with store.read() as session:
        (video,) = session.query(VideoRow).all()
        kept = codec.assessment_from(assessments.of_video(session, video.id)[0])
        assert kept.scores["reupload"].probability == pytest.approx(match.score)
        assert "film.mp4" in str(kept.evidence)
        assert session.query(CopyMatchRow).count() == 0


def test_scoring_the_same_file_again_adds_answers_not_videos(store: Store) -> None:
    keep(store)
    keep(store)
    with store.read() as session:
        (video,) = session.query(VideoRow).all()
        assert len(assessments.of_video(session, video.id)) == 4


def test_it_is_not_in_the_library(store: Store, settings: Settings) -> None:
    keep(store)
    assert library.list_videos(store, settings, ANN).total == 0


def test_signals_of_a_file_that_failed_are_dropped(store: Store) -> None:
    keeper = Keeper(store)
    keeper.put("cd" * 32, EXTRACTOR, b"of another file")
    keeper.keep(result(SHA))
    assert keeper.pending == {}
    assert keeper.get("cd" * 32, EXTRACTOR) is None


def test_given_signals_are_not_kept(store: Store) -> None:
    keep(store, info=None, sha256=None)
    with store.read() as session:
        assert session.query(VideoRow).count() == 0


def test_a_later_upload_brings_the_file(store: Store, settings: Settings) -> None:
    import hashlib

    sha256 = hashlib.sha256(b"bytes").hexdigest()
    Keeper(store).keep(result(sha256))
    video_id = upload(store, settings)
    with store.read() as session:
        video = videos.get(session, video_id)
        assert video.media.file_name == f"{sha256}.mp4"
        assert videos.copies(session, video) == []
    assert library.media_file(store, settings, ANN, video_id, "original").is_file()


def test_open_uses_the_settings(settings: Settings) -> None:
    keeper = Keeper.open(settings)
    assert keeper.get(SHA, EXTRACTOR) is None
    keeper.close()
