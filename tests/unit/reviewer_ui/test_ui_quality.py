"""Figures, sentences and cells of Admin: hostile text stays text, no number without its n."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coefvq.review.events_view import ChainCheck, EventPage, EventView, EventWish
from coefvq.review.queues import QueueSetup
from coefvq.review.rates import difference, rate
from coefvq.review.views import QueueCounts
from coefvq.store.events import BrokenChain
from reviewer_ui.components import (
    answers,
    case_panel,
    events,
    figures,
    player,
    queue_admin,
    states,
)
from reviewer_ui.components.case_regions import machine_regions
from reviewer_ui.components.decision_form import Actions, decision_form
from reviewer_ui.pages.admin_events import COLUMNS, csv_lines, wish_of
from tests.ui.case_sample import case, video

AT = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)> {0} ${1}"
EVENT = EventView(7, AT, "ann", "case.skipped", "case", "c1", {"reason": HOSTILE}, "00", "ab")


def changed(**fields: object) -> EventView:
    return replace(EVENT, **fields)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, "0 %"), (1.0, "100 %"), (0.004, "0.4 %"), (0.0001, "0.1 %"),
     (0.9999, "99.9 %"), (0.123, "12 %")],
)  # fmt: skip
def test_a_share_is_never_rounded_to_none_or_all(value, shown):
    assert figures.percent(value) == shown


def test_a_rate_says_its_number_and_interval_or_that_there_is_none():
    shown = figures.rate(rate(46, 50)).striptags()
    assert shown == "92 % 46 of 50, 95 %: 81 %–97 %"
    assert figures.rate(rate(0, 0), "none yet").striptags() == "none yet"
    assert figures.number(None, None, None, "3 more are needed").striptags() == "3 more are needed"
    assert figures.number(0.5, None, None, "").striptags() == "0.50"


def test_the_difference_of_two_shares_is_that_of_newcombe():
    """Newcombe (1998), table II, case (a): 56/70 less 48/80."""
    found = difference(rate(56, 70), rate(48, 80))
    assert found is not None
    assert [round(each, 4) for each in found] == [0.2, 0.0524, 0.3339]
    assert difference(rate(0, 0), rate(1, 2)) is None
    assert "no answers yet" in figures.points(None)
    assert figures.points((0.2, 0.0524, 0.3339)).striptags() == "+20.0 points 95 %: +5.2 to +33.4"


SENTENCES = {
    "skipped": (EVENT, "skipped case c1: "),
    "decided": (
        changed(kind="case.decided", subject_kind="decision", subject_id="d1",
                data={"case": "c1", "labels": {"violence": "violation"}, "action": "remove"}),
        "decided case c1: violence, remove",
    ),
    "clear": (
        changed(kind="case.decided", data={"labels": {"violence": "ok"}, "action": "keep"}),
        "decided case c1: no violation, keep",
    ),
    "queue": (
        changed(kind="queue.changed", subject_id="urgent", data={"moved": 3}),
        "changed queue urgent; waiting cases that moved: 3",
    ),
    "person": (
        changed(kind="user.added", subject_id="bob", data={"roles": ["lead"]}),
        "added bob (lead)",
    ),
    "unknown kind": (
        changed(kind="odd.thing", subject_kind="odd", subject_id="g1", data={"note": "x"}),
        "odd: thing: odd g1 note x",
    ),
    "golden": (
        changed(kind="golden.added", subject_kind="golden", data={"case": "c9"}),
        "made a golden case of case c9",
    ),
    "hold": (
        changed(kind="hold.placed", subject_kind="hold", data={"video": "v1", "reason": "law"}),
        "placed a legal hold on video v1: law",
    ),
    "trial": (
        changed(kind="trial.started", subject_kind="task", subject_id="icd",
                data={"kind": "shadow", "version": "v2", "note": "why"}),
        "started a shadow trial of v2 for task icd: why",
    ),
    "other fields than today": (
        changed(kind="batch.decided", subject_kind="batch", subject_id="b", data={"n": 4}),
        "batch: decided: batch b n 4",
    ),
    "labels that are no object": (
        changed(kind="case.decided", data={"labels": ["x"]}), "case: decided: case c1"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("event", "said"), SENTENCES.values(), ids=SENTENCES)
def test_an_event_is_a_sentence(event, said):
    assert events.sentence(event).striptags().startswith(said.strip())


@pytest.mark.parametrize("field", ["actor", "kind", "subject_kind", "subject_id"])
def test_hostile_text_in_an_event_stays_text(field):
    event = changed(**{field: HOSTILE})
    wish = EventWish(HOSTILE, HOSTILE, HOSTILE)
    for markup in (
        events.table(EventPage((event,), None), wish, first=True),
        events.raw(event),
        events.search((HOSTILE, "a.b", "a.c"), wish),
    ):
        assert "<img" not in markup
    assert "&lt;img" in events.raw(event)


def test_the_ways_on_are_there_only_where_they_lead_somewhere():
    page = EventPage((EVENT,), 7)
    middle = events.table(page, EventWish(kind="case.", since=AT), first=False)
    assert 'data-older="7"' in middle and 'data-older=""' in middle
    assert "/admin/events.csv?kind=case.&amp;since=2026-05-04T12%3A30" in middle
    only = events.table(EventPage((EVENT,), None), EventWish(), first=True)
    assert "data-older" not in only
    assert "No event fits" in events.table(EventPage((), None), EventWish(), first=True)


def test_what_verifying_found_is_said():
    assert "All 1,234 events fit." in events.check(ChainCheck(1234, "ab" * 32, None))
    broken = events.check(ChainCheck(9, "ab", BrokenChain(5, "its content was changed")))
    assert "broken at event 5: its content was changed" in broken.striptags()


def test_a_file_of_events_is_safe_to_open():
    def chunks() -> Iterator[tuple[EventView, ...]]:
        yield (changed(actor="=cmd()", data={"n": '"x",\n'}),)
        yield (EVENT,)

    rows = list(csv.reader(io.StringIO("".join(csv_lines(chunks())), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1][2] == "'=cmd()" and rows[1][1] == "2026-05-04T12:30:00+00:00"
    assert rows[2][5] == "c1" and len(rows) == 3


def test_a_time_without_a_zone_is_utc():
    wish = wish_of({"since": "2026-05-04T12:30", "until": "2026-05-04T12:30+02:00", "kind": " a "})
    assert wish.since == AT and wish.kind == "a"
    assert wish.until == AT.replace(hour=10)


QUEUE = QueueSetup("q", HOSTILE, "gone", ("violence", "lost"), ("audit", "odd"), 60.0, True, 0)


def test_a_queue_says_what_enters_it_also_when_policies_are_gone():
    said = queue_admin.conditions(QUEUE)
    assert said == ("task gone (gone); likeliest policy: violence, lost (gone); "
                    "came by: random audit, odd")  # fmt: skip
    assert queue_admin.conditions(replace(QUEUE, task=None, policies=(), rules=())) == (
        "all that come here"
    )
    form = queue_admin.edit_form(QUEUE)
    assert "<img" not in form and 'value="violence" checked' in form and "lost" not in form


def test_an_answer_shows_policies_that_are_gone_by_their_id():
    shown = answers.labels({"lost_policy": "violation", "violence": "ok"}, {}, ("violence",))
    assert shown.striptags() == "lost policyviolence: no violation"
    assert "not in the taxonomy" in answers.fields("gone", "x")


@pytest.mark.parametrize("restricted", [False, True])
def test_the_player_of_a_restricted_queue_offers_no_way_to_keep_it(restricted):
    markup = player.player(video(), restricted=restricted)
    assert ('controlslist="nodownload noremoteplayback" data-restricted' in markup) is restricted


def test_a_blind_case_shows_nothing_of_the_machine_even_if_it_came_along():
    """The service leaves it out; should it ever not, the page still does."""
    shown = machine_regions(case(blind=True), busy=None)
    assert set(shown) == set(machine_regions(case(), busy=None))
    words = " ".join(shown.values())
    assert "Answer first." in words
    for secret in (
        "0.41",
        "0.87",
        "disagree",
        "In short",
        "loud voices",
        "audit",
        "raises",
        "<mark",
    ):
        assert secret not in words
    assert shown["mllm-card"] == shown["evidence-list"] == shown["disagreement"] == ""
    form = decision_form(case(blind=True), Actions({"keep": "Keep"}, "keep", "keep"))
    assert " data-blind>" in form and "Send your answer" in form
    assert "after your answer" in case_panel.facts(case(blind=True), "ann", False)
    assert player.may_be_severe(case(blind=True, policies=()), 5)


def test_who_is_alone_is_told_that_second_answers_wait_for_others():
    assert "Second answers that only somebody else can give: 3." in states.calm(
        QueueCounts({}, second_answers=3)
    )
    assert "Second answers" not in states.calm(QueueCounts({}))
