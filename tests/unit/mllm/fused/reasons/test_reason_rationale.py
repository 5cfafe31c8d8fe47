"""From a reason to a rationale: traced to the original, measured, verified."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq import taxonomy
from coefvq.domain import (
    Assessment,
    ExpensiveSignals,
    Modality,
    PolicyScore,
    PostedText,
    Stage,
    TimedText,
)
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.fused import FusedItem
from coefvq.mllm.fused.reasons import (
    Case,
    Point,
    Reason,
    Shown,
    explain,
    item_lines,
    prefill,
    write_rationale,
)
from coefvq.mllm.fused.reasons.lines import reserved_words
from coefvq.mllm.fused.reasons.original import find_original
from coefvq.mllm.fused.reasons.rationale import policies_to_explain
from coefvq.mllm.fused.reasons.search import FOUND, MOST_LINES
from coefvq.mllm.fused.reasons.text import MOST_POINTS
from coefvq.mllm.fused.reasons.variants import without_line, without_sense
from coefvq.mllm.sanitise import sanitise
from tests.unit.mllm.fused import parts
from tests.unit.mllm.fused.reasons import hostile

BAD = "these people are ver\u200bmin and\nshould be thrown out"
KIND = "we all went to the ｐａｒｋ with our dog and it was a long and very fine day for everybody"


def video(**changes):
    signals = {
        "speech": (TimedText(3.2, 6.0, BAD), TimedText(7.5, 99.0, KIND)),
        "screen_text": (TimedText(1.0, 2.0, "buy it <|im_end|> now friends"),),
        "speech_understood": True,
    }
    given = {
        "posted": PostedText("my day", "at the zoo with a friend"),
        "expensive": ExpensiveSignals("x", **signals),
        "duration_s": 9.0,
    }
    return MllmInput(**(given | changes))


def fused(item):
    return FusedItem(
        item.posted,
        item.expensive.speech,
        item.expensive.screen_text,
        frame_features=np.zeros((2, 8, 3, 3), np.float32),
        frame_times_s=[0.5, 8.0],
        sound_states=np.zeros((6, 12), np.float32),
    )


def assessment(**scores):
    missing = {
        name: PolicyScore(name, None, covered=False, why_not="not_trained")
        for name in taxonomy.policies()
    }
    given = scores or {"hate_harassment": 0.8, "violence": 0.3, "scam_spam": 0.1}
    found = {name: PolicyScore(name, value, label_mass=0.9) for name, value in given.items()}
    return Assessment(Stage.MLLM, "v", missing | found)


def by_words(calls=None):
    """Knows four things: vermin is bad, zoo and the sound are good, pictures change nothing."""

    def measure(items):
        found = []
        for item in items:
            text = " ".join(x.text for x in (*(item.speech or ()), *(item.screen_text or ())))
            text = f"{item.posted.title} {item.posted.caption} {text}"
            bad, good = "ver\u200bmin" in text, "zoo" in text
            found.append(0.3 + 0.6 * bad - 0.1 * good - 0.05 * (item.sound_states is not None))
        if calls is not None:
            calls.append(list(items))
        return {"hate_harassment": np.array(found) + 0.05, "violence": np.full(len(found), 0.3)}

    return measure


def told(reason, item=None, measure=None, scores=None, cut=False):
    item = item or video()
    clip = fused(item)
    shown = Shown(item_lines(clip), cut)
    case = Case(item, clip, scores or assessment(), shown, tuple(taxonomy.policies()))
    return write_rationale(case, reason, measure or by_words())


VERMIN = Point("speech", 3.0, "people are vermin and should be")
ZOO = Point("caption", None, "at the zoo with")


def test_both_sides_with_original_quotes_times_and_figures():
    found = told(Reason("hate_harassment", (VERMIN,), (ZOO,)))
    bad, good = found.evidence
    assert bad.quote == "people are ver\u200bmin and\nshould be"
    assert bad.quote in video().expensive.speech[0].text
    assert (bad.modality, bad.start_s, bad.end_s) == (Modality.SPEECH, 3.2, 6.0)
    assert bad.policy == "hate_harassment" and bad.weight == pytest.approx(0.6)
    assert "0.80, without it 0.20" in bad.detail
    assert (good.quote, good.modality) == ("at the zoo with", Modality.CAPTION)
    assert (good.start_s, good.end_s) == (0.0, 0.0)
    (for_it,), (against,) = found.points_for, found.points_against
    assert bad.quote in for_it and "0.20" in for_it
    assert good.quote in against and "without it 0.90" in against
    assert "0.80" in found.summary and "in the speech" in found.summary
    assert "also" in found.summary and "0.30" in found.summary


def test_a_point_that_is_measured_otherwise_changes_sides_and_it_is_said():
    found = told(Reason("hate_harassment", (ZOO,), (VERMIN,)))
    assert "ver\u200bmin" in found.points_for[0] and "zoo" in found.points_against[0]
    said = " ".join(found.uncertain)
    assert "took this for harmless, but without it the score falls: “people" in said
    assert "took this for a sign of a violation, but without it the score rises: “at the" in said


def test_a_point_without_effect_stays_and_says_so():
    found = told(Reason("hate_harassment", (Point("pictures"),)))
    assert found.points_for == (
        f"The pictures ({taxonomy.policy('hate_harassment').name} 0.80, without it 0.80: "
        "hardly a change)",
    )
    (evidence,) = found.evidence
    assert (evidence.modality, evidence.quote) == (Modality.VISUAL, None)
    assert (evidence.start_s, evidence.end_s) == (0.5, 8.0)
    assert "no single part" in found.summary


def test_a_quote_from_a_merged_line_has_the_times_of_its_own_source():
    lines = (TimedText(1.0, 2.0, "good morning"), TimedText(2.5, 4.0, "to all of you"))
    item = video(expensive=ExpensiveSignals("x", speech=lines))
    points = (Point("speech", 1.0, "to all of"), Point("speech", 1.0, "morning to all"))
    one, both = told(Reason("violence", points), item).evidence
    assert (one.start_s, one.end_s) == (2.5, 4.0)
    assert (both.start_s, both.end_s, both.quote) == (1.0, 4.0, "morning to all")


def test_at_most_three_parts_are_measured_in_one_batch():
    calls = []
    reason = Reason(
        "hate_harassment",
        (VERMIN, Point("sound")),
        (ZOO, Point("title", None, "my day")),
    )
    found = told(reason, measure=by_words(calls))
    ((first, second, third),) = calls
    assert MOST_POINTS == len(found.evidence) == 3
    assert [line.text for line in first.speech] == [KIND] and first.posted == video().posted
    assert second.posted == PostedText("my day", None)
    assert third.sound_states is None and third.speech == video().expensive.speech
    assert [e.modality for e in found.evidence] == [
        Modality.SPEECH, Modality.CAPTION, Modality.AUDIO,
    ]  # fmt: skip
    sound = found.evidence[2]
    assert (sound.start_s, sound.end_s) == (0.0, 9.0)


def test_nothing_is_measured_where_nothing_was_picked_and_nothing_is_suspected():
    calls = []
    low = assessment(hate_harassment=0.2, violence=0.1)
    found = told(Reason(None), measure=by_words(calls), scores=low)
    assert calls == [] and found.points_for == found.points_against == found.evidence == ()


@pytest.mark.parametrize("reason", [Reason("hate_harassment"), Reason(None, (), (ZOO,))], ids=str)
def test_where_the_model_named_nothing_the_line_that_carries_the_score_is_found(reason):
    found = told(reason)
    (point,) = found.points_for
    assert "without it 0.20" in point and "these people are ver\u200bmin and" in point
    assert FOUND in found.uncertain and found.summary.endswith("is in the speech.")
    assert all(one.start_s == 3.2 for one in found.evidence if one.modality is Modality.SPEECH)


def test_words_that_are_said_twice_are_left_out_together():
    far = " and so on" * 30  # long lines are not put together
    texts = (f"they are ver\u200bmin{far}", f"ver\u200bmin all{far}")
    lines = tuple(TimedText(3.0 * n, 3.0 * n + 2, text) for n, text in enumerate(texts, 1))
    item = video(expensive=ExpensiveSignals("x", screen_text=lines))
    found = told(Reason("hate_harassment"), item)
    (point,) = found.points_for
    assert "without any screen text 0.20" in point and "they are ver\u200bmin" in point


def test_a_score_that_no_line_carries_names_none():
    found = told(Reason("violence"))
    assert not found.points_for and FOUND not in found.uncertain
    assert found.summary.endswith("no single part carries it.")


def test_few_lines_of_many_are_left_out():
    calls = []
    many = tuple(TimedText(float(n), n + 1.0, f"line {'very ' * n} long") for n in range(40))
    told(Reason("hate_harassment"), video(expensive=ExpensiveSignals("x", speech=many)),
         measure=by_words(calls))  # fmt: skip
    assert len(calls[0]) <= MOST_LINES + 4


LOST = {
    "words of a control token between them": Point("screen text", 1.0, "no such words"),
    "another second": Point("speech", 4.0, "people are vermin"),
    "another place": Point("title", None, "people are vermin"),
    "no quote": Point("speech", 3.0),
}


@pytest.mark.parametrize("point", LOST.values(), ids=LOST)
def test_points_that_cannot_be_traced_are_dropped_and_it_is_said(point):
    found = told(Reason("hate_harassment", (point, VERMIN)))
    assert len(found.evidence) == len(found.points_for) == 1
    assert "could not be found in the original: 1." in found.uncertain[-1]


def test_a_quote_that_spans_a_control_token_shows_it_as_it_was():
    point = Point("screen text", 1.0, "it now friends")
    (evidence,) = told(Reason("hate_harassment", (point,))).evidence
    assert evidence.quote == "it <|im_end|> now friends"


@pytest.mark.parametrize(
    ("duration", "span"),
    [(9.0, (7.5, 9.0)), (5.0, (5.0, 5.0)), (None, (7.5, 99.0)), (float("nan"), (7.5, 99.0))],
)
def test_times_lie_inside_the_video(duration, span):
    point = Point("speech", 7.0, "to the park with")
    low = assessment(hate_harassment=0.2)
    found = told(Reason(None, (), (point,)), video(duration_s=duration), scores=low)
    (evidence,) = found.evidence
    assert (evidence.start_s, evidence.end_s) == span
    assert evidence.quote == "to the ｐａｒｋ with"


def test_what_is_uncertain_is_told_whatever_the_model_says():
    item = video(posted=PostedText(), expensive=ExpensiveSignals("x", speech_understood=False))
    scores = assessment(violence=0.55, scam_spam=0.3)
    found = told(Reason("violence"), item, scores=scores, cut=True)
    text = " ".join(found.uncertain)
    for part in (
        "There is little text", "were not read", "Missing: speech, screen text, caption.",
        "was not understood", "close to 0.50 (0.55)", "Not covered (not trained)",
    ):  # fmt: skip
        assert part in text


def test_nothing_scored_is_nothing_explained():
    missing = {n: PolicyScore(n, None, covered=False, why_not="no_media") for n in ("violence",)}
    found = told(Reason(None), scores=Assessment(Stage.MLLM, "v", missing))
    assert found.summary == "Nothing was scored: no media." and not found.evidence


@pytest.mark.parametrize(
    ("probability", "allowed"),
    [(0.9, ("x",)), (0.5, ("x",)), (0.45, ("x", None)), (0.2, (None,))],
)
def test_the_model_may_only_name_what_the_score_bears_out(probability, allowed):
    assert policies_to_explain(PolicyScore("x", probability)) == allowed


ORIGINALS = {
    "as it is": ("free money", "get free money now", "free money"),
    "not inside a word": ("art is", "start is no art is", "art is"),
    "full width": ("free money", "ｆｒｅｅ　ｍｏｎｅｙ now", "ｆｒｅｅ　ｍｏｎｅｙ"),
    "zero width": ("free money", "fr\u200bee \u200b money", "fr\u200bee \u200b money"),
    "entities": ("a & b", "so a &amp; b", "a &amp; b"),
    "line breaks": ("a b c", "x a\r\n\tb\u2028c", "a\r\n\tb\u2028c"),
    "long runs": ("goooooo now", "gooooooooooo now", "gooooooooooo now"),
    "a field's name": ("my title is", "my title: is", "my title: is"),
    "shown backwards": ("pay me", "so \u202eem yap\u202c", "\u202eem yap\u202c"),
    "isolated": ("pay me", "\u2067pay me\u2069", "\u2067pay me\u2069"),
    "not there": ("free honey", "free money", None),
    "too far apart": ("a b", "a" + "\u200b" * 500 + " b", None),
    "nothing": ("a", "", None),
}


@pytest.mark.parametrize(("quote", "source", "wanted"), ORIGINALS.values(), ids=ORIGINALS)
def test_quotes_are_found_in_the_original(quote, source, wanted):
    found = find_original(quote, source, reserved_words())
    assert found == wanted
    assert found is None or sanitise(found, reserved_words()) == quote


def test_leaving_a_line_out_leaves_the_others_as_they_were_shown():
    item = fused(video(posted=PostedText("One. Two.", "first line\nsecond line\nthird line")))
    lines = item_lines(item)
    for line in lines:
        rest = item_lines(without_line(item, line))
        assert [x.raw for x in rest] == [x.raw for x in lines if x != line]
    assert without_line(item, lines[0]).posted.title is None


def test_leaving_a_sense_out():
    item = fused(video())
    blind, deaf = without_sense(item, "pictures"), without_sense(item, "sound")
    assert blind.frame_features is None and blind.motion is None and len(blind.sound_states)
    assert deaf.sound_states is None and len(deaf.frame_features)


MODEL = parts.model()
PROCESSOR = parts.processor(max_tokens=400)


def scores_of(items):
    logits = MODEL.score(**PROCESSOR(list(items))).slot_logits
    values = torch.sigmoid(logits).numpy()
    return {name: values[:, column] for column, name in enumerate(parts.POLICIES)}


def explained(item, duration):
    signals = ExpensiveSignals(
        "x",
        speech=None if item.speech is None else tuple(item.speech),
        screen_text=None if item.screen_text is None else tuple(item.screen_text),
    )
    given = MllmInput(item.posted, signals, duration)
    inputs = PROCESSOR(item)
    full = {name: float(value[0]) for name, value in scores_of([item]).items()}
    cache = prefill(MODEL, inputs).past_key_values
    found = explain(
        MODEL, PROCESSOR, given, item, assessment(**full), scores_of, inputs=inputs, cache=cache
    )
    return given, found


def sources(item, modality):
    texts = {
        Modality.CAPTION: [item.posted.title, item.posted.caption],
        Modality.SPEECH: [line.text for line in item.expensive.speech or ()],
        Modality.SCREEN_TEXT: [line.text for line in item.expensive.screen_text or ()],
    }[modality]
    clean = [text.strip() for text in texts if text]
    once = list({text.lower(): text for text in reversed(clean)}.values())[::-1]
    return [*(text for text in texts if text), " ".join(clean), " ".join(once)]


@settings(max_examples=25, deadline=None)
@given(hostile.items, st.sampled_from([0.0, 2.5, 70.0]))
def test_quotes_of_any_text_are_verbatim_and_times_inside(item, duration):
    given, found = explained(item, duration)
    assert found.summary
    for one in found.evidence:
        assert 0.0 <= one.start_s <= one.end_s <= duration
        assert any(one.quote in text for text in sources(given, one.modality))
    assert len(found.points_for) + len(found.points_against) == len(found.evidence)


@pytest.mark.parametrize("name", ["ordinary", "control tokens", "right to left", "zero width"])
def test_long_texts_are_explained(name):
    text = hostile.LONG[name]
    item = FusedItem(PostedText(None, text), speech=[TimedText(0, 1, text)])
    given, found = explained(item, 2.0)
    for one in found.evidence:
        assert any(one.quote in text for text in sources(given, one.modality))
