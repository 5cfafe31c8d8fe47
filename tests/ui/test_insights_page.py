"""Insights in a real browser: the dial, other times, files, asking for figures, empty stores."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from benchmarks.insights_store import World as Platform
from benchmarks.insights_store import fill
from coefvq.settings import Settings
from coefvq.store import figures
from coefvq.store.session import open_store
from coefvq.work.figures import compute
from coefvq.work.worker import Worker
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.store_factory import FixedCascade
from tests.ui.conftest import Running
from tests.ui.world import World
from tests.unit.work.test_routing_history import Largest

__all__ = ["quick_hashes"]
pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]
PHONE = {"width": 390, "height": 844}
PREFILTER = Largest("prefilter-simulated")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Simulated uploads of three months, and their figures."""
    rule = Platform().rule
    settings = Settings(
        home=tmp_path_factory.mktemp("insights"),
        entropy_threshold=rule.threshold,
        human_entropy_threshold=rule.human_threshold,
    )
    with open_store(settings.url) as store:
        fill(store, 1_500, PREFILTER.version, Platform(audits=0.2))
        found = compute.compute(store, settings, PREFILTER)
        with store.write() as session:
            compute.keep(session, found)
        yield World(settings, store, {})


@pytest.fixture
def house(platform: World) -> Iterator[str]:
    with Running(platform) as running:
        yield running.url


def opened(page: Any, url: str, query: str = "?task=icd&days=all") -> None:
    page.goto(f"{url}/insights{query}")
    page.wait_for_selector("[data-page=insights].ready")


def shown(page: Any) -> dict[str, str]:
    cells = page.locator("#budget-figures [data-cell]")
    return {each.get_attribute("data-cell"): each.inner_text() for each in cells.all()}


def turn(page: Any, step: int) -> None:
    page.locator("#budget-dial").fill(str(step))


def test_moving_the_dial_changes_every_figure_at_once(page, house):
    opened(page, house)
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    turn(page, 1)
    assert page.inner_text("#budget-value") == "2 %"
    few = shown(page)
    turn(page, 8)
    more = shown(page)
    for name in ("recall", "miss_rate", "load", "cost"):
        assert few[name] != more[name], name
    assert float(more["miss_rate"].split()[0]) < float(few["miss_rate"].split()[0])
    assert page.locator("#operating-curve .dial-mark circle").count() == 3
    page.locator("#budget-dial").dispatch_event("change")
    page.wait_for_timeout(500)
    assert shown(page) == more, "the server says the same"
    assert any("component_server" in each for each in calls)
    assert page.faults == [] and page.outside == []


def test_the_dial_works_from_the_keyboard_and_says_what_is_unknown(page, house):
    opened(page, house)
    page.focus("#budget-dial")
    page.keyboard.press("End")
    assert page.locator("#budget-dial").get_attribute("aria-valuetext") == "100 %"
    assert "Not known at this budget" in shown(page)["note"] and shown(page)["recall"] == "–"
    page.select_option("#insights-basis", "both")
    page.wait_for_function("!document.querySelector('#dial').innerText.includes('Not known')")
    turn(page, 50)
    assert shown(page)["note"] == "" and shown(page)["recall"] != "–"
    assert "basis=both" in page.url


def test_every_card_says_n_interval_and_time(page, house):
    opened(page, house)
    for region in ("operating-curve", "miss-rate", "calibration-plot", "machine-table"):
        told = page.inner_text(f"#{region}")
        assert "(UTC)" in told and "95 %" in told, region
    assert "n = " in page.inner_text("#operating-curve")
    assert "naive" in page.inner_text("#miss-rate").lower()
    assert "computed" in page.inner_text("#insights-age")
    assert page.locator("#throughput-card svg[role=img]").count() == 3
    page.select_option("#insights-subject", "violence")
    page.wait_for_function("location.search.includes('subject=violence')")
    page.select_option("#insights-days", "7")
    page.wait_for_function("location.search.includes('days=7')")
    page.wait_for_selector("#operating-curve .none")
    assert "more" in page.inner_text("#operating-curve .none")


@pytest.mark.parametrize("name", ["operating", "miss-rate", "ledger"])
def test_figures_come_as_files(page, house, name):
    opened(page, house)
    with page.expect_download() as download:
        page.click(f"a[href^='/insights/{name}.csv']")
    assert download.value.suggested_filename == f"{name}.csv"
    text = Path(download.value.path()).read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows and rows[0]["task"] == "icd" and rows[0]["covered_until"]


def test_asking_for_new_figures_shows_progress_and_then_them(page, app, world):
    opened(page, app, "")
    assert "No figures yet" in page.inner_text("#operating-curve")
    page.click("#insights-age [data-do=compute]")
    page.wait_for_selector("#insights-progress:has-text('waits for a worker')")
    with world.store.read() as session:
        assert figures.last_job(session).state == "queued"
    Worker(world.settings, world.store, lambda _: FixedCascade()).run_once()
    page.wait_for_selector("#insights-age:has-text('just now')")
    assert "Missing" in page.inner_text("#operating-curve")


def test_an_empty_store_says_so_in_words(page, empty_app, empty_world):
    found = compute.compute(empty_world.store, empty_world.settings, PREFILTER)
    with empty_world.store.write() as session:
        compute.keep(session, found)
    opened(page, empty_app, "")
    assert page.locator(".figures svg").count() == 0
    assert page.locator("#budget-dial").count() == 0
    for region in ("operating-curve", "miss-rate", "throughput-days", "agreement-table"):
        assert page.inner_text(f"#{region}").strip(), region


def test_a_reviewer_is_told_that_this_is_not_for_them(page, app, world):
    add_one_a_role(world.store)
    page.goto(f"{app}/login?next=/insights")
    page.fill("#login-user", "reviewer")
    page.fill("#login-password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_selector("#insights-note:has-text('may not')")
    assert not page.locator(".figures").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, house, scheme, size):
    page.emulate_media(color_scheme=scheme)
    if size:
        page.set_viewport_size(size)
    opened(page, house)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
