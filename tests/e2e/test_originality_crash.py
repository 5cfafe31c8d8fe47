"""Processes that are killed while they add originals or write the index: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coefvq.originality.fingerprint import from_bytes
from coefvq.review.access import LOCAL
from coefvq.review.uploads import register
from coefvq.settings import Settings
from coefvq.store import copy_scores, events, jobs, originals, videos
from coefvq.store.originals import KNOWN, LIBRARY
from coefvq.store.session import Store, open_store
from coefvq.store.tables import JobRow, LeaseRow
from coefvq.work import banks
from coefvq.work.originality import Originals
from tests import media_factory as make
from tests.unit.originality.originals_factory import made

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240.0
CLIPS = 6
KILLS = 2
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Videos long enough that adding all of them takes a while."""
    folder = tmp_path_factory.mktemp("clips")
    first = make.clip(folder / "0.mp4", 4.0)
    rest = [folder / f"{number}.mp4" for number in range(1, CLIPS)]
    for number, path in enumerate(rest):
        path.write_bytes(first.read_bytes() + bytes(number + 1))  # other bytes, the same pictures
    return [first, *rest]


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes on the store, and ends those that are left."""
    started = []

    def run(*command: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, command)],
            cwd=ROOT,
            env=os.environ | {"COEFVQ_HOME": str(settings.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def rows(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


def in_bank(settings: Settings) -> list[str]:
    with open_store(settings.url) as store, store.read() as session:
        assert events.verify(session) is None
        return [row.reference for row in originals.in_bank(session, KNOWN)]


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_adding_goes_on_where_it_was_killed(
    settings: Settings, clips: list[Path], start: Callable[..., subprocess.Popen[str]]
) -> None:
    adding = start("coefvq", "originality", "add", *clips, "--json")
    assert adding.stdout is not None
    assert [json.loads(adding.stdout.readline())["status"] for _ in range(2)] == ["added"] * 2
    kill(adding)
    names = [str(path) for path in clips]
    kept = in_bank(settings)
    assert kept == names[: len(kept)] and 2 <= len(kept) < CLIPS

    again = rows(start("coefvq", "originality", "add", *clips, "--json"))
    states = ["known"] * len(kept) + ["added"] * (CLIPS - len(kept))
    assert [row["status"] for row in again] == states
    assert in_bank(settings) == names
    with open_store(settings.url) as store:
        with store.read() as session:
            fp = from_bytes(originals.fingerprints(session, [1])[1])
        found = Originals.open(store, settings).query(fp)
    assert {match.reference for match in found} == set(names)


def test_an_index_half_written_is_no_index(
    settings: Settings, start: Callable[..., subprocess.Popen[str]]
) -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (20, 32), dtype=np.uint8)
    with open_store(settings.url) as store:
        banks.add(store, LOCAL, made(hashes), reference="a.mp4", sha256="a" * 64)
        writing = start("tests.e2e.slow_snapshot", settings.home)
        assert eventually((settings.home / "writing").exists)
        kill(writing)
        folder = settings.home / "originality"
        assert [path.name.startswith(".index-") for path in folder.iterdir()] == [True]
        held = Originals.open(store, settings)
        assert held.frames == 20
        held.save()
        assert Originals.open(store, settings).frames == 20


def test_a_worker_that_is_killed_anywhere_loses_and_doubles_nothing(
    settings: Settings, clips: list[Path], start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Killed at random moments of reading, comparing and scoring; another one ends the work."""
    draw = random.Random(7)
    with open_store(settings.url) as store:
        names = [clips[0], clips[1], clips[0]]  # the last one is the first one's very file
        ids = [register(store, settings, LOCAL, path, move=False) for path in names]
        for _ in range(KILLS):
            working = start("tests.e2e.fingerprinting_worker", settings.home, "60")
            assert working.stdout is not None
            assert working.stdout.readline() == "working\n"
            time.sleep(draw.uniform(0.0, 2.0))
            working.kill()
            working.communicate()
            forget_leases(store)
        ended = start("tests.e2e.fingerprinting_worker", settings.home, "60")
        ended.communicate(timeout=PATIENCE_S)
        assert ended.returncode == 0
        assert_each_compared_once(store, ids)
        with store.read() as session:
            fp = from_bytes(originals.fingerprints(session, [1])[1])
        found = Originals.open(store, settings).query(fp)
        assert {match.reference for match in found} == set(ids[:2])


def forget_leases(store: Store) -> None:
    """As if they had run out; and whoever was killed may be killed once more."""
    with store.write() as session:
        session.execute(LeaseRow.__table__.delete())
        for job in session.query(JobRow):
            job.attempts = 0


def assert_each_compared_once(store: Store, ids: list[str]) -> None:
    first, second, same = ids
    with store.read() as session:
        assert events.verify(session) is None
        assert jobs.counts(session)["done"] == session.query(JobRow).count()
        assert [row.reference for row in originals.in_bank(session, LIBRARY)] == [first, second]
        known = {each: copy_scores.known(session, each) or () for each in ids}
        assert [[match.video_id for match in known[each]] for each in (first, second)] == [
            [],
            [first],
        ]
        assert [match.video_id for match in known[same]][:1] == [first]
        for each in ids:
            assert videos.get(session, each).status == videos.SCORED
