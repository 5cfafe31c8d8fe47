"""The whole way, nothing stood in for: upload in a browser, score, review, correct, export.

The app runs as a user starts it, in a process of its own, with the shipped models.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coefvq.demo.build import build_clip
from coefvq.demo.catalogue import clip_by_id
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.store.tables import DecisionRow
from tests.browser import free_port

pytestmark = pytest.mark.browser
SCORING_MS = 240_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """The app as ``coefvq serve`` starts it, with its own worker."""
    port = free_port()
    command = [sys.executable, "-m", "coefvq", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=_environment(home), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "is at http" in line:
                break
        else:
            pytest.fail("the app ended before it said where it is")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _environment(home: Path) -> dict[str, str]:
    return os.environ | {"COEFVQ_HOME": str(home), "COEFVQ_AUDIT_SHARE": "0"}


def _coefvq(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coefvq", *arguments]
    return subprocess.run(command, env=_environment(home), capture_output=True, text=True)


def test_from_an_upload_to_an_exported_correction(page, address: str, home: Path, tmp_path: Path):
    clip = build_clip(clip_by_id("scam-caption"), tmp_path)
    page.set_default_timeout(SCORING_MS)
    page.goto(f"{address}/library")
    page.wait_for_selector(".cv.ready")
    page.set_input_files("#upload-videos input", str(clip))
    page.fill("#upload-title", "A calm morning")
    page.fill("#upload-caption", clip_by_id("scam-caption").caption or "")
    page.click("#upload-start")
    page.wait_for_selector(".clip:has-text('A calm morning')")
    page.wait_for_function(
        "() => { const t = document.querySelector('.clip').innerText;"
        " return !t.includes('not scored yet') && t.includes('icd') }"
    )
    page.click(".clip")
    page.wait_for_selector("#decision-form .form")
    _ask_the_mllm_if_it_has_not_run(page)
    assert "not covered by this model" in page.inner_text("#prefilter-card")
    assert "trust in answer" in page.inner_text("#mllm-card")
    assert page.evaluate("document.querySelector('#review-player video').readyState") is not None

    page.keyboard.press("1")  # violence: the machine did not say so
    page.select_option("#decision-reason", index=1)
    page.click("#submit-decision")
    page.wait_for_selector(".notice:has-text('Correction stored')")
    assert page.outside == []

    decision = _only_decision(home)
    assert decision.labels["violence"] == "violation"
    assert decision.snapshot, "what was on the screen is kept with the decision"

    exported = _coefvq(home, "export", "--format", "csv", "--out", str(tmp_path / "out"))
    assert exported.returncode == 0, exported.stderr
    with (tmp_path / "out" / "corrections.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["policy"]: row for row in csv.DictReader(file)}
    assert rows["violence"]["label"] == "violation"
    assert rows["violence"]["title"] == "A calm morning"
    assert rows["violence"]["reviewer"].startswith("reviewer-")  # a pseudonym
    counts = json.loads(_coefvq(home, "status", "--json").stdout)
    assert (counts["videos"], counts["decisions"]) == (1, 1)


def _ask_the_mllm_if_it_has_not_run(page) -> None:
    button = page.locator("#mllm-card button:has-text('Ask the MLLM')")
    if button.count():
        button.click()
    page.wait_for_selector("#mllm-card:has-text('trust in answer')")


def _only_decision(home: Path) -> DecisionRow:
    with open_store(Settings(home=home).url) as store, store.read() as session:
        return session.query(DecisionRow).one()
