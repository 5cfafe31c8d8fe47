"""Matches of videos with originals, and what people say of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from coefvq.errors import StoreError
from coefvq.settings import Settings
from coefvq.store import copies, originals, videos
from coefvq.store.copies import Said
from coefvq.store.session import Store
from coefvq.store.tables import CopyAnswerRow
from tests.copies_factory import found, match_row, put_matches, put_original
from tests.store_factory import upload

LATER = (5.0, 6.5, 7.0, 8.5)


@pytest.fixture
def video(store: Store, settings: Settings) -> str:
    """An uploaded video."""
    return upload(store, settings)


def present(store: Store, video_id: str) -> list[str]:
    with store.read() as session:
        return [match.reference for match in copies.matches_of(session, video_id)]


def say(store: Store, match_id: str, said: str, note: str | None = None) -> None:
    with store.write() as session:
        copies.answer(session, match_id, said, note, "ann")


def test_spans_of_one_original_are_one_match(store: Store, video: str) -> None:
    film = put_original(store, "film.mp4")
    best = found(store, film, 0.97)
    other = replace(found(store, film, 0.90, ("crop",), LATER), by=("picture", "sound"))
    (match_id,) = put_matches(store, video, other, best)
    with store.read() as session:
        (stored,) = copies.stored_of(session, video)
    assert stored.match_id == match_id and stored.original_id == film
    assert stored.spans == (replace(best, match_id=match_id), replace(other, match_id=match_id))
    row = match_row(store, match_id)
    assert (row.score, row.transform) == (0.97, ["mirror", "speed", "crop"])


def test_the_likeliest_original_comes_first(store: Store, video: str) -> None:
    first, second = put_original(store, "a"), put_original(store, "b", sha256="e" * 64)
    put_matches(store, video, found(store, first, 0.91), found(store, second, 0.99))
    assert present(store, video) == ["b", "a"]


def test_a_new_search_takes_the_place_of_the_old_one(store: Store, video: str) -> None:
    first, second = put_original(store, "a"), put_original(store, "b", sha256="e" * 64)
    (old,) = put_matches(store, video, found(store, first))
    put_matches(store, video, found(store, second))
    assert present(store, video) == ["b"]
    assert match_row(store, old).replaced_at is not None
    with store.read() as session:
        assert copies.get(session, old).replaced_at is not None
    put_matches(store, video)
    assert present(store, video) == []


def test_a_match_with_an_unknown_original_is_passed_over(store: Store, video: str) -> None:
    film = put_original(store, "film.mp4")
    assert put_matches(store, video, replace(found(store, film), reference="gone.mp4")) == []


def test_an_original_that_was_removed_proves_nothing_any_more(store: Store, video: str) -> None:
    film = put_original(store, "film.mp4")
    put_matches(store, video, found(store, film))
    with store.write() as session:
        originals.remove(session, film, "ann")
    assert present(store, video) == []
    put_original(store, "the same under another name")
    assert present(store, video) == ["film.mp4"]


@pytest.mark.parametrize(
    ("said", "listed", "confirmed"),
    [
        pytest.param((), True, False, id="nothing"),
        pytest.param(("confirmed",), True, True, id="confirmed"),
        pytest.param(("rejected",), False, False, id="rejected"),
        pytest.param(("rejected", "confirmed"), True, True, id="the newest counts"),
        pytest.param(("confirmed", "rejected"), False, False, id="and undoes the one before"),
    ],
)
def test_what_people_say_counts(
    store: Store, video: str, said: tuple[str, ...], listed: bool, confirmed: bool
) -> None:
    film = put_original(store, "film.mp4")
    (match_id,) = put_matches(store, video, found(store, film))
    for word in said:
        say(store, match_id, word, f"because {word}")
    with store.read() as session:
        assert [match.confirmed for match in copies.matches_of(session, video)] == (
            [confirmed] if listed else []
        )
        (stored,) = copies.stored_of(session, video)
        assert [each.said for each in copies.answers_of(session, video)] == list(said)
        digest = videos.get(session, video).sha256
        assert copies.rejected_pairs(session, digest) == (set() if listed else {"f" * 64})
        assert copies.confirmed_pairs(session, digest) == ({"f" * 64} if confirmed else set())
        assert copies.rejected_pairs(session, "f" * 64) == (set() if listed else {digest})
    assert (stored.answer.note if stored.answer else None) == (
        f"because {said[-1]}" if said else None
    )


def test_an_answer_holds_for_later_matches_and_other_banks(store: Store, video: str) -> None:
    film = put_original(store, "film.mp4")
    (old,) = put_matches(store, video, found(store, film))
    say(store, old, "rejected")
    again = put_original(store, "film again", bank="partners")
    put_matches(store, video, found(store, film), found(store, again))
    assert present(store, video) == []
    with store.read() as session:
        answers = [stored.answer for stored in copies.stored_of(session, video)]
    assert [answer.said for answer in answers if answer] == [Said.REJECTED] * 2


@pytest.mark.parametrize(
    ("match_id", "said", "told"),
    [
        pytest.param("none", "confirmed", "no match none", id="no such match"),
        pytest.param(None, "perhaps", "say confirmed or rejected", id="no such answer"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    store: Store, video: str, match_id: str | None, said: str, told: str
) -> None:
    film = put_original(store, "film.mp4")
    (there,) = put_matches(store, video, found(store, film))
    with pytest.raises(StoreError, match=told):
        say(store, match_id or there, said)


def test_answers_are_final(store: Store, video: str) -> None:
    film = put_original(store, "film.mp4")
    say(store, put_matches(store, video, found(store, film))[0], "confirmed", "note\x00")
    with pytest.raises(DBAPIError), store.write() as session:
        row = session.query(CopyAnswerRow).one()
        assert row.note == "note"
        row.answer = "rejected"
