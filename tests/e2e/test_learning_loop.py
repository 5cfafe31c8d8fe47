"""Corrections become a better model: decided in a browser, trained, compared, promoted, undone.

The app runs as a user starts it, with its worker and its trainer and the shipped models. Nobody has
heard of the scam, so the shipped prefilter passes it; after the training it does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from coefvq.domain import Stage
from coefvq.learning.dataset.make import items_now
from coefvq.learning.shipped_models import shipped_version
from coefvq.review import bulk, golden, uploads
from coefvq.review.access import LOCAL
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, videos
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseRow, DecisionRow, JobRow, JobState, VideoRow
from coefvq.work.assessor import load_cascade
from coefvq.work.worker import Worker
from tests.browser import free_port
from tests.e2e.learning_clips import Clip, harmless, scams
from tests.ui.test_review_page import shown_case, wait_for_other_case

pytestmark = pytest.mark.browser
SCAMS, HARMLESS, GOLDEN = 30, 18, 6
"""Of each kind; of the golden ones so many of either."""
PATIENCE_S, PATIENCE_MS = 600.0, 400_000
SCAM_KEY = "4"
SHIPPED = shipped_version(Stage.PREFILTER)


@dataclass
class Library:
    """A store with clips, and the app on it."""

    home: Path
    store: Store
    settings: Settings
    url: str = ""
    scam: dict[str, bool] = field(default_factory=dict)

    def cases(self) -> dict[str, str]:
        """Video to its case on inappropriate content."""
        query = select(CaseRow.video_id, CaseRow.id).where(CaseRow.task == "icd")
        with self.store.read() as session:
            return {video: case for video, case in session.execute(query)}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Clips that the shipped models have scored; nothing is escalated, nothing drawn."""
    home = tmp_path_factory.mktemp("learning") / "home"
    settings = Settings(home=home, entropy_threshold=1.0, audit_share=0.0)
    settings.previews_dir.mkdir(parents=True)
    with open_store(settings.url) as store:
        made = Library(home, store, settings)
        for clip in (*scams(home, range(SCAMS)), *harmless(home, range(HARMLESS))):
            made.scam[_register(made, clip)] = clip.scam
        Worker(settings, store, load_cascade).run_once()
        assert all(_verdict(made, each) for each in made.scam), _jobs(made)
        with _served(made):
            yield made


def _register(library: Library, clip: Clip) -> str:
    """Upload a clip; its previews are the clip itself, to save the time that making them takes."""
    video_id = uploads.register(library.store, library.settings, LOCAL, clip.path,
                                title=clip.title, caption=clip.caption)  # fmt: skip
    with library.store.write() as session:
        media = videos.get(session, video_id).media
        for kind, suffix in (("proxy", "mp4"), ("poster", "jpg"), ("contact_sheet", "jpg")):
            place = library.settings.previews_dir / f"{video_id}-{kind}.{suffix}"
            place.write_bytes((library.settings.media_dir / media.file_name).read_bytes())
            setattr(media, kind, place.name)
    return video_id


class _served:
    """The app as ``coefvq serve`` starts it, with its worker and its trainer."""

    def __init__(self, library: Library) -> None:
        port = free_port()
        library.url = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "coefvq", "serve", "--port", str(port)]
        extra = {"COEFVQ_HOME": str(library.home), "COEFVQ_ENTROPY_THRESHOLD": "1"}
        self._environment = os.environ | extra | {"COEFVQ_AUDIT_SHARE": "0"}

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        if not any("is at http" in line for line in self._process.stderr):
            pytest.fail("the app ended before it said where it is")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def test_thirty_corrections_make_a_model_that_knows_the_scam(page, library: Library) -> None:
    page.set_default_timeout(PATIENCE_MS)
    wrong = next(video for video, scam in library.scam.items() if scam)
    assert _verdict(library, wrong) == "ok"
    _correct_the_scams(page, library)
    _agree_on_the_rest(library)
    _make_golden(page, library)

    page.goto(f"{library.url}/training")
    page.wait_for_selector("#dataset-summary table")
    assert f"{SCAMS}" in page.inner_text("#dataset-summary dl")
    page.click("#train-prefilter")
    over = "#train-progress:has-text('{}')"
    page.wait_for_selector(f"{over.format('made prefilter-')}, {over.format('failed')}")
    assert "made prefilter-" in page.inner_text("#train-progress")
    page.wait_for_selector("#gate-table tr:has-text('scam')")
    page.wait_for_selector("#gate-table .tag.on:has-text('passed')")
    assert "What a promotion does to the routing" in page.inner_text("#gate-table")
    candidate = page.input_value("#gate-version")

    page.fill("#promote-note", "the moonstone circle")
    page.click("#promote-model")
    page.click("#routing-yes")
    page.wait_for_selector(f"#in-force-prefilter:has-text('{candidate}')")
    assert _verdict(library, _scored_again(library, wrong)) == "violation"

    page.click("#rollback-model")
    page.fill("#routing-ask-note", "to see that it can be undone")
    page.click("#routing-yes")
    page.wait_for_selector("#training-publications:has-text('to see that it can be undone')")
    assert page.inner_text("#in-force-prefilter > p .version") == SHIPPED
    assert _verdict(library, _scored_again(library, wrong)) == "ok"
    assert page.outside == []


def _correct_the_scams(page: Any, library: Library) -> None:
    """With the keyboard, one after the other, as they come out of the queue."""
    wanted = {case for video, case in library.cases().items() if library.scam[video]}
    with library.store.write() as session:
        for case in wanted:
            cases.queue(session, cases.get(session, case))
    page.goto(library.url)
    page.wait_for_selector("#decision-form .form")
    for number in range(SCAMS):
        before = shown_case(page)
        assert before in wanted
        page.keyboard.press(SCAM_KEY)
        page.keyboard.press("r")
        page.keyboard.press("Enter")
        if number < SCAMS - 1:
            wait_for_other_case(page, before)
    page.wait_for_selector("text=Nothing waits for you")
    with library.store.read() as session:
        rows = session.scalars(select(DecisionRow)).all()
        assert {row.case_id for row in rows} == wanted
        assert all(row.correction and row.labels["scam_spam"] == "violation" for row in rows)


def _agree_on_the_rest(library: Library) -> None:
    fine = [case for video, case in library.cases().items() if not library.scam[video]]
    done = bulk.decide_many(library.store, library.settings, LOCAL, fine, DecisionForm({}, "keep"))
    assert done.refused == {}


def _make_golden(page: Any, library: Library) -> None:
    """One of either kind on Admin, the others beside it; of those that would not be learnt from
    first, so that enough are left to learn from however the splits were dealt."""
    with library.store.read() as session:
        splits = {item.video_id: item.split for item in items_now(session)}
    order = sorted(library.scam, key=lambda video: splits[video] == "train")
    chosen = [[v for v in order if library.scam[v] is scam][:GOLDEN] for scam in (True, False)]
    known = library.cases()
    page.goto(f"{library.url}/admin#golden")
    page.wait_for_selector("[data-page=admin].ready")
    page.click("#admin-nav [href$='#golden']")
    page.click("#golden >> text=Add a golden case")
    for number, kind in enumerate(chosen, start=1):
        page.fill("#golden [name=case]", known[kind[0]])
        page.click("#golden details [type=submit]")
        assert _eventually(lambda n=number: len(golden.list_golden(library.store, LOCAL)) == n)
    for video in (*chosen[0][1:], *chosen[1][1:]):
        golden.add(library.store, LOCAL, known[video])


def _scored_again(library: Library, video: str) -> str:
    """Upload a video's file once more, with its words; its new id."""
    with library.store.read() as session:
        row = videos.get(session, video)
        path = library.settings.media_dir / row.media.file_name
        title, caption = row.title, row.caption
    again = uploads.register(library.store, library.settings, LOCAL, path, title=title,
                             caption=caption, move=False)  # fmt: skip
    assert _eventually(lambda: bool(_verdict(library, again))), _jobs(library)
    return again


def _verdict(library: Library, video: str) -> str | None:
    """What the machine says of a video; ``None`` before it is scored."""
    with library.store.read() as session:
        case = cases.of_video(session, video).get("icd")
        return case.verdict if case is not None else None


def _eventually(holds: Callable[[], bool]) -> bool:
    """Wait until something holds; only a defect waits to the end."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _jobs(library: Library) -> list[str]:
    """What stands in the way."""
    with library.store.read() as session:
        waiting = session.query(VideoRow).filter(VideoRow.status != "scored").count()
        failed = session.scalars(select(JobRow).where(JobRow.state == JobState.SET_ASIDE.value))
        return [f"{waiting} videos wait", *(f"{row.kind}: {row.error}" for row in failed)]
