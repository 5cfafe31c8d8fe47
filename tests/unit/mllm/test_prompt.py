from __future__ import annotations

import pytest

from coefvq.domain import ExpensiveSignals, Modality, PostedText, TimedText
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.prompt import (
    PIECE_CHARS,
    Line,
    fit,
    lines_of,
    posted_lines,
    share_out,
    timed_lines,
)


def test_lines_are_in_the_order_of_the_fields() -> None:
    signals = ExpensiveSignals(
        "x",
        speech=(TimedText(63.0, 65.0, "hello there"),),
        screen_text=(TimedText(1.0, 2.0, "SALE"),),
    )
    found = lines_of(MllmInput(PostedText("My title", "My caption"), signals, 70.0))
    assert found == [
        Line("title", "My title"),
        Line("caption", "My caption"),
        Line("speech", "hello there", 63.0, 65.0),
        Line("screen_text", "SALE", 1.0, 2.0),
    ]
    assert lines_of(MllmInput(PostedText(), ExpensiveSignals("x"), 1.0)) == []


@pytest.mark.parametrize(
    ("wanted", "budget", "expected"),
    [
        pytest.param({"title": 5, "speech": 10}, 100, {"title": 5, "speech": 10}, id="all fits"),
        pytest.param({"title": 0, "speech": 500}, 100, {"title": 0, "speech": 100}, id="one long"),
        pytest.param(
            {"title": 500, "caption": 500, "speech": 500, "screen_text": 500},
            100,
            {"title": 12, "caption": 25, "speech": 43, "screen_text": 20},
            id="all long",
        ),
    ],
)
def test_share_out(wanted: dict[str, int], budget: int, expected: dict[str, int]) -> None:
    assert share_out(wanted, budget) == expected


def test_share_out_gives_leftovers_to_the_others() -> None:
    given = share_out({"title": 3, "caption": 400, "speech": 400, "screen_text": 0}, 200)
    assert given["title"] == 3 and sum(given.values()) == 200


@pytest.mark.parametrize(
    ("pieces", "budget", "lengths", "cut"),
    [
        pytest.param([[1] * 5, [2] * 5], 10, [5, 5], False, id="fits"),
        pytest.param([[1] * 5] * 10, 20, [5] * 4, True, id="spread"),
        pytest.param([[1] * 90], 30, [24], True, id="one long piece"),
        pytest.param([[1] * 5], 0, [], True, id="no room"),
    ],
)
def test_fit(pieces: list[list[int]], budget: int, lengths: list[int], cut: bool) -> None:
    kept, was_cut = fit(pieces, budget)
    assert [len(piece) for piece in kept] == lengths and was_cut is cut


def test_fit_keeps_first_and_last_of_many() -> None:
    kept, _ = fit([[number] * 4 for number in range(30)], 20)
    assert kept[0][0] == 0 and kept[-1][0] == 29


def test_captions_are_cut_at_sentences_and_stay_verbatim() -> None:
    text = "One short. " * 30 + "\nNext line"
    pieces = [line.raw for line in posted_lines("caption", text)]
    assert len(pieces) > 2
    assert all(piece in text and len(piece) <= PIECE_CHARS for piece in pieces)


def test_speech_is_merged_with_times_and_repeated_screen_text_is_dropped() -> None:
    speech = timed_lines("speech", [TimedText(1.0, 2.0, " a b"), TimedText(2.0, 3.5, "c d ")])
    assert speech == [Line("speech", "a b c d", 1.0, 3.5)]
    screen = timed_lines("screen_text", [TimedText(t, t + 1, "LOGO") for t in range(5)])
    assert [line.raw for line in screen] == ["LOGO"]


@pytest.mark.parametrize(
    ("field", "modality"),
    [
        ("title", Modality.CAPTION),
        ("caption", Modality.CAPTION),
        ("speech", Modality.SPEECH),
        ("screen_text", Modality.SCREEN_TEXT),
    ],
)
def test_modality_of_a_line(field: str, modality: Modality) -> None:
    assert Line(field, "x").modality is modality
