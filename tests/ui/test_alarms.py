"""Alarms in a real browser: the bell, the list, acknowledging, the month's report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq.review.access import LOCAL
from coefvq.store import alarms
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.tables import utcnow
from coefvq.work.alarms import check_all, desk
from coefvq.work.report import figures_of, render
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.ui.conftest import Running
from tests.ui.world import HOSTILE, World

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.browser
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def ringing(world: World) -> Iterator[str]:
    """The library's job that was set aside, a late queue with a hostile name, one that is over."""
    patient = {"alarm_worker_silent_s": 86_400.0}  # the library of the tests ages as they run
    world = replace(world, settings=world.settings.model_copy(update=patient))
    check_all(world.store, world.settings)
    now = utcnow()
    with world.store.write() as session:
        late = {"value": 30_000.0, "limit": 3600.0, "unit": "s", "n": 12}
        alarms.add(
            session,
            AlarmKind.QUEUE_AGE,
            "urgent",
            Severity.CRITICAL,
            f"Queue {HOSTILE}: 3 of 12 waiting cases are older than promised.",
            late,
            now,
        )
        over = alarms.add(session, AlarmKind.BUDGET, "icd", Severity.WARNING, "m", {},
                          now - timedelta(hours=5))  # fmt: skip
        alarms.clear(session, over, "back within its limit", now - timedelta(hours=1))
    with Running(world) as running:
        yield running.url


def faults(page: Any) -> list[str]:
    found = Axe().run(page, options=RULES)
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


def test_the_bell_the_list_and_the_report(page, ringing, world, tmp_path):
    page.goto(f"{ringing}/library")
    page.wait_for_selector("a.bell.critical:has-text('2 alarms')")
    page.click("a.bell")
    page.wait_for_selector("#alarms .alarm")
    first, second = page.locator("#alarms .alarm").all()
    assert "Queue too old" in first.inner_text() and "set aside" in second.inner_text()
    assert HOSTILE in first.inner_text() and page.evaluate("window.pwned") is None
    assert "measured 8 h, limit 1 h, n = 12" in first.inner_text()
    assert "1 alarm ended" in page.inner_text(".alarms-over")
    first.get_by_role("button", name="Acknowledge: Queue too old").click()
    page.wait_for_selector(".notice:not(.off):has-text('stays here until it is over')")
    page.wait_for_selector("a.bell:not(.critical):has-text('1 alarm')")
    last = page.locator("#alarms .alarm").last
    assert "local looks after it since" in last.inner_text()
    (kept,) = [each for each in desk.listed(world.store, LOCAL).standing if not each.loud]
    assert (kept.kind, kept.acknowledged_by) == ("queue_age", "local")
    with page.context.expect_page() as opened:
        page.click("#report-list a >> nth=0")
    report = opened.value
    report.wait_for_selector("h1:has-text('Moderation report')")
    assert f"{utcnow():%Y}" in report.title() and report.locator("section").count() == 9
    assert page.faults == [] and page.outside == []


@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, ringing, scheme, size):
    page.emulate_media(color_scheme=scheme)
    if size:
        page.set_viewport_size(size)
    month = f"{utcnow():%Y-%m}"
    for address, ready in (("/insights", "#alarms.ready"), (f"/reports/{month}.html", "section")):
        page.goto(f"{ringing}{address}")
        page.wait_for_selector(ready)
        if address == "/insights":
            page.wait_for_selector(".cv.ready")
        assert faults(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_people_who_are_no_leads_hear_nothing(page, world, ringing, quick_hashes):
    add_one_a_role(world.store)
    page.goto(f"{ringing}/login?next=/library")
    page.fill("#login-user", "reviewer")
    page.fill("#login-password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_selector(".cv.ready")
    assert page.evaluate("fetch('/alarms/bell').then(a => a.json())") == {"html": ""}
    assert page.inner_text("#alarm-bell") == ""
    assert page.goto(f"{ringing}/reports/2026-10.html").status == 403


def test_a_report_file_needs_no_server(page, world, tmp_path):
    """As written by the command line; its print is A4 and keeps its tables whole."""
    file = tmp_path / "report.html"
    file.write_text(render(figures_of(world.store, LOCAL, f"{utcnow():%Y-%m}")), "utf-8")
    page.goto(file.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    paper = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--card')")
    assert paper.strip() == "#ffffff" and faults(page) == []
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
