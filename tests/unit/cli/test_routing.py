"""``coefvq routing`` as its users call it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from coefvq.cli import main
from coefvq.cli.routing import OBJECTIVES, RULES, routing
from coefvq.domain import Assessment, Stage
from coefvq.routing import objective, policy
from coefvq.routing.policy import read_policy, write_policy
from coefvq.settings import Settings
from coefvq.store import assessments
from coefvq.store.session import open_store
from coefvq.store.tables import VideoRow
from tests import routing_factory
from tests.store_factory import scored

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
REPLAY_KEYS = {
    "n", "positives", "escalation_rate", "precision", "recall", "f1", "miss_rate",
    "average_precision", "relative_cost", "pgr", "intervals", "prefilter_only", "mllm_only",
    "random", "oracle", "certificate",
}  # fmt: skip


@dataclass
class Done:
    """What a call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COEFVQ_{name.upper()}", raising=False)
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as found:
            main(["routing", *map(str, arguments)])
        captured = capsys.readouterr()
        return Done(int(found.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """400 items: a prefilter that knows a little, an MLLM that knows more, costs, one feature."""
    rng = np.random.default_rng(7)
    label = (rng.random(400) < 0.25).astype(int)
    rows = []
    for number, y in enumerate(label):
        first, second = (1 / (1 + np.exp(-k * (2 * y - 1) - rng.normal())) for k in (1.0, 2.5))
        rows.append([f"v{number}", y, first, second, 1.0, 10.0, rng.random()])
    path = tmp_path / "predictions.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        costs = ["prefilter_cost", "mllm_cost"]
        out.writerow(["item_id", "label", "prefilter", "mllm", *costs, "feature_duration_s"])
        out.writerows(rows)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "routing.json"
    write_policy(routing_factory.policy(), path)
    return path


def other(tmp_path: Path, name: str = "other.json", **changes: Any) -> Path:
    write_policy(routing_factory.policy(**changes), tmp_path / name)
    return tmp_path / name


def test_the_choices_are_those_of_the_library() -> None:
    assert (RULES, OBJECTIVES) == (policy.RULES, objective.OBJECTIVES)


@pytest.mark.parametrize("name", sorted(routing.commands))
def test_every_subcommand_explains_itself_and_is_documented(name: str) -> None:
    command = routing.commands[name]
    assert command.help
    options = [found for found in command.params if isinstance(found, click.Option)]
    assert all(option.help for option in options)
    assert f"`coefvq routing {name}`" in OPERATIONS.read_text("utf-8")


def test_fit_writes_a_policy_that_replays(run: Run, table: Path, tmp_path: Path) -> None:
    done = run("fit", table, "--rule", "entropy", "--out", tmp_path / "r.json", "--json")
    assert done.code == 0
    made = read_policy(tmp_path / "r.json")
    assert done.json["version"] == made.version and done.json["rule"] == "entropy"
    assert made.budget == 0.3 and made.audit.to_json() == {"people": 0.01, "mllm": 0.002}
    again = run("replay", table, "--routing", tmp_path / "r.json", "--json")
    found = again.json
    assert again.code == 0 and set(found) >= REPLAY_KEYS
    assert (found["n"], found["certificate"], found["version"]) == (400, None, made.version)
    assert found["escalation_rate"] <= 0.3


def test_every_wish_reaches_the_fit(run: Run, table: Path, tmp_path: Path) -> None:
    done = run(
        "fit", table, "--rule", "bayes_risk", "--objective", "cost", "--budget", 0.2,
        "--cost-fn", 10, "--cost-fp", 2, "--human-share", 0.1, "--audit-people", 0.02,
        "--audit-mllm", 0.03, "--seed", 4, "--out", tmp_path / "r.json", "--json",
    )  # fmt: skip
    made = read_policy(tmp_path / "r.json")
    assert done.code == 0, done.err
    assert (made.rule, made.budget, made.human is not None) == ("bayes_risk", 0.2, True)
    assert made.objective.__dict__ == {"name": "cost", "cost_fn": 10.0, "cost_fp": 2.0}
    assert made.audit.to_json() == {"people": 0.02, "mllm": 0.03}


def test_a_certificate_is_asked_for_and_stated(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    wish = ("--rule", "entropy", "--miss-rate", 0.4, "--confidence", 0.8)
    done = run("fit", table, *wish, "--budget", 0.9, "--out", out)
    assert done.code == 0, done.err
    assert "miss rate <= 0.4, escalation rate <= 0.9 at 0.8" in done.out
    assert run("replay", table, "--routing", out, "--json").json["certificate"]["feasible"] is True


@pytest.mark.parametrize(
    ("cost", "share"),
    [pytest.param(3000, 0.2, id="a share"), pytest.param(50_000, 1.0, id="more than enough")],
)
def test_a_budget_in_money(
    run: Run, table: Path, tmp_path: Path, cost: float, share: float
) -> None:
    """1,000 videos cost 1,000 for the prefilter and 10 for each call."""
    out = tmp_path / "r.json"
    done = run("fit", table, "--rule", "entropy", "--cost-per-thousand", cost, "--out", out)
    assert done.code == 0, done.err
    assert read_policy(out).budget == pytest.approx(share)


def test_people_get_a_table(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    fitted = run("fit", table, "--rule", "margin", "--out", out).out
    assert "routing policy  margin-" in fitted and "400 items" in fitted
    shown = run("replay", table, "--routing", out, "--bootstrap", 20).out
    lines = {line[:18].strip(): line for line in shown.splitlines()}
    assert {"escalation rate", "f1", "miss rate", "relative cost"} <= set(lines)
    assert ".." in lines["f1"] and "prefilter only" in shown and "oracle" in shown
    assert "nan" not in shown.lower()


def test_intervals_come_with_the_bootstrap(run: Run, table: Path, file: Path) -> None:
    found = run("replay", table, "--routing", file, "--bootstrap", 20, "--json").json
    low, high = found["intervals"]["f1"]
    assert low <= found["f1"] <= high


WRONG = {
    "command": (["fitt", "p.csv"], "Did you mean 'fit'"),
    "no predictions": (["fit", "no.csv", "--out", "r.json"], "no such file"),
    "no folder": (["fit", "no.csv", "--out", "nowhere/r.json"], "no folder nowhere"),
    "rule": (["fit", "p.csv", "--rule", "entropie", "--out", "r.json"], "entropy"),
    "no out": (["fit", "p.csv"], "--out"),
    "both budgets": (
        ["fit", "predictions.csv", "--budget", "0.1", "--cost-per-thousand", "5", "--out", "r"],
        "not both",
    ),
    "budget": (["fit", "predictions.csv", "--budget", "1.5", "--out", "r"], "share in 0..1"),
    "below the audits": (
        ["fit", "predictions.csv", "--budget", "0.001", "--out", "r"],
        "the least that can be met is 0.002",
    ),
    "too little money": (
        ["fit", "predictions.csv", "--cost-per-thousand", "900", "--out", "r"],
        "the least that can be met",
    ),
    "audit share": (["fit", "predictions.csv", "--audit-people", "1", "--out", "r"], "below 1"),
    "too few labels": (
        ["fit", "predictions.csv", "--miss-rate", "0.001", "--out", "r"], "cannot be certified",
    ),
    "no routing": (["replay", "predictions.csv", "--routing", "no.json"], "no such file"),
    "no policy": (["replay", "predictions.csv", "--routing", "predictions.csv"], "is not JSON"),
    "publish what": (["publish", "no.json", "--task", "icd", "--note", "n"], "no such file"),
    "publish why": (["publish", "routing.json", "--task", "icd"], "--note"),
    "task": (["publish", "routing.json", "--task", "icdd", "--note", "n"], "Did you mean 'icd'"),
    "task of a way back": (["rollback", "--task", "uc"], "Did you mean 'ucc'"),
    "task of predictions": (["predictions", "--task", "x", "--out", "o"], "Known: icd, ucc"),
    "no way back": (["rollback", "--task", "icd"], "nothing is published"),
    "no decisions": (["predictions", "--task", "icd", "--out", "o.csv"], "Review cases"),
    "task of drift": (["drift", "--task", "icdd"], "Did you mean 'icd'"),
    "window of drift": (["drift", "--task", "icd", "--since", "0"], "--since"),
    "no audits": (["audit", "--task", "icd"], "nothing is labelled"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_one_line_and_status_2(
    run: Run, table: Path, file: Path, tmp_path: Path, name: str
) -> None:
    arguments, says = WRONG[name]
    before = {path.name for path in tmp_path.iterdir()}
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(done.err.split()) and "Traceback" not in done.err
    assert {path.name for path in tmp_path.iterdir()} - before <= {"home"}


def test_money_needs_the_columns(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("item_id,label,prefilter,mllm\na,1,.5,.5\n", "utf-8")
    done = run("fit", "bare.csv", "--cost-per-thousand", 5, "--out", "r.json")
    assert done.code == 2 and "prefilter_cost and mllm_cost" in done.err


def test_publishing_puts_in_force_and_the_list_says_so(
    run: Run, file: Path, tmp_path: Path
) -> None:
    made, new = read_policy(file), other(tmp_path, budget=0.2)
    assert run("publish", file, "--task", "icd", "--note", "first").code == 0
    done = run("publish", new, "--task", "icd", "--note", "cheaper", "--json")
    assert done.json == {
        "task": "icd", "version": read_policy(new).version, "note": "cheaper", "in_force": True,
    }  # fmt: skip
    rows = run("list", "--json").out.splitlines()
    newest, oldest = (json.loads(row) for row in rows)
    assert (newest["note"], newest["in_force"], newest["budget"]) == ("cheaper", True, 0.2)
    assert (oldest["version"], oldest["in_force"]) == (made.version, False)
    assert (oldest["rule"], oldest["objective"], oldest["certificate"]) == ("entropy", "f1", None)
    assert oldest["published_by"] == "local" and oldest["published_at"].startswith("20")
    shown = run("list").out.splitlines()
    assert "in force" in shown[0] and "in force" not in shown[1] and "cheaper" in shown[0]


def test_the_way_back(run: Run, file: Path, tmp_path: Path) -> None:
    first = read_policy(file).version
    run("publish", file, "--task", "icd", "--note", "first")
    run("publish", other(tmp_path, budget=0.2), "--task", "icd", "--note", "second")
    assert run("rollback", "--task", "icd", "--note", "worse").out.strip().endswith(first)
    newest = json.loads(run("list", "--json").out.splitlines()[0])
    assert (newest["version"], newest["rollback"], newest["note"]) == (first, True, "worse")
    done = run("rollback", "--task", "icd")
    assert done.code == 2 and "the settings' entropy rule applied" in done.err


def test_an_empty_list_says_what_applies(run: Run) -> None:
    assert "the settings' entropy rule applies" in run("list").out
    assert run("list", "--json").out == ""


def test_a_policy_that_reads_what_is_not_known_is_refused(run: Run, tmp_path: Path) -> None:
    write_policy(routing_factory.with_features("duration_s", "niqe"), tmp_path / "odd.json")
    done = run("publish", "odd.json", "--task", "icd", "--note", "n")
    assert done.code == 2 and "feature_niqe" in done.err and "feature_has_sound" in done.err
    assert run("list", "--json").out == ""
    write_policy(routing_factory.with_features("duration_s"), tmp_path / "fine.json")
    assert run("publish", "fine.json", "--task", "icd", "--note", "n").code == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"format": 99}, "Fit it again", id="another format"),
        pytest.param({"thresholds": {}}, "damaged", id="a part is missing"),
    ],
)
def test_a_damaged_file_is_refused(run: Run, file: Path, change: dict, says: str) -> None:
    document = json.loads(file.read_text("utf-8")) | change
    file.write_text(json.dumps(document), "utf-8")
    done = run("publish", file, "--task", "icd", "--note", "n")
    assert done.code == 2 and says in done.err


def test_from_decisions_to_predictions_and_rates(run: Run, home: Path, tmp_path: Path) -> None:
    from coefvq.review import decide, queue
    from coefvq.review.views import DecisionForm
    from tests.store_factory import ANN

    settings = Settings(home=home)
    with open_store(settings.url) as store:
        case_id = scored(store, settings)["icd"]
        view = queue.open_case(store, settings, ANN, case_id)
        assert view.lease is not None and view.lease.token is not None
        decide.submit(store, settings, ANN, case_id, view.lease.token, DecisionForm({}, "keep"))
    done = run("predictions", "--task", "icd", "--out", tmp_path / "p.csv")
    assert done.code == 2 and "answers of another prefilter" in done.err
    assert not (tmp_path / "p.csv").exists()
    found = run("audit", "--task", "icd", "--json").json
    assert (found["task"], found["n"], found["labelled"], found["audits"]) == ("icd", 1, 1, 0)
    assert found["prevalence"]["value"] == 0.0 and found["miss_rate"]["value"] is None
    shown = run("audit", "--task", "icd").out
    assert "1 outcomes, 1 decided by people" in shown and "unknown" in shown


def test_drift_before_the_first_publication_says_so(run: Run) -> None:
    done = run("drift", "--task", "icd", "--json")
    assert done.code == 0
    assert (done.json["version"], done.json["level"]) == (None, "not_enough")
    shown = run("drift", "--task", "icd").out
    assert shown == (
        "what to do: no routing policy is published for icd: there is no baseline to drift from\n"
    )


def test_drift_has_a_line_a_reason_and_says_what_to_do(
    run: Run, table: Path, tmp_path: Path
) -> None:
    run("fit", table, "--rule", "entropy", "--out", tmp_path / "r.json")
    version = read_policy(tmp_path / "r.json").version
    assert run("publish", "r.json", "--task", "icd", "--note", "n").code == 0
    lines = run("drift", "--task", "icd", "--since", 2.5).out.splitlines()
    assert lines[0] == f"icd under {version}: not_enough"
    assert lines[1].split(maxsplit=1) == [
        "icd", "scores: not enough: 0 items of 0 uploaders, 100 of 30 are needed",
    ]  # fmt: skip
    assert lines[2].startswith("icd") and "calibration: not enough: 0 items" in lines[2]
    assert lines[-1] == (
        "what to do: wait for more videos of more uploaders, and for decisions on them"
    )
    found = run("drift", "--task", "icd", "--json").json
    assert found["version"] == version and found["reports"][0]["policy"] == "icd"


def test_the_list_warns_where_other_models_answer_now(run: Run, file: Path, home: Path) -> None:
    settings = Settings(home=home)
    with open_store(settings.url) as store:
        scored(store, settings, b"1")
    run("publish", file, "--task", "icd", "--note", "first")
    assert json.loads(run("list", "--json").out)["other_models"] == {}
    assert "warning" not in run("list").out
    with open_store(settings.url) as store, store.write() as session:
        video = session.query(VideoRow).one()
        newer = Assessment(Stage.PREFILTER, "prefilter-next", {})
        assessments.add(session, video.id, newer)
    assert json.loads(run("list", "--json").out)["other_models"] == {"prefilter": "prefilter-next"}
    shown = run("list").out
    assert "warning: the prefilter is another one now (prefilter-next); fit again" in shown
    assert "mllm" not in shown
    run("publish", file, "--task", "icd", "--note", "fitted again")
    assert "warning" not in run("list").out


_LOADED = """
import sys
from coefvq.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
heavy = {"torch", "transformers", "sqlalchemy", "gradio", "av", "cv2"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["fit", "replay"])
def test_fit_and_replay_load_neither_models_nor_the_store(
    table: Path, file: Path, tmp_path: Path, command: str
) -> None:
    last = ["--rule", "entropy", "--out", tmp_path / "r.json"]
    more = last if command == "fit" else ["--routing", file, "--json"]
    line = [sys.executable, "-c", _LOADED, "routing", command, str(table), *map(str, more)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
