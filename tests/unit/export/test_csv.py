"""The CSV of corrections: columns, rows, undone decisions, hostile text, no decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from coefvq import taxonomy
from coefvq.domain import RouteName
from coefvq.export.cells import unguard
from coefvq.export.corrections import COLUMNS
from coefvq.export.pseudonyms import pseudonyms
from coefvq.export.run import Report
from coefvq.review import decide
from coefvq.review.priority import of
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, results, videos
from coefvq.store.session import Store
from tests.store_factory import ANN, BOB, result, route, scored
from tests.unit.export.library import export, rows_of, submit

PROMISED = (
    "video_id,video_sha256,path,title,task,policy,label,machine_label,machine_probability,stage,"
    "reviewer,role,reason,comment,start_s,end_s,decided_at,propensity,audit,taxonomy_version"
)
HOSTILE = '=HYPERLINK("http://evil","free"),\n<script>'
REMOVE = DecisionForm(
    {"hate_harassment": True}, "remove", {"hate_harassment": "other"}, HOSTILE, 1.5, 4.0
)


def made(store: Store, settings: Settings, folder: Path, names: bool = True) -> Report:
    return export(store, settings, folder, "csv", names=names)


def exported(store: Store, settings: Settings, tmp_path: Path) -> dict[str, dict[str, str]]:
    made(store, settings, tmp_path / "out")
    return {row["policy"]: row for row in rows_of(tmp_path / "out" / "corrections.csv")}


def test_the_columns_are_the_promised_ones(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], REMOVE)
    made(store, settings, tmp_path)
    head = (tmp_path / "corrections.csv").read_text().splitlines()[0]
    assert head == PROMISED == ",".join(COLUMNS)


def test_a_decision_is_one_row_a_policy(store: Store, settings: Settings, tmp_path: Path) -> None:
    submit(store, settings, scored(store, settings, title="a clip")["icd"], REMOVE)
    rows = exported(store, settings, tmp_path)
    assert list(rows) == [policy.id for policy in taxonomy.task("icd").policies]
    hate = rows["hate_harassment"]
    assert (hate["label"], hate["machine_label"], hate["machine_probability"]) == (
        "violation",
        "violation",
        "0.87",
    )
    assert (hate["stage"], hate["reviewer"], hate["role"]) == ("mllm", "ann", "reviewer")
    assert (hate["reason"], hate["start_s"], hate["end_s"]) == ("other", "1.5", "4.0")
    assert (hate["task"], hate["title"], hate["propensity"]) == ("icd", "a clip", "1.0")
    assert datetime.fromisoformat(hate["decided_at"]).utcoffset() is not None
    assert (rows["violence"]["label"], rows["violence"]["reason"]) == ("ok", "")


def test_what_no_model_covers_has_no_machine_answer(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], REMOVE)
    sexual = exported(store, settings, tmp_path)["sexual"]
    assert (sexual["machine_label"], sexual["machine_probability"], sexual["stage"]) == ("",) * 3


def test_hostile_text_is_no_formula_and_comes_back_whole(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    case_id = scored(store, settings, title="@SUM(1+1)*cmd|' /C calc'!A0")["icd"]
    submit(store, settings, case_id, REMOVE)
    row = exported(store, settings, tmp_path)["hate_harassment"]
    assert row["title"].startswith("'@") and row["comment"].startswith("'=")
    assert unguard(row["comment"]) == HOSTILE


def test_undone_decisions_are_left_out(store: Store, settings: Settings, tmp_path: Path) -> None:
    case_id = scored(store, settings)["icd"]
    submit(store, settings, case_id, REMOVE)
    decide.undo_last(store, settings, ANN)
    tally = made(store, settings, tmp_path).tally
    assert (tally.decisions, tally.rows) == (0, 0)
    submit(store, settings, case_id, DecisionForm({}, "keep"))
    tally = made(store, settings, tmp_path).tally
    assert (tally.decisions, tally.corrections, tally.rows) == (1, 1, 5)


def test_every_reviewers_decision_is_there(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    case_id = scored(store, settings)["icd"]
    submit(store, settings, case_id, REMOVE)
    submit(store, settings, case_id, DecisionForm({}, "keep"), BOB)
    made(store, settings, tmp_path)
    reviewers = [row["reviewer"] for row in rows_of(tmp_path / "corrections.csv")]
    assert reviewers == ["ann"] * 5 + ["bob"] * 5


def test_paths_are_those_of_the_stored_files(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], REMOVE)
    full = Path(exported(store, settings, tmp_path)["violence"]["path"])
    assert full.parent == settings.media_dir and full.is_file()


def test_a_random_draw_is_told(store: Store, settings: Settings, tmp_path: Path) -> None:
    drawn = route(RouteName.HUMAN, audit=True, propensity=0.02)
    submit(store, settings, scored(store, settings, routes={"icd": drawn})["icd"], REMOVE)
    row = exported(store, settings, tmp_path)["violence"]
    assert (row["propensity"], row["audit"]) == ("0.02", "1")


def test_what_was_not_drawn_does_not_stand_for_others(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    passed = route(RouteName.AUTO_PASS, audit=False, propensity=0.02)
    submit(store, settings, scored(store, settings, routes={"icd": passed})["icd"], REMOVE)
    row = exported(store, settings, tmp_path)["violence"]
    assert (row["propensity"], row["audit"]) == ("1.0", "0")


def test_a_prefiltered_video_names_the_prefilter(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    case_id = scored(store, settings)["icd"]
    with store.write() as session:
        video = videos.get(session, cases.get(session, case_id).video_id)
        again = result(video.sha256, mllm=False)
        icd = again.tasks["icd"]
        finals = {name: replace(score, mllm=None) for name, score in icd.policies.items()}
        again = replace(again, tasks={"icd": replace(icd, policies=finals)})
        results.record(session, video, again, payloads={}, priority=of, actor="w")
    submit(store, settings, case_id, REMOVE)
    assert exported(store, settings, tmp_path)["hate_harassment"]["stage"] == "prefilter"


def test_without_a_decision_there_is_no_table(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    report = made(store, settings, folder)
    assert "No decision" in report.message
    assert "No decision has been taken yet" in (folder / "dataset_card.md").read_text()
    assert [path.name for path in folder.iterdir()] == ["dataset_card.md"]


def test_an_old_table_goes_when_nothing_stands_any_more(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], REMOVE)
    made(store, settings, tmp_path)
    assert (tmp_path / "corrections.csv").exists()
    decide.undo_last(store, settings, ANN)
    made(store, settings, tmp_path)
    assert not (tmp_path / "corrections.csv").exists()


def test_the_card_counts_labels_and_names_columns(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], REMOVE)
    report = made(store, settings, tmp_path)
    card = (tmp_path / "dataset_card.md").read_text()
    assert "1 decisions on 1 videos, 0 of them differ" in card
    assert "| icd | hate_harassment | 1 | 0 |" in card
    assert "| icd | violence | 0 | 1 |" in card
    assert all(f"`{name}`" in card for name in COLUMNS)
    assert report.message.startswith("1 decisions (0 corrections) on 1 videos, 5 rows")


def test_other_alphabets_survive(store: Store, settings: Settings, tmp_path: Path) -> None:
    submit(store, settings, scored(store, settings, title="日本語 🎬 ñ")["icd"], REMOVE)
    made(store, settings, tmp_path)
    assert "日本語 🎬 ñ" in (tmp_path / "corrections.csv").read_text("utf-8")


def test_pseudonyms_stand_in_every_row_and_the_card_says_so(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    case_id = scored(store, settings)["icd"]
    submit(store, settings, case_id, REMOVE)
    submit(store, settings, case_id, DecisionForm({}, "keep"), BOB)
    made(store, settings, tmp_path, names=False)
    naming = pseudonyms(settings.home)
    written = (tmp_path / "corrections.csv").read_text()
    reviewers = {row["reviewer"] for row in rows_of(tmp_path / "corrections.csv")}
    assert reviewers == {naming("ann"), naming("bob")} and len(reviewers) == 2
    assert ",ann," not in written and ",bob," not in written
    assert "`reviewer` is a pseudonym" in (tmp_path / "dataset_card.md").read_text()


def test_the_card_says_that_names_are_real(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], REMOVE)
    made(store, settings, tmp_path)
    card = (tmp_path / "dataset_card.md").read_text()
    assert "real names" in card and "pseudonym" not in card
