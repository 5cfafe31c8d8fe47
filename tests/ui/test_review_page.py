"""Review in a real browser: what it shows, keys, decisions, hostile text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coefvq.review import queue
from coefvq.review.access import LOCAL, Actor
from coefvq.store import decisions, leases
from coefvq.store.tables import DecisionRow
from tests.ui.world import HOSTILE, World

pytestmark = pytest.mark.browser

IDS = (
    "review-player", "prefilter-card", "mllm-card", "disagreement", "evidence-timeline",
    "evidence-list", "transcript", "decision-form", "policy-violence", "policy-hate_harassment",
    "policy-sexual", "policy-scam_spam", "policy-dangerous_acts", "decision-reason",
    "decision-action", "decision-comment", "decision-range", "submit-decision", "skip-case",
    "undo-decision", "second-look", "queue-counts", "keyboard-help",
)  # fmt: skip


def open_case(page, app: str, case_id: str) -> None:
    page.goto(f"{app}/?case={case_id}")
    page.wait_for_selector(f'.form[data-case="{case_id}"]')


def standing(world: World, case_id: str) -> DecisionRow | None:
    with world.store.read() as session:
        return decisions.standing(session, case_id)


def shown_case(page) -> str:
    return page.get_attribute("#decision-form .form", "data-case")


def wait_for_other_case(page, case_id: str) -> str:
    page.wait_for_function(
        "id => { const f = document.querySelector('.form'); return f && f.dataset.case !== id }",
        arg=case_id,
    )
    return shown_case(page)


def test_all_promised_elements_are_there_once(page, app, world):
    open_case(page, app, world.case("argument"))
    for element in IDS:
        assert page.locator(f"[id='{element}']").count() == 1, element
    assert page.outside == []
    assert page.faults == []


def test_both_stages_and_their_disagreement_are_shown(page, app, world):
    open_case(page, app, world.case("argument"))
    first, second = page.inner_text("#prefilter-card"), page.inner_text("#mllm-card")
    assert "0.41" in first and "0.98 bits, threshold 0.60 (+0.38)" in first
    assert "not covered by this model" in first and "loud voices +0.21" in first
    assert "84 ms" in first
    assert "0.87" in second
    assert "trust in answer 0.96, entropy 0.66 bits" in second
    for heading in ("For", "Against", "Uncertain"):
        assert heading in second
    assert "They disagree on hate, harassment (0.41 against 0.87)" in page.inner_text(
        "#disagreement"
    )
    assert "0.6" not in page.inner_text("#evidence-timeline")
    assert page.locator("#evidence-timeline .mark").count() == 3
    assert "wait for the end #fyp" in page.inner_text("#transcript")


def test_the_page_does_not_scroll_at_1280_by_720(page, app, world):
    open_case(page, app, world.case("argument"))
    size = page.evaluate(
        "[document.documentElement.scrollHeight, document.documentElement.scrollWidth]"
    )
    assert size == [720, 1280]
    box = page.locator("#submit-decision").bounding_box()
    assert box["y"] + box["height"] <= 720


def test_policy_reason_enter_stores_a_correction_and_z_takes_it_back(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("1")
    assert page.get_attribute("#policy-violence", "aria-pressed") == "true"
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    stored = standing(world, case_id)
    assert stored.labels["violence"] == "violation"
    assert stored.labels["hate_harassment"] == "ok"
    assert stored.reasons == {"violence": "fight or assault"}
    assert stored.action == "remove"
    assert "crazy argument at the station pt 1" in stored.notice
    assert stored.snapshot["policies"]
    assert "stored" in page.inner_text(".notice")
    page.keyboard.press("z")
    page.wait_for_selector(f'.form[data-case="{case_id}"]')
    assert page.get_attribute("#policy-violence", "aria-pressed") == "true"
    assert standing(world, case_id) is None


def test_enter_alone_says_that_nothing_is_violated(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    stored = standing(world, case_id)
    assert set(stored.labels.values()) == {"ok"}
    assert stored.action == "keep"


def test_r_goes_through_the_reasons(page, app, world):
    open_case(page, app, world.case("argument"))
    page.keyboard.press("4")
    seen = []
    for _ in range(3):
        page.keyboard.press("r")
        seen.append(page.input_value("#decision-reason"))
    assert seen == ["fake giveaway", "money scheme", "phishing link"]


def test_a_missing_reason_is_said_beside_the_form_and_nothing_is_lost(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    page.fill("#decision-comment", "typed before")
    page.keyboard.press("Enter")  # leaves the field
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.form-error').textContent !== ''")
    assert "Give a reason for 'hate, harassment'" in page.inner_text(".form-error")
    assert page.input_value("#decision-comment") == "typed before"
    assert standing(world, case_id) is None
    page.select_option("#decision-reason", "slur")
    page.click("#submit-decision")
    wait_for_other_case(page, case_id)
    assert standing(world, case_id).comment == "typed before"


def test_keys_do_nothing_while_typing(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("c")
    page.keyboard.type("1 s z e v")
    assert page.input_value("#decision-comment") == "1 s z e v"
    assert page.get_attribute("#policy-violence", "aria-pressed") == "false"
    assert page.get_attribute(".screen", "data-blur") == "on"
    assert shown_case(page) == case_id


def test_skip_goes_on_and_stores_no_decision(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    wait_for_other_case(page, case_id)
    assert standing(world, case_id) is None


def test_second_look_leaves_the_case_to_somebody_else(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("e")
    wait_for_other_case(page, case_id)
    assert queue.next_case(world.store, world.settings, LOCAL).id != case_id
    other = Actor("second", frozenset({"reviewer"}))
    assert queue.open_case(world.store, world.settings, other, case_id).second_look


def test_the_draft_survives_a_reload(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    page.fill("#decision-comment", "not sent yet")
    page.wait_for_function("document.querySelector('.say').textContent === 'draft saved'")
    page.reload()
    page.wait_for_selector(f'.form[data-case="{case_id}"]')
    assert page.get_attribute("#policy-hate_harassment", "aria-pressed") == "true"
    assert page.input_value("#decision-comment") == "not sent yet"


def test_a_case_that_was_taken_over_keeps_the_draft_and_says_who_has_it(page, app, world):
    case_id = world.case("argument")
    open_case(page, app, case_id)
    page.keyboard.press("2")
    with world.store.write() as session:
        held = leases.current(session, leases.CASE, case_id)
        leases.release(session, leases.CASE, case_id, held.holder, held.token)
        leases.claim(session, leases.CASE, case_id, "ann", 600)
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.form-error').textContent.includes('ann')")
    assert page.get_attribute("#policy-hate_harassment", "aria-pressed") == "true"
    assert standing(world, case_id) is None
    with world.store.read() as session:
        assert decisions.draft(session, case_id, "local").form["labels"]["hate_harassment"]


def test_hostile_text_is_shown_and_never_run(page, app, world):
    open_case(page, app, world.case("hostile"))
    page.wait_for_selector("#transcript li")
    for region in ("#transcript", "#evidence-list"):
        assert HOSTILE in page.inner_text(region), region
    assert page.evaluate("window.pwned") is None
    assert page.locator("#transcript img, #evidence-list img").count() == 0
    assert page.outside == []


def test_player_keys(page, app, world):
    open_case(page, app, world.case("argument"))
    page.wait_for_function("document.querySelector('video').readyState > 0")
    video = "document.querySelector('video')"
    assert page.evaluate(f"{video}.muted") is True
    page.keyboard.press("v")
    assert page.get_attribute(".screen", "data-blur") == "off"
    page.keyboard.press("b")
    assert page.get_attribute(".screen", "data-blur") == "on"
    page.keyboard.press("g")
    assert page.get_attribute(".screen", "data-grey") == "on"
    page.keyboard.press("m")
    assert page.evaluate(f"{video}.muted") is False
    page.keyboard.press(">")
    assert page.evaluate(f"{video}.playbackRate") == 1.25
    page.keyboard.press("n")
    assert page.evaluate(f"{video}.currentTime") == pytest.approx(0.6, abs=0.06)
    page.keyboard.press(".")
    assert page.evaluate(f"{video}.currentTime") == pytest.approx(0.6 + 1 / 12, abs=0.06)
    page.keyboard.press("[")
    page.keyboard.press("n")
    page.keyboard.press("]")
    page.keyboard.press(" ")
    page.wait_for_function(f"!{video}.paused")
    values = [
        float(value)
        for value in page.eval_on_selector_all(
            "#decision-range [data-value]", "all => all.map(e => e.dataset.value)"
        )
    ]
    assert values == [pytest.approx(0.68, abs=0.06), pytest.approx(1.6, abs=0.06)]


def test_a_clicked_time_takes_the_player_there(page, app, world):
    open_case(page, app, world.case("argument"))
    page.wait_for_function("document.querySelector('video').readyState > 0")
    page.click("#evidence-list .time >> nth=1")
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(1.6, 0.05)


def test_help_lists_the_keys_and_closes(page, app, world):
    open_case(page, app, world.case("argument"))
    page.keyboard.press("?")
    assert "submit and next" in page.inner_text("#keyboard-help")
    page.keyboard.press("Escape")
    assert page.locator("#keyboard-help").is_hidden()


def test_a_case_the_prefilter_was_sure_about_offers_the_mllm(page, app, world):
    open_case(page, app, world.case("audit"))
    text = page.inner_text("#mllm-card")
    assert "the prefilter was sure (0.29 bits, threshold 0.60)" in text
    page.click("[data-do=ask-mllm]")
    page.wait_for_selector("#mllm-card .busy")
    assert "Waits for the worker" in page.inner_text("#mllm-card")


def test_an_answer_without_reasons_offers_to_explain(page, app, world):
    open_case(page, app, world.case("plain"))
    page.click("[data-do=explain]")
    page.wait_for_selector("#mllm-card .busy")


def test_the_tabs_change_the_task(page, app, world):
    open_case(page, app, world.case("argument"))
    page.click(".tabs a >> text=ucc")
    page.wait_for_selector("#policy-watermark")
    assert page.url.endswith(world.case("argument", "ucc"))
    assert "not covered by this model" in page.inner_text("#mllm-card")


def test_polling_moves_nothing_and_keeps_the_form(page, app, world):
    open_case(page, app, world.case("argument"))
    page.keyboard.press("2")
    page.evaluate("document.querySelector('.form').stamp = 1")
    page.evaluate("document.querySelector('#prefilter-card .scores').stamp = 1")
    with page.expect_response(lambda r: "component_server" in r.url
                              and '"poll"' in (r.request.post_data or "")):  # fmt: skip
        pass
    page.wait_for_timeout(200)
    assert page.evaluate("document.querySelector('.form').stamp") == 1
    assert page.evaluate("document.querySelector('#prefilter-card .scores').stamp") == 1
    assert page.get_attribute("#policy-hate_harassment", "aria-pressed") == "true"


def test_an_empty_queue_is_calm_and_links_to_the_library(page, empty_app):
    page.goto(empty_app)
    page.wait_for_selector("text=Nothing waits for you")
    assert page.is_visible("a:has-text('Go to the library')")
    assert page.locator("#decision-form").is_hidden()


def test_an_unknown_case_says_so_and_shows_the_next(page, app):
    page.goto(f"{app}/?case=nothing")
    page.wait_for_selector(".form")
    assert "There is no case nothing" in page.inner_text(".notice")


def test_a_view_of_somebody_elses_case_takes_nothing(page, app, world):
    case_id = world.case("argument")
    other = replace(LOCAL, name="ann")
    queue.open_case(world.store, world.settings, other, case_id)
    open_case(page, app, case_id)
    assert "ann is on it" in page.inner_text("#decision-form")
    page.click("#submit-decision")
    page.wait_for_function("document.querySelector('.form-error').textContent !== ''")
    assert standing(world, case_id) is None
