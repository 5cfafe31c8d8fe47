"""A whole session without a mouse: twenty decisions, and everything else that Review can do."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from coefvq.review import preferences, queues
from coefvq.review.access import LOCAL
from coefvq.store import decisions
from coefvq.store.tables import CaseRow, CaseState, DecisionRow, EventRow, NoteRow, SkipRow
from tests.ui.test_review_page import shown_case, wait_for_other_case
from tests.ui.world import World, add, escalated

pytestmark = pytest.mark.browser

DECISIONS = 20


@pytest.fixture
def long_queue(empty_world: World) -> World:
    """Cases that the machine takes for hate; all in one queue of two."""
    queues.add(empty_world.store, LOCAL, "Hate", task="icd", policies=["hate_harassment"])
    queues.add(empty_world.store, LOCAL, "Scam", task="icd", policies=["scam_spam"])
    for number in range(DECISIONS + 2):
        add(empty_world, f"clip{number}", title=f"clip {number}", hue=number % 3,
            result=escalated())  # fmt: skip
    return empty_world


class Hands:
    """Two hands on a keyboard."""

    def __init__(self, page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, key: str, text: str) -> None:
        """Go to a field with its key, write, and leave it."""
        self.press(key)
        self.press("Control+A", "Backspace")
        self.page.keyboard.type(text)
        self.press("Enter")

    def on(self, *keys: str) -> str:
        """Press keys that end a case; return the case that was decided."""
        before = shown_case(self.page)
        self.press(*keys)
        wait_for_other_case(self.page, before)
        return before


def keep(hands: Hands) -> str:
    """Against the machine: nothing is violated."""
    return hands.on("Enter")


def agree(hands: Hands) -> str:
    """As the machine said, with another message to the uploader."""
    hands.press("2", "r")
    hands.write("u", "Please be kind.")
    return hands.on("Enter")


def warn(hands: Hands) -> str:
    """Two policies, two reasons, another action, a comment."""
    hands.press("1", "r", "2", "r", "a")
    hands.write("c", "seen twice")
    return hands.on("Enter")


def mark_range(hands: Hands) -> str:
    """A scam, and where it shows."""
    hands.page.wait_for_function("document.querySelector('video').readyState > 0")
    hands.press("4", "r", "n", "[", "n", "]")
    return hands.on("Enter")


TURNS = (keep, agree, warn, mark_range)


def stored(world: World) -> dict[str, DecisionRow]:
    """Standing decisions by case."""
    with world.store.read() as session:
        rows = session.scalars(select(DecisionRow).where(decisions.stands())).all()
        return {row.case_id: row for row in rows}


def events(world: World) -> Counter[str]:
    with world.store.read() as session:
        return Counter(session.scalars(select(EventRow.kind)))


def test_a_session_on_the_keyboard_alone(page, long_queue, empty_app):
    page.add_init_script("window.touched = 0; addEventListener('pointerdown', () => touched++, 1)")
    page.goto(empty_app)
    page.wait_for_selector(".form")
    hands = Hands(page)
    done: dict[str, str] = {}

    hands.press("q")
    page.wait_for_selector("#queue-list[open]")
    hands.press("1")
    page.wait_for_function("document.querySelector('#queue-switch').innerText.includes('Hate')")
    skipped = hands.on("s", "2")
    sent_on = hands.on("e")
    hands.press("o")
    page.wait_for_selector("#case-panel[open]")
    page.keyboard.type("the same sound as yesterday")
    hands.press("Enter")
    page.wait_for_function("document.querySelector('#case-notes').innerText.includes('yesterday')")
    hands.press("Escape")
    noted = shown_case(page)

    for number in range(DECISIONS):
        turn = TURNS[number % len(TURNS)]
        done[turn(hands)] = turn.__name__
        if number == 6:  # a slip: take it back, and say that nothing is wrong after all
            taken = list(done)[-1]
            hands.press("z")
            page.wait_for_selector(f'.form[data-case="{taken}"]')
            assert page.get_attribute("#policy-violence", "aria-pressed") == "true"
            hands.press("1", "2")
            hands.write("c", "")
            done[keep(hands)] = "keep"

    rows = stored(long_queue)
    assert set(rows) == set(done) and len(rows) == DECISIONS
    for case_id, turn in done.items():
        check(rows[case_id], turn)
    assert page.evaluate("touched") == 0
    assert page.faults == []
    check_the_rest(long_queue, skipped, sent_on, noted)


def check(row: DecisionRow, turn: str) -> None:
    """A decision is what its turn meant, with what was on the screen."""
    bad = {policy for policy, label in row.labels.items() if label == decisions.VIOLATION}
    expected = {
        "keep": (set(), "keep", {}, "", True),
        "agree": ({"hate_harassment"}, "remove", {"hate_harassment"}, "", False),
        "warn": ({"violence", "hate_harassment"}, "warn", {"violence", "hate_harassment"},
                 "seen twice", True),
        "mark_range": ({"scam_spam"}, "remove", {"scam_spam"}, "", True),
    }[turn]  # fmt: skip
    found = (bad, row.action, set(row.reasons) or {}, row.comment, row.correction)
    assert found == expected, turn
    assert row.snapshot["policies"] and row.verdict_id
    if turn == "mark_range":
        assert row.start_s == pytest.approx(0.6, abs=0.1)
        assert row.end_s == pytest.approx(1.6, abs=0.1)
    if turn == "agree":
        assert row.notice == "Please be kind."
    if turn == "warn":
        assert "stays up this time" in row.notice
    if turn == "keep":
        assert row.notice == ""


def check_the_rest(world: World, skipped: str, sent_on: str, noted: str) -> None:
    """What was not decided is where it belongs, and every step left its event."""
    with world.store.read() as session:
        skip = session.scalars(select(SkipRow)).one()
        note = session.scalars(select(NoteRow)).one()
        waiting = session.get_one(CaseRow, sent_on)
        assert (skip.case_id, skip.reason) == (skipped, "cannot judge")
        assert (note.case_id, note.text) == (noted, "the same sound as yesterday")
        assert waiting.second_look_by == "local" and waiting.state == CaseState.QUEUED.value
    kinds = events(world)
    assert kinds["case.decided"] == DECISIONS + 1  # one was taken back
    assert kinds["decision.undone"] == 1
    assert kinds["case.skipped"] == kinds["case.second_look"] == 1
    queue_id = preferences.load(world.store, LOCAL)["queue"]
    assert queue_id == "hate"
