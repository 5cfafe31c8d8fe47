"""Theme, phone, contrast, names: what Review must look like whatever it shows."""

from __future__ import annotations

import json
import re

import pytest

from tests.ui.test_review_page import open_case

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_and_can_be_turned(page, app, world, scheme):
    page.emulate_media(color_scheme=scheme)
    open_case(page, app, world.case("argument"))
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.click("[data-do=theme]")
    turned = {"light": "dark", "dark": "light"}[scheme]
    assert page.evaluate("document.documentElement.dataset.theme") == turned
    page.reload()
    page.wait_for_selector(".form")
    assert page.evaluate("document.documentElement.dataset.theme") == turned


def test_a_phone_gets_one_column_and_reaches_the_form(page, app, world, tmp_path):
    page.set_viewport_size({"width": 390, "height": 844})
    open_case(page, app, world.case("argument"))
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.click(".to-form")
    page.wait_for_function(
        "document.querySelector('#submit-decision').getBoundingClientRect().top < innerHeight"
    )
    page.screenshot(path=tmp_path / "phone.png")


def contrast(foreground: str, background: str) -> float:
    """WCAG 2 contrast of two ``rgb()`` colours."""

    def luminance(colour: str) -> float:
        parts = [int(float(n)) / 255 for n in re.findall(r"[\d.]+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(foreground), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(page, app, world, scheme):
    page.emulate_media(color_scheme=scheme)
    open_case(page, app, world.case("argument"))
    pairs = page.evaluate(
        """() => [...document.querySelectorAll('.cv *')]
          .filter(e => e.offsetParent && !e.closest('.screen, .controls, dialog')
            && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
          .map(e => { let b = e; const clear = c => c === 'rgba(0, 0, 0, 0)';
            while (b && clear(getComputedStyle(b).backgroundColor)) b = b.parentElement;
            return [e.textContent.trim().slice(0, 40), getComputedStyle(e).color,
                    getComputedStyle(b).backgroundColor]; })"""
    )
    weak = [p for p in pairs if contrast(p[1], p[2]) < 4.5]
    assert len(pairs) > 60
    assert weak == []


def test_every_control_has_a_name(page, app, world):
    open_case(page, app, world.case("argument"))
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.cv button, .cv a, .cv input, .cv select')]
          .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim()
            || e.labels?.[0]?.textContent.trim())).map(e => e.outerHTML)"""
    )
    assert nameless == []


def boxes(page, *selectors: str) -> list[dict]:
    return [page.locator(selector).first.bounding_box() for selector in selectors]


CALLS = re.compile("component_server")
PARTS = ("#submit-decision", "#policy-violence", "#disagreement", "#evidence-list", "#mllm-card")


def test_nothing_moves_while_a_decision_is_made(page, app, world):
    open_case(page, app, world.case("argument"))
    before = boxes(page, *PARTS)
    page.keyboard.press("2")
    page.wait_for_function("document.querySelector('[name=notice]').value !== ''")
    assert boxes(page, *PARTS) == before
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.form-error').textContent !== ''")
    assert boxes(page, *PARTS) == before
    page.keyboard.press("u")
    assert page.locator("[name=notice]").bounding_box()["height"] > 100
    assert boxes(page, *PARTS) == before
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    assert page.locator(".skip-choice").is_visible()
    assert boxes(page, *PARTS) == before
    page.keyboard.press("Escape")
    assert page.locator(".skip-choice").is_hidden()


def test_the_form_stays_on_the_screen_with_everything_in_it(page, app, world):
    open_case(page, app, world.case("argument"))
    for key in ("1", "r", "2", "r", "3", "r"):
        page.keyboard.press(key)
    box = page.locator("#submit-decision").bounding_box()
    assert box["y"] + box["height"] <= 720
    assert page.evaluate("document.documentElement.scrollHeight") == 720


@pytest.mark.parametrize("keys", [(), ("2", "r"), ("s",), ("q",), ("o",), ("?",)])
def test_a_phone_never_scrolls_sideways(page, app, world, keys):
    page.set_viewport_size({"width": 390, "height": 844})
    open_case(page, app, world.case("hostile"))
    for key in keys:
        page.keyboard.press(key)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    inner = page.evaluate(
        """() => [...document.querySelectorAll('.cv section, .cv dialog[open], .cv .controls')]
          .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.id || e.className)"""
    )
    assert inner == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_can_be_seen(page, app, world, scheme):
    page.emulate_media(color_scheme=scheme)
    open_case(page, app, world.case("argument"))
    seen = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        ring = page.evaluate(
            """() => { const e = document.activeElement, f = e.closest('.field') || e;
              const of = g => getComputedStyle(g);
              return [e.id || e.name || e.className, of(e).outlineStyle !== 'none'
                && parseFloat(of(e).outlineWidth) >= 2, of(f).borderColor]; }"""
        )
        if not ring[1]:
            assert ring[2] in {"rgb(53, 83, 212)", "rgb(111, 139, 255)"}, ring
        seen.add(ring[0])
    assert len(seen) > 10


def test_less_motion_where_it_is_asked_for(page, app, world):
    page.emulate_media(reduced_motion="reduce")
    open_case(page, app, world.case("argument"))
    moving = page.evaluate(
        """() => [...document.querySelectorAll('.cv *')].filter(e =>
          getComputedStyle(e).animationName !== 'none'
          || getComputedStyle(e).transitionDuration !== '0s').length"""
    )
    assert moving == 0


def test_while_a_case_is_fetched_its_place_is_kept(page, app, world):
    held = []
    page.route(CALLS, lambda route: held.append(route))
    page.goto(f"{app}/?case={world.case('argument')}")
    page.wait_for_selector("#decision-form .skeleton")
    assert page.locator("#mllm-card .sk").count() > 2
    before = boxes(page, "#review-player", "#prefilter-card")
    held[0].continue_()
    page.wait_for_selector(".form")
    after = boxes(page, "#review-player", "#prefilter-card")
    for was, now in zip(before, after, strict=True):
        assert (was["x"], was["y"]) == pytest.approx((now["x"], now["y"]), abs=1)


def test_a_server_that_does_not_answer_is_said_and_can_be_asked_again(page, app, world):
    page.route(CALLS, lambda route: route.abort())
    page.goto(f"{app}/?case={world.case('argument')}")
    page.wait_for_selector(".no-answer h2")
    assert page.is_visible("text=The server did not answer")
    page.unroute(CALLS)
    page.click("text=Try again")
    page.wait_for_selector(f'.form[data-case="{world.case("argument")}"]')
    assert page.locator(".no-answer").is_hidden()


@pytest.mark.parametrize("path", ["/", "/library"])
def test_the_pages_can_be_installed_as_an_app(page, app, path):
    page.goto(app + path)
    page.wait_for_selector(".cv.ready, .form")
    found = page.context.new_cdp_session(page).send("Page.getAppManifest")
    assert found["url"].startswith(f"{app}/ui/manifest.webmanifest") and found["errors"] == []
    manifest = json.loads(found["data"])
    assert manifest["name"] == "COEF-VQ Review"
    for icon in manifest["icons"]:
        assert page.request.get(f"{app}/ui/{icon['src']}").ok
