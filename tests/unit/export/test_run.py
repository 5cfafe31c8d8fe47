"""Filters, splits, resuming, a full disk, what is left out, who may."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coefvq.errors import ExportError, NotAllowed, SettingsError, StoreError
from coefvq.export import run
from coefvq.export.formats import FORMATS
from coefvq.export.output import MANIFEST, UNFINISHED, Output
from coefvq.export.run import run_export
from coefvq.export.wanted import Wanted, moment_from, wanted_from
from coefvq.learning.dataset.make import make_snapshot
from coefvq.review import decide, golden
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store import cases
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from tests.store_factory import ANN, BOB, scored
from tests.unit.export.library import (
    HATE,
    KEEP,
    SCAM,
    every_line,
    export,
    lines,
    rows_of,
    submit,
)
from tests.unit.review.quality import LEA, differing

Library = tuple[Store, Settings]


@pytest.mark.parametrize(
    ("how", "rows"),
    [
        pytest.param({"tasks": ("ucc",)}, 8, id="one task"),
        pytest.param({"policies": ("violence",)}, 3, id="one policy"),
        pytest.param({"policies": ("violence", "watermark")}, 5, id="policies of two tasks"),
        pytest.param({"roles": ("reviewer",)}, 23, id="a role"),
        pytest.param({"roles": ("lead",)}, 0, id="a role that decided nothing"),
        pytest.param({"since": utcnow() + timedelta(days=1)}, 0, id="later"),
        pytest.param({"until": utcnow() - timedelta(days=1)}, 0, id="before"),
        pytest.param({"since": utcnow() - timedelta(days=1)}, 23, id="since yesterday"),
    ],
)
def test_filters(library: Library, tmp_path: Path, how: dict[str, Any], rows: int) -> None:
    report = export(*library, tmp_path, "csv", **how)
    assert report.tally.rows == rows
    assert (tmp_path / "corrections.csv").exists() == bool(rows)
    if not rows:
        assert "No decision fits" in (tmp_path / "dataset_card.md").read_text()


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        pytest.param({"tasks": ("icx",)}, SettingsError, "Did you mean 'icd'", id="task"),
        pytest.param({"policies": ("vilence",)}, SettingsError, "'violence'", id="policy"),
        pytest.param({"splits": ("tset",)}, SettingsError, "'test'", id="split"),
        pytest.param({"roles": ("leader",)}, SettingsError, "'lead'", id="role"),
        pytest.param({"media": "cpoy"}, SettingsError, "'copy'", id="media"),
        pytest.param({"snapshot": "7"}, StoreError, "no snapshot", id="no such snapshot"),
        pytest.param({"snapshot": "1", "roles": ("lead",)}, SettingsError, "--role", id="both"),
    ],
)
def test_what_is_refused(
    library: Library, tmp_path: Path, how: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        export(*library, tmp_path / "out", "csv", **how)
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_formats_are_named(library: Library, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'ms-swift'"):
        export(*library, tmp_path, "ms-swft")


def test_only_leads_export(library: Library, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        export(*library, tmp_path, "csv", actor=ANN)
    assert list(tmp_path.iterdir()) == []


def test_splits_are_a_snapshots(store: Store, settings: Settings, tmp_path: Path) -> None:
    for number in range(12):
        case = scored(store, settings, str(number).encode(), title=f"t{number}")["icd"]
        submit(store, settings, case, HATE if number % 2 else KEEP)
    with store.write() as session:
        mine = cases.get(session, case).video_id
    golden.add(store, LEA, case, HATE.labels)
    export(store, settings, tmp_path / "now", "csv")
    now = json.loads((tmp_path / "now" / "splits.json").read_text())["videos"]
    frozen = make_snapshot(store, settings, LOCAL)
    assert now == {item.video_id: item.split for item in frozen.items}
    assert now[mine] == "golden" and len(set(now.values())) >= 2
    for wanted in set(now.values()):
        export(store, settings, tmp_path / wanted, "csv", splits=(wanted,))
        some = {row["video_id"] for row in rows_of(tmp_path / wanted / "corrections.csv")}
        assert some == {video for video, split in now.items() if split == wanted}


def test_a_snapshot_is_exported_as_it_was(store: Store, settings: Settings, tmp_path: Path) -> None:
    first = scored(store, settings, b"1", title="one")["icd"]
    submit(store, settings, first, HATE)
    frozen = make_snapshot(store, settings, LOCAL)
    submit(store, settings, first, KEEP, BOB)
    submit(store, settings, scored(store, settings, b"2")["icd"], SCAM)
    for name in ("ms-swift", "csv"):
        report = export(store, settings, tmp_path / name, name, snapshot=frozen.id[:8])
        assert report.tally.videos == 1
    rows = {row["policy"]: row for row in rows_of(tmp_path / "csv" / "corrections.csv")}
    assert rows["hate_harassment"]["label"] == "violation" and len(rows) == 5
    said = {row["policy"]: row["messages"][2]["content"]
            for row in every_line(tmp_path / "ms-swift", "[!pc]*.jsonl")}  # fmt: skip
    assert said["hate_harassment"] == "Yes" and said["violence"] == "No"
    with pytest.raises(ExportError, match="single decisions"):
        export(store, settings, tmp_path / "dsa", "dsa", snapshot="1")


def test_people_who_differ_are_settled(store: Store, settings: Settings, tmp_path: Path) -> None:
    differing(store, settings)  # one says hate, the other keeps: no label for it
    report = export(store, settings, tmp_path, "ms-swift")
    rows = every_line(tmp_path, "*.jsonl")
    assert "hate_harassment" not in {row["policy"] for row in rows} and len(rows) == 4
    assert {row["label_weight"] for row in rows} == {1.0}
    assert "as many people said yes as no" in report.message


def test_videos_without_their_file(store: Store, settings: Settings, tmp_path: Path) -> None:
    for content in (b"1", b"2"):
        submit(store, settings, scored(store, settings, content)["icd"], HATE)
    next(settings.media_dir.glob("*.mp4")).unlink()
    report = export(store, settings, tmp_path / "swift", "ms-swift")
    assert report.tally.videos == 1
    assert "1 video is left out: the file is gone" in report.message
    assert export(store, settings, tmp_path / "csv", "csv").tally.videos == 2


def test_frames_that_cannot_be_read(store: Store, settings: Settings, tmp_path: Path) -> None:
    submit(store, settings, scored(store, settings)["icd"], HATE)
    report = export(store, settings, tmp_path, "trl")
    assert report.tally.videos == 0 and "shows no frame" in report.message


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after every video."""
    monkeypatch.setattr("coefvq.export.read.BATCH", 1)
    monkeypatch.setattr(run, "EVERY_S", 0.0)


def breaking(monkeypatch: pytest.MonkeyPatch, name: str, after: int, error: Exception) -> None:
    """Let a format fail at a video."""
    kind, seen = FORMATS[name], []
    whole: Callable[..., int] = kind.add

    def add(self: Any, video: Any) -> int:
        seen.append(video)
        if len(seen) > after:
            raise error
        return whole(self, video)

    monkeypatch.setattr(kind, "add", add)


@pytest.mark.parametrize("name", ["ms-swift", "llama-factory", "csv", "hf", "trl", "label-studio"])
def test_a_broken_export_goes_on(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_batches: None,
    name: str,
) -> None:  # fmt: skip
    export(*library, tmp_path / "whole", name)
    with monkeypatch.context() as broken:
        breaking(broken, name, 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            export(*library, tmp_path / "out", name)
    assert not (tmp_path / "out" / MANIFEST).exists()
    report = export(*library, tmp_path / "out", name)
    assert report.resumed and report.tally.videos == 4
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def contents(folder: Path) -> dict[str, bytes]:
    """Files by name, but what holds the time of making."""
    skipped = (MANIFEST, "dataset_card.md")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in skipped
    }


def test_it_starts_over_when_something_was_taken_back(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    small_batches: None,
) -> None:  # fmt: skip
    for content in (b"1", b"2"):
        submit(store, settings, scored(store, settings, content)["icd"], HATE)
    with monkeypatch.context() as broken:
        breaking(broken, "csv", 1, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            export(store, settings, tmp_path, "csv")
    assert (tmp_path / UNFINISHED / "corrections.csv").exists()
    decide.undo_last(store, settings, ANN)
    report = export(store, settings, tmp_path, "csv")
    assert not report.resumed and report.tally.videos == 1


def test_it_starts_over_when_something_else_is_asked(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_batches: None
) -> None:
    with monkeypatch.context() as broken:
        breaking(broken, "csv", 1, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            export(*library, tmp_path, "csv")
    report = export(*library, tmp_path, "csv", tasks=("ucc",))
    assert not report.resumed and report.tally.rows == 8


def test_what_was_decided_meanwhile_waits_for_the_next(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    small_batches: None,
) -> None:  # fmt: skip
    for content in (b"1", b"2"):
        submit(store, settings, scored(store, settings, content)["icd"], HATE)
    with monkeypatch.context() as broken:
        breaking(broken, "csv", 1, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            export(store, settings, tmp_path, "csv")
    submit(store, settings, scored(store, settings, b"3")["icd"], HATE, BOB)
    report = export(store, settings, tmp_path, "csv")
    assert report.resumed and report.tally.videos == 2
    assert export(store, settings, tmp_path, "csv").tally.videos == 3


def test_a_full_disk_is_told_and_the_old_export_stays(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(*library, tmp_path, "ms-swift")
    before = contents(tmp_path)
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as broken:
        breaking(broken, "ms-swift", 1, full)
        with pytest.raises(ExportError, match=r"The disk of .* is full"):
            export(*library, tmp_path, "ms-swift", tasks=("icd",))
    kept = {name: data for name, data in contents(tmp_path).items()
            if not name.startswith(UNFINISHED)}  # fmt: skip
    assert kept == before and (tmp_path / MANIFEST).exists()
    assert export(*library, tmp_path, "ms-swift", tasks=("icd",)).tally.rows == 15


def test_a_crash_while_files_are_put_in_place_is_mended(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(*library, tmp_path, "csv")
    with monkeypatch.context() as broken:
        broken.setattr(run, "put_in_place", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(*library, tmp_path, "csv", tasks=("ucc",))
    with monkeypatch.context() as broken:
        broken.setattr(Output, "resume", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(*library, tmp_path, "csv")
    assert len(rows_of(tmp_path / "corrections.csv")) == 8


def test_files_of_the_export_before_go_and_others_stay(library: Library, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    export(*library, tmp_path, "llava", media="copy")
    assert (tmp_path / "videos").is_dir()
    export(*library, tmp_path, "csv")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "videos").exists() and not list(tmp_path.glob("train.json"))


def test_time_that_is_over(library: Library, tmp_path: Path, small_batches: None) -> None:
    calls = 0
    while True:
        calls += 1
        try:
            report = run_export(*library, LEA, Wanted("csv"), tmp_path, until=0.0)
            break
        except run.Paused:
            assert calls < 10
    assert report.resumed and report.tally.rows == 23 and calls == 5
    assert len(rows_of(tmp_path / "corrections.csv")) == 23


def test_what_is_wanted_is_kept_as_json() -> None:
    asked = Wanted("csv", utcnow(), None, ("icd",), ("violence",), ("lead",), ("test",), 3, "ab",
                   True, "copy", True)  # fmt: skip
    assert wanted_from(json.loads(json.dumps(asked.to_json()))) == asked


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        pytest.param("2026-11-23", False, "2026-11-23T00:00:00+00:00", id="a day begins"),
        pytest.param("2026-11-23", True, "2026-11-24T00:00:00+00:00", id="a day ends"),
        pytest.param("2026-11-23T09:30+02:00", True, "2026-11-23T09:30:00+02:00", id="a moment"),
        pytest.param("", False, None, id="nothing"),
    ],
)
def test_days(text: str, end: bool, expected: str | None) -> None:
    found = moment_from(text, end=end)
    assert (found.isoformat() if found else None) == expected


def test_a_day_that_is_none() -> None:
    with pytest.raises(SettingsError, match="no day"):
        moment_from("yesterday")


def test_a_package_that_is_missing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"needs pyarrow.*requirements-export\.txt"):
        export(*library, tmp_path, "hf")


def test_lines_are_lines(library: Library, tmp_path: Path) -> None:
    """A title with a line break is still one line."""
    export(*library, tmp_path, "ms-swift")
    assert all("\n" in row["messages"][1]["content"] for row in every_line(tmp_path, "*.jsonl"))
    assert sum(len(lines(path)) for path in tmp_path.glob("*.jsonl")) == 24
