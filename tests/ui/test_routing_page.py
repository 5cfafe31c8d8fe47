"""The routing page in a real browser: replay, publish, roll back, trials, two leads, bad input."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work import routing_versions, trials
from coefvq.work.routing_versions import SETTINGS
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.routing_factory import certified, policy
from tests.ui.conftest import Running
from tests.ui.routing_past import decided
from tests.ui.world import World

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
ONE, OTHER = policy(budget=1.0, notes=("<img src=x onerror=window.pwned=1>",)), certified()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, World]]:
    """One library of decided cases for the module: each test leaves the routing as it found it."""
    settings = Settings(home=tmp_path_factory.mktemp("routing") / "home")
    with open_store(settings.url) as store:
        world = World(settings, store, {})
        decided(world)
        for made in (ONE, OTHER):
            routing_versions.keep(store, LOCAL, made)
        with Running(world) as running:
            yield running.url, world


@pytest.fixture
def world(house: tuple[str, World]) -> Iterator[World]:
    """The library with the settings' rule, or what is in force, and no trial."""
    yield house[1]
    for each in trials.of_task(house[1].store, LOCAL, "icd"):
        if each.running:
            trials.stop(house[1].store, LOCAL, each.id)


@pytest.fixture
def opened(page: Any, house: tuple[str, World], world: World) -> Any:
    visit(page, house[0])
    return page


def visit(page: Any, url: str) -> None:
    page.goto(f"{url}/routing?task=icd")
    page.wait_for_selector("[data-page=routing].ready")


def noticed(page: Any, words: str) -> None:
    page.wait_for_selector(f".notice:not(.off):has-text('{words}')")


def in_force(world: World) -> str:
    return routing_versions.versions(world.store, world.settings, LOCAL, "icd").in_force


def put(world: World, version: str) -> None:
    """Make this version the one in force."""
    now = in_force(world)
    if now != version:
        routing_versions.publish(world.store, LOCAL, "icd", version, "for the test", now)


def test_a_replay_shows_figures_and_who_would_move(opened, house, world, tmp_path: Path) -> None:
    page = opened
    page.select_option("#routing-version", OTHER.version)
    page.click("#replay-run")
    page.wait_for_selector("#replay-diff table")
    shown = page.inner_text("#replay-diff")
    assert "60 decided cases, 20 of them violations" in shown
    assert "10 more before rates of them say much" in shown
    assert "60 cases were decided before" in shown
    assert page.locator("#replay-diff svg[role=img]").count() == 1
    for name in ("Miss rate", "Precision", "Reviewer load", "Cost"):
        cells = page.locator("#replay-diff tr", has_text=name).locator("td").all_inner_texts()
        assert len(cells) == 3 and all(" to " in cell or "not defined" in cell for cell in cells)
    group = page.locator(".group-of-cases").first
    group.locator("summary").click()
    assert group.locator("a[href^='/?case=']").count() > 0
    with page.expect_download() as started:
        page.click("text=All of them as CSV")
    with open(started.value.path(), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    moved = int(page.inner_text(".diff-head h3").split(" of ")[0].split()[-1])
    assert len(rows) == moved > 0 and {row["was"] != row["now"] for row in rows} == {True}
    assert page.evaluate("window.pwned") is None and page.faults == [] and page.outside == []


def test_publish_and_roll_back(opened, world) -> None:
    page = opened
    put(world, ONE.version)
    page.reload()
    page.wait_for_selector("[data-page=routing].ready")
    page.select_option("#routing-version", OTHER.version)
    page.click("#publish-routing")
    assert in_force(world) == ONE.version  # the note is missing
    page.fill("#publish-note", "fewer calls <b>")
    page.click("#publish-routing")
    noticed(page, f"{OTHER.version} is in force for icd")
    assert in_force(world) == OTHER.version
    assert "fewer calls <b>" in page.inner_text("#routing-in-force")
    assert page.input_value("#publish-note") == ""
    page.click(".notice button")
    page.wait_for_selector("#routing-dialog[open]")
    assert f"Roll icd back to {ONE.version}" in page.inner_text("#routing-ask")
    page.keyboard.press("Escape")
    assert in_force(world) == OTHER.version
    page.click("#routing-in-force [data-do=rollback]")
    page.fill("#routing-ask-note", "published by mistake")
    page.click("#routing-yes")
    noticed(page, f"{ONE.version} is in force for icd again")
    assert in_force(world) == ONE.version
    page.click("text=Publications")
    assert "published by mistake" in page.inner_text("#routing-publications")
    assert page.faults == []


def test_the_second_of_two_leads_confirms(opened, world) -> None:
    page = opened
    put(world, ONE.version)
    page.reload()
    page.wait_for_selector("[data-page=routing].ready")
    third = routing_versions.keep(world.store, LOCAL, policy(budget=0.3))
    routing_versions.publish(world.store, LOCAL, "icd", third, "faster <i>", ONE.version)
    page.select_option("#routing-version", OTHER.version)
    page.fill("#publish-note", "mine")
    page.click("#publish-routing")
    page.wait_for_selector("#routing-dialog[open]")
    assert f"it is {third} now" in page.inner_text("#routing-ask-more")
    assert "faster <i>" in page.inner_text("#routing-ask-more")
    assert in_force(world) == third
    page.click("#routing-yes")
    noticed(page, f"{OTHER.version} is in force")
    assert in_force(world) == OTHER.version


@pytest.mark.parametrize("kind", ["shadow", "split"])
def test_a_trial_is_started_and_stopped(opened, world, kind: str) -> None:
    page = opened
    version = page.locator("#routing-version option").first.get_attribute("value")
    if version == SETTINGS:
        version = page.locator("#routing-version option").nth(1).get_attribute("value")
    page.select_option("#routing-version", version)
    page.check(f"[name=kind][value={kind}]")
    if kind == "split":
        page.fill("#trial-share", "20")
    page.fill("#trial-note", "to see")
    page.click("#start-trial")
    noticed(page, f"The {kind} runs")
    (trial,) = [each for each in trials.of_task(world.store, LOCAL, "icd") if each.running]
    assert (trial.kind, trial.version, trial.share) == (kind, version, 0.2 * (kind == "split"))
    words = "No video was scored" if kind == "shadow" else "No views are known"
    page.wait_for_selector(f".trial:has-text('{words}')")
    shown = page.inner_text(".trial")
    assert version in shown and "to see" in shown
    page.check(f"[name=kind][value={kind}]")
    page.fill("#trial-note", "again")
    page.click("#start-trial")
    noticed(page, "Stop it first")
    page.click(".trial [data-do=stop-trial]")
    page.click("#routing-yes")
    noticed(page, f"The {kind} is over")
    assert not any(each.running for each in trials.of_task(world.store, LOCAL, "icd"))
    assert page.faults == []


def test_bringing_a_version_in(opened, world, tmp_path: Path) -> None:
    page = opened
    made = policy(budget=0.77)
    file = tmp_path / "routing.json"
    file.write_text(json.dumps(made.to_json(), indent=1), encoding="utf-8")
    page.click("summary:has-text('Bring a routing.json in')")
    page.fill("#routing-text", '{"format": 1}')
    page.click("text=Bring it in")
    noticed(page, "damaged")
    page.fill("#routing-text", "")
    page.set_input_files("#routing-file", file)
    page.click("text=Bring it in")
    noticed(page, f"{made.version} is kept")
    assert page.input_value("#routing-version") == made.version
    assert page.locator("#routing-versions tr", has_text=made.version).count() == 1
    file.write_bytes(b" " * 1_000_001)
    page.set_input_files("#routing-file", file)
    page.click("text=Bring it in")
    noticed(page, "larger than 1 MB")


def test_fitting_on_the_stores_decisions(opened, world) -> None:
    page = opened
    page.click("summary:has-text('Fit a new one')")
    page.fill("#fit-budget", "40")
    page.click("[data-form=fit] [type=submit]")
    page.wait_for_selector(".notice:has-text('fitted on 60 of 60 decided cases')", timeout=60_000)
    chosen = page.input_value("#routing-version")
    assert chosen in page.inner_text("#routing-versions")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, house, world, scheme, size) -> None:
    version = OTHER.version if in_force(world) != OTHER.version else ONE.version
    for kind in trials.KINDS:
        trials.start(world.store, LOCAL, "icd", kind, version, "x", share=0.1)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if size:
        page.set_viewport_size(size)
    visit(page, house[0])
    page.select_option("#routing-version", version)
    page.click("#replay-run")
    page.wait_for_selector("#replay-diff table")
    page.evaluate("document.querySelectorAll('.routing details').forEach(d => d.open = true)")
    assert _violations(page) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    page.click(".trial [data-do=stop-trial]")
    page.wait_for_selector("#routing-dialog[open]")
    assert _violations(page) == []


def _violations(page: Any) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


def test_an_empty_store_says_what_is_in_force_and_what_is_missing(page, empty_app) -> None:
    visit(page, empty_app)
    assert "the settings' entropy rule" in page.inner_text("#routing-in-force")
    assert "No routing policy is kept yet" in page.inner_text("#routing-versions")
    assert "No trial runs, and none was run" in page.inner_text("#routing-trials")
    assert page.locator("#replay-run").is_disabled()
    page.click("summary:has-text('Fit a new one')")
    page.click("[data-form=fit] [type=submit]")
    noticed(page, "no decided case of icd to fit on yet")
    assert page.faults == []


def test_a_reviewer_is_told_that_this_is_not_for_them(page, empty_world, quick_hashes) -> None:
    add_one_a_role(empty_world.store)
    with Running(empty_world) as running:
        page.goto(f"{running.url}/login?next=/routing")
        page.fill("#login-user", "reviewer")
        page.fill("#login-password", PASSWORD)
        page.click("#login-submit")
        page.wait_for_selector("#routing-note:has-text('may not')")
        assert not page.locator(".routing section").first.is_visible()


DIFFS = {
    "": "task",
    "?task=icd": "no routing policy",
    "?task=icd&version=x": "no routing policy x",
    "?task=icd&version=settings": "nothing to hold it against",
}


@pytest.mark.parametrize(("query", "words"), DIFFS.items(), ids=lambda each: each or "nothing")
def test_a_diff_that_cannot_be_made_says_why(empty_app, query: str, words: str) -> None:
    answer = httpx.get(f"{empty_app}/routing/diff.csv{query}")
    assert answer.status_code == 400 and words in answer.json()["detail"]
