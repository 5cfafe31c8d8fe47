"""``coefvq routing trial`` and ``coefvq video views``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coefvq.cli import main, routing_trial
from coefvq.review.access import LOCAL
from coefvq.routing.policy import write_policy
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.work import trials
from tests.routing_factory import policy, with_features
from tests.unit.work.past import Past


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    return Settings(home=tmp_path / "home")


def run(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return int(ended.value.code or 0)


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run("routing", "trial", "list", "--task", "icd", "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_kinds_are_the_services() -> None:
    assert routing_trial.KINDS == trials.KINDS


def test_a_trial_is_started_listed_and_stopped(tmp_path: Path, capsys) -> None:
    assert run("routing", "trial", "list", "--task", "icd") == 0
    assert "no trial of icd was started" in capsys.readouterr().out
    file = tmp_path / "routing.json"
    write_policy(policy(), file)
    start = ("routing", "trial", "start", file, "--task", "icd", "--note", "a look")
    assert run(*start, "--kind", "split", "--share", "0.1") == 0
    assert "icd split 10.0% of uploaders" in capsys.readouterr().out
    (found,) = listed(capsys)
    assert (found["version"], found["against"], found["ended_at"]) == (
        policy().version, "settings", None)  # fmt: skip
    assert run(*start, "--kind", "split", "--share", "0.1") == 2
    assert "Stop it first" in capsys.readouterr().err
    assert run("routing", "trial", "stop", found["id"]) == 0
    assert listed(capsys)[0]["ended_by"] == "local"


@pytest.mark.parametrize(
    ("made", "more", "words"),
    [
        (policy(), ("--kind", "split"), "more than 0 and at most 50%"),
        (with_features("height"), (), "feature_height"),
    ],
    ids=["without a share", "a feature that nobody knows"],
)
def test_a_trial_that_cannot_be_started_says_why(tmp_path, capsys, made, more, words) -> None:
    write_policy(made, tmp_path / "r.json")
    start = ("routing", "trial", "start", tmp_path / "r.json", "--task", "icd", "--note", "x")
    assert run(*start, *more) == 2
    assert words in capsys.readouterr().err


def test_views_are_kept_and_bad_lines_are_named(settings, tmp_path: Path, capsys) -> None:
    with open_store(settings.url) as store:
        past = Past(store, settings)
        video = past.video(past.case())
        file = tmp_path / "views.csv"
        file.write_text(f"video_id,views\n{video},7\nx,1\n", encoding="utf-8")
        assert run("video", "views", file, "--json") == 1
        found = json.loads(capsys.readouterr().out)
        assert found == {"kept": 1, "refused": ["line 3: there is no video x"]}
        file.write_text(f"video_id,views\n{video},8\n", encoding="utf-8")
        assert run("video", "views", file) == 0
        assert "views kept of 1 video" in capsys.readouterr().out
        assert trials.of_task(store, LOCAL, "icd") == ()
    assert run("video", "views", tmp_path / "none.csv") == 2
