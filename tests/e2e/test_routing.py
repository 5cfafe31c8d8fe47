"""From a library's own decisions to a routing policy in force, with the real prefilter."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coefvq.review import decide, queue
from coefvq.review.access import LOCAL
from coefvq.review.views import DecisionForm
from coefvq.routing.policy import write_policy
from coefvq.routing_inputs import known_features
from coefvq.settings import Settings
from coefvq.store.session import open_store
from tests import media_factory as make
from tests.routing_factory import with_features

CLIPS = 2


def coefvq(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Nothing is escalated, nearly every outcome is drawn for an audit."""
    extra = {"COEFVQ_HOME": str(home), "COEFVQ_ENTROPY_THRESHOLD": "1"}
    environment = os.environ | extra | {"COEFVQ_AUDIT_SHARE": "0.999"}
    command = [sys.executable, "-m", "coefvq", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of two videos, drawn and decided."""
    folder = tmp_path_factory.mktemp("routing")
    clips = [make.clip(folder / f"{n}.mp4", 1.0 + n, with_audio=n == 0) for n in range(CLIPS)]
    coefvq(folder / "home", "ingest", *clips, "--wait", "--json")
    settings = Settings(home=folder / "home")
    with open_store(settings.url) as store:
        while (case := queue.next_case(store, settings, LOCAL)) is not None:
            assert case.blind, "a random audit is answered before the machine's answer shows"
            assert case.lease is not None and case.lease.token is not None
            form = DecisionForm({}, "keep")
            decide.submit(store, settings, LOCAL, case.id, case.lease.token, form)
            assert case.video.duration_s
            queue.release(store, LOCAL, case.id, case.lease.token)
    return folder / "home"


def test_drawn_outcomes_become_predictions_with_features(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    counts = json.loads(
        coefvq(home, "routing", "predictions", "--task", "icd", "--out", out, "--json").stdout
    )
    assert (counts["n"], counts["positives"], counts["with_mllm"]) == (CLIPS, 0, 0)
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) >= {f"feature_{name}" for name in known_features()}
    for row in rows:
        assert 0 < float(row["prefilter"]) < 1 and row["mllm"] == ""
        assert float(row["weight"]) == pytest.approx(1 / 0.999)
    assert sorted(row["feature_has_sound"] for row in rows) == ["0.0", "1.0"]


def test_rates_come_from_the_drawn_outcomes(home: Path) -> None:
    found = json.loads(coefvq(home, "routing", "audit", "--task", "icd", "--json").stdout)
    assert (found["n"], found["labelled"], found["audits"]) == (CLIPS, CLIPS, CLIPS)
    assert found["prevalence"]["value"] == 0.0


def _score(home: Path, clip: Path) -> dict[str, Any]:
    return json.loads(coefvq(home, "score", clip, "--stage", "prefilter", "--json").stdout)


def test_a_published_policy_routes_from_then_on(home: Path, tmp_path: Path) -> None:
    clip = make.clip(tmp_path / "a.mp4", 1.0, with_audio=True)
    before = _score(home, clip)["tasks"]
    made = with_features("duration_s", "prefilter_violence")
    write_policy(made, tmp_path / "routing.json")
    coefvq(home, "routing", "publish", tmp_path / "routing.json", "--task", "icd", "--note", "x")
    after = _score(home, clip)["tasks"]
    assert before["icd"]["routing"]["version"] == "entropy-1-0.8"
    assert after["icd"]["routing"]["version"] == made.version
    assert after["ucc"]["routing"]["version"] == "entropy-1-0.8"
    assert after["icd"]["probability"] > before["icd"]["probability"]
    assert after["icd"]["policies"] == before["icd"]["policies"]
    kept = json.loads(
        coefvq(home, "score", clip, "--stage", "prefilter", "--no-store", "--json").stdout
    )["tasks"]["icd"]
    assert kept["probability"] == after["icd"]["probability"]
    assert (kept["routing"]["version"], kept["routing"]["audit"]) == (made.version, False)
