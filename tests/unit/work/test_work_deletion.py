"""A deleted video is in no snapshot's file and in no export any more."""

from __future__ import annotations

import pytest

from coefvq.export import desk
from coefvq.export.wanted import Wanted
from coefvq.learning.dataset.make import make_snapshot
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow
from coefvq.work.deletion import delete_video, sweep
from coefvq.work.worker import Worker
from tests.store_factory import FixedCascade
from tests.store_fixtures import database_url, settings, store
from tests.unit.review.quality import HATE, LEA, answer, scored

__all__ = ["database_url", "settings", "store"]
SECRET = "zanzibarfruit"


@pytest.fixture
def video(store: Store, settings: Settings) -> str:
    """A decided video that is in a snapshot and in an export."""
    case = scored(store, settings, b"one", title=f"the {SECRET}")["icd"]
    scored(store, settings, b"two")
    answer(store, settings, case, HATE)
    make_snapshot(store, settings, LEA)
    desk.start_export(store, settings, LEA, Wanted("csv"))
    Worker(settings, store, lambda _: FixedCascade()).run_once()
    with store.read() as session:
        return session.get_one(CaseRow, case).video_id


def holding(settings: Settings) -> list[str]:
    """Files of the data folder that hold the word."""
    kinds = (settings.datasets_dir, settings.exports_dir)
    return [
        path.name
        for folder in kinds
        for path in folder.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_it_leaves_snapshots_and_exports(store: Store, settings: Settings, video: str) -> None:
    assert len(holding(settings)) == 2
    delete_video(store, settings, OPERATOR, video, "asked")
    assert holding(settings) == []
    assert not [one for one in desk.listed(store, LEA) if one.kind == "export"]
    with store.read() as session:
        assert events.verify(session) is None


def test_what_a_killed_deletion_left_is_swept(
    store: Store, settings: Settings, video: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coefvq.work import deletion as work_deletion

    with monkeypatch.context() as patch:
        patch.setattr(work_deletion, "_out_of_copies", lambda *_: None)
        delete_video(store, settings, OPERATOR, video, "asked")
    assert "items.jsonl" in holding(settings)
    sweep(store, settings)
    assert "items.jsonl" not in holding(settings)
