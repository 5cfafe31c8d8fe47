"""The library's cards and words."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coefvq.domain import WhyNot
from coefvq.review.library import STATUSES
from coefvq.review.views import CaseBadge, IngestProgress, LibraryItem, LibraryPage
from coefvq.settings import Settings
from reviewer_ui import words
from reviewer_ui.components import grid
from reviewer_ui.pages.library import shell
from tests.ui.case_sample import HOSTILE

ICD = CaseBadge("c1", "icd", "queued", "needs_human", "human", 0.87, None)
UCC = CaseBadge("c2", "ucc", "auto", "ok", "auto_pass", 0.22, None)
ITEM = LibraryItem("v1", "a title", "a.mp4", "local", datetime(2026, 1, 1, tzinfo=UTC), 65.0,
                   "to_review", Path("p.jpg"), Path("p.mp4"), (ICD, UCC))  # fmt: skip


def plain(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", str(markup)).split())


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ((), None),
        ((ICD, UCC), "c1"),
        ((replace(ICD, state="auto", verdict="ok", probability=0.3), UCC), "c1"),
        ((replace(ICD, state="auto", verdict="ok"), replace(UCC, verdict="violation")), "c2"),
        ((replace(ICD, state="decided"), UCC), "c2"),
        ((replace(ICD, probability=None, state="pending"), replace(UCC, state="pending")), "c2"),
    ],
)
def test_the_more_interesting_case(cases, expected):
    found = grid.more_interesting(cases)
    assert (found and found.case_id) == expected


def test_a_card_says_what_is_known():
    text = plain(grid.card(ITEM))
    assert text == ("1:05 a title to review icd 0.87 sent to a person "
                    "ucc 0.22 passed automatically Find similar History")  # fmt: skip
    assert 'href="/?case=c1"' in grid.card(ITEM)


def test_a_human_answer_replaces_the_machines():
    text = plain(grid.card(replace(ITEM, cases=(replace(ICD, decided="ok"),))))
    assert "no violation (a person said so)" in text


def test_a_card_shows_progress_while_it_is_scored():
    waiting = replace(ITEM, status="scoring", progress=0.4, note="making previews", poster=None)
    markup = grid.card(waiting)
    assert 'value="0.40"' in markup
    assert "making previews" in markup and "no preview yet" in markup
    assert "waits for its turn" in grid.card(replace(waiting, note=""))


def test_a_failed_card_says_what_to_do():
    failed = replace(ITEM, status="failed", error_code="too_long", error="5 h", job_id="j1")
    text = plain(grid.card(failed))
    assert "too_long 5 h Cut it, or raise COEFVQ_MAX_DURATION_S. Retry" in text
    assert 'data-job="j1"' in grid.card(failed)


@pytest.mark.parametrize(
    ("badge", "grave"),
    [(replace(ICD, verdict="violation"), True), (replace(UCC, verdict="violation"), False),
     (replace(ICD, verdict="violation", decided="ok"), False), (ICD, False)],
)  # fmt: skip
def test_only_grave_posters_are_blurred(badge, grave):
    assert ('class="card clip grave"' in grid.card(replace(ITEM, cases=(badge,)))) is grave


def test_hostile_text_never_becomes_markup():
    bad = replace(ITEM, title=HOSTILE, original_name=HOSTILE, note=HOSTILE, progress=0.1)
    failed = replace(bad, error_code=HOSTILE, error=HOSTILE, job_id=HOSTILE)
    assert "<img src=x" not in grid.card(bad)
    assert "<img src=x" not in grid.card(failed)


@pytest.mark.parametrize(
    ("total", "offset", "count", "expected"),
    [
        (10, 0, 10, ""),
        (60, 0, 48, "Newer 1–48 of 60 Older"),
        (60, 48, 12, "Newer 49–60 of 60 Older"),
    ],
)
def test_pages(total, offset, count, expected):
    markup = grid.pages(
        LibraryPage((ITEM,) * count, total, offset, following=total > offset + count), 48
    )
    assert plain(markup) == expected
    assert markup.count("disabled") == (1 if expected else 0)


@pytest.mark.parametrize(
    ("progress", "left", "expected"),
    [
        (None, None, ""),
        (IngestProgress(0, 0, 0, 1.0, ""), None, ""),
        (IngestProgress(4, 1, 0, 0.3, ""), None, "1 of 4 scored, remaining time not known yet"),
        (IngestProgress(4, 1, 1, 0.3, "a"), 30.0,
         "1 of 4 scored, 1 failed, less than a minute left · a"),
        (IngestProgress(4, 1, 0, 0.3, ""), 200.0, "1 of 4 scored, about 3 min left"),
        (IngestProgress(4, 3, 1, 1.0, ""), None, "3 of 4 scored, 1 failed"),
    ],
)  # fmt: skip
def test_ingest(progress, left, expected):
    assert plain(grid.ingest(progress, left)) == expected


@pytest.mark.parametrize(("failed", "expected"), [(0, ""), (1, ""), (3, "3 videos failed.")])
def test_retry_all_is_offered_for_several(failed, expected):
    assert plain(grid.retry_all(failed)).startswith(expected)
    assert ("Retry all" in grid.retry_all(failed)) is bool(expected)


def test_every_status_of_the_service_has_words():
    assert set(words.STATUSES) == set(STATUSES)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("not_trained", "not covered by this model"),
        ("speech_not_understood", "not covered: speech was not understood"),
        ("some_new_code", "not covered: some new code"),
        (None, "not covered by this model"),
    ],
)
def test_why_not(code, expected):
    assert words.why_not(code) == expected


@pytest.mark.parametrize("reason", WhyNot)
def test_every_reason_of_the_models_has_words(reason):
    assert reason in words.WHY_NOT


def test_every_code_of_a_file_has_its_own_advice():
    media = Path(__file__).parents[3] / "coefvq" / "media"
    codes = {
        code
        for file in media.glob("*.py")
        for code in re.findall(r'code="(\w+)"', file.read_text())
    }
    assert codes and codes <= set(words.ERRORS)


def test_an_unknown_code_is_still_readable():
    assert words.plain(words.ROUTES, "some_route") == "some route"
    assert words.plain(words.ROUTES, None) == "–"
    assert "Retry" in words.remedy("new_code")


def test_the_shell_has_every_field_once(tmp_path):
    markup = str(shell(Settings(home=tmp_path)))
    ids = re.findall(r' id="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    assert "{{" not in markup and "${" not in markup  # Gradio's templates would run these
    assert all(f'value="{status}"' in markup for status in STATUSES)
