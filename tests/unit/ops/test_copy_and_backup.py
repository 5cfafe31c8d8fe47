"""A store copied, backed up and restored is the same store."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from coefvq.cli import cli
from coefvq.errors import StoreError
from coefvq.ops.backup import backup, read_manifest, restore
from coefvq.ops.copy_store import copy_store
from coefvq.review import notes
from coefvq.settings import Settings
from coefvq.store import events, originals
from coefvq.store.session import Store, open_store
from coefvq.store.tables import Base
from tests.store_factory import settings_at
from tests.store_fixtures import database_url, settings, store
from tests.unit.review.quality import ANN, HATE, answer, scored

__all__ = ["database_url", "settings", "store"]


def rows_of(of: Store) -> dict[str, list[Any]]:
    with of.read() as session:
        return {
            table.name: [
                tuple(row)
                for row in session.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in Base.metadata.sorted_tables
        }


@pytest.fixture
def filled(store: Store, settings: Settings) -> Store:
    """Videos, a decision, a note with odd characters, an original, events."""
    first = scored(store, settings, b"one", title="één 日本 \U0001f3ac 'quote' =1+1")["icd"]
    scored(store, settings, b"two")
    answer(store, settings, first, HATE)
    notes.add(store, ANN, first, "line\nbreak\ttab \\ backslash")
    with store.write() as session:
        originals.add(
            session, bank="originals", reference="a", sha256="0" * 64, fingerprint=b"\x00\xff",
            version="fp", frames=1, duration_s=1.0, added_by="ann",
        )  # fmt: skip
    return store


@pytest.fixture
def other(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "other")


def test_a_copy_is_the_same_and_works_on(filled: Store, other: Settings) -> None:
    with open_store(other.url) as target:
        rows = copy_store(filled, target)
        assert rows_of(target) == rows_of(filled)
        assert rows["videos"] == 2 and rows["decisions"] == 1
        with target.write() as session:
            made, new = originals.add(
                session, bank="originals", reference="b", sha256="1" * 64, fingerprint=b"x",
                version="fp", frames=1, duration_s=1.0, added_by="ann",
            )  # fmt: skip
            assert new and made.id == 2
            assert events.verify(session) is None


def test_back_from_sqlite(store: Store, other: Settings, settings: Settings) -> None:
    """Into either kind of database, whose numbers go on behind the copied ones."""
    with open_store(other.url) as source:
        case = scored(source, other, b"one", title="from there")["icd"]
        answer(source, other, case, HATE)
        with source.write() as session:
            for name in "abc":
                originals.add(
                    session, bank="originals", reference=name, sha256=name * 64,
                    fingerprint=b"x", version="fp", frames=1, duration_s=1.0, added_by="ann",
                )  # fmt: skip
        copy_store(source, store)
        assert rows_of(store) == rows_of(source)
    with store.write() as session:
        made, _ = originals.add(
            session, bank="originals", reference="d", sha256="d" * 64, fingerprint=b"x",
            version="fp", frames=1, duration_s=1.0, added_by="ann",
        )  # fmt: skip
        assert made.id == 4


def test_a_filled_target_is_refused_and_stays(filled: Store, other: Settings) -> None:
    with open_store(other.url) as target:
        scored(target, other, b"mine")
        before = rows_of(target)
        with pytest.raises(StoreError, match="not empty"):
            copy_store(filled, target)
        assert rows_of(target) == before


def test_backup_and_restore(
    filled: Store, settings: Settings, other: Settings, tmp_path: Path
) -> None:
    where = settings.model_copy(update={"database_url": real_url(filled)})
    (settings.models_dir / "m1").mkdir(parents=True)
    (settings.models_dir / "m1" / "model.json").write_text("{}")
    file = tmp_path / "store.tar"
    made = backup(where, file, media=True)
    assert read_manifest(file) == made and made.rows["videos"] == 2
    restore(other, file)
    with open_store(other.url) as target:
        assert rows_of(target) == rows_of(filled)
    assert (other.models_dir / "m1" / "model.json").read_text() == "{}"
    assert sorted(p.name for p in other.media_dir.iterdir()) == sorted(
        p.name for p in settings.media_dir.iterdir()
    )
    assert not [p for p in other.home.iterdir() if p.name.startswith(".")]


def real_url(of: Store) -> str:
    return of.engine.url.render_as_string(hide_password=False)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A backup of a small store."""
    mine = settings_at(tmp_path / "mine")
    with open_store(mine.url) as one:
        scored(one, mine, b"one")
    backup(mine, tmp_path / "good.tar")
    return tmp_path / "good.tar"


def _truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def _no_tar(file: Path) -> None:
    file.write_text("hello")


def _escaping(file: Path) -> None:
    with tarfile.open(file) as tar:
        parts = [(m, tar.extractfile(m)) for m in tar.getmembers() if m.isfile()]
        kept = [(m, data.read()) for m, data in parts if data]
    with tarfile.open(file, "w") as tar:
        import io

        for member, data in kept:
            tar.addfile(member, io.BytesIO(data))
        member = tarfile.TarInfo("../../escaped")
        tar.addfile(member, io.BytesIO(b""))


@pytest.mark.parametrize("harm", [_truncated, _flipped, _no_tar, _escaping])
def test_a_harmed_backup_is_refused_and_restores_nothing(
    saved: Path, other: Settings, harm: Any
) -> None:
    harm(saved)
    with pytest.raises(StoreError, match=r"backup|damaged|unpacked"):
        restore(other, saved)
    assert not Path(other.url.removeprefix("sqlite:///")).exists()
    assert not list(saved.parent.rglob("escaped"))


def test_a_restore_into_a_filled_store_is_refused(saved: Path, other: Settings) -> None:
    with open_store(other.url) as target:
        scored(target, other, b"mine")
    with pytest.raises(StoreError, match="not empty"):
        restore(other, saved)


def test_a_backup_never_replaces_a_file(saved: Path, other: Settings) -> None:
    before = saved.read_bytes()
    with pytest.raises(StoreError, match="there already"):
        backup(other, saved)
    assert saved.read_bytes() == before


def test_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = settings_at(tmp_path / "mine")
    with open_store(mine.url) as one:
        case = scored(one, mine, b"one", title="t")["icd"]
        answer(one, mine, case, HATE)
    run = CliRunner().invoke
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "mine"))
    good = run(cli, ["audit", "verify", "--json"])
    assert good.exit_code == 0 and json.loads(good.stdout)["ok"]
    noted = json.loads(good.stdout)["head"]
    assert run(cli, ["store", "backup", str(tmp_path / "b.tar"), "--json"]).exit_code == 0
    url = f"sqlite:///{tmp_path / 'copy.sqlite3'}"
    copied = run(cli, ["store", "copy", "--to", url, "--json"])
    assert copied.exit_code == 0 and json.loads(copied.stdout)["rows"]["decisions"] == 1
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "fresh"))
    assert run(cli, ["store", "restore", str(tmp_path / "b.tar")]).exit_code == 0
    assert run(cli, ["audit", "verify", "--known", noted]).exit_code == 0
    wrong = run(cli, ["audit", "verify", "--known", "1:" + "0" * 64, "--json"])
    assert wrong.exit_code == 1 and json.loads(wrong.stdout)["broken"]["seq"] == 1


def test_videos_are_deleted_by_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = settings_at(tmp_path / "mine")
    with open_store(mine.url) as one:
        scored(one, mine, b"one")
        with one.read() as session:
            from coefvq.store.tables import VideoRow

            video = session.scalars(select(VideoRow.id)).one()
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "mine"))
    done = CliRunner().invoke(
        cli, ["video", "delete", video, "none-such", "--reason", "asked", "--json"]
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert (found[0]["video_id"], found[0]["files"]) == (video, 1)
    assert "There is no video" in found[1]["error"]["message"]
    assert not list(mine.media_dir.iterdir())
