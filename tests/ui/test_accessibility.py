"""axe-core on every page, in both themes and on both sizes: nothing serious or critical."""

from __future__ import annotations

from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.people_fixtures import add_one_a_role, quick_hashes
from tests.ui.conftest import Running

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.browser

SIZES = {"desk": (1280, 720), "phone": (390, 844)}
SCHEMES = ("light", "dark")
SERIOUS = {"serious", "critical"}
VIEWS = {
    "review": ("/?case={case}", ".form", ()),
    "review, marked": ("/?case={case}", ".form", ("2", "r")),
    "review, keys": ("/?case={case}", ".form", ("?",)),
    "review, queues": ("/?case={case}", ".form", ("q",)),
    "review, case": ("/?case={case}", ".form", ("o",)),
    "review, skip": ("/?case={case}", ".form", ("s",)),
    "library": ("/library", ".cv.ready", ()),
    "video": ("/video?id={video}", ".cv.ready", ()),
    "exports": ("/exports", "#export-counts :is(table, p)", ()),
    "admin": ("/admin", ".cv.ready", ()),
    "training": ("/training", ".cv.ready", ()),
}
"""Name to address, what is there once the page is, and keys to press then."""

EXCEPTIONS: dict[str, str] = {}
"""Rules of axe that are not asked for, each with the reason: none."""

STILL = "#library-grid { opacity: 1 !important; }"
"""The grid is dimmed while it is refreshed; what is checked is the page at rest."""

RULES = {"rules": {rule: {"enabled": False} for rule in EXCEPTIONS}}


@pytest.fixture(scope="module")
def axe() -> Axe:
    return Axe()


def violations(axe: Axe, page) -> list[str]:
    """What axe finds, as lines that name rule and elements.

    ``bypass_csp`` is not needed: the script is evaluated by the driver, not put into the page.
    """
    found = axe.run(page, options=RULES).response["violations"]
    return [
        f"{item['id']} ({item['impact']}): {node['html'][:160]}"
        for item in found
        if item["impact"] in SERIOUS
        for node in item["nodes"]
    ]


@pytest.mark.parametrize("name", VIEWS)
def test_no_serious_violation(axe, page, app, world, name):
    address, ready, keys = VIEWS[name]
    where = address.format(case=world.case("argument"), video=world.ids["argument"])
    found = {}
    for (size, pixels), scheme in product(SIZES.items(), SCHEMES):
        page.set_viewport_size({"width": pixels[0], "height": pixels[1]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(app + where)
        page.wait_for_selector(ready)
        page.add_style_tag(content=STILL)
        for key in keys:
            page.keyboard.press(key)
        if lines := violations(axe, page):
            found[size, scheme] = lines
    assert found == {}


def test_an_empty_queue_is_accessible(axe, page, empty_app):
    page.goto(empty_app)
    page.wait_for_selector("text=Nothing waits for you")
    assert violations(axe, page) == []


def test_the_sign_in_page_is_accessible(axe, page, world, quick_hashes):
    add_one_a_role(world.store)
    with Running(world) as running:
        for pixels, scheme in product(SIZES.values(), SCHEMES):
            page.set_viewport_size({"width": pixels[0], "height": pixels[1]})
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{running.url}/login")
            page.wait_for_selector("#login-submit")
            assert violations(axe, page) == []
