"""Copies beside their originals: who is told what, and what an answer does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from coefvq.errors import DecisionRefused, NotAllowed, StoreError
from coefvq.originality import fingerprint
from coefvq.review import (
    banks,
    blind,
    case_view,
    copies,
    copy_answers,
    history,
    queue,
    queues,
    similar,
)
from coefvq.review.access import LOCAL, Actor
from coefvq.review.copy_views import BANK, LIBRARY, REMOVED, RESTRICTED, CopyPair
from coefvq.review.footage import cut
from coefvq.settings import Settings
from coefvq.store import copies as rows_of
from coefvq.store import events, originals, videos
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, OriginalRow, VideoRow
from tests.copies_factory import (
    copy_of_video,
    fingerprint_of,
    found,
    put_matches,
    put_original,
)
from tests.unit.review.quality import (
    ANN,
    BOB,
    HATE,
    LEA,
    VIC,
    answer,
    looks_of,
    scored,
    shares,
    token_of,
)


@dataclass
class Two:
    """An original, its copy and their match; case ids by task."""

    original: str
    copy: str
    match: str
    first: dict[str, str]
    second: dict[str, str]


@pytest.fixture
def two(store: Store, settings: Settings) -> Two:
    first = scored(store, settings, b"original", title="a walk <b>")
    second = scored(store, settings, b"copy", title="my walk")
    with store.read() as session:
        ids = [row.id for row in session.query(VideoRow).order_by(VideoRow.id)]
    match = copy_of_video(store, ids[1], ids[0], seconds=10.0)
    return Two(ids[0], ids[1], match, first, second)


def pairs(store: Store, settings: Settings, two: Two, actor: Actor = ANN) -> tuple[CopyPair, ...]:
    return copies.of_video(store, settings, actor, two.copy).pairs


def say(store: Store, settings: Settings, two: Two, said: str, actor: Actor = ANN, **how: Any):
    return copy_answers.answer(store, settings, actor, two.match, said, **how)


def live(store: Store, bank: str) -> list[OriginalRow]:
    with store.read() as session:
        rows = session.query(OriginalRow).filter_by(bank=bank, removed_at=None)
        return list(rows.order_by(OriginalRow.id))


def told_events(store: Store, match: str) -> list[tuple[str, str, dict[str, Any]]]:
    with store.read() as session:
        rows = events.of_subject(session, "copy", match)
    return [(row.kind, row.actor, row.data) for row in rows]


def test_a_case_shows_its_original_with_the_seconds(store: Store, settings: Settings, two: Two):
    (pair,) = case_view.view(store, settings, VIC, two.second["icd"]).pairs
    assert (pair.match_id, pair.video_id, pair.score) == (two.match, two.copy, 0.97)
    assert pair.transform == ("mirror", "speed") and pair.by == ("picture",)
    (span,) = pair.spans
    assert (span.query_start_s, span.query_end_s) == (0.5, 2.5)
    assert (span.reference_start_s, span.reference_end_s) == (1.0, 2.6)
    assert span.speed == pytest.approx(0.8)
    assert pair.original.where == LIBRARY and pair.original.banks == ("library",)
    assert pair.original.video is not None and pair.original.video.title == "a walk <b>"
    assert pair.answer is None
    assert case_view.view(store, settings, VIC, two.first["icd"]).pairs == ()


def test_a_video_tells_of_its_later_copies(store: Store, settings: Settings, two: Two):
    known = copies.of_video(store, settings, ANN, two.original)
    assert (known.pairs, known.searched) == ((), False)
    assert [(each.video_id, each.title) for each in known.later] == [(two.copy, "my walk")]
    assert copies.of_video(store, settings, ANN, two.copy).searched
    say(store, settings, two, "rejected")
    assert copies.of_video(store, settings, ANN, two.original).later == ()


def test_one_pair_a_file_and_a_bank_of_what_proves_nothing_is_none(
    store: Store, settings: Settings, two: Two
):
    with store.read() as session:
        sha256 = videos.get(session, two.original).sha256
    library = live(store, originals.LIBRARY)[0].id
    again = put_original(store, "walk.mp4", sha256=sha256)
    intro = put_original(store, "intro", originals.DO_NOT_MATCH, sha256="1" * 64)
    film = put_original(store, "/films/b.mp4", sha256="b" * 64)
    put_matches(
        store, two.copy,
        found(store, library, 0.6), found(store, library, 0.9, span=(3.0, 4.0, 7.0, 8.0)),
        found(store, again, 0.5), found(store, intro, 0.99), found(store, film, 0.95),
    )  # fmt: skip
    best, second = pairs(store, settings, two)
    assert (best.original.where, best.original.reference) == (BANK, "/films/b.mp4")
    assert best.original.video is None
    assert second.score == 0.9 and [s.query_start_s for s in second.spans] == [0.5, 3.0]
    assert second.original.banks == ("library", "originals")


def test_an_original_that_was_taken_out_says_so(store: Store, settings: Settings, two: Two):
    film = put_original(store, "/films/b.mp4", sha256="b" * 64)
    put_matches(store, two.copy, found(store, film))
    with store.write() as session:
        originals.remove(session, film, "lea")
    (pair,) = pairs(store, settings, two)
    assert (pair.original.where, pair.original.reference) == (REMOVED, "/films/b.mp4")


def test_an_original_in_a_closed_queue_is_not_shown_but_said(
    store: Store, settings: Settings, two: Two
):
    made = queues.add(store, LOCAL, "Minors", restricted=True)
    case = two.first["icd"]
    with store.write() as session:
        for row in session.query(CaseRow):
            row.queue = made.id if row.id == case else None
    outside = replace(ANN, queues=frozenset({"other"}))
    (pair,) = pairs(store, settings, two, outside)
    assert pair.original.where == RESTRICTED
    assert (pair.original.video, pair.original.reference) == (None, "")
    assert "walk" not in repr(pair)
    with pytest.raises(NotAllowed, match="restricted queue"):
        say(store, settings, two, "confirmed", outside)
    with pytest.raises(NotAllowed, match="restricted queue"):
        copies.of_video(store, settings, outside, two.original)
    found_alike = similar.similar_to(store, settings, outside, two.copy)
    assert (found_alike.items, found_alike.copies) == ((), 0)
    assert pairs(store, settings, two, LEA)[0].original.where == LIBRARY


def test_who_answers_blind_is_shown_no_pair_anywhere(store: Store, settings: Settings, two: Two):
    every = shares(settings, blind=1.0)
    case_id = two.second["icd"]
    view = queue.open_case(store, every, BOB, case_id)
    assert view.blind and view.pairs == ()
    hidden = copies.of_video(store, every, BOB, two.copy)
    assert (hidden.pairs, hidden.left_out) == ((), True)
    assert copies.of_video(store, every, BOB, two.original).later == ()
    assert similar.similar_to(store, every, BOB, two.copy).copies == 0
    with pytest.raises(DecisionRefused, match="first"):
        say(store, every, two, "confirmed", BOB)
    opened = blind.first_answer(store, every, BOB, case_id, token_of(view), {})
    assert [pair.match_id for pair in opened.pairs] == [two.match]
    assert say(store, every, two, "confirmed", BOB).said == "confirmed"


def test_leads_are_told_outside_of_review_and_answer_first_all_the_same(
    store: Store, settings: Settings, two: Two
):
    every = shares(settings, blind=1.0)
    assert len(pairs(store, every, two, LEA)) == 1
    with pytest.raises(DecisionRefused):
        say(store, every, two, "confirmed", LEA)


def test_confirming_keeps_the_answer_and_makes_it_a_known_original(
    store: Store, settings: Settings, two: Two
):
    done = say(store, settings, two, "confirmed", note="same take")
    (known,) = live(store, originals.KNOWN)
    assert done.added == {originals.KNOWN: known.id}
    assert (known.reference, known.video_id, known.added_by) == (two.original, two.original, "ann")
    assert known.fingerprint == live(store, originals.LIBRARY)[0].fingerprint
    (pair,) = pairs(store, settings, two)
    assert pair.confirmed and pair.answer is not None
    assert (pair.answer.reviewer, pair.answer.note) == ("ann", "same take")
    ((kind, who, data),) = told_events(store, two.match)
    assert (kind, who) == ("copy.confirmed", "ann")
    assert (data["video"], data["added"]) == (two.copy, done.added)
    assert say(store, settings, two, "confirmed").added == {}
    assert len(live(store, originals.KNOWN)) == 1


def test_rejecting_is_remembered_for_the_pair_and_confirming_brings_it_back(
    store: Store, settings: Settings, two: Two
):
    assert say(store, settings, two, "rejected").added == {}
    with store.read() as session:
        assert rows_of.matches_of(session, two.copy) == []
    (pair,) = pairs(store, settings, two)
    assert pair.rejected
    assert similar.similar_to(store, settings, ANN, two.copy).copies == 0
    say(store, settings, two, "confirmed")
    assert pairs(store, settings, two)[0].confirmed
    assert [kind for kind, *_ in told_events(store, two.match)] == [
        "copy.rejected", "copy.confirmed",
    ]  # fmt: skip


def test_an_answer_takes_back_what_the_other_one_put_into_a_bank(
    store: Store, settings: Settings, two: Two
):
    say(store, settings, two, "confirmed")
    rejected = say(store, settings, two, "rejected", LEA, proves_nothing=True)
    assert rejected.removed == (originals.KNOWN,)
    assert live(store, originals.KNOWN) == []
    (put,) = live(store, originals.DO_NOT_MATCH)
    assert rejected.added == {originals.DO_NOT_MATCH: put.id}
    assert put.reference == f"{two.original} 1.0-2.6 s" and put.duration_s == pytest.approx(1.6)
    part = fingerprint.from_bytes(put.fingerprint)
    whole = fingerprint.from_bytes(live(store, originals.LIBRARY)[0].fingerprint)
    assert np.array_equal(part.hashes, whole.hashes[1:3])
    assert say(store, settings, two, "confirmed").removed == (originals.DO_NOT_MATCH,)
    assert live(store, originals.DO_NOT_MATCH) == []
    assert len(live(store, originals.KNOWN)) == 1


def test_an_original_that_is_confirmed_elsewhere_stays_known(
    store: Store, settings: Settings, two: Two
):
    scored(store, settings, b"another copy", title="walk 3")
    with store.read() as session:
        third = session.query(VideoRow).order_by(VideoRow.id.desc()).first()
    (library,) = live(store, originals.LIBRARY)
    (other,) = put_matches(store, third.id, found(store, library.id))
    say(store, settings, two, "confirmed")
    copy_answers.answer(store, settings, BOB, other, "confirmed")
    assert say(store, settings, two, "rejected").removed == ()
    assert len(live(store, originals.KNOWN)) == 1


@pytest.mark.parametrize(
    ("actor", "said", "nothing", "error", "words"),
    [
        pytest.param(VIC, "confirmed", False, NotAllowed, "may not decide", id="a viewer"),
        pytest.param(ANN, "rejected", True, NotAllowed, "may not", id="nothing, by no lead"),
        pytest.param(ANN, "perhaps", False, StoreError, "no answer", id="no such answer"),
    ],
)
def test_what_is_refused_leaves_no_trace(
    store: Store, settings: Settings, two: Two, actor, said, nothing, error, words
):
    with pytest.raises(error, match=words):
        say(store, settings, two, said, actor, proves_nothing=nothing)
    assert told_events(store, two.match) == []
    assert pairs(store, settings, two)[0].answer is None


def test_an_unknown_match_is_an_error(store: Store, settings: Settings, two: Two):
    with pytest.raises(StoreError, match="There is no match nope"):
        copy_answers.answer(store, settings, ANN, "nope", "confirmed")


def test_a_second_reviewer_is_not_told_what_the_first_said(
    store: Store, settings: Settings, two: Two
):
    case_id = two.second["icd"]
    say(store, settings, two, "rejected")
    answer(store, shares(settings, second=1.0), case_id, HATE)
    (look,) = looks_of(store, case_id)
    seen = [
        case_view.view(store, settings, BOB, look.id).pairs,
        case_view.view(store, settings, BOB, case_id).pairs,
        pairs(store, settings, two, BOB),
    ]
    assert [each[0].answer for each in seen] == [None, None, None]
    entries = history.of_video(store, BOB, two.copy, settings).entries
    assert not [entry for entry in entries if entry.kind.startswith("copy.")]
    assert pairs(store, settings, two, ANN)[0].rejected
    told = history.of_video(store, ANN, two.copy, settings).entries
    assert [e.kind for e in told if e.kind.startswith("copy.")] == ["copy.rejected"]


def test_similar_videos_begin_with_the_same_footage(store: Store, settings: Settings, two: Two):
    alike = similar.similar_to(store, settings, ANN, two.copy)
    assert [(item.video_id, item.footage.earlier) for item in alike.items] == [(two.original, True)]
    back = similar.similar_to(store, settings, ANN, two.original)
    assert [(item.video_id, item.footage.earlier) for item in back.items] == [(two.copy, False)]
    assert (alike.copies, back.copies, alike.compared) == (1, 1, False)


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        pytest.param((), "identical copy", id="nothing changed"),
        pytest.param(("re_encode",), "identical copy", id="only encoded again"),
        pytest.param(("mirror", "re_encode"), "edited copy", id="mirrored"),
        pytest.param(("excerpt",), "edited copy", id="cut"),
    ],
)
def test_what_a_confirmed_copy_proposes(
    store: Store, settings: Settings, two: Two, transform, reason
):
    (library,) = live(store, originals.LIBRARY)
    spans = [(0.5, 1.0, 0.5, 1.0), (2.0, 6.0, 3.0, 7.0)]
    put_matches(
        store, two.copy, *(found(store, library.id, transform=transform, span=s) for s in spans)
    )
    case = case_view.view(store, settings, ANN, two.second["ucc"])
    (pair,) = case.pairs
    made = copy_answers.proposal(case, pair)
    assert made == copy_answers.Proposal("reupload", reason, 2.0, 6.0)
    other = case_view.view(store, settings, ANN, two.second["icd"])
    assert copy_answers.proposal(other, pair) is None


def test_a_cut_fingerprint_counts_from_its_own_start():
    whole = fingerprint_of(10.0)
    part = cut(whole, 3.0, 6.0)
    assert part.duration_s == 3.0 and part.times_s.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert part.code_times_s.tolist() == [1.0, 3.0] and len(part.codes) == 2
    assert np.array_equal(part.hashes, whole.hashes[3:7]) and len(part.colour) == 4
    assert part.motion_times_s[0] == 0.0 and len(part.motion) == 13
    assert part.landmarks is not None and part.landmarks[:, 1].max() <= 300
    back = fingerprint.from_bytes(fingerprint.to_bytes(part))
    assert np.array_equal(back.thumbs, part.thumbs)
    silent = cut(replace(whole, landmarks=None), 8.0, 99.0)
    assert silent.landmarks is None and silent.duration_s == 2.0


def test_leads_see_what_is_in_the_banks(store: Store, settings: Settings, two: Two):
    film = put_original(store, "/films/b.mp4", sha256="b" * 64, seconds=4.0)
    put_original(store, "/films/same.mp4", sha256="b" * 64, seconds=4.0)
    library, known = banks.list_banks(store, LEA)
    assert (library.name, library.references, library.frames) == ("library", 1, 10)
    assert (known.name, known.references, known.files, known.frames) == ("originals", 2, 1, 8)
    assert known.newest >= library.newest and known.outdated == 0
    with store.write() as session:
        originals.remove(session, film, "lea")
    assert banks.list_banks(store, LEA)[1].references == 1
    with pytest.raises(NotAllowed):
        banks.list_banks(store, ANN)
