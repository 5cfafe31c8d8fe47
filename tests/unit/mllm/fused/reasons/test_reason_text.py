"""The text of a rationale: written, parsed, and made from known evidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.domain import PostedText, TimedText
from coefvq.errors import ModelError
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.reasons import Point, Reason, item_lines, parse, target, write
from coefvq.mllm.fused.reasons.lines import MAX_CHARS, MAX_WORDS
from coefvq.mllm.fused.reasons.text import MAX_NOTES, NOTES, PLACES
from coefvq.mllm.sanitise import sanitise
from tests.unit.mllm.fused.reasons import hostile

WORDS = st.one_of(
    st.sampled_from(['"', '",', '";', '"",', '"";', '""', ",", ";", "for:", "0:03", "none;"]),
    st.text(min_size=1, max_size=9).filter(lambda text: text.split() == [text]),
)
QUOTES = st.lists(WORDS, min_size=1, max_size=MAX_WORDS).map(" ".join)
POINTS = st.builds(
    Point,
    st.sampled_from(PLACES),
    st.none() | st.integers(0, 10**7).map(float),
    st.none() | QUOTES.filter(lambda quote: len(quote) <= MAX_CHARS),
)
SIDES = st.lists(POINTS, max_size=2).map(tuple)
SUBSETS = st.sets(st.sampled_from(NOTES), max_size=MAX_NOTES).map(
    lambda chosen: tuple(note for note in NOTES if note in chosen)
)
REASONS = st.builds(
    Reason, st.none() | st.sampled_from(["hate_harassment", "a"]), SIDES, SIDES, SUBSETS
)


@settings(deadline=None)
@given(REASONS)
def test_parsing_is_the_inverse_of_writing(reason):
    text = write(reason)
    assert "\n" not in write(Reason(None)) and text.split(" ") == text.split()
    assert parse(text) == reason


@settings(deadline=None)
@given(hostile.texts)
def test_any_sanitised_text_can_be_quoted(raw):
    words = sanitise(raw).split(" ")[:MAX_WORDS]
    quote = " ".join(words)
    if quote and len(quote) <= MAX_CHARS:
        reason = Reason("x", (Point("caption", None, quote),), (Point("speech", 3.0, quote),))
        assert parse(write(reason)) == reason


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_what_parses_is_written_the_same_way(text):
    for whole in (text, f"none; for: {text}", f"x; for: nothing; against: {text} unsure: nothing."):
        try:
            reason = parse(whole)
        except ModelError:
            continue
        assert write(reason) == whole


def test_how_it_reads():
    reason = Reason(
        "hate_harassment",
        (Point("speech", 63.9, "you people are"), Point("pictures")),
        (Point("screen text", 0.0, 'he said ",'),),
        ("close call", "no sound"),
    )
    assert write(reason) == (
        'hate_harassment; for: speech 1:03 " you people are ", pictures; '
        'against: screen text 0:00 " he said "", "; unsure: close call, no sound.'
    )
    assert write(Reason(None)) == "none; for: nothing; against: nothing; unsure: nothing."


BROKEN = {
    "empty": "",
    "prose": "The video is bad.",
    "no full stop": "none; for: nothing; against: nothing; unsure: nothing",
    "open quote": 'none; for: caption " a b',
    "no side": "none; against: nothing; unsure: nothing.",
    "unknown place": "none; for: basement; against: nothing; unsure: nothing.",
    "unknown note": "none; for: nothing; against: nothing; unsure: bad luck.",
    "notes in another order": "none; for: nothing; against: nothing; unsure: no sound, close call.",
    "three points": "none; for: sound, sound, sound; against: nothing; unsure: nothing.",
    "padded clock": "none; for: speech 03:03; against: nothing; unsure: nothing.",
    "61 seconds": "none; for: speech 0:61; against: nothing; unsure: nothing.",
    "a huge clock": f"none; for: speech {'9' * 5000}:00; against: nothing; unsure: nothing.",
    "two spaces": "none;  for: nothing; against: nothing; unsure: nothing.",
    "a quote without end": 'none; for: caption " a " ; against: nothing; unsure: nothing.',
    "an empty quote": 'none; for: caption " "; against: nothing; unsure: nothing.',
    "eleven words": f'none; for: title " {"a " * 11}"; against: nothing; unsure: nothing.',
    "more after it": "none; for: nothing; against: nothing; unsure: nothing. Yes.",
    "no policy": "; for: nothing; against: nothing; unsure: nothing.",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_anything_else_does_not_parse(text):
    with pytest.raises(ModelError, match="rationale"):
        parse(text)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Point("cellar"),
        lambda: Point("speech", -1.0),
        lambda: Point("speech", float("nan")),
        lambda: Point("title", None, "a  b"),
        lambda: Point("title", None, ""),
        lambda: Point("title", None, "a\nb"),
        lambda: Point("title", None, "a " * 10 + "b"),
        lambda: Point("title", None, "a" * 101),
        lambda: Reason("two words"),
        lambda: Reason("none"),
        lambda: Reason(None, (Point("sound"),) * 3),
        lambda: Reason(None, unsure=("fog",)),
        lambda: Reason(None, unsure=NOTES),
    ],
)
def test_reasons_that_could_not_be_written_are_refused(wrong):
    with pytest.raises(ValueError, match=r"is no|at most"):
        wrong()


def clip(**changes):
    given = {
        "posted": PostedText("a day in the park", "we went out, subscribe for more #park"),
        "speech": [
            TimedText(0.5, 1.5, "so we went to the park with our dog and all of that was fun"),
            TimedText(3.2, 5.0, "these people are vermin and should all be thrown out of it today"),
        ],
        "screen_text": [TimedText(2, 3, "BEST DAY"), TimedText(6, 7, "free bitcoin, click now")],
        "frames": np.zeros((2, 4, 4, 3)),
        "sound_states": np.zeros((4, 3)),
    }  # fmt: skip
    return FusedItem(**(given | changes))


HATE = Point("speech", 3.0, "these people are vermin and should all be thrown out")
TARGETS = {
    "a spoken line": (("hate_harassment", [("speech", 1)]), "hate_harassment", (HATE,)),
    "the same twice": (("hate_harassment", [("speech", 1)] * 3), "hate_harassment", (HATE,)),
    "a line merged with its neighbour": (
        ("scam_spam", [("screen text", 1)]),
        "scam_spam",
        (Point("screen text", 2.0, "free bitcoin, click now"),),
    ),
    "words of a caption": (
        ("scam_spam", [("caption", "subscribe for  more\n#park today")]),
        "scam_spam",
        (Point("caption", None, "subscribe for more #park"),),
    ),
    "one word, widened": (
        ("scam_spam", [("caption", "#park")]),
        "scam_spam",
        (Point("caption", None, "for more #park"),),
    ),
    "a whole title": (("x", [("title", 0)]), "x", (Point("title", None, "a day in the park"),)),
    "the first line of a place": (
        ("x", [("speech", None)]),
        "x",
        (Point("speech", 0.0, "so we went to the park with our dog and"),),
    ),
    "pictures and sound": (
        ("violence", [("pictures", None), ("sound", None)]),
        "violence",
        (Point("pictures"), Point("sound")),
    ),
    "words that are not there": (("x", [("caption", "zebra")]), "x", ()),
    "harmless": ((None, []), None, ()),
}


@pytest.mark.parametrize(("given", "policy", "points"), TARGETS.values(), ids=TARGETS)
def test_targets_name_the_known_evidence(given, policy, points):
    found = parse(target(clip(), *given, against=()))
    assert (found.policy, found.points_for) == (policy, points)
    assert (found.points_against, found.unsure) == ((), ())


def test_what_speaks_against_is_no_evidence():
    found = parse(target(clip(), "hate_harassment", [("speech", 1)]))
    (against,) = found.points_against
    assert against == Point("speech", 0.0, "so we went to the park with our dog and")
    assert len(parse(target(clip(), None)).points_against) == 2
    given = parse(target(clip(), "x", [("speech", 0)], against=[("speech", 0), ("sound", None)]))
    assert given.points_against == (Point("sound"),)


ABSENT = {
    "speech": ({"speech": None}, ("no speech",)),
    "silent speech": ({"speech": []}, ("no speech",)),
    "pictures": ({"frames": np.zeros((0, 4, 4, 3))}, ("no pictures",)),
    "sound": ({"sound_states": None}, ("no sound",)),
    "posted text": ({"posted": PostedText(" \u200b", None)}, ("no caption",)),
    "nearly all": (
        {"speech": None, "screen_text": None, "sound_states": None, "posted": PostedText("a b")},
        ("little text", "no speech", "no sound"),
    ),
}


@pytest.mark.parametrize(("changes", "notes"), ABSENT.values(), ids=ABSENT)
def test_targets_note_what_is_missing(changes, notes):
    assert parse(target(clip(**changes), None)).unsure == notes


def test_targets_note_doubt_first_and_what_was_cut():
    shown = item_lines(clip())[:3]
    found = parse(target(clip(), None, close=True, lines=shown))
    assert found.unsure == ("close call", "cut text", "no screen text")


def test_evidence_that_the_prompt_does_not_show_is_left_out():
    shown = [line for line in item_lines(clip()) if line.place != "speech"]
    assert parse(target(clip(), "x", [("speech", 1)], lines=shown)).points_for == ()


def test_evidence_on_a_line_that_is_not_there_is_an_error():
    with pytest.raises(ModelError, match="line 7 of the speech, but the item has 2"):
        target(clip(), "x", [("speech", 7)])


def test_several_quotes_share_the_room():
    found = parse(target(clip(), None, against=[("speech", 0), ("speech", 1)]))
    one = parse(target(clip(), "x", [("speech", 1), ("title", None)], against=[("speech", 0)]))
    for reason, most in ((found, 10), (one, 8)):
        points = (*reason.points_for, *reason.points_against)
        assert max(len(point.quote.split()) for point in points) == most


@settings(deadline=None)
@given(hostile.items)
def test_targets_of_any_text_parse_and_quote_what_is_shown(item):
    known = [("speech", index) for index in range(len(item.speech or ()))]
    known += [("screen text", index) for index in range(len(item.screen_text or ()))]
    found = parse(target(item, "x", known, against=[("title", None), ("caption", None)]))
    lines = item_lines(item)
    for point in (*found.points_for, *found.points_against):
        same = [line for line in lines if (line.place, line.at_s) == (point.place, point.at_s)]
        assert any(f" {point.quote} " in f" {' '.join(line.words)} " for line in same)


@pytest.mark.parametrize("text", hostile.LONG.values(), ids=hostile.LONG)
def test_long_texts_have_targets(text):
    item = FusedItem(PostedText(None, text), speech=[TimedText(0, 1, text)])
    assert parse(target(item, "x", [("speech", 0), ("caption", text)]))
