"""The queue bar, the list of queues, the case panel, and what is said when no case is shown."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from coefvq import taxonomy
from coefvq.review.exposure import Exposure
from coefvq.review.views import DraftView, LeaseView, NoteView, QueueCounts, QueueView
from reviewer_ui.components import case_panel, chrome, player, queues, states
from reviewer_ui.components.decision_form import Actions, decision_form, held
from reviewer_ui.pages.review_tools import exposure_words
from tests.ui.case_sample import HOSTILE, NOW, case, policy, video

ACTIONS = Actions({"keep": "Keep", "remove": "Remove"}, "keep", "remove", ("cannot judge", "later"))


def plain(markup: str) -> str:
    """The words without the tags."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", str(markup)).split()))


def queue(queue_id: str = "hate", **changes: object) -> QueueView:
    fields: dict = {"id": queue_id, "name": queue_id.title(), "task": "icd", "waiting": 5,
                    "oldest_s": 3600.0, "promised_age_s": 7200.0, "late": 0,
                    "open": True}  # fmt: skip
    return QueueView(**fields | changes)


def counts(*found: QueueView, **changes: object) -> QueueCounts:
    return QueueCounts({"icd": 40, "ucc": 2}, queues=found, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "chosen", "words"),
    [
        (counts(queue()), None, "All queues 42"),
        (counts(queue()), "hate", "Hate 5 oldest 60 min"),
        (counts(queue(open=False)), "hate", "All queues 42"),
        (counts(queue()), "gone", "All queues 42"),
        (counts(), "hate", "icd 40 ucc 2"),
    ],
    ids=["all", "chosen", "closed to this person", "no longer there", "no queues"],
)
def test_the_bar_says_where_cases_come_from(found, chosen, words):
    shown = plain(chrome.counts(found, switch=True, chosen=chosen))
    assert shown.replace("1 h", "60 min").startswith(words)


def test_pages_without_a_case_show_tasks_and_no_switch():
    assert "queue-switch" not in chrome.counts(counts(queue()))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (counts(queue()), ""),
        (counts(queue(late=3)), "Hate: 3 older than 2 h"),
        (counts(queue(late=1), queue("spam", late=9)), "Spam: 9 older than 2 h and 1 more"),
        (counts(queue(late=3, open=False)), ""),
    ],
    ids=["in time", "late", "the worst first", "not this person's"],
)
def test_a_late_queue_is_said_in_words(found, words):
    assert plain(queues.late(found)) == words


def test_the_list_gives_each_queue_with_its_promise():
    found = counts(queue(late=3), queue("spam"), queue("special", open=False), oldest_s=86400.0)
    words = plain(queues.rows(found, "spam"))
    for expected in ("0 All queues 42 oldest 1 d", "1 Hate 5 oldest 1 h 3 older than 2 h",
                     "2 Spam 5 oldest 1 h promised within 2 h", "for others"):  # fmt: skip
        assert expected in words, expected
    rows = str(queues.rows(found, "spam"))
    assert 'data-queue="spam" data-key="2" aria-pressed="true"' in rows
    assert 'data-queue="special" data-key="3" aria-pressed="false" disabled' in rows


def test_without_queues_the_list_says_so():
    assert "No queues are set up" in queues.rows(counts(), None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Case o"),
        ({"assigned_to": "ann"}, "Case: for ann o"),
        ({"notes": (NoteView("ann", "x", NOW),)}, "Case: 1 note o"),
        ({"notes": (NoteView("ann", "x", NOW),) * 2, "assigned_to": "bob"},
         "Case: for bob · 2 notes o"),
    ],
)  # fmt: skip
def test_the_quiet_button_says_what_would_be_missed(changes, words):
    assert plain(case_panel.summary(case(**changes))) == words


@pytest.mark.parametrize(
    ("assigned_to", "may_assign", "there", "not_there"),
    [
        (None, False, ["assign-me"], ["assign-nobody", "assignee"]),
        ("me", False, ["assign-nobody"], ["assign-me", "assignee"]),
        ("ann", False, ["assign-me"], ["assign-nobody", "assignee"]),
        ("ann", True, ["assign-me", "assign-nobody", "assignee"], []),
    ],
)
def test_assigning_offers_what_is_allowed(assigned_to, may_assign, there, not_there):
    shown = str(case_panel.facts(case(assigned_to=assigned_to), "me", may_assign))
    assert [word for word in there if word not in shown] == []
    assert [word for word in not_there if word in shown] == []


def test_the_panel_links_to_the_case_and_the_videos_history():
    shown = str(case_panel.facts(case(due_at=NOW, queue="hate"), "me", False))
    assert 'href="/?case=c1"' in shown and 'href="/video?id=v1"' in shown
    assert "hate" in shown and "2026-05-04 12:30 UTC" in plain(shown)


def test_notes_are_shown_with_who_and_when():
    assert "No notes yet" in case_panel.notes(case())
    words = plain(case_panel.notes(case(notes=(NoteView("ann", "seen before", NOW),))))
    assert words == "ann 2026-05-04 12:30 UTC seen before"


def hostile():
    return case(
        notes=(NoteView(HOSTILE, HOSTILE, NOW),), assigned_to=HOSTILE, queue=HOSTILE,
        lease=LeaseView(HOSTILE, False, NOW, None),
        draft=DraftView({"violence": True}, {}, "remove", HOSTILE, None, None, NOW, HOSTILE),
    )  # fmt: skip


@pytest.mark.parametrize(
    "render",
    [
        case_panel.summary, case_panel.notes, lambda c: case_panel.facts(c, "me", True), held,
        lambda c: decision_form(c, ACTIONS),
        lambda c: queues.rows(counts(queue(HOSTILE, name=HOSTILE)), None),
        lambda c: queues.late(counts(queue(name=HOSTILE, late=1))),
        lambda c: chrome.counts(counts(queue(name=HOSTILE)), switch=True, chosen="hate"),
        lambda c: states.calm(counts(), queue(name=HOSTILE)),
    ],
)  # fmt: skip
def test_hostile_text_never_becomes_markup(render):
    assert "<img" not in render(hostile())


def test_the_notice_of_a_draft_is_in_the_form():
    draft = DraftView({"violence": True}, {}, "remove", "", None, None, NOW, "Please do not.")
    shown = str(decision_form(case(draft=draft), ACTIONS))
    assert 'data-draft="true"' in shown and ">Please do not.</textarea>" in shown


def test_the_reasons_to_skip_have_keys_and_the_last_is_enter():
    shown = str(decision_form(case(), ACTIONS))
    assert 'data-skip="cannot judge" data-key="1"' in shown
    assert 'data-skip="later" data-key="Enter"' in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"lease": None}, ""),
        ({"lease": LeaseView("ann", False, NOW, None)}, "ann is on it. You can look"),
        ({"lease": LeaseView("ann", False, NOW, None),
          "draft": DraftView({}, {}, "keep", "", None, None, NOW)}, "Your draft is kept."),
    ],
)  # fmt: skip
def test_a_case_that_somebody_else_has_says_so(changes, words):
    assert words in plain(held(case(**changes)))


@pytest.mark.parametrize(
    ("final", "scored", "expected"),
    [(0.9, True, True), (0.2, True, True), (0.1, True, False), (None, True, False),
     (0.1, False, True)],
)  # fmt: skip
def test_what_may_be_severe(final, scored, expected):
    found = replace(policy(1, taxonomy.policy("violence")), final=final)
    shown = case(policies=(found,), verdict_id="d1" if scored else None)
    assert player.may_be_severe(shown, 4) is expected


def test_a_mild_policy_is_not_severe_however_likely():
    found = replace(policy(1, taxonomy.policy("watermark")), final=0.99)
    assert not player.may_be_severe(case(policies=(found,)), 4)


def test_the_player_knows_whether_to_stay_blurred():
    assert 'data-blur="on" data-severe="true"' in player.player(video())
    assert 'data-severe="false"' in player.player(video(), severe=False)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Exposure(60, 3600, "fine"), ""),
        (Exposure(3000, 3600, "warn"), "Severe material: 50 of 60 min"),
        (Exposure(3600, 3600, "pause", NOW), "Finish this case, then a break is due"),
    ],
)
def test_exposure_words(found, words):
    assert plain(exposure_words(found)) == words


def test_the_pause_counts_down_to_its_end():
    until = NOW + timedelta(minutes=12)
    shown = str(states.rest(60.0, until))
    assert f'data-until="{until.timestamp():.0f}"' in shown
    assert "Time for a break" in shown and "60 minutes" in shown


def test_an_empty_queue_offers_the_others():
    words = plain(states.calm(counts(queue()), queue(waiting=0)))
    assert "Nothing waits in Hate" in words and "Take from all queues" in words
    none_left = QueueCounts({"icd": 0}, queues=(queue(waiting=0),))
    assert "Nothing waits for you" in plain(states.calm(none_left, queue(waiting=0)))
