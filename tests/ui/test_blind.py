"""Answering before the machine's answer shows: what the page hides, sends and opens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select

from coefvq.store.tables import CaseRow, DecisionRow, FirstAnswerRow, VerdictRow
from coefvq.store.tables.base import new_id
from tests.ui.conftest import Running
from tests.ui.test_review_page import open_case, shown_case, standing, wait_for_other_case
from tests.ui.world import World

pytestmark = pytest.mark.browser

SECRETS = ("0.41", "0.87", "0.28", "loud voices", "trust in answer", "They disagree", "raises hate",
           "FREE GIFT CARD", "demeans", "entropy", "random audit", "Random audit", "sent to a",
           "smollm2", "prefilter-1")  # fmt: skip
"""What the machine said of the case, and by which way it came."""


@pytest.fixture
def blind(world: World) -> World:
    """Every case is answered before the machine's answer shows."""
    return replace(world, settings=world.settings.model_copy(update={"blind_first_share": 1.0}))


@pytest.fixture
def house(blind: World) -> Iterator[str]:
    with Running(blind) as running:
        yield running.url


def first_answers(world: World) -> list[FirstAnswerRow]:
    with world.store.read() as session:
        return list(session.scalars(select(FirstAnswerRow)))


def audit(world: World, name: str) -> str:
    """Make a case a random audit, by a newer verdict: rows are final."""
    case_id = world.case(name)
    with world.store.write() as session:
        case = session.get_one(CaseRow, case_id)
        old = session.get_one(VerdictRow, case.verdict_id)
        fields = {column.key: getattr(old, column.key) for column in VerdictRow.__table__.columns}
        route = {**old.route, "audit": True, "propensity": 0.01}
        case.verdict_id = new_id()
        session.add(VerdictRow(**{**fields, "id": case.verdict_id, "route": route}))
        case.audit = True
    return case_id


def test_the_machine_is_hidden_until_enter_and_the_form_stays_filled(page, house, blind):
    case_id = blind.case("argument")
    open_case(page, house, case_id)
    assert "Answer first." in page.inner_text("#prefilter-card")
    for region in ("mllm-card", "evidence-list", "disagreement"):
        assert page.locator(f"#{region}").text_content() == ""
        assert not page.locator(f"#{region}").is_visible()
    assert page.locator("#evidence-timeline .mark, #transcript mark").count() == 0
    assert "Send your answer" in page.inner_text("#submit-decision")
    place = page.locator("#policy-violence").bounding_box()

    page.keyboard.press("2")
    page.keyboard.press("r")
    page.keyboard.press("c")
    page.keyboard.type("said aloud")
    page.keyboard.press("Enter")  # leaves the field
    player = page.locator("video").element_handle()
    page.keyboard.press("Enter")
    page.wait_for_selector("#mllm-card .big")
    assert shown_case(page) == case_id
    assert "0.87" in page.inner_text("#mllm-card")
    assert "They disagree" in page.inner_text("#disagreement")
    assert page.locator("#evidence-timeline .mark").count() == 3
    assert page.get_attribute("#policy-hate_harassment", "aria-pressed") == "true"
    assert page.input_value("input[name=comment]") == "said aloud"
    assert page.locator("#policy-violence").bounding_box() == place, "nothing under a hand moves"
    assert player.evaluate("element => element.isConnected"), "the player was not replaced"
    assert standing(blind, case_id) is None
    (kept,) = first_answers(blind)
    assert (kept.case_id, kept.reviewer) == (case_id, "local")
    assert kept.labels["hate_harassment"] == "violation" and kept.labels["violence"] == "ok"

    page.keyboard.press("2")  # the machine changed this reviewer's mind
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    assert set(standing(blind, case_id).labels.values()) == {"ok"}
    assert first_answers(blind)[0].labels["hate_harassment"] == "violation"
    assert page.faults == [] and page.outside == []


def test_a_reload_does_not_open_it_and_after_the_answer_it_stays_open(page, house, blind):
    case_id = blind.case("argument")
    open_case(page, house, case_id)
    page.reload()
    page.wait_for_selector(".answer-first")
    page.keyboard.press("Enter")
    page.wait_for_selector("#mllm-card .big")
    page.reload()
    page.wait_for_selector("#mllm-card .big")
    assert "Submit and next" in page.inner_text("#submit-decision")


@contextmanager
def served(world: World) -> Iterator[httpx.Client]:
    with Running(world) as running, httpx.Client(base_url=running.url, timeout=20) as http:
        yield http


def call(http: httpx.Client, name: str, args: dict) -> dict:
    parts = http.get("/config").json()["components"]
    page_id = next(part["id"] for part in parts if part["props"].get("elem_id") == "review-page")
    body = {"component_id": page_id, "fn_name": name, "session_hash": "s", "data": args}
    return http.post("/gradio_api/component_server", json=body).json()


CALLS = ("open_case", "poll", "ask_mllm", "explain", "save_draft", "add_note", "notice")


def told(secret: str, said: str) -> bool:
    """Whether it is said, as a number by itself: a clock's 10.87 seconds are no probability."""
    return re.search(rf"(?<!\d){re.escape(secret)}", said) is not None


@pytest.mark.parametrize("way", ["drawn", "audit"])
@pytest.mark.parametrize("name", CALLS)
def test_no_answer_of_the_server_holds_what_the_machine_said(world, blind, way, name):
    case_id = audit(world, "argument") if way == "audit" else world.case("argument")
    args = {"case": case_id, "text": "a note", "action": "keep", "labels": {}}
    with served(world if way == "audit" else blind) as http:
        opened, answer = call(http, "open_case", {"case": case_id}), call(http, name, args)
    for said in (str(opened), str(answer)):
        assert [secret for secret in SECRETS if told(secret, said)] == []
    assert "Answer first." in str(opened)


def test_an_audit_looks_like_any_other_blind_case(world, blind):
    """Same page but for ids, times and texts of the video."""
    shown = []
    for name, settings in (("plain", blind.settings), ("argument", world.settings)):
        if settings is world.settings:
            audit(world, name)
        with served(replace(world, settings=settings)) as http:
            answer = call(http, "open_case", {"case": world.case(name)})
        shown.append(answer["regions"])
    ordinary, drawn = shown
    for region in ("prefilter-card", "mllm-card", "evidence-list", "disagreement",
                   "evidence-timeline"):  # fmt: skip
        assert ordinary[region] == drawn[region], region
    assert "audit" not in str(drawn).replace("audit.mp4", "")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_blind_case(page, house, blind, scheme):
    page.emulate_media(color_scheme=scheme)
    for width, height in ((1280, 720), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        open_case(page, house, blind.case("argument"))
        found = Axe().run(page).response["violations"]
        serious = [each["id"] for each in found if each["impact"] in ("serious", "critical")]
        assert serious == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_skipping_needs_no_first_answer(page, house, blind):
    case_id = blind.case("argument")
    open_case(page, house, case_id)
    page.keyboard.press("s")
    page.keyboard.press("1")
    wait_for_other_case(page, case_id)
    assert first_answers(blind) == []


def test_a_lost_case_keeps_the_draft_and_no_first_answer(page, house, blind):
    case_id = blind.case("argument")
    open_case(page, house, case_id)
    page.keyboard.press("1")
    page.evaluate("document.querySelector('.form').dataset.token = '99'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.form-error').textContent")
    assert first_answers(blind) == []
    assert page.get_attribute("#policy-violence", "aria-pressed") == "true"
    with blind.store.read() as session:
        assert list(session.scalars(select(DecisionRow))) == []
