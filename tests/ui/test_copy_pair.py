"""A copy beside its original in a real browser: locked in time, answered, hidden, escaped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq.review import uploads
from coefvq.review.access import LOCAL
from coefvq.store import copies, events, originals
from coefvq.store.tables import CaseRow, OriginalRow, QueueRow
from tests.copies_factory import SPAN, copy_of_video, found, put_matches, put_original
from tests.ui.conftest import Running
from tests.ui.test_accessibility import SCHEMES, SIZES, violations
from tests.ui.test_blind import call, served
from tests.ui.test_review_page import open_case
from tests.ui.test_video_page import open_video
from tests.ui.world import HOSTILE, World

pytestmark = pytest.mark.browser

LOCKED_S = 0.15
TIMES = """() => [...document.querySelectorAll('#copy-panel video')].map(v => v.currentTime)"""
CONFIRM, REJECT = '[data-do="pair-confirm"]', '[data-do="pair-reject"]'
RANGE = """() => [...document.querySelectorAll('#decision-range [data-value]')].map(
  each => each.dataset.value)"""
READY = """() => { const all = [...document.querySelectorAll('#copy-panel video')];
  return all.length === 2 && all.every(v => v.readyState >= 2 && !v.seeking); }"""


@pytest.fixture
def match(world: World) -> str:
    """The video 'argument' is a mirrored, slower copy of the one with the hostile title."""
    return copy_of_video(world.store, world.ids["argument"], world.ids["hostile"])


def open_pair(page, app: str, world: World, task: str = "ucc") -> None:
    open_case(page, app, world.case("argument", task))
    page.keyboard.press("w")
    page.wait_for_selector("#copy-panel[open]")
    page.wait_for_function(READY)


def apart(page) -> float:
    """Seconds between where the original is and where it should be."""
    here, there = page.evaluate(TIMES)
    start, end, other_start, other_end = SPAN
    return abs(there - (other_start + (other_end - other_start) / (end - start) * (here - start)))


def said(world: World, match: str) -> str | None:
    with world.store.read() as session:
        answer = copies.get(session, match).answer
        return answer.said.value if answer else None


def kinds(world: World, match: str) -> list[str]:
    with world.store.read() as session:
        return [event.kind for event in events.of_subject(session, "copy", match)]


def test_one_line_names_the_proof_and_w_opens_and_closes_it(page, app, world, match):
    open_case(page, app, world.case("argument"))
    line = page.inner_text("#copy-pair")
    assert "Same footage as" in line and "0.97" in line
    assert "mirrored, at 0.80× the speed" in line
    size = page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
    assert size[0] == size[1], "the line fits on the screen"
    page.keyboard.press("w")
    page.wait_for_selector("#copy-panel[open]")
    assert page.locator("#copy-panel video").count() == 2
    page.keyboard.press("w")
    page.wait_for_selector("#copy-panel", state="hidden")
    page.keyboard.press("?")
    assert "a copy beside its original" in page.inner_text("#keyboard-help")
    assert (page.faults, page.outside) == ([], [])


def test_both_are_locked_in_time(page, app, world, match):
    open_pair(page, app, world)
    assert page.evaluate(TIMES)[0] == pytest.approx(SPAN[0], abs=0.02), "it opens at the match"
    for seek in (0.9, 1.7, 2.3):
        page.locator(".pair-seek").evaluate(
            "(e, t) => { e.value = t; e.dispatchEvent(new Event('input', {bubbles: true})); }", seek
        )
        page.wait_for_function(READY)
        assert page.evaluate(TIMES)[0] == pytest.approx(seek, abs=0.02)
        assert apart(page) <= LOCKED_S
    for key in (",", ",", "j", "."):
        page.keyboard.press(key)
    page.wait_for_function(READY)
    assert page.evaluate(TIMES)[0] == pytest.approx(1 / 12, abs=0.05)
    page.click("#copy-facts .time")
    page.wait_for_function(READY)
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('#copy-panel video').currentTime > 1.6")
    page.keyboard.press(" ")
    page.wait_for_function(READY)
    paused = "() => [...document.querySelectorAll('#copy-panel video')].every(v => v.paused)"
    assert page.evaluate(paused)
    assert apart(page) <= LOCKED_S
    assert page.evaluate("document.querySelector('#review-player video').currentTime") == 0
    assert page.faults == []


def test_where_the_original_ends_it_waits_and_says_so(page, app, world, match):
    open_pair(page, app, world)
    with world.store.read() as session:
        library = originals.by_reference(session, world.ids["hostile"])[0].id
    put_matches(world.store, world.ids["argument"],
                found(world.store, library, span=(0.0, 0.5, 2.4, 2.9)))  # fmt: skip
    open_pair(page, app, world)
    page.keyboard.press("l")
    page.wait_for_function(READY)
    here, there = page.evaluate(TIMES)
    assert here == pytest.approx(3.0, abs=0.1) and there == pytest.approx(3.0, abs=0.1)
    assert page.inner_text(".pair-then") == "not"


def test_nothing_is_shown_or_heard_that_the_reviewer_did_not_ask_for(page, app, world, match):
    open_pair(page, app, world)
    look = """() => [...document.querySelectorAll('#copy-panel video')].map(v =>
      [getComputedStyle(v).filter.includes('blur'), v.muted])"""
    assert page.evaluate(look) == [[True, True]] * 2
    page.click('[data-side="query"] .pair-veil')
    assert page.evaluate(look) == [[False, True], [True, True]]
    page.keyboard.press("v")
    assert page.evaluate(look) == [[False, True]] * 2
    for heard in ([[False, False], [False, True]], [[False, True], [False, False]]):
        page.keyboard.press("m")
        assert page.evaluate(look) == heard
    page.keyboard.press("b")
    page.keyboard.press("g")
    filters = page.evaluate("""() => [...document.querySelectorAll('#copy-panel video')].map(v =>
      getComputedStyle(v).filter)""")
    assert all("blur" in each and "grayscale(1)" in each for each in filters)
    page.click("text=show as in the copy")
    flips = page.evaluate("""() => [...document.querySelectorAll('#copy-panel video')].map(v =>
      getComputedStyle(v).transform)""")
    assert flips == ["none", "matrix(-1, 0, 0, 1, 0, 0)"]


def test_confirming_by_keyboard_is_kept_and_fills_the_form(page, app, world, match):
    open_pair(page, app, world)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.do") == "pair-confirm":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#copy-panel", state="hidden")
    assert said(world, match) == "confirmed" and kinds(world, match) == ["copy.confirmed"]
    with world.store.read() as session:
        known = session.query(OriginalRow).filter_by(bank=originals.KNOWN).one()
    assert known.video_id == world.ids["hostile"]
    assert page.get_attribute("#policy-reupload", "aria-pressed") == "true"
    assert page.input_value("select[name=reason]") == "edited copy"
    values = page.evaluate(RANGE)
    assert values == ["0.50", "2.50"]
    assert "Filled in" in page.inner_text(".notice")
    assert "A copy of" in page.inner_text("#copy-strip")
    assert page.faults == []


def test_a_form_that_was_filled_in_stays(page, app, world, match):
    open_case(page, app, world.case("argument", "ucc"))
    page.keyboard.press("1")
    page.keyboard.press("r")
    page.keyboard.press("[")
    page.keyboard.press("w")
    page.click(CONFIRM)
    page.wait_for_selector("#copy-panel", state="hidden")
    assert page.input_value("select[name=reason]") == "identical copy"
    values = page.evaluate(RANGE)
    assert values == ["0.00", ""]


def test_rejecting_offers_the_next_match_and_can_be_taken_back(page, app, world, match):
    film = put_original(world.store, f"/films/{HOSTILE}.mp4", sha256="b" * 64)
    with world.store.read() as session:
        library = originals.by_reference(session, world.ids["hostile"])[0].id
    ids = put_matches(world.store, world.ids["argument"], found(world.store, library),
                      found(world.store, film, 0.7, ("crop",)))  # fmt: skip
    open_pair(page, app, world, "icd")
    page.click(REJECT)
    page.wait_for_selector(f'.pair[data-match="{ids[1]}"]')
    assert "Not in the library: only its fingerprint" in page.inner_text("#copy-videos")
    assert page.locator("#copy-panel video").count() == 1
    assert page.locator(".pair-bands polygon").count() == 1
    assert HOSTILE in page.inner_text("#copy-facts") and page.evaluate("window.pwned") is None
    assert said(world, ids[0]) == "rejected" and said(world, ids[1]) is None
    page.click(REJECT)
    page.wait_for_selector("#copy-panel", state="hidden")
    assert "Not a copy of" in page.inner_text("#copy-strip")
    page.reload()
    page.wait_for_selector("#copy-strip .copy-line")
    page.click("#copy-strip >> text=Compare")
    page.wait_for_selector("#copy-panel[open]")
    assert "Rejected: it is not offered again" in page.inner_text("#copy-facts")
    page.click(CONFIRM)
    page.wait_for_selector("#copy-panel", state="hidden")
    assert kinds(world, ids[0]) == ["copy.rejected", "copy.confirmed"]
    assert page.faults == []


def test_a_lead_puts_footage_away_that_proves_nothing(page, app, world, match):
    open_pair(page, app, world, "icd")
    page.check("[name=nothing]")
    page.click(REJECT)
    page.wait_for_selector("#copy-panel", state="hidden")
    assert "proves nothing anywhere" in page.inner_text(".notice")
    with world.store.read() as session:
        put = session.query(OriginalRow).filter_by(bank=originals.DO_NOT_MATCH).one()
    assert put.duration_s == pytest.approx(1.6)


def test_the_videos_own_page_shows_it_and_whose_original_it_is(page, app, world, match):
    open_video(page, app, world.ids["argument"])
    page.keyboard.press("w")
    page.wait_for_selector("#copy-panel[open]")
    page.wait_for_function(READY)
    assert apart(page) <= LOCKED_S
    page.click(CONFIRM)
    page.wait_for_selector("#copy-panel", state="hidden")
    assert said(world, match) == "confirmed"
    open_video(page, app, world.ids["argument"])
    assert "Confirmed that it is a copy" in page.inner_text("#video-history")
    open_video(page, app, world.ids["hostile"])
    assert "crazy argument" in page.inner_text("#copy-pair .pair-later")
    assert "Nobody has looked for copies in it yet" in page.inner_text("#copy-pair")
    open_video(page, app, world.ids["quiet"])
    assert page.is_hidden("#copy-pair .copy-line")
    assert page.evaluate("window.pwned") is None and page.faults == []


def test_find_similar_begins_with_the_same_footage(page, app, world, match):
    page.goto(f"{app}/library?similar={world.ids['argument']}")
    page.wait_for_selector(".cv.ready .clip")
    first = page.locator(".clip").first
    assert first.get_attribute("data-video") == world.ids["hostile"]
    assert "the original 0.97" in first.inner_text()
    assert "same footage in 0:01–0:02: mirrored" in first.inner_text()


@pytest.mark.parametrize("name", ["open_case", "poll", "copy_pair", "answer_copy"])
def test_before_a_blind_answer_no_call_tells_of_the_pair(world, match, name):
    blind = replace(world, settings=world.settings.model_copy(update={"blind_first_share": 1.0}))
    case_id = world.case("argument")
    args = {"case": case_id, "match": match, "said": "confirmed"}
    with served(blind) as http:
        call(http, "open_case", {"case": case_id})
        answer = call(http, name, args)
    for secret in (world.ids["hostile"], "Same footage", "0.97", "mirrored"):
        assert secret not in str(answer)
    assert said(world, match) is None


@pytest.fixture
def closed(world: World, match: str) -> Iterator[str]:
    """The app for a reviewer who has no access to the original's queue."""
    with world.store.write() as session:
        session.add(QueueRow(id="few", name="Few", policies=[], rules=[], restricted=True,
                             position=1))  # fmt: skip
        for row in session.query(CaseRow).filter_by(video_id=world.ids["hostile"]):
            row.queue = "few"
    yield match


def test_an_original_in_a_closed_queue_is_not_played(page, world, closed, monkeypatch):
    outside = replace(LOCAL, roles=frozenset({"reviewer"}), queues=frozenset({"other"}))
    monkeypatch.setattr("reviewer_ui.who.LOCAL", outside)
    with Running(world) as running:
        open_case(page, running.url, world.case("argument"))
        page.keyboard.press("w")
        page.wait_for_selector("#copy-panel[open]")
        shown = page.inner_text("#copy-panel")
        assert "in a restricted queue that you have no access to" in shown
        assert page.locator("#copy-panel video").count() == 1
        whole = page.content()
        assert world.ids["hostile"] not in whole and "onerror=" not in whole
        assert page.request.get(f"{running.url}/media/{world.ids['hostile']}/proxy").status == 403


@pytest.mark.parametrize("where", ["review", "video"])
def test_axe_finds_nothing(page, app, world, match, where):
    axe, lines = Axe(), {}
    for (size, pixels), scheme in product(SIZES.items(), SCHEMES):
        page.set_viewport_size({"width": pixels[0], "height": pixels[1]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        if where == "review":
            open_pair(page, app, world)
        else:
            open_video(page, app, world.ids["argument"])
            page.click("text=Compare")
            page.wait_for_selector("#copy-panel[open]")
        if each := violations(axe, page):
            lines[size, scheme] = each
        wide = page.evaluate("document.querySelector('#copy-panel').scrollWidth")
        assert wide <= pixels[0], "no sideways scroll"
        assert page.evaluate("document.documentElement.scrollWidth") <= pixels[0]
    assert lines == {}


def test_a_copy_of_a_copy_that_is_not_ready_yet_says_so(page, app, world):
    clip = world.settings.home / "late.mp4"
    clip.write_bytes(b"not probed yet")
    late = uploads.register(world.store, world.settings, LOCAL, clip, title="late")
    world.ids["late"] = late
    original = put_original(world.store, "late", originals.LIBRARY, video_id=late)
    put_matches(world.store, world.ids["argument"], found(world.store, original))
    open_case(page, app, world.case("argument"))
    page.keyboard.press("w")
    page.wait_for_selector("#copy-panel[open]")
    assert "No preview of the original yet" in page.inner_text("#copy-videos")
    assert page.faults == []


def test_leads_read_what_is_in_the_banks(page, app, world, match):
    put_original(world.store, "/films/intro.mp4", originals.DO_NOT_MATCH, "1" * 64)
    page.goto(f"{app}/admin#originals")
    page.wait_for_selector("#originals-table tbody tr")
    rows = [row.inner_text() for row in page.locator("#originals-table tbody tr").all()]
    assert [row.split()[0] for row in rows] == ["do_not_match", "library"]
    assert "proves nothing" in rows[0] and "UTC" in rows[1]
    assert page.faults == []
