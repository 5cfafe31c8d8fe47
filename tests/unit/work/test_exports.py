"""Exports and imports as jobs: counts, slices, stop, remove, failure, what leads see."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from coefvq.errors import ExportError, NotAllowed, StoreError
from coefvq.export import desk, run
from coefvq.export.wanted import Wanted
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow
from coefvq.work import exports
from coefvq.work.worker import Worker
from tests.store_factory import ANN, FixedCascade, scored
from tests.unit.export.library import HATE, KEEP, submit
from tests.unit.review.quality import LEA

ONLY = (JobKind.EXPORT, JobKind.IMPORT)


@pytest.fixture
def decided(store: Store, settings: Settings) -> None:
    for number in range(4):
        case = scored(store, settings, str(number).encode(), title=f"t{number}")["icd"]
        submit(store, settings, case, HATE if number % 2 else KEEP)


@pytest.fixture
def worker(store: Store, settings: Settings) -> Worker:
    return Worker(settings, store, lambda _: FixedCascade(), "w", ONLY)


def only(store: Store) -> desk.View:
    (found,) = desk.listed(store, LEA)
    return found


def test_counts_say_what_it_will_hold(store: Store, settings: Settings, decided: None) -> None:
    found = desk.counts(store, LEA, Wanted("csv"))
    assert (found.decisions, found.videos, found.restricted) == (4, 4, 0)
    assert found.policies["hate_harassment"] == (2, 2) and found.policies["violence"] == (0, 4)
    assert desk.counts(store, LEA, Wanted("csv", policies=("violence",))).policies.keys() == {
        "violence"
    }
    by_split = [desk.counts(store, LEA, Wanted("csv", splits=(split,))).videos
                for split in ("train", "validation", "test", "golden")]  # fmt: skip
    assert sum(by_split) == 4
    assert desk.counts(store, LEA, Wanted("csv", tasks=("ucc",))).decisions == 0


def test_an_export_from_queue_to_download(
    store: Store, settings: Settings, decided: None, worker: Worker
) -> None:
    made = desk.start_export(store, settings, LEA, Wanted("csv"))
    assert (only(store).state, only(store).busy) == ("queued", True)
    with pytest.raises(StoreError, match="not finished"):
        desk.finished(store, settings, LEA, made)
    worker.run_once()
    view = only(store)
    assert (view.state, view.progress, view.name, view.by) == ("done", 1.0, "csv", "lea")
    assert view.result["rows"] == 20 and view.result["bytes"] > 1000
    _, folder = desk.download(store, settings, LEA, made)
    assert (folder / "corrections.csv").is_file()
    assert desk.card_of(store, settings, LEA, made).startswith("# Labelled corrections (csv)")
    desk.remove(store, settings, LEA, made)
    assert desk.listed(store, LEA) == () and not folder.exists()


def test_a_long_export_lets_others_pass(
    store: Store, settings: Settings, decided: None, worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(exports, "SLICE_S", 0.0)
    monkeypatch.setattr("coefvq.export.read.BATCH", 1)
    desk.start_export(store, settings, LEA, Wanted("csv"))
    shares = []
    while only(store).busy:
        assert worker.work_one() and len(shares) < 10
        shares.append(only(store).progress)
    assert len(shares) == 5 and shares == sorted(shares) and 0 < shares[1] < 1
    assert only(store).state == "done" and only(store).result["rows"] == 20
    with store.read() as session:
        assert session.query(JobRow).filter_by(kind="export").one().attempts <= 1


def test_one_that_waits_is_stopped_at_once(
    store: Store, settings: Settings, decided: None, worker: Worker
) -> None:
    made = desk.start_export(store, settings, LEA, Wanted("csv"))
    assert desk.stop(store, LEA, made).state == "stopped"
    assert worker.run_once() == 0
    with pytest.raises(StoreError, match="over already"):
        desk.stop(store, LEA, made)


def test_one_that_runs_stops_at_its_next_word(
    store: Store, settings: Settings, decided: None, worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(exports, "TOLD_EVERY_S", 0.0)
    monkeypatch.setattr("coefvq.export.read.BATCH", 1)
    made = desk.start_export(store, settings, LEA, Wanted("csv"))
    whole = exports.run_export

    def stopped(*args: Any, **how: Any) -> Any:
        desk.stop(store, LEA, made)
        return whole(*args, **how)

    monkeypatch.setattr(exports, "run_export", stopped)
    worker.run_once()
    assert only(store).state == "stopped" and only(store).error is None


def test_a_full_disk_is_told_and_nobody_is_alarmed(
    store: Store, settings: Settings, decided: None, worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run.Output, "write", full)
    desk.start_export(store, settings, LEA, Wanted("csv"))
    worker.run_once()
    view = only(store)
    assert view.state == "failed" and "is full" in (view.error or "")
    with store.read() as session:
        assert session.query(JobRow).filter_by(kind="export").one().state == "done"


def test_an_import_from_upload_to_its_refused_rows(
    store: Store, settings: Settings, decided: None, worker: Worker, tmp_path: Path
) -> None:
    given = tmp_path / "given.csv"
    given.write_text("video_id,task,policy,label\nzz,icd,violence,ok\nzz,icd,vilence,ok\n")
    desk.start_import(store, settings, LEA, "csv", given, "<b>given.csv")
    assert not given.exists() and only(store).name == "<b>given.csv"
    worker.run_once()
    view = only(store)
    assert (view.kind, view.state) == ("import", "done")
    assert [line for line, _ in view.result["refused"]] == [2, 3]
    assert not (desk.folder_of(settings, view.id) / desk.FILE).exists()


def test_a_file_that_is_no_table_fails_in_words(
    store: Store, settings: Settings, worker: Worker, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("nonsense")
    desk.start_import(store, settings, LEA, "csv", tmp_path / "a.csv", "a.csv")
    worker.run_once()
    assert only(store).state == "failed" and "lacks columns" in (only(store).error or "")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda s, c: desk.counts(s, ANN, Wanted("csv")), id="count"),
        pytest.param(lambda s, c: desk.start_export(s, c, ANN, Wanted("csv")), id="export"),
        pytest.param(lambda s, c: desk.start_import(s, c, ANN, "csv", Path("x"), "x"), id="import"),
        pytest.param(lambda s, c: desk.listed(s, ANN), id="list"),
        pytest.param(lambda s, c: desk.stop(s, ANN, "x"), id="stop"),
        pytest.param(lambda s, c: desk.remove(s, c, ANN, "x"), id="remove"),
        pytest.param(lambda s, c: desk.download(s, c, ANN, "x"), id="download"),
        pytest.param(lambda s, c: desk.card_of(s, c, ANN, "x"), id="card"),
    ],
)
def test_only_leads(store: Store, settings: Settings, call: Any) -> None:
    with pytest.raises(NotAllowed):
        call(store, settings)


@pytest.mark.parametrize("name", ["..", "a/b", "../../etc", ""])
def test_an_id_is_no_path(settings: Settings, name: str) -> None:
    with pytest.raises(ExportError):
        desk.folder_of(settings, name)
