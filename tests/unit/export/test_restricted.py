"""Videos in a restricted queue leave in no export, and the export says how many."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from coefvq.review import queues
from coefvq.settings import Settings
from coefvq.store import cases
from coefvq.store.session import Store
from tests.unit.export.library import export
from tests.unit.review.quality import HATE, LEA, answer, scored


@pytest.mark.parametrize(
    ("hidden", "rows", "says"),
    [
        pytest.param(0, 10, None, id="none"),
        pytest.param(1, 5, "1 video is left out: in a restricted queue.", id="one"),
        pytest.param(2, 0, "2 videos are left out: in a restricted queue.", id="all"),
    ],
)
def test_restricted_videos_stay(
    store: Store, settings: Settings, tmp_path: Path, hidden: int, rows: int, says: str | None
) -> None:
    ids = [scored(store, settings, content)["icd"] for content in (b"1", b"2")]
    for case_id in ids:
        answer(store, settings, case_id, HATE)
    few = queues.add(store, LEA, "Few", task="ucc", restricted=True)
    with store.write() as session:
        for case_id in ids[:hidden]:
            video = cases.get(session, case_id).video_id
            cases.of_video(session, video)["ucc"].queue = few.id  # another task's case is enough
    report = export(store, settings, tmp_path / "out", "csv")
    table, card = tmp_path / "out" / "corrections.csv", tmp_path / "out" / "dataset_card.md"
    found = list(csv.DictReader(table.open(encoding="utf-8"))) if table.exists() else []
    assert len(found) == rows
    for told in (report.message, card.read_text("utf-8")):
        assert (says in told) if says else ("left out" not in told)
