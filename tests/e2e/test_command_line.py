"""The console script as its users call it: real files, real models, exit statuses, clean stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import media_factory as make
from tests.scenes import scene

TASKS = {"icd", "ucc"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def coefvq(home: Path, *arguments: object, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coefvq", *map(str, arguments)]
    environment = os.environ | {"COEFVQ_HOME": str(home)} | extra
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Every line of stdout must be JSON: nothing else may stand there."""
    return [json.loads(line) for line in done.stdout.splitlines()]


GOOD = {
    "plain": lambda path: make.clip(path, 3.0, with_audio=True),
    "no sound": lambda path: make.clip(path, 1.0, with_audio=False),
    "one frame": make.one_frame,
    "0.2 s": lambda path: make.clip(path, 0.2),
    "rotated": lambda path: make.clip(path, 1.0, rotation=90),
    "variable rate": lambda path: make.clip(path, 2.0, vfr=True),
    "broken tail": make.broken_tail,
    "gif": lambda path: make.gif(path.with_suffix(".gif")),
}
BAD = {
    "empty": (make.empty, "empty_file"),
    "text": (make.text, "unreadable_media"),
    "noise": (make.noise, "unreadable_media"),
    "sound only": (make.audio_only, "no_video"),
    "header only": (make.header_only, "no_frames"),
    "no frames": (make.zero_frames, "no_video"),
    "too wide": (make.wide, "too_many_pixels"),
    "playlist": (lambda path: make.m3u8(path, "/etc/passwd"), "unsupported_media"),
    "concat": (lambda path: make.ffconcat(path, "/etc/passwd"), "unsupported_media"),
}


@pytest.fixture(scope="module")
def scored(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Good and bad files in one call, prefilter only; results by name."""
    folder = tmp_path_factory.mktemp("files")
    paths = {name: build(folder / f"{name}.mp4") for name, build in GOOD.items()}
    paths |= {name: build(folder / f"bad {name}.mp4") for name, (build, _) in BAD.items()}
    paths["missing"] = folder / "not there.mp4"
    done = coefvq(home, "score", *paths.values(), "--stage", "prefilter", "--json")
    assert done.returncode == 1, done.stderr
    found = rows(done)
    assert [row["path"] for row in found] == [str(path) for path in paths.values()]
    return dict(zip(paths, found, strict=True))


@pytest.mark.parametrize("name", GOOD)
def test_what_has_a_frame_is_scored(scored: dict[str, dict[str, Any]], name: str) -> None:
    row = scored[name]
    assert "error" not in row, row
    assert set(row["tasks"]) == TASKS
    violence = row["tasks"]["icd"]["policies"]["violence"]
    assert violence["covered"] and 0 <= violence["prefilter"] <= 1
    assert violence["mllm"] is None


@pytest.mark.parametrize(
    ("name", "warning"),
    [("no sound", "no_audio"), ("rotated", "rotated"), ("broken tail", "truncated")],
)
def test_what_is_odd_about_it_is_said(scored, name: str, warning: str) -> None:
    assert warning in scored[name]["warnings"]


@pytest.mark.parametrize("name", [*BAD, "missing"])
def test_what_cannot_be_used_has_one_clear_error(scored, name: str) -> None:
    expected = "not_found" if name == "missing" else BAD[name][1]
    row = scored[name]
    assert set(row) == {"path", "error"}
    assert row["error"]["code"] == expected
    assert len(row["error"]["message"]) > 20 and "Traceback" not in row["error"]["message"]


def _signals(tmp_path: Path, *items: object) -> Path:
    path = tmp_path / "signals.jsonl"
    path.write_text("\n".join(map(json.dumps, items)), "utf-8")
    return path


def test_signals_that_a_platform_already_has(home: Path, tmp_path: Path) -> None:
    spam = "Check out my channel and subscribe!!! click http://free-money.example FREE iPhone"
    file = _signals(
        tmp_path,
        {"id": "spam", "caption": spam},
        {"id": "calm", "title": "How to plant tomatoes", "speech": [
            {"start_s": 0, "end_s": 3, "text": "Water them in the morning."}]},
        {"id": "spanish", "caption": "Hoy vemos juntos las luces de las ciudades del mundo."},
        {"id": "odd", "tilte": "x"},
    )  # fmt: skip
    done = coefvq(home, "score", "--from-signals", file, "--stage", "mllm", "--rationale", "--json")
    spam_row, calm, spanish, odd = rows(done)
    assert done.returncode == 1 and odd["error"]["code"] == "bad_signals"
    assert (spam_row["id"], spam_row["sha256"]) == ("spam", None)
    policies = spam_row["tasks"]["icd"]["policies"]
    assert (
        policies["scam_spam"]["mllm"] > 0.5 > calm["tasks"]["icd"]["policies"]["scam_spam"]["mllm"]
    )
    assert not policies["violence"]["covered"] and policies["violence"]["final"] is None
    quotes = [item["quote"] for item in spam_row["rationale"]["evidence"] if item["quote"]]
    assert quotes and all(quote in spam for quote in quotes)
    foreign = spanish["tasks"]["icd"]
    assert not foreign["policies"]["scam_spam"]["covered"]
    assert foreign["policies"]["scam_spam"]["why_not"] == "language_not_covered"
    assert foreign["route"] == "human"


def test_ingest_scores_opens_cases_and_demands_nothing_twice(home: Path, tmp_path: Path) -> None:
    make.clip(tmp_path / "a.mp4", 1.0, with_audio=True)
    make.text(tmp_path / "b.mp4")
    manifest = tmp_path / "list.csv"
    manifest.write_text("path,title,uploader\na.mp4,=cmd|calc,ann\nb.mp4,x,ann\n", "utf-8")
    done = coefvq(home, "ingest", "--manifest", manifest, "--wait", "--json")
    good, bad = rows(done)
    assert done.returncode == 1
    assert len(good["sha256"]) == 64 and good["video_id"]
    assert good["status"] in ("to_review", "auto_pass", "auto_flag")
    assert bad["error"]["code"] == "unreadable_media"
    counts = json.loads(coefvq(home, "status", "--json").stdout)
    assert counts["videos"] == 1 and sum(counts["cases"].values()) == len(TASKS)
    assert coefvq(home, "worker", "--once").returncode == 0


def test_a_copy_is_scored_with_its_proof(tmp_path: Path) -> None:
    """The first stage alone looks closer where a keyframe looks like one of an original."""
    home, picture = tmp_path / "home", scene(1, pace=0.15)
    for name, gop in (("film", 12), ("copy", 24)):
        make.clip(tmp_path / f"{name}.mp4", 4.0, (320, 240), fps=12, gop=gop, picture=picture)
    film, copy = tmp_path / "film.mp4", tmp_path / "copy.mp4"
    score = ("score", copy, "--stage", "prefilter", "--json")
    (before,) = rows(coefvq(home, *score))
    assert before["copies"] is None and before["tasks"]["ucc"]["route"] != "auto_flag"
    reupload = before["tasks"]["ucc"]["policies"]["reupload"]
    assert (reupload["covered"], reupload["why_not"]) == (False, "not_searched")
    assert coefvq(home, "originality", "add", film).returncode == 0
    (after,) = rows(coefvq(home, *score))
    (match,) = after["copies"]
    assert (match["reference"], match["bank"]) == (str(film), "originals")
    assert abs(match["query_start_s"] - match["reference_start_s"]) < 1
    assert after["tasks"]["ucc"]["policies"]["reupload"]["final"] > 0.9
    assert after["tasks"]["ucc"]["route"] == "auto_flag" and after["cost"]["copies_ms"] > 0
    (alone,) = rows(coefvq(home, *score, "--no-store"))
    assert alone["copies"] is None
    queued = coefvq(home, "originality", "backfill")
    assert queued.returncode == 0 and "0 videos queued" in queued.stderr


def test_an_export_without_decisions_says_so(home: Path, tmp_path: Path) -> None:
    done = coefvq(home, "export", "--format", "csv", "--out", tmp_path / "out")
    assert done.returncode == 0 and "No decision" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dataset_card.md"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["scroe"], "Did you mean 'score'", id="command"),
        pytest.param(["score", "a.mp4", "--stage", "mlm"], "mllm", id="stage"),
        pytest.param(["score"], "Give files", id="nothing to score"),
        pytest.param(["score", "--from-signals", "no.jsonl"], "No such file", id="no signals"),
        pytest.param(
            ["export", "--format", "cvs", "--out", "x"], "Did you mean 'csv'", id="format"
        ),
        pytest.param(["train", "prefliter", "--data", "."], "Did you mean 'prefilter'", id="model"),
        pytest.param(["serve", "--host", "0.0.0.0"], "coefvq user add", id="beyond loopback"),
        pytest.param(["ingest", "--manifest", "no.csv"], "No such manifest", id="manifest"),
    ],
)
def test_wrong_use_is_refused_with_status_2(home: Path, arguments: list[str], says: str) -> None:
    done = coefvq(home, *arguments)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("COEFVQ_MLM", "embedded", "COEFVQ_MLLM"),
        ("COEFVQ_MLLM", "embeded", "Did you mean 'embedded'"),
        ("COEFVQ_MLLM", "omni:some-model", "needs torchvision"),
        ("COEFVQ_ENTROPY_THRESHOLD", "7", "COEFVQ_ENTROPY_THRESHOLD"),
    ],
)
def test_wrong_settings_are_refused(home: Path, tmp_path: Path, name, value, says) -> None:
    clip = make.clip(tmp_path / "a.mp4", 0.5)
    done = coefvq(home, "score", clip, **{name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and "Traceback" not in done.stderr


def test_the_doctor_finds_everything_in_place(home: Path) -> None:
    done = coefvq(home, "doctor", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["ok"], report
    assert {"python", "torch", "compute", "data folder", "store", "prefilter", "mllm"} <= {
        check["name"] for check in report["checks"]
    }


def test_the_doctor_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    done = coefvq(tmp_path / "home", "doctor", "--json")
    report = json.loads(done.stdout)
    failed = {
        check["name"]: check["remedy"] for check in report["checks"] if check["state"] == "failed"
    }
    assert done.returncode == 1
    assert "COEFVQ_HOME" in failed["data folder"]
