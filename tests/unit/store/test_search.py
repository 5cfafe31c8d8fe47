"""Full text: what is found by which words, that typed words are words, and where they stand."""

from __future__ import annotations

import pytest

from coefvq.domain import ExpensiveSignals, TimedText
from coefvq.settings import Settings
from coefvq.store import search, videos
from coefvq.store.session import Store
from coefvq.store.tables import VideoTextRow
from tests.store_factory import SCREEN, SPEECH, scored, upload

HEARD = ExpensiveSignals("e", SPEECH, True, SCREEN)


def found(store: Store, text: str, **how: int) -> list[str | None]:
    with store.read() as session:
        rows, total = videos.search(session, text=text, **how)
    assert how or total == len(rows)
    return [row.title for row in rows]


@pytest.fixture
def library(store: Store, settings: Settings) -> Store:
    upload(store, settings, b"1", title="Café crème", caption="a day at the beach",
           original_name="holiday_video-01.MP4")  # fmt: skip
    upload(store, settings, b"2", title="NEAR the beach OR not", caption='she said "free"')
    upload(store, settings, b"3", title="=cmd|' /C calc'!A1 🔥", caption="<b>bold</b> 日本語の動画")
    return store


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        pytest.param("beach", ["NEAR", "Café"], id="newest first"),
        pytest.param("BEACH day", ["Café"], id="all words, any case, any order"),
        pytest.param("bea", ["NEAR", "Café"], id="the last word may be a start"),
        pytest.param("bea day", [], id="the others must be whole"),
        pytest.param("holiday", ["Café"], id="file name"),
        pytest.param("video-01.mp4", ["Café"], id="file name with its suffix"),
        pytest.param("uploader local", [], id="nothing that is not theirs"),
        pytest.param('"free"', ["NEAR"], id="quotes"),
        pytest.param('"beach day"', ["Café"], id="quotes make no phrase"),
        pytest.param('"', ["NEAR"], id="a quote alone"),
        pytest.param('beach"', ["NEAR", "Café"], id="an open quote"),
        pytest.param("NEAR", ["NEAR"], id="near"),
        pytest.param("NEAR(beach not)", [], id="near as a function is two words"),
        pytest.param("beach OR calc", [], id="or is a word"),
        pytest.param("beach NOT calc", [], id="not is a word"),
        pytest.param("beach -day", ["Café"], id="minus means nothing"),
        pytest.param("^beach", ["NEAR", "Café"], id="caret means nothing"),
        pytest.param("words:beach", [], id="no column is named"),
        pytest.param("beach AND", [], id="and at the end"),
        pytest.param("*", [], id="a star alone"),
        pytest.param("be*", ["NEAR", "Café"], id="a star after a word"),
        pytest.param("(beach", ["NEAR", "Café"], id="an open bracket"),
        pytest.param("beach & | ! :*", [], id="PostgreSQL's operators are characters"),
        pytest.param("'; DROP TABLE videos; --", [], id="no statement"),
        pytest.param("bold", ["=cmd"], id="inside markup"),
        pytest.param("🔥", ["=cmd"], id="emoji"),
        pytest.param("本語", ["=cmd"], id="a script without spaces"),
        pytest.param("動画 bold", ["=cmd"], id="both kinds"),
        pytest.param("%", [], id="no wildcard"),
        pytest.param("\x1f", ["=cmd", "NEAR", "Café"], id="a control character is a space"),
    ],
)
def test_what_is_typed_is_words(library: Store, text: str, titles: list[str]) -> None:
    assert [(title or "").split()[0].split("|")[0] for title in found(library, text)] == titles


def test_accents_do_not_count_on_sqlite(library: Store) -> None:
    if library.engine.dialect.name == "sqlite":
        assert found(library, "cafe creme") == ["Café crème"]


def test_an_id_finds_its_video(library: Store) -> None:
    with library.read() as session:
        video = videos.search(session, text="calc")[0][0]
    assert found(library, video.id) == [video.title]


def test_speech_and_screen_text_are_found_once_they_are_known(
    store: Store, settings: Settings
) -> None:
    scored(store, settings, b"1", title="heard")
    scored(store, settings, b"2", title="not heard", mllm=False)
    assert found(store, "people thrown") == ["heard"]
    assert found(store, "gift card") == ["heard"]


def test_scoring_again_without_listening_forgets_nothing(store: Store, settings: Settings) -> None:
    video_id = upload(store, settings, title="before")
    with store.write() as session:
        row = videos.get(session, video_id)
        search.index(session, row, HEARD)
        before = session.query(VideoTextRow.number).scalar()
        row.title = "renamed"
        search.index(session, row)
        assert session.query(VideoTextRow.number).scalar() == before
    assert found(store, "renamed thrown") == ["renamed"]
    assert found(store, "before thrown") == []


def test_files_that_were_only_scored_are_not_in_the_library(
    store: Store, settings: Settings
) -> None:
    upload(store, settings, title="mine")
    with store.write() as session:
        media = videos.search(session)[0][0].media
        videos.ensure_kept(session, media, "mine.mp4", "mine", None)
    assert found(store, "mine") == ["mine"]


def test_counting_stops_where_it_is_told_to(store: Store, settings: Settings) -> None:
    for number in range(5):
        upload(store, settings, bytes([number]), title="same")
    with store.read() as session:
        rows, total = videos.search(session, text="same", offset=1, limit=2, most=2)
    assert (len(rows), total) == (2, 3)


def test_very_many_words_are_cut(library: Store) -> None:
    assert found(library, "beach " * 500) == ["NEAR the beach OR not", "Café crème"]


@pytest.mark.parametrize(
    ("text", "part", "hit"),
    [
        pytest.param("beach", "caption", "beach", id="caption"),
        pytest.param("holi", "file name", "holiday", id="a start, shown whole"),
        pytest.param("THROWN", "speech", "thrown", id="speech"),
        pytest.param("gift", "screen text", "GIFT", id="screen text"),
        pytest.param("creme thrown", "speech", "thrown", id="the title is on the card already"),
    ],
)
def test_snippets_say_where(
    store: Store, settings: Settings, text: str, part: str, hit: str
) -> None:
    caption = f"{'x ' * 40}at the beach{' y' * 40}"
    video_id = upload(
        store, settings, title="Café crème", caption=caption, original_name="holiday_01.mp4"
    )
    with store.write() as session:
        search.index(session, videos.get(session, video_id), HEARD)
    with store.read() as session:
        snippet = search.snippets(session, [video_id], text)[video_id]
    assert (snippet.part, snippet.hit) == (part, hit)
    assert len(snippet.before) < 40 and len(snippet.after) < 40


def test_no_snippet_where_only_the_title_fits(library: Store) -> None:
    with library.read() as session:
        ids = [video.id for video in videos.search(session, text="creme")[0]]
        assert search.snippets(session, ids, "creme") == {}
        assert search.snippets(session, ids, "  ") == {}


def test_the_parts_of_hostile_text_stay_apart(store: Store, settings: Settings) -> None:
    video_id = upload(store, settings, title="a\x1fb", caption="c")
    signals = ExpensiveSignals("e", (TimedText(0, 1, "d\x1fe"),), True, None)
    with store.write() as session:
        search.index(session, videos.get(session, video_id), signals)
    with store.read() as session:
        assert search.snippets(session, [video_id], "e")[video_id].part == "speech"
