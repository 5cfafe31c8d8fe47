"""What people type, send, delete and break: each ends in something clear."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import delete, func, select

from coefvq.domain import Route, RouteName
from coefvq.review import decide, queue
from coefvq.review.access import LOCAL
from coefvq.review.views import DecisionForm
from coefvq.store import decisions, leases, videos
from coefvq.store.tables import CaseRow, DecisionRow, LeaseRow, NoteRow
from tests.ui.test_review_page import open_case, shown_case, standing, wait_for_other_case
from tests.ui.world import World, add, escalated, sure

pytestmark = pytest.mark.browser

SCRIPT = "<script>window.pwned=1</script>"
MARKDOWN = "[click](javascript:window.pwned=1) ![x](http://evil.example/x.png) **b** `c`"
FORMULA = '=HYPERLINK("http://evil.example","x") +1 @SUM(A1)'
HTML = "</textarea></dialog><img src=x onerror=window.pwned=1>'\"><svg onload=window.pwned=1>"
TEXTS = {"script": SCRIPT, "markdown": MARKDOWN, "formula": FORMULA, "html": HTML}

ANN = replace(LOCAL, name="ann")


def nothing_ran(page) -> None:
    """No text of anybody's became code, an element or a request."""
    assert page.evaluate("window.pwned") is None
    assert page.locator(".cv img, .cv svg, .cv script").count() == 0
    assert page.outside == []


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_hostile_text_in_every_place_is_shown_as_it_is(page, app, world, text):
    add(
        world,
        "bad",
        title=text,
        caption=text,
        result=escalated(text, speech=f"said {text}"),
    )
    with world.store.write() as session:
        videos.get(session, world.ids["bad"]).original_name = text
    case_id = world.case("bad")
    open_case(page, app, case_id)
    posted = page.locator(".posted dd").all_text_contents()
    assert posted == [text, text, text]
    assert text in page.text_content("#transcript .lines")
    page.keyboard.press("2")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelector('[name=notice]').value !== ''")
    assert text in page.input_value("[name=notice]")
    page.fill("#decision-comment", text)
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    page.fill("[name=note]", text)
    page.keyboard.press("Enter")
    page.wait_for_selector("#case-notes .said")
    assert page.text_content("#case-notes .said") == text
    page.keyboard.press("Escape")
    nothing_ran(page)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    stored = standing(world, case_id)
    assert stored.comment == text and text in stored.notice
    with world.store.read() as session:
        assert session.scalars(select(NoteRow.text)).one() == text


def call(app: str, function: str, data: object) -> dict:
    """Call the page's server as a script of somebody's would."""
    with httpx.Client(base_url=app, timeout=20) as http:
        parts = http.get("/config").json()["components"]
        page_id = next(c["id"] for c in parts if c["props"].get("elem_id") == "review-page")
        body = {"component_id": page_id, "fn_name": function, "session_hash": "s", "data": data}
        return http.post("/gradio_api/component_server", json=body).json()


@pytest.mark.parametrize(
    ("function", "more", "words"),
    [
        ("submit", {"labels": {}, "action": "keep"}, "ann"),
        ("skip", {"reason": "later"}, "ann"),
        ("second_look", {}, "ann"),
    ],
)
def test_another_reviewers_token_is_worth_nothing(app, world, function, more, words):
    case_id = world.case("argument")
    held = queue.open_case(world.store, world.settings, ANN, case_id)
    answer = call(app, function, {"case": case_id, "token": held.lease.token, **more})
    assert words in answer["error"]
    assert standing(world, case_id) is None
    with world.store.read() as session:
        assert leases.current(session, leases.CASE, case_id).holder == "ann"


@pytest.mark.parametrize(
    "case_id", ["", "nothing", "../../etc/passwd", "' OR 1=1 --", "x" * 5000, "\x00", "😀", None, 7]
)
@pytest.mark.parametrize("function", ["submit", "skip", "add_note", "exposure", "notice", "assign"])
def test_a_forged_case_is_refused_in_words(app, world, function, case_id):
    data = {"case": case_id, "token": 1, "labels": {}, "action": "keep", "reason": "later",
            "text": "x", "seconds": 1, "to": "me"}  # fmt: skip
    answer = call(app, function, data)
    assert len(answer["error"]) > 10 and "Traceback" not in answer["error"]
    with world.store.read() as session:
        assert session.scalar(select(func.count()).select_from(DecisionRow)) == 0


@pytest.mark.parametrize(
    ("function", "data", "words"),
    [
        ("skip", {"reason": "because"}, "choose one of the reasons"),
        ("assign", {"to": "everyone"}, "Whom to?"),
        ("assign", {"to": "name", "name": "nobody-here"}, "nobody-here"),
        ("exposure", {"seconds": 1e9}, "0 to 60"),
        ("exposure", {"seconds": None}, "seconds is missing"),
        ("add_note", {"text": "   "}, "note"),
        ("save_preferences", {"changes": {"speed": 99}}, "speed"),
        ("choose_queue", {"queue": "x" * 999}, "queue"),
    ],
)
def test_wrong_values_are_refused_in_words(app, world, function, data, words):
    answer = call(app, function, {"case": world.case("argument"), "token": 1, **data})
    assert words in answer["error"]


def test_two_tabs_of_one_person_store_one_decision(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    other = page.context.new_page()
    open_case(other, app, case_id)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    first = standing(world, case_id)
    other.keyboard.press("Enter")  # the same answer again, from the tab that was left behind
    wait_for_other_case(other, case_id)
    assert standing(world, case_id).id == first.id
    with world.store.read() as session:
        found = select(func.count()).select_from(DecisionRow).where(DecisionRow.case_id == case_id)
        assert session.scalar(found) == 1


def take_over(world: World, case_id: str) -> None:
    """The time ran out, and ann decided."""
    with world.store.write() as session:
        held = leases.current(session, leases.CASE, case_id)
        leases.release(session, leases.CASE, case_id, held.holder, held.token)
    taken = queue.open_case(world.store, world.settings, ANN, case_id)
    form = DecisionForm({"violence": True}, "remove", {"violence": "weapon used"})
    decide.submit(world.store, world.settings, ANN, case_id, taken.lease.token, form)


def test_a_case_decided_under_the_reviewer_says_by_whom_and_keeps_the_draft(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    page.fill("#decision-comment", "half typed")
    take_over(world, case_id)
    page.wait_for_selector(".decided")
    assert "violence, a correction by ann" in page.inner_text(".decided")
    assert "decided" in page.inner_text(".flags")
    assert page.input_value("#decision-comment") == "half typed"
    assert standing(world, case_id).reviewer == "ann"


def test_a_case_deleted_under_the_reviewer_gives_way_to_the_next(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    with world.store.write() as session:
        session.execute(delete(LeaseRow).where(LeaseRow.subject_id == case_id))
        gone = session.get_one(CaseRow, case_id)
        decisions.drop_draft(session, case_id, "local")
        session.execute(
            CaseRow.__table__.update().where(CaseRow.id == case_id).values(verdict_id=None)
        )
        for table in reversed(CaseRow.metadata.sorted_tables):
            for key in table.foreign_keys:
                if key.column.table.name == "cases":
                    session.execute(delete(table).where(key.parent == case_id))
        session.execute(delete(CaseRow).where(CaseRow.id == gone.id))
    wait_for_other_case(page, case_id)
    assert "is gone: its video was deleted" in page.inner_text(".notice")


def test_back_leads_out_and_forward_to_the_case_that_was_open(page, app, world):
    page.goto(f"{app}/library")
    page.wait_for_selector(".cv.ready")
    page.goto(app)
    page.wait_for_selector(".form")
    decided = shown_case(page)
    page.keyboard.press("Enter")
    following = wait_for_other_case(page, decided)
    page.go_back()
    page.wait_for_selector(".cv.ready")
    assert page.url.startswith(f"{app}/library")
    page.go_forward()
    page.wait_for_selector(f'.form[data-case="{following}"]')
    assert standing(world, decided) is not None


@pytest.mark.parametrize(
    ("seconds", "shown"), [(7200.0, "2:00:00"), (0.2, "0:00")], ids=["two hours", "a blink"]
)
def test_very_long_and_very_short_videos(page, app, world, seconds, shown):
    case_id = world.case("argument")
    with world.store.write() as session:
        media = videos.get(session, world.ids["argument"]).media
        media.info = {**media.info, "duration_s": seconds}
    open_case(page, app, case_id)
    assert shown in page.inner_text(".clock")
    boxes = "all => all.map(element => element.getBoundingClientRect().toJSON())"
    rails = [box["right"] for box in page.eval_on_selector_all(".rail", boxes)]
    marks = page.eval_on_selector_all(".mark", boxes)
    assert len(marks) == 3
    assert all(mark["right"] <= rails[0] + 2 and mark["width"] >= 5 for mark in marks)
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    page.keyboard.press("[")
    page.keyboard.press("]")
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    assert standing(world, case_id).start_s == pytest.approx(0.0, abs=0.05)


def test_an_mllm_that_could_not_run_is_said_and_a_person_decides(page, app, world):
    """The prefilter was unsure, the MLLM was due and failed: the case says so."""
    whole = sure(human=True)
    route = Route(RouteName.MLLM, "entropy", "built-in", 0.97, 0.6, True, reason="It is unsure.")
    tasks = {**whole.tasks, "icd": replace(whole.tasks["icd"], route=route)}
    add(world, "down", title="unsure", result=replace(whole, tasks=tasks))
    case_id = world.case("down")
    open_case(page, app, case_id)
    assert "The MLLM was due and could not run." in page.inner_text("#mllm-card")
    assert "It is unsure; the MLLM could not run" in page.inner_text("#disagreement")
    assert page.is_visible("[data-do=ask-mllm]")
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    assert standing(world, case_id).action == "keep"
