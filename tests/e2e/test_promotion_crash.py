"""A power cut in every phase of a promotion: the old model serves, and promoting again works."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coefvq.domain import Stage
from coefvq.learning.registry import folder_of, in_force
from coefvq.store import events, trained_models
from coefvq.store.session import open_store
from tests import gate_factory
from tests.e2e.promotion_steps import NO_MLLM, PLACES, served, steps
from tests.store_factory import settings_at

BEFORE = ("copying", "copied", "before the commit")


def run(point: str, *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.e2e.promotion_steps", point, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> gate_factory.Home:
    settings = settings_at(tmp_path / "home", mllm=NO_MLLM)
    return gate_factory.home(open_store(settings.url), settings, tmp_path, monkeypatch)


@pytest.mark.parametrize("point", PLACES)
def test_a_crash_leaves_a_model_serving_and_can_be_gone_on_from(
    home: gate_factory.Home, point: str
) -> None:
    made = gate_factory.candidate(home.models.much, home.folder / "candidate", home.base)
    args = (home.settings.home, made.folder, home.base, home.made.id)
    died = run(point, *args)
    assert died.returncode == -signal.SIGKILL, died.stderr
    wanted = home.base if point in BEFORE else made.version
    with home.store.read() as session:
        assert in_force(session)[Stage.PREFILTER] == wanted
        assert events.verify(session) is None
        known = trained_models.find(session, made.version) is not None
    assert known is (point not in ("copying", "copied"))
    assert served(home.store, home.settings) == wanted
    assert steps(home.settings, made.folder, home.base, home.made.id) == made.version
    assert folder_of(home.store, home.settings, made.version).is_dir()
    assert home.live() == made.version
    with home.store.read() as session:
        assert events.verify(session) is None
    home.store.close()
