"""What the parts of Review say of a case."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from coefvq.domain import Evidence, Modality, TimedText
from coefvq.review.views import (
    DecisionView,
    Disagreement,
    DraftView,
    LeaseView,
    QueueCounts,
    ScoreView,
)
from reviewer_ui.components import cards, chrome, player, timeline, transcript
from reviewer_ui.components.decision_form import Actions, decided_line, decision_form
from reviewer_ui.components.states import calm
from reviewer_ui.pages.review import shell, tabs
from tests.ui.case_sample import EVIDENCE, HOSTILE, NOW, RATIONALE, assessment, case, route, video

ACTIONS = Actions({"keep": "Keep", "remove": "Remove"}, "keep", "remove")


def plain(markup: str) -> str:
    """The words without the tags."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", str(markup)).split()))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (route(), "entropy 0.98 bits, threshold 0.60 (+0.38)"),
        (route(score=0.12, escalated=False), "entropy 0.12 bits, threshold 0.60 (-0.48)"),
        (route(rule="bayes_risk", score=0.7), "bayes risk 0.70, threshold 0.60 (+0.10)"),
        (route(score=None), "no policy covered, so no score to route by"),
        (None, ""),
    ],
)
def test_entropy_words(found, words):
    assert cards.entropy_words(found) == words


def test_the_prefilter_card_says_everything():
    words = plain(cards.prefilter_card(case()))
    for expected in ("84 ms", "0.41", "leans to no violation, sent on", "violence 0.28",
                     "sexual not covered by this model", "Most from: loud voices +0.20",
                     "crowd -0.10", "unsure: sent on to the MLLM"):  # fmt: skip
        assert expected in words, expected


def test_the_band_lies_between_the_two_thresholds():
    assert 'class="band" style="left:15.0%;width:70.0%"' in cards.prefilter_card(case())
    other = case(first_route=route(rule="margin", escalate_low=None, escalate_high=None))
    assert "band" not in cards.prefilter_card(other)


def test_another_reason_to_send_it_on_is_given_instead_of_the_entropy():
    gap = route(score=0.12, reason="the text is not in English")
    words = plain(cards.prefilter_card(case(first_route=gap)))
    assert "sent on the text is not in English" in words


def test_without_an_mllm_the_only_route_is_the_prefilters():
    only = case(mllm=None, first_route=None, route=route(score=0.12, escalated=False))
    assert "sure enough entropy 0.12 bits" in plain(cards.prefilter_card(only))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("fused-312487e0cf", "MLLM frames, motion, sound, all text"),
        ("omni-qwen3-1a2b-prompt1-frames8-sound30-uncalibrated", "MLLM frames, sound, all text"),
        ("endpoint-m-1a2b-prompt1-frames8-uncalibrated", "MLLM frames or video, all text"),
        ("some-other-1", "MLLM"),
    ],
)
def test_the_mllm_card_says_what_the_model_of_the_answer_was_given(version, words):
    found = plain(cards.mllm_card(case(mllm=assessment("mllm", model_version=version))))
    assert found.startswith(words) and ("frames" in found) is ("frames" in words)


def test_the_mllm_card_is_two_sided():
    words = plain(cards.mllm_card(case()))
    for expected in ("0.87", "leans to violation", "trust in answer 0.96, entropy 0.70",
                     "For for it", "Against against it", "Uncertain not sure", "In short.",
                     "not covered by this model: sexual"):  # fmt: skip
        assert expected in words, expected


def test_the_mllm_card_lists_what_is_not_covered_once_and_for_this_task_only():
    listed = ("Not covered (not trained): sexual; watermark.", "Who speaks?")
    said = replace(RATIONALE, uncertain=listed)
    words = plain(cards.mllm_card(case(mllm=assessment("mllm", rationale=said))))
    assert "watermark" not in words and "Who speaks?" in words
    assert words.count("sexual") == 1


def test_policies_that_are_not_covered_are_grouped_by_the_reason():
    scores = (
        ScoreView("violence", "violence", 0.2, True, None),
        ScoreView("sexual", "sexual", None, False, "not_trained"),
        ScoreView("scam_spam", "scam, spam", None, False, "language_not_covered"),
    )
    words = plain(cards.mllm_card(case(mllm=assessment("mllm", rationale=RATIONALE,
                                                       scores=scores))))  # fmt: skip
    assert "not covered by this model: sexual" in words
    assert "not covered: the text is not English: scam, spam" in words


def test_a_point_that_quotes_evidence_links_to_its_time():
    said = replace(RATIONALE, points_for=('"thrown out", said aloud',), evidence=EVIDENCE[:1])
    markup = cards.mllm_card(case(mllm=assessment("mllm", rationale=said)))
    assert 'data-start="2.00" data-end="4.00">0:02–0:04</button></li>' in markup
    assert markup.count("data-start") == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mllm": None, "first_route": None, "route": route(score=0.12, escalated=False)},
         "Not run: the prefilter was sure (0.12 bits, threshold 0.60). Ask the MLLM"),
        ({"mllm": None}, "The MLLM was due and has not run yet. Ask the MLLM"),
        ({"mllm": None, "route": route(name="mllm")},
         "The MLLM was due and could not run. Decide without it, or ask it again. Ask the MLLM"),
        ({"mllm": None, "first_route": None, "route": route(score=None, escalated=False)},
         "Not run: the prefilter covers none of these policies. Ask the MLLM"),
        ({"mllm": None, "prefilter": None, "route": None, "state": "pending"}, "Being scored."),
        ({"mllm": assessment("mllm", rationale=None)}, "No explanation was asked for. Explain"),
        ({"mllm": assessment("mllm", rationale=None), "rationale_due": True}, "Explaining…"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_and_can_be_asked_for(changes, words):
    assert words in plain(cards.mllm_card(case(**changes)))


def test_a_running_job_takes_the_place_of_its_button():
    markup = cards.mllm_card(case(mllm=None), "scoring 40 %…")
    assert "scoring 40 %…" in markup
    assert "ask-mllm" not in markup


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "They disagree on hate, harassment (0.41 against 0.87); the MLLM's evidence is in "
             "speech. The stages disagree."),
        ({"disagreement": None}, "The stages agree. The stages disagree."),
        ({"probability": 0.62}, "The stages disagree. Together 0.62."),
        ({"disagreement": None, "mllm": None}, "One stage has answered."),
        ({"disagreement": None, "mllm": None, "route": route(name="mllm", reason="It is unsure.")},
         "It is unsure; the MLLM could not run, so a person decides."),
        ({"disagreement": None, "policies": ()}, "No policy was judged by both stages."),
        ({"disagreement": None, "route": route(audit=True, propensity=0.02)},
         "Random audit, drawn with probability 0.02."),
        ({"disagreement": None, "second_look": True, "second_look_by": "ann"},
         "Second look asked for by ann."),
    ],
)  # fmt: skip
def test_disagreement(changes, words):
    assert words in plain(cards.disagreement(case(**changes)))


def test_one_stage_alone_has_nothing_to_put_together():
    assert "Together" not in plain(cards.disagreement(case(mllm=None, probability=0.4)))


@pytest.mark.parametrize(
    ("start", "end", "duration", "css"),
    [
        (2.0, 4.0, 10.0, "left:20.00%;width:20.00%"),
        (5.0, 5.0, 10.0, "left:50.00%;width:1.20%"),
        (9.0, 30.0, 10.0, "left:90.00%;width:10.00%"),
        (50.0, 60.0, 10.0, "left:98.80%;width:1.20%"),
        (-1.0, 1.0, 10.0, "left:0.00%;width:20.00%"),
        (0.0, 0.0, 0.0, "left:0.00%;width:1.20%"),
    ],
)
def test_marks_stay_on_the_rail(start, end, duration, css):
    assert timeline.place(start, end, duration) == css


@pytest.mark.parametrize(
    ("weight", "lean"), [(0.3, "for"), (-0.3, "against"), (None, "neutral"), (0.0, "neutral")]
)
def test_leaning(weight, lean):
    assert timeline.leaning(weight) == lean


def test_the_timeline_has_a_row_a_modality_and_names_its_marks():
    markup = timeline.timeline(case())
    assert plain(markup) == "speech on screen picture sound"
    assert 'aria-label="0:02 speaks for a violation: thrown out"' in markup
    copy = Evidence(Modality.COPY, 0.0, 3.0, None, "same as v0", "reupload", 0.9)
    assert "copy" in plain(timeline.timeline(case(evidence=(copy,))))


def test_the_evidence_list_gives_time_source_and_weight():
    words = plain(timeline.evidence_list(case()))
    assert "0:02–0:04 speech thrown out raises hate +0.30 speaks for a violation" in words
    assert "– title, caption caption noted noted" in words
    assert "Neither stage named any." in timeline.evidence_list(case(evidence=()))


@pytest.mark.parametrize(
    ("text", "quotes", "expected"),
    [
        ("say it now", ["it"], [(4, 6)]),
        ("Say SAY", ["say"], [(0, 3), (4, 7)]),
        ("abcdef", ["bcd", "cde"], [(1, 5)]),
        ("abc", ["", "  ", "x"], []),
        ("İstanbul", ["stan"], [(1, 5)]),
    ],
)
def test_spans(text, quotes, expected):
    assert transcript.spans(text, quotes) == expected


def test_a_line_inside_a_longer_quote_is_marked_as_a_whole():
    assert transcript.marked("thrown out", ["all be thrown out today"]) == (
        "<mark>thrown out</mark>"
    )


def test_a_marked_text_is_escaped_around_and_inside():
    assert transcript.marked("<a> & <b>", ["& <"]) == "&lt;a&gt; <mark>&amp; &lt;</mark>b&gt;"


def test_the_transcript_is_in_the_order_of_time_and_ends_with_what_was_posted():
    words = plain(transcript.transcript(case()))
    assert words.index("FREE") < words.index("they should be")
    assert "title a title" in words and "file clip.mp4" in words
    assert "<mark>thrown out</mark>" in transcript.transcript(case())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transcript": None}, "Speech was not listened to yet."),
        ({"transcript": None, "video": video(has_audio=False)}, "No sound track."),
        ({"transcript": ()}, "Nobody speaks."),
        ({"speech_understood": False}, "Speech not understood by the recogniser"),
        ({"screen_text": None}, "Screen text was not looked for yet."),
        ({"screen_text": ()}, "No text on screen."),
    ],
)
def test_what_was_not_heard_or_read_is_said(changes, words):
    assert words in transcript.transcript(case(**changes))


def hostile_case():
    line = (TimedText(0.0, 1.0, HOSTILE),)
    item = Evidence(Modality.SPEECH, 0.0, 1.0, HOSTILE, HOSTILE, None, 0.1)
    said = replace(RATIONALE, summary=HOSTILE, points_for=(HOSTILE,))
    return case(
        video=video(title=HOSTILE, caption=HOSTILE, original_name=HOSTILE, warnings=(HOSTILE,)),
        transcript=line, screen_text=line, evidence=(item,),
        prefilter=assessment(top_contributions=((HOSTILE, 0.1),)),
        mllm=assessment("mllm", rationale=said),
        route=route(reason=HOSTILE, version=HOSTILE),
        disagreement=Disagreement("x", HOSTILE, 0.1, 0.9, (HOSTILE,), HOSTILE),
        draft=DraftView({"violence": True}, {"violence": HOSTILE}, "keep", HOSTILE, None, None,
                        NOW),
        lease=LeaseView(HOSTILE, False, NOW, None),
    )  # fmt: skip


@pytest.mark.parametrize(
    "render",
    [
        cards.prefilter_card, cards.mllm_card, cards.disagreement, timeline.timeline,
        timeline.evidence_list, transcript.transcript, tabs,
        lambda c: decision_form(c, ACTIONS, tabs(c)), lambda c: player.player(c.video),
        lambda c: player.facts(c.video), lambda c: cards.mllm_card(c, HOSTILE),
    ],
)  # fmt: skip
def test_hostile_text_never_becomes_markup(render):
    assert "<img" not in render(hostile_case())


def test_the_form_carries_what_the_server_needs_back():
    markup = decision_form(case(), ACTIONS)
    assert 'data-case="c1" data-token="7" data-verdict="d1"' in markup
    for element in ("policy-violence", "decision-reason", "decision-action", "decision-comment",
                    "decision-range", "submit-decision", "skip-case", "second-look",
                    "undo-decision"):  # fmt: skip
        assert f'id="{element}"' in markup


def test_a_draft_is_in_the_form():
    draft = DraftView({"violence": True}, {"violence": "weapon used"}, "remove", "why", 1.0, 2.0,
                      NOW)  # fmt: skip
    markup = decision_form(case(draft=draft), ACTIONS)
    assert 'id="policy-violence" class="toggle" aria-pressed="true"' in markup
    assert 'data-reason="weapon used"' in markup
    assert 'value="remove" selected' in markup
    assert 'value="why"' in markup and 'data-value="1.00"' in markup


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lease": LeaseView("ann", False, NOW, None)}, "ann is on it"),
        ({"state": "auto"}, "settled automatically"),
        ({"second_look": True}, "second look"),
        ({"route": route(audit=True)}, "random audit"),
    ],
)
def test_the_form_says_what_is_special(changes, words):
    assert words in plain(decision_form(case(**changes), ACTIONS))


def test_a_look_at_somebody_elses_case_has_no_token():
    assert 'data-token=""' in decision_form(case(lease=LeaseView("ann", False, NOW, None)), ACTIONS)


@pytest.mark.parametrize(
    ("labels", "undone", "words"),
    [
        ({"violence": "violation", "sexual": "ok"}, None, "violence , a correction by ann"),
        ({"sexual": "ok"}, NOW, "no violation , a correction by ann (undone)"),
    ],
)
def test_an_earlier_decision_is_one_line(labels, undone, words):
    taken = DecisionView("d", "c1", "icd", "ann", "reviewer", "keep", labels, {}, "", None, None,
                         NOW, True, undone, {})  # fmt: skip
    assert words.replace(" ,", ",") in plain(decided_line(taken)).replace(" ,", ",")


def test_tabs_mark_the_case_that_is_open():
    markup = tabs(case())
    assert 'data-case="c1" aria-current="true">icd' in markup
    assert 'data-case="c2">ucc' in markup


def test_a_video_without_a_preview_says_so():
    assert "No preview yet." in player.player(video(proxy=None))
    assert "no sound" in player.player(video(has_audio=False))
    assert "same bytes uploaded 2× before" in player.facts(video(copies=("a", "b")))
    assert player.facts(video(width=None)) == ""


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (QueueCounts({"icd": 0}), "settled by the machine. New cases open here by themselves."),
        (QueueCounts({"icd": 0}, scoring=3), "Videos being scored: 3."),
        (QueueCounts({"icd": 0}, failed=2), "Videos that could not be scored: 2."),
    ],
)
def test_an_empty_queue_says_why(found, words):
    assert words in plain(calm(found))


def test_the_shell_has_one_place_for_every_region():
    markup = str(shell())
    ids = re.findall(r' id="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    assert {"review-player", "queue-counts", "keyboard-help", "decision-form"} <= set(ids)
    assert "{{" not in markup and "${" not in markup  # Gradio's templates would run these


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (QueueCounts({"icd": 42, "ucc": 7}, oldest_s=1090, pace_s=31.2, second_look=2),
         "icd 42 ucc 7 second look 2 oldest 18 min my pace 31 s lease"),
        (QueueCounts({"icd": 0}, scoring=3, failed=1), "icd 0 scoring 3 failed 1 lease"),
    ],
)  # fmt: skip
def test_counts(found, words):
    assert plain(chrome.counts(found)) == words
