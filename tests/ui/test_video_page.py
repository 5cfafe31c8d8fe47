"""A video's page in a real browser: facts, cases, the whole history."""

from __future__ import annotations

import pytest

from coefvq.review import decide, notes, queue
from coefvq.review.access import LOCAL
from coefvq.review.views import DecisionForm
from tests.ui.world import HOSTILE, World

pytestmark = pytest.mark.browser


def open_video(page, app: str, video_id: str) -> None:
    page.goto(f"{app}/video?id={video_id}")
    page.wait_for_selector(".cv.ready")


@pytest.fixture
def decided(world: World) -> str:
    """A video with a decision, a note and everything hostile."""
    case_id = world.case("hostile")
    lease = queue.open_case(world.store, world.settings, LOCAL, case_id).lease
    assert lease is not None and lease.token is not None
    form = DecisionForm({"scam_spam": True}, "remove", {"scam_spam": "other"}, HOSTILE)
    decide.submit(world.store, world.settings, LOCAL, case_id, lease.token, form)
    notes.add(world.store, LOCAL, case_id, HOSTILE)
    return world.ids["hostile"]


def test_everything_is_told_and_nothing_runs(page, app, world, decided):
    open_video(page, app, decided)
    told = page.inner_text("#video-history")
    for words in ("Uploaded", "Scored 0.87, sent to a person", "prefilter-1", "smollm2-lora-1",
                  "Opened to work on it", "Decided: Remove", "scam, spam (other)",
                  "Note"):  # fmt: skip
        assert words in told
    assert told.count(HOSTILE) == 2
    assert page.locator("h1").text_content() == HOSTILE
    assert page.title().startswith(HOSTILE)
    assert page.evaluate("window.pwned") is None
    assert (page.outside, page.faults) == ([], [])


def test_its_cases_are_links(page, app, world):
    open_video(page, app, world.ids["argument"])
    page.click("#video-cases a >> nth=0")
    page.wait_for_selector(f'.form[data-case="{world.case("argument")}"]')


def test_the_poster_is_blurred_until_it_is_asked_for(page, app, world):
    open_video(page, app, world.ids["argument"])
    blur = "getComputedStyle(document.querySelector('.still img')).filter"
    assert "blur" in page.evaluate(blur)
    page.focus(".still")
    page.keyboard.press("Enter")
    assert page.evaluate(blur) == "none"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("", "No video is named in the address.", id="no id"),
        pytest.param("?id=nope", "There is no video nope.", id="unknown"),
        pytest.param("?id=%3Cimg%20src=x%3E", "There is no video <img src=x>", id="hostile"),
    ],
)
def test_what_cannot_be_shown_says_why(page, app, query, says):
    page.goto(f"{app}/video{query}")
    page.wait_for_selector(".cv.ready")
    assert says in page.inner_text("#video-empty")
    assert page.locator("#video-empty a").get_attribute("href") == "/library"


def test_the_history_is_one_click_from_the_library(page, app, world):
    page.goto(f"{app}/library")
    page.wait_for_selector(".cv.ready")
    page.click(f'.clip[data-video="{world.ids["quiet"]}"] >> text=History')
    page.wait_for_selector("#video-history li")
    assert page.inner_text("h1") == "a walk by the river"


def test_a_phone_gets_no_sideways_scroll(page, app, decided):
    page.set_viewport_size({"width": 390, "height": 844})
    open_video(page, app, decided)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_picture_is_blurred_until_it_is_asked_for_and_plays_then(page, app, world):
    page.goto(f"{app}/video?id={world.ids['argument']}")
    page.wait_for_selector(".still img")
    blurred = "getComputedStyle(document.querySelector('.still img')).filter"
    assert "blur" in page.evaluate(blurred)
    assert page.locator("#video-poster video").count() == 0
    page.click(".still")
    page.wait_for_function("document.querySelector('#video-poster video')?.readyState > 0")
    assert page.evaluate("document.querySelector('#video-poster video').muted")
    assert page.is_hidden(".still")
    page.click("text=Blur it again")
    assert page.is_visible(".still")
    assert page.locator("#video-poster video").count() == 0
