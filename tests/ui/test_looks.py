"""Theme, phone, contrast, names: what Review must look like whatever it shows."""

from __future__ import annotations

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
