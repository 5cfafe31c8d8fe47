"""The Exports page in a real browser: counts, export, download, card, import, keyboard, phone."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from coefvq.export import desk
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.store.tables import JobKind
from coefvq.work.worker import Worker
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.store_factory import FixedCascade
from tests.ui.conftest import Running
from tests.ui.world import World
from tests.unit.export.library import HOSTILE, fill

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, World]]:
    """A library of five decisions, and a worker that exports."""
    settings = Settings(home=tmp_path_factory.mktemp("exports") / "home")
    with open_store(settings.url) as store:
        fill(store, settings)
        world, ending = World(settings, store, {}), threading.Event()
        kinds = (JobKind.EXPORT, JobKind.IMPORT)
        worker = Worker(settings, store, lambda _: FixedCascade(), "w", kinds)
        thread = threading.Thread(target=worker.run_forever, args=(ending, 0.1), daemon=True)
        with Running(world) as running:
            thread.start()
            yield running.url, world
            ending.set()
            thread.join()


@pytest.fixture
def opened(page: Any, house: tuple[str, World]) -> Iterator[Any]:
    visit(page, house[0])
    yield page
    for view in desk.listed(house[1].store, LOCAL):
        if not view.busy:
            desk.remove(house[1].store, house[1].settings, LOCAL, view.id)


def visit(page: Any, url: str) -> None:
    page.goto(f"{url}/exports")
    page.wait_for_selector("[data-page=exports].ready")
    page.wait_for_selector("#export-counts :is(table, p)")


def run(page: Any, name: str) -> None:
    page.select_option("#export-format", name)
    page.click("#export-run")
    page.wait_for_selector(f"#export-list tr:has-text('{name}') #export-file")


def unzipped(page: Any) -> zipfile.ZipFile:
    with page.expect_download() as started:
        page.click("#export-file")
    assert started.value.suggested_filename.startswith("coefvq-")
    return zipfile.ZipFile(io.BytesIO(Path(started.value.path()).read_bytes()))


def test_counts_follow_the_filters(opened: Any) -> None:
    page = opened
    page.wait_for_selector("#export-counts:has-text('5 decisions on 4 videos')")
    page.select_option("#export-task", "ucc")
    page.wait_for_selector("#export-counts:has-text('2 decisions on 2 videos')")
    page.select_option("#export-policy", "static_slideshow")
    page.wait_for_function("document.querySelectorAll('#export-counts tbody tr').length === 1")
    page.fill("#export-since", "2099-01-01")
    page.dispatch_event("#export-since", "change")
    page.wait_for_selector("#export-counts:has-text('No decision fits')")
    assert page.faults == [] and page.outside == []


def test_an_export_is_made_shown_and_taken_away(opened: Any) -> None:
    page = opened
    run(page, "csv")
    row = page.inner_text("#export-list tbody tr")
    assert "23 rows, 4 videos" in row and "kB" in row and "everything" in row
    archive = unzipped(page)
    names = {Path(name).name for name in archive.namelist()}
    assert names == {"corrections.csv", "dataset_card.md", "splits.json", "policy.json",
                     "manifest.json"}  # fmt: skip
    assert archive.testzip() is None
    page.click("#export-list button:has-text('Card')")
    page.wait_for_selector("#exports-card[open] pre:has-text('# Labelled corrections (csv)')")
    page.keyboard.press("Escape")
    page.click("#export-list button:has-text('Remove')")
    page.click("#exports-yes")
    page.wait_for_selector("#export-list:has-text('Nothing was exported here yet')")
    assert page.evaluate("window.pwned") is None and page.faults == [] and page.outside == []


def test_videos_come_along_where_they_are_copied(opened: Any) -> None:
    page = opened
    page.select_option("#export-media", "copy")
    run(page, "ms-swift")
    names = unzipped(page).namelist()
    assert sum("/videos/" in name for name in names) == 4
    assert "videos copied" in page.inner_text("#export-list tbody tr")


def test_only_the_newest_is_the_file(opened: Any) -> None:
    page = opened
    run(page, "csv")
    run(page, "dsa")
    assert page.locator("#export-file").count() == 1
    assert page.locator("#export-list a[download]").count() == 2
    assert "dsa" in page.inner_text("#export-list tbody tr >> nth=0")


def test_an_import_shows_the_refused_lines(opened: Any, tmp_path: Path) -> None:
    page = opened
    given = tmp_path / "<img src=x onerror=window.pwned=1>.csv"
    given.write_text(f'video_id,task,policy,label,comment\nzz,icd,violence,ok,"{"x"}"\n'
                     f",icd,<b>violence,ok,{HOSTILE.splitlines()[1]}\n")  # fmt: skip
    page.set_input_files("#import-file", str(given))
    page.click("#import-run")
    page.wait_for_selector("#import-list .refused li")
    shown = page.inner_text("#import-list")
    assert "0 decisions taken in, 0 known already, 2 rows refused" in shown
    assert "Line 2" in shown and "There is no video zz" in shown and "onerror" in shown
    assert page.evaluate("window.pwned") is None and page.faults == []


def test_an_import_of_nonsense_says_so(opened: Any, tmp_path: Path) -> None:
    page = opened
    (tmp_path / "a.csv").write_text("nonsense")
    page.set_input_files("#import-file", str(tmp_path / "a.csv"))
    page.click("#import-run")
    page.wait_for_selector("#import-list .bad:has-text('lacks columns')")


def test_a_snapshot_leaves_no_choice_of_decisions(opened: Any, house: tuple[str, World]) -> None:
    from coefvq.learning.dataset.make import make_snapshot

    frozen = make_snapshot(house[1].store, house[1].settings, LOCAL)
    visit(opened, house[0])
    opened.select_option("#export-snapshot", str(frozen.number))
    opened.wait_for_selector(f"#export-counts:has-text('when snapshot {frozen.number} was made')")
    assert opened.is_disabled("#export-since") and opened.is_disabled("#export-role")
    run(opened, "llava")
    assert f"snapshot {frozen.number}" in opened.inner_text("#export-list tbody tr")


def test_the_keyboard_reaches_everything(opened: Any) -> None:
    page = opened
    page.focus("#export-format")
    page.keyboard.press("c")  # the first format that begins so
    page.focus("#export-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#export-file")
    page.focus("#export-list button:has-text('Card')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#exports-card[open]")


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 720}], ids=["phone", "desk"])
def test_nothing_is_cut_off(page: Any, house: tuple[str, World], opened: Any, size: Any) -> None:
    page.set_viewport_size(size)
    run(page, "csv")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for name in ("#export-run", "#export-file", "#import-run"):
        box = page.locator(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]


def test_only_leads_see_it(page: Any, house: tuple[str, World], quick_hashes: None) -> None:
    with Running(house[1]) as running:
        add_one_a_role(house[1].store)
        made = desk.listed(house[1].store, LOCAL)
        with httpx.Client(base_url=running.url) as client:
            client.post("/login", data={"name": "reviewer", "password": PASSWORD})
            for each in (*(view.id for view in made), "x"):
                assert client.get(f"/exports/{each}.zip").status_code == 403
            answer = client.post("/exports/import?format=csv&name=a", content=b"x")
            assert answer.status_code == 403
