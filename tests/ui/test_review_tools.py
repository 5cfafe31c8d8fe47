"""Beside the decision: what is kept for a reviewer, exposure, queues, the case panel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from coefvq.review import decide, preferences, queues
from coefvq.review.access import LOCAL
from coefvq.store import events, people
from coefvq.store.tables import CaseRow, ExposureRow, utcnow
from tests.ui.test_review_page import open_case, shown_case, standing, wait_for_other_case
from tests.ui.world import World

pytestmark = pytest.mark.browser
ANN = replace(LOCAL, name="ann")


def eventually(check: Callable[[], object], patience_s: float = 15.0) -> object:
    """The first true answer of ``check``."""
    ends = time.monotonic() + patience_s
    while not (found := check()) and time.monotonic() < ends:
        time.sleep(0.1)
    return found


def test_what_is_set_is_there_in_the_next_browser(page, browser, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.wait_for_function("document.querySelector('video').readyState > 0")
    for key in ("g", "m", ">"):
        page.keyboard.press(key)
    page.click("[data-do=settings]")
    page.select_option("#settings-panel [name=blur]", "never")
    page.select_option("#settings-panel [name=theme]", "dark")
    kept = {"grey": True, "muted": False, "speed": 1.25, "blur": "never", "theme": "dark"}
    assert eventually(lambda: preferences.load(world.store, LOCAL).items() >= kept.items())
    with browser.new_context(color_scheme="light") as elsewhere:
        other = elsewhere.new_page()
        open_case(other, app, case_id)
        other.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        screen = other.locator("#review-player .screen")
        assert screen.get_attribute("data-grey") == "on"
        assert screen.get_attribute("data-blur") == "off"
        assert other.evaluate("document.querySelector('video').playbackRate") == 1.25
        assert other.evaluate("document.querySelector('video').muted") is False


@pytest.mark.parametrize(
    ("blur", "name", "shown"),
    [("always", "audit", "on"), ("severe", "audit", "off"), ("severe", "argument", "on"),
     ("never", "argument", "off")],
)  # fmt: skip
def test_blur(page, app, world, blur, name, shown):
    preferences.save(world.store, LOCAL, {"blur": blur})
    open_case(page, app, world.case(name))
    page.wait_for_function(
        "wanted => document.querySelector('.screen').dataset.blur === wanted", arg=shown
    )


def exposures(world: World) -> list[ExposureRow]:
    with world.store.read() as session:
        return list(session.scalars(select(ExposureRow)))


def test_seconds_of_a_revealed_severe_case_are_reported(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("v")
    page.wait_for_timeout(2300)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    (row,) = eventually(lambda: exposures(world))
    assert (row.case_id, row.severity, row.reviewer) == (case_id, 4, "local")
    assert 1 <= row.seconds <= 5


def test_a_blurred_picture_is_no_exposure(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.wait_for_timeout(2300)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    page.wait_for_timeout(500)
    assert exposures(world) == []


def test_near_the_limit_the_header_says_so(page, app, world):
    case_id = world.case("argument")
    with world.store.write() as session:
        session.add(ExposureRow(reviewer="local", case_id=case_id, severity=4, seconds=3000.0))
    open_case(page, app, case_id)
    assert page.inner_text("#late") == "Severe material: 50 of 60 min"


def test_at_the_limit_a_break_is_due_and_nothing_is_lost(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    with world.store.write() as session:
        events.append(session, "local", people.PAUSED, "user", "local")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rest")
    page.wait_for_function("/^1[45]:\\d\\d$/.test(document.querySelector('.rest .left').innerText)")
    assert standing(world, case_id) is not None
    assert page.locator("#decision-form").is_hidden()
    page.keyboard.press("z")  # the last decision can still be taken back
    page.wait_for_selector(f'.form[data-case="{case_id}"]')


def late_queue(world: World) -> str:
    """One queue whose only case is an hour late."""
    made = queues.add(world.store, LOCAL, "Hate", task="icd", policies=["hate_harassment"],
                      promised_age_s=7200)  # fmt: skip
    with world.store.write() as session:
        row = session.get_one(CaseRow, _case(session, world))
        row.queue, row.due_at = made.id, utcnow() - timedelta(hours=1)
        row.queued_at = utcnow() - timedelta(hours=3)
    return made.id


def _case(session, world: World) -> str:
    wanted = select(CaseRow.id).where(
        CaseRow.video_id == world.ids["argument"], CaseRow.task == "icd"
    )
    return session.scalars(wanted).one()


def test_a_late_queue_is_named_and_can_be_chosen(page, app, world):
    queue_id = late_queue(world)
    page.goto(app)
    page.wait_for_selector("#late button")
    assert "Hate: " in page.inner_text("#late") and "older than 2 h" in page.inner_text("#late")
    page.click("#late button")
    page.click(f'#queue-list [data-queue="{queue_id}"]')
    page.wait_for_function("document.querySelector('#queue-switch').innerText.startsWith('Hate')")
    assert eventually(lambda: preferences.load(world.store, LOCAL)["queue"] == queue_id)
    page.reload()
    page.wait_for_selector(".form")
    assert page.inner_text("#queue-switch").startswith("Hate")


def test_a_digit_in_the_list_of_queues_marks_no_policy(page, app, world):
    late_queue(world)
    page.goto(app)
    page.wait_for_selector(".form")
    page.keyboard.press("q")
    page.keyboard.press("1")
    page.wait_for_function("document.querySelector('#queue-switch').innerText.startsWith('Hate')")
    assert page.locator(".toggle[aria-pressed=true]").count() == 0


def test_the_undo_counts_down(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    words = page.inner_text(".notice")
    assert "Undo (z)" in words
    assert 20 <= int(page.inner_text(".notice .left").removesuffix(" s")) <= 30
    page.click(".notice button")
    page.wait_for_selector(f'.form[data-case="{case_id}"]')
    assert standing(world, case_id) is None


def test_an_undo_that_comes_too_late_is_refused_with_the_way_out(page, app, world, monkeypatch):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    monkeypatch.setattr(decide, "UNDO_S", 0.0)
    page.keyboard.press("z")
    page.wait_for_function("document.querySelector('.form-error').textContent !== ''")
    assert f"Open case {case_id} and decide it again" in page.inner_text(".form-error")
    assert standing(world, case_id) is not None


def test_the_link_is_copied(page, app, world):
    case_id = world.case("argument")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_case(page, app, case_id)
    page.keyboard.press("y")
    page.wait_for_function("document.querySelector('.notice').innerText.includes('copied')")
    assert page.evaluate("navigator.clipboard.readText()") == f"{app}/?case={case_id}"


def assigned(world: World, case_id: str) -> str | None:
    with world.store.read() as session:
        return session.get_one(CaseRow, case_id).assigned_to


def test_a_case_is_taken_and_dropped(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("o")
    page.click("[data-do=assign-me]")
    page.wait_for_selector("[data-do=assign-nobody]")
    assert assigned(world, case_id) == "local"
    assert "for local" in page.inner_text(".case-button")
    page.click("[data-do=assign-nobody]")
    page.wait_for_function("!document.querySelector('[data-do=assign-nobody]')")
    assert assigned(world, case_id) is None


def test_a_note_that_is_half_typed_survives_polls(page, app, world):
    open_case(page, app, world.case("argument"))
    page.keyboard.press("o")
    page.keyboard.type("half")
    with page.expect_response(lambda r: '"poll"' in (r.request.post_data or "")):
        pass
    page.wait_for_timeout(200)
    assert page.input_value("[name=note]") == "half"
    assert shown_case(page) == world.case("argument")


def test_a_notice_changed_by_hand_is_left_alone(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    page.wait_for_function("document.querySelector('[name=notice]').value !== ''")
    page.fill("[name=notice]", "Please do not.")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelector('.say').textContent === 'draft saved'")
    page.reload()
    page.wait_for_selector(f'.form[data-case="{case_id}"]')
    page.wait_for_timeout(500)
    assert page.input_value("[name=notice]") == "Please do not."
    page.keyboard.press("2")
    assert page.input_value("[name=notice]") == ""
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    assert standing(world, case_id).notice == ""


def test_an_emptied_notice_sends_none(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelector('[name=notice]').value !== ''")
    page.fill("[name=notice]", "")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    stored = standing(world, case_id)
    assert (stored.action, stored.notice) == ("remove", "")


def test_a_theme_chosen_on_another_page_is_kept(page, app, world):
    page.emulate_media(color_scheme="light")
    theme = "document.documentElement.dataset.theme"
    page.goto(f"{app}/library")
    page.wait_for_selector(".cv.ready")
    page.click("[data-do=theme]")
    assert page.evaluate(theme) == "dark"
    with page.expect_response(
        lambda answer: "save_preferences" in (answer.request.post_data or "")
    ):
        open_case(page, app, world.case("argument"))
    assert page.evaluate(theme) == "dark"
    assert preferences.load(world.store, LOCAL)["theme"] == "dark"
