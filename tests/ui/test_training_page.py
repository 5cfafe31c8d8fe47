"""The Training page in a real browser: start, follow, stop, resume, gate, promote, go back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from coefvq.domain import Stage
from coefvq.learning.shipped_models import shipped_version
from coefvq.review.access import LOCAL
from coefvq.store import training_runs
from coefvq.store.session import open_store
from coefvq.store.tables import TrainingRunRow
from coefvq.work import training
from coefvq.work.worker import Worker
from tests.people_fixtures import PASSWORD, add_one_a_role, quick_hashes
from tests.store_factory import FixedCascade
from tests.ui.conftest import Running
from tests.ui.gate_sample import document
from tests.ui.world import World
from tests.unit.work.past import Past
from tests.unit.work.training_double import Script, play

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
SHIPPED = shipped_version(Stage.PREFILTER)
CANDIDATE = "prefilter-candidate"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return play(monkeypatch, Script(document=document(True)))


@pytest.fixture
def house(empty_world: World, script: Script) -> Iterator[tuple[str, World]]:
    """A store with a few decisions, and the app on it without a worker."""
    past = Past(empty_world.store, empty_world.settings)
    for number in range(6):
        past.case(violation=number % 2 == 0, title=f"a clip about subject number {number}")
    with Running(empty_world) as running:
        yield running.url, empty_world


def visit(page: Any, url: str) -> Any:
    page.goto(f"{url}/training")
    page.wait_for_selector("[data-page=training].ready")
    return page


def noticed(page: Any, words: str) -> None:
    page.wait_for_selector(f'.notice:not(.off):has-text("{words}")')


def work(world: World) -> int:
    """What the trainer would do."""
    return Worker(world.settings, world.store, lambda _: FixedCascade(), "trainer").run_once()


def trained(world: World) -> str:
    """A candidate that was compared; its run."""
    run_id = training.start_training(world.store, world.settings, LOCAL, "prefilter")
    work(world)
    return run_id


def test_the_summary_says_what_there_is_and_what_is_missing(page, house) -> None:
    visit(page, house[0])
    page.wait_for_selector("#dataset-summary table")
    shown = page.inner_text("#dataset-summary")
    assert "labelled videos" in shown and "corrected by people" in shown
    assert "needs" in shown and "more" in shown
    row = page.locator("#dataset-summary tr", has_text="Hate")
    assert row.count() == 1 and "+6" in row.inner_text()
    assert SHIPPED in page.inner_text("#in-force-prefilter")
    assert "comes with the project" in page.inner_text("#in-force-mllm")
    assert page.faults == [] and page.outside == []


def test_a_training_is_started_with_options_stopped_and_resumed(page, house) -> None:
    url, world = house
    visit(page, url)
    page.click("[data-stage=prefilter] .options summary")
    page.fill("#option-prefilter-folds", "99")
    page.click("#train-prefilter")
    noticed(page, "2 to 10 folds")
    page.fill("#option-prefilter-folds", "3")
    page.click("#train-prefilter")
    noticed(page, "The training of the prefilter begins")
    page.wait_for_selector("#train-progress:has-text('waits for the trainer')")
    assert page.locator("#train-prefilter").is_disabled()
    (run,) = training.training_runs_of(world.store, LOCAL)
    assert run.options == {"folds": 3}
    page.click("#train-progress [data-do=cancel]")
    noticed(page, "its work is kept")
    page.wait_for_selector("#train-progress:has-text('was stopped')")
    page.click("#train-progress [data-do=resume]")
    page.wait_for_selector("#train-progress:has-text('waits for the trainer')")
    assert training.training_run(world.store, LOCAL, run.id).state == "queued"
    assert page.faults == []


def test_progress_comes_by_itself_with_share_time_left_and_losses(page, house) -> None:
    url, world = house
    run_id = training.start_training(world.store, world.settings, LOCAL, "prefilter")
    visit(page, url)
    with world.store.write() as session:
        row: TrainingRunRow = training_runs.get(session, run_id)
        row.state, row.progress, row.note, row.eta_s = "running", 0.42, "learning <b>", 250.0
        row.losses = [[step, "training", 1 / (step + 1)] for step in range(9)]
    page.wait_for_selector("#train-progress progress")
    shown = page.inner_text("#train-progress")
    assert "42 %" in shown and "about 4 min left" in shown and "learning <b>" in shown
    assert page.locator("#train-progress svg[role=img]").count() == 1
    assert page.faults == []


def test_from_a_started_training_to_promotion_and_back(page, house) -> None:
    url, world = house
    visit(page, url)
    page.click("#train-prefilter")
    noticed(page, "begins")
    assert work(world) == 2
    page.wait_for_selector("#gate-table table")
    shown = page.inner_text("#gate-table")
    assert "passed" in shown and "held-out videos" in shown and "96" in shown
    scam = page.locator("#gate-table tr", has_text="Scam").first.inner_text()
    assert "0.700" in scam and "0.820" in scam and "+0.120" in scam and "better" in scam
    assert "What a promotion does to the routing" in shown
    page.click("#gate-table summary:has-text('Slices')")
    assert "too few labels to tell" in page.inner_text("#gate-table")
    page.click("#promote-model")
    assert page.locator("#routing-dialog[open]").count() == 0  # the note is missing
    page.fill("#promote-note", "it knows <b>zorblat</b>")
    page.press("#promote-note", "Enter")
    page.wait_for_selector("#routing-dialog[open]")
    assert CANDIDATE in page.inner_text("#routing-ask")
    page.click("#routing-yes")
    noticed(page, "The routing is fitted for it")
    assert work(world) == 1
    page.wait_for_selector(f"#in-force-prefilter:has-text('{CANDIDATE}')")
    assert "it knows <b>zorblat</b>" in page.inner_text("#in-force-prefilter")
    assert page.locator("#promote-model").count() == 0
    page.click("#rollback-model")
    page.fill("#routing-ask-note", "by mistake")
    page.click("#routing-yes")
    noticed(page, f"{SHIPPED} is in force again")
    page.wait_for_selector(f"#in-force-prefilter:has-text('{SHIPPED}')")
    assert "by mistake" in page.inner_text("#training-publications")
    assert page.evaluate("window.pwned") is None and page.faults == []


def test_a_refused_candidate_says_why_and_cannot_be_promoted(page, house, script) -> None:
    url, world = house
    script.passed, script.document = False, document(False)
    trained(world)
    visit(page, url)
    page.wait_for_selector("#gate-table .caution")
    shown = page.inner_text("#gate-table")
    assert "Refused." in shown and "<img src=x" in shown and "worse" in shown
    assert page.locator("#promote-model").is_disabled()
    assert "The gate refused it" in page.inner_text("#gate-actions")
    page.click("#gate-table [data-do=compare]")
    page.wait_for_selector("#gate-table :text('Comparing…')")
    assert page.evaluate("window.pwned") is None and page.faults == []


def test_a_promotion_that_fails_says_why(page, house, script) -> None:
    url, world = house
    trained(world)
    visit(page, url)
    script.refusal = "The routing of task icd cannot be certified: 3 more violations."
    page.fill("#promote-note", "why")
    page.click("#promote-model")
    page.click("#routing-yes")
    page.wait_for_selector("#gate-table:has-text('waits for its turn')")
    assert work(world) == 1
    page.wait_for_selector("#gate-table:has-text('cannot be certified')")
    assert SHIPPED in page.inner_text("#in-force-prefilter")


def test_the_shadow_is_started_and_ended(page, house) -> None:
    url, world = house
    trained(world)
    visit(page, url)
    page.fill("#promote-note", "to see")
    page.click("#start-shadow")
    noticed(page, "scores each new video beside")
    page.wait_for_selector("#shadow-table:has-text('No video was scored in its shadow yet')")
    assert CANDIDATE in page.inner_text("#in-force-prefilter")
    page.click("[data-do=end-shadow]")
    noticed(page, "out of the shadow")
    assert page.faults == []


def test_a_failed_training_says_why(page, house, script) -> None:
    from coefvq.errors import TrainingError

    def refuse(step: int) -> None:
        raise TrainingError("All labels are the same <b>.")

    url, world = house
    script.at = refuse
    trained(world)
    visit(page, url)
    page.wait_for_selector("#train-progress:has-text('All labels are the same <b>.')")
    assert page.locator("#train-progress [data-do=resume]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(page, house, scheme, size) -> None:
    url, world = house
    trained(world)
    training.start_training(world.store, world.settings, LOCAL, "prefilter")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if size:
        page.set_viewport_size(size)
    visit(page, url)
    page.wait_for_selector("#dataset-summary table")
    page.evaluate("document.querySelectorAll('.training details').forEach(d => d.open = true)")
    assert _violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.fill("#promote-note", "x")
    page.click("#promote-model")
    page.wait_for_selector("#routing-dialog[open]")
    assert _violations(page) == []


def _violations(page: Any) -> list[str]:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


def test_an_empty_store_says_what_to_do_first(page, empty_app) -> None:
    visit(page, empty_app)
    page.wait_for_selector("#dataset-summary:has-text('No decision has been taken yet')")
    assert "No training was started yet" in page.inner_text("#train-progress")
    assert "No candidate yet" in page.inner_text("#gate-table")
    assert not page.locator("#gate-version").is_visible()
    page.click("#train-prefilter")
    noticed(page, "nothing to learn from")
    assert page.locator("#rollback-model").count() == 0 and page.faults == []


def test_a_reviewer_is_told_that_this_is_not_for_them(page, empty_world, quick_hashes) -> None:
    add_one_a_role(empty_world.store)
    with Running(empty_world) as running:
        page.goto(f"{running.url}/login?next=/training")
        page.fill("#login-user", "reviewer")
        page.fill("#login-password", PASSWORD)
        page.click("#login-submit")
        page.wait_for_selector("#training-note:has-text('may not')")
        assert not page.locator(".training section").first.is_visible()


def test_two_apps_on_one_store_show_the_same(page, house) -> None:
    world = house[1]
    trained(world)
    with (
        open_store(world.settings.url) as store,
        Running(World(world.settings, store, {})) as other,
    ):
        visit(page, other.url)
        assert CANDIDATE in page.inner_text("#gate-table")
