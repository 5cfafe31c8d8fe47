"""The library in a real browser: upload, browse, filter, retry, open."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from coefvq.store import embeddings, jobs, videos
from coefvq.store.tables import JobKind, VideoRow
from tests.ui.world import HOSTILE, World, add, make_clip

pytestmark = pytest.mark.browser

IDS = (
    "upload-videos", "upload-title", "upload-caption", "upload-start", "library-search",
    "library-filter-task", "library-filter-status", "library-grid", "ingest-progress",
)  # fmt: skip


def open_library(page, app: str, query: str = "") -> None:
    page.goto(f"{app}/library{query}")
    page.wait_for_selector(".cv.ready")


def titles(page) -> list[str]:
    return page.locator(".clip h3").all_inner_texts()


def clip(page, world: World, name: str):
    return page.locator(f'.clip[data-video="{world.ids[name]}"]')


def test_all_promised_elements_are_there_and_nothing_is_fetched_outside(page, app):
    open_library(page, app)
    for element in IDS:
        assert page.locator(f"[id='{element}']").count() == 1, element
    assert page.outside == []
    assert page.faults == []


def test_cards_say_what_the_machine_said(page, app, world):
    open_library(page, app)
    text = clip(page, world, "argument").inner_text()
    for words in ("crazy argument", "to review", "icd", "0.87", "sent to a person", "ucc", "0:03"):
        assert words in text
    assert "5 of 7 scored, 1 failed" in page.inner_text("#ingest-progress")
    assert page.inner_text("#library-found") == "7 videos"


def test_hostile_titles_are_shown_and_never_run(page, app, world):
    open_library(page, app)
    assert clip(page, world, "hostile").locator("h3").text_content() == HOSTILE
    assert page.evaluate("window.pwned") is None
    assert page.outside == []


@pytest.mark.parametrize("with_mouse", [True, False], ids=["click", "Enter"])
def test_a_card_opens_its_more_interesting_case(page, app, world, with_mouse):
    open_library(page, app)
    if with_mouse:
        clip(page, world, "argument").locator(".poster").click()
    else:
        clip(page, world, "argument").locator("h3 a").focus()
        page.keyboard.press("Enter")
    page.wait_for_selector(f'.form[data-case="{world.case("argument")}"]')


def test_both_tasks_are_reachable(page, app, world):
    open_library(page, app)
    links = clip(page, world, "argument").locator(".badge").evaluate_all(
        "all => all.map(a => new URL(a.href).search)"
    )  # fmt: skip
    assert links == [f"?case={world.case('argument', task)}" for task in ("icd", "ucc")]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("library-search", "pasta", ["cooking pasta in ten minutes"]),
        ("library-search", "no such words", []),
        ("library-filter-status", "failed", ["broken upload"]),
        ("library-filter-status", "waiting", ["just uploaded"]),
    ],
)
def test_search_and_filters(page, app, field, value, expected):
    open_library(page, app)
    if field == "library-search":
        page.fill(f"#{field}", value)
    else:
        page.select_option(f"#{field}", value)
    page.wait_for_function("n => document.querySelectorAll('.clip').length === n",
                           arg=len(expected))  # fmt: skip
    assert titles(page) == expected
    if not expected:
        assert "No video fits this search." in page.inner_text("#library-empty")
    page.reload()
    page.wait_for_selector(".cv.ready")
    assert titles(page) == expected


def test_a_task_filter_shows_only_that_task(page, app, world):
    open_library(page, app)
    page.select_option("#library-filter-task", "ucc")
    page.wait_for_function("document.querySelectorAll('.clip .badge').length === 6")
    tasks = set(page.locator(".badge .task").all_inner_texts())
    assert tasks == {"ucc"}


def test_what_failed_says_why_and_can_be_retried(page, app, world):
    open_library(page, app)
    card = clip(page, world, "broken")
    text = card.inner_text()
    assert "unreadable_media" in text and "no frame can be decoded" in text
    assert "Check that it plays elsewhere" in text
    card.locator(".retry").click()
    page.wait_for_function(
        "id => document.querySelector(`[data-video='${id}']`).innerText.includes('waits')",
        arg=world.ids["broken"],
    )
    with world.store.read() as session:
        assert jobs.open_job(session, JobKind.INGEST, video_id=world.ids["broken"]) is not None


def test_everything_that_failed_can_be_retried_at_once(page, app, world):
    for name in ("waiting", "broken"):
        with world.store.write() as session:
            job = jobs.newest_by_video(session, [world.ids[name]])[world.ids[name]]
            job.state, job.error_code, job.error = "set_aside", "model_unavailable", "no weights"
            videos.get(session, world.ids[name]).status = videos.FAILED
    open_library(page, app)
    page.click("text=Retry all")
    page.wait_for_function("!document.querySelector('.clip .why')")
    with world.store.read() as session:
        assert jobs.counts(session)["set_aside"] == 0


def stored(world: World, video_id: str) -> VideoRow:
    with world.store.read() as session:
        row = videos.get(session, video_id)
        assert row.media.sha256
        return row


def test_several_files_are_uploaded_with_title_and_caption(page, app, world, tmp_path):
    paths = [make_clip(tmp_path / f"clip {n} ünï.mp4", 0.5, n) for n in (1, 2)]
    open_library(page, app)
    page.set_input_files("#upload-videos", paths)
    page.fill("#upload-title", "as posted")
    page.fill("#upload-caption", HOSTILE)
    assert page.inner_text("#upload-start") == "Upload 2 videos"
    page.click("#upload-start")
    page.wait_for_function("document.querySelectorAll('.clip').length === 9")
    assert page.inner_text("#ingest-progress").startswith("0 of 2 scored")
    ids = page.locator(".clip").evaluate_all("all => all.slice(0, 2).map(c => c.dataset.video)")
    rows = [stored(world, video_id) for video_id in ids]
    assert {row.original_name for row in rows} == {path.name for path in paths}
    assert {(row.title, row.caption) for row in rows} == {("as posted", HOSTILE)}
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    assert {row.sha256 for row in rows} == hashes
    assert page.evaluate("window.pwned") is None
    assert list((world.settings.home / "uploads").iterdir()) == []


def test_a_file_over_the_limit_says_so_and_the_others_go_on(page, app, world, tmp_path: Path):
    huge, fine = tmp_path / "huge.mp4", make_clip(tmp_path / "fine.mp4", 0.5, 1)
    huge.write_bytes(b"x" * (6 * 2**20))
    open_library(page, app)
    page.set_input_files("#upload-videos input", [huge, fine])
    page.click("#upload-start")
    page.wait_for_function("document.querySelectorAll('.clip').length === 8")
    assert "Larger than the limit of 5.0 MB" in page.inner_text(".files")


def test_a_chosen_file_can_be_removed_before_it_is_sent(page, app, tmp_path):
    open_library(page, app)
    page.set_input_files("#upload-videos", make_clip(tmp_path / "a.mp4", 0.5))
    page.click(".file-drop")
    assert page.is_disabled("#upload-start")


def test_a_large_library_is_paged(page, empty_world, empty_app):
    add(empty_world, "one", title="number 0", seconds=0.5)
    with empty_world.store.write() as session:
        media = videos.get(session, empty_world.ids["one"]).media
        for n in range(1, 60):
            videos.add_video(session, media, uploader="local", original_name="n.mp4",
                             title=f"number {n}")  # fmt: skip
    open_library(page, empty_app)
    assert (len(titles(page)), titles(page)[0]) == (48, "number 59")
    assert "1–48 of 60" in page.inner_text("#library-pages")
    page.click("text=Older")
    page.wait_for_function("document.querySelectorAll('.clip').length === 12")
    assert titles(page)[-1] == "number 0"
    lazy = page.eval_on_selector_all(".clip img", "all => all.every(i => i.loading === 'lazy')")
    assert lazy


def test_an_empty_library_says_what_to_do(page, empty_app):
    open_library(page, empty_app)
    assert "No videos yet. Choose some above." in page.inner_text("#library-empty")


def test_polling_replaces_no_card_that_did_not_change(page, app, world):
    open_library(page, app)
    page.evaluate("document.querySelectorAll('.clip').forEach(c => { c.stamp = 1 })")
    with page.expect_response(lambda r: "component_server" in r.url):
        pass
    page.wait_for_timeout(200)
    assert page.evaluate("[...document.querySelectorAll('.clip')].every(c => c.stamp === 1)")


def test_a_phone_gets_no_sideways_scroll(page, app):
    page.set_viewport_size({"width": 390, "height": 844})
    open_library(page, app)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_every_control_has_a_name(page, app):
    open_library(page, app)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
            '.cv button, .cv input:not([type=hidden]), .cv select')]
          .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim()
            || e.labels?.[0]?.textContent.trim())).map(e => e.outerHTML)"""
    )
    assert nameless == []


def shown(page, number: int) -> list[str]:
    page.wait_for_function("n => document.querySelectorAll('.clip').length === n", arg=number)
    return titles(page)


def test_filters_are_in_the_address_and_back_undoes_them(page, app):
    open_library(page, app)
    page.fill("#library-search input", "pasta")
    assert shown(page, 1) == ["cooking pasta in ten minutes"]
    page.fill("#library-search input", "")
    page.select_option("#library-filter-status", "failed")
    page.wait_for_selector(".clip:has-text('broken upload')")
    assert page.url.endswith("/library?status=failed")
    page.go_back()
    page.wait_for_selector(".clip:has-text('cooking pasta')")
    page.go_back()
    shown(page, 7)
    page.go_forward()
    assert shown(page, 1) == ["cooking pasta in ten minutes"]
    assert page.input_value("#library-search input") == "pasta"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?search=thrown+out&status=to_review", ["crazy argument", "unexplained"]),
        ("?policy=static_slideshow", ["cooking pasta", "a walk"]),
        ("?uploader=nobody", []),
        ("?search=%22pasta%22+-+OR+*", []),
        ("?search=%22pasta%22", ["cooking pasta"]),
    ],
)
def test_a_link_opens_what_was_shown(page, app, query, expected):
    open_library(page, app, query)
    found = shown(page, len(expected))
    assert all(title.startswith(start) for title, start in zip(found, expected, strict=True))
    assert page.faults == []


def test_a_card_says_where_the_search_was_found(page, app):
    open_library(page, app, "?search=window.pwned")
    assert "window" in page.inner_text(".found-in")
    open_library(page, app, "?search=gift")
    assert page.locator(".found-in").first.inner_text().startswith("screen text FREE GIFT CARD")
    assert page.locator(".found-in mark").first.inner_text() == "GIFT"
    assert page.evaluate("window.pwned") is None


def test_an_unknown_filter_in_a_link_says_so(page, app):
    open_library(page, app, "?status=nope")
    assert "Unknown status 'nope'" in page.inner_text("#library-empty")


def pick(page, *names: str) -> None:
    for name in names:
        page.locator(f".clip:has-text('{name}') [data-pick]").check(force=True)


def test_a_selection_is_decided_at_once_and_taken_back(page, app, world):
    open_library(page, app)
    pick(page, "crazy argument", "unexplained")
    assert "2 selected" in page.inner_text(".selection")
    page.click("[data-do=decide]")
    page.check("#decide-panel [value=violence]")
    page.fill("#decide-panel textarea", HOSTILE)
    assert page.input_value("#decide-panel [name=action]") == "remove"
    page.click("#decide-panel [type=submit]")
    page.wait_for_selector(".notice:has-text('Decided: 2.')")
    page.wait_for_function("document.querySelectorAll('.chip.decided').length === 2")
    assert page.is_hidden(".selection")
    page.click(".notice [data-do=undo-batch]")
    page.wait_for_selector(".notice:has-text('Taken back: 2.')")
    page.wait_for_function("document.querySelectorAll('.chip.decided').length === 0")


def test_a_refused_decision_keeps_the_form(page, app, world):
    open_library(page, app)
    pick(page, "crazy argument")
    page.click("[data-do=decide]")
    page.check("#decide-panel [value=violence]")
    page.select_option("#decide-panel .bulk-policy:has([value=violence]) select", "other")
    page.click("#decide-panel [type=submit]")
    page.wait_for_selector(".notice:has-text('Left as they are: 1.')")


def test_a_selection_is_sent_to_review(page, app, world):
    open_library(page, app)
    pick(page, "a walk by the river")
    page.click("[data-do=send]")
    page.wait_for_selector(".notice:has-text('2 cases wait for review now.')")
    card = clip(page, world, "quiet")
    page.wait_for_selector(f'[data-video="{world.ids["quiet"]}"] .chip.to_review')
    assert "sent to a person" in card.inner_text() or "to review" in card.inner_text()


def test_the_keyboard_selects(page, app):
    open_library(page, app)
    page.locator(".clip h3 a").nth(1).focus()
    page.keyboard.press("x")
    assert "1 selected" in page.inner_text(".selection")
    page.locator(".clip [data-pick]").nth(4).click(force=True, modifiers=["Shift"])
    assert "4 selected" in page.inner_text(".selection")
    page.keyboard.press("Escape")
    assert page.is_hidden(".selection")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("x")
    assert page.is_hidden(".selection")


def test_filters_are_saved_opened_and_deleted(page, app):
    open_library(page, app, "?status=failed")
    page.click("[data-do=saved]")
    page.fill("#saved-panel [name=name]", HOSTILE)
    page.click("#saved-panel [type=submit]")
    page.wait_for_selector("#saved-rows li")
    assert page.locator("#saved-rows a").text_content() == HOSTILE
    page.keyboard.press("Escape")
    page.select_option("#library-filter-status", "")
    shown(page, 7)
    page.click("[data-do=saved]")
    page.click("#saved-rows a")
    assert shown(page, 1) == ["broken upload"]
    page.click("[data-do=saved]")
    page.click("[data-do=drop-filter]")
    page.wait_for_selector("#saved-rows:has-text('None yet')")
    assert page.evaluate("window.pwned") is None


def test_similar_videos_are_a_link(page, app, world):
    with world.store.write() as session:
        for at, name in enumerate(("argument", "quiet", "audit")):
            frames = np.eye(3, 1280, dtype=np.float32)[:1] + np.float32(0.02 * at)
            embeddings.put(session, videos.get(session, world.ids[name]).sha256, "cheap-t", frames)
    open_library(page, app)
    clip(page, world, "argument").locator("text=Find similar").click()
    found = shown(page, 2)
    assert found == ["a walk by the river", "cooking pasta in ten minutes"]
    assert "crazy argument" in page.inner_text("#library-similar")
    assert "alike" in page.locator(".clip").first.inner_text()
    page.reload()
    page.wait_for_selector(".cv.ready")
    assert len(shown(page, 2)) == 2
    page.click("text=Show the whole library")
    shown(page, 7)
    page.go_back()
    shown(page, 2)


def test_what_cannot_be_compared_says_so(page, app, world):
    open_library(page, app, f"?similar={world.ids['waiting']}")
    assert "It was not compared" in page.inner_text("#library-empty")


def test_fifty_files_with_a_bad_one_and_a_retry(page, app, world, tmp_path):
    source = make_clip(tmp_path / "a.mp4", 0.3)
    paths = []
    for number in range(50):
        paths.append(tmp_path / f"clip{number:02}.mp4")
        paths[-1].write_bytes(source.read_bytes() + bytes([number]))
    refused = []

    def once(route):
        if "clip07" in route.request.url and not refused:
            refused.append(1)
            route.abort()
        else:
            route.continue_()

    page.route("**/upload?*", once)
    open_library(page, app)
    page.set_input_files("#upload-videos", paths)
    page.click("#upload-start")
    page.wait_for_selector(".files li.bad")
    page.wait_for_function("document.querySelectorAll('.files li').length === 1", timeout=60000)
    assert "The connection broke" in page.inner_text(".files")
    page.click(".file-again")
    page.wait_for_function("document.querySelectorAll('.files li').length === 0")
    assert "more than" not in page.inner_text("#library-found")
    page.wait_for_function("document.querySelector('#library-found').textContent === '57 videos'")


def test_files_and_folders_can_be_dropped(page, app):
    open_library(page, app)
    page.evaluate(
        """() => {
          const file = (name) => new File(["x"], name, {type: "video/mp4"});
          const leaf = (name) => ({isFile: true, file: (done) => done(file(name))});
          const folder = (all) => { let left = [all, []]; return {isDirectory: true,
            createReader: () => ({readEntries: (done) => done(left.shift() || [])})}; };
          const tree = folder([leaf("one.mp4"), leaf(".hidden"), folder([leaf("deep.mp4")])]);
          const items = [tree, leaf("two.mp4")].map(e => ({webkitGetAsEntry: () => e}));
          const drop = new Event("drop", {bubbles: true, cancelable: true});
          Object.defineProperty(drop, "dataTransfer", {value: {items, files: []}});
          document.querySelector("#upload-videos").dispatchEvent(drop);
        }"""
    )
    page.wait_for_function("document.querySelectorAll('.files li').length === 3")
    names = page.locator(".file-name").all_inner_texts()
    assert names == ["one.mp4", "deep.mp4", "two.mp4"]
