"""Import of CSV and Label Studio: what is taken, known, refused; round trips; hostile files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from coefvq.errors import ExportError, NotAllowed, SettingsError
from coefvq.export.import_csv import LONGEST_LINE
from coefvq.export.imports import Result
from coefvq.export.records import IMPORTED_KEY
from coefvq.export.take import import_file
from coefvq.review import decide
from coefvq.settings import Settings
from coefvq.store import cases, decisions, events
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseState, DecisionRow, EventRow
from tests.store_factory import ANN, scored, settings_at
from tests.unit.export.library import HATE, HOSTILE, KEEP, export, fill, rows_of, submit
from tests.unit.review.quality import LEA

Library = tuple[Store, Settings]
HEAD = "video_id,task,policy,label"


def take(store: Store, settings: Settings, path: Path, name: str = "csv") -> Result:
    return import_file(store, settings, LEA, name, path)


def video_of(store: Store, case_id: str) -> str:
    with store.read() as session:
        return cases.get(session, case_id).video_id


def decided(store: Store) -> int:
    with store.read() as session:
        return session.scalar(select(func.count()).select_from(DecisionRow)) or 0


def standing(store: Store, case_id: str) -> DecisionRow:
    with store.read() as session:
        row = decisions.standing(session, case_id)
    assert row is not None
    return row


def write(path: Path, *rows: str, head: str = HEAD) -> Path:
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "file"), [("csv", "corrections.csv"), ("label-studio", "tasks.json")]
)
@pytest.mark.parametrize("names", [False, True], ids=["pseudonyms", "names"])
def test_what_was_exported_changes_nothing(
    library: Library, tmp_path: Path, name: str, file: str, names: bool
) -> None:
    store, settings = library
    export(store, settings, tmp_path / "1", name, names=names)
    before = decided(store)
    for _ in range(2):
        result = take(store, settings, tmp_path / "1" / file, name)
        assert (result.taken, result.known, result.refused) == (0, 5, [])
    assert decided(store) == before
    export(store, settings, tmp_path / "2", name, names=names)
    assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_another_house_has_the_same_rows_afterwards(library: Library, tmp_path: Path) -> None:
    """By the hashes of the bytes: ids differ there."""
    export(*library, tmp_path / "one", "csv")
    theirs = rows_of(tmp_path / "one" / "corrections.csv")
    left_out = ("video_id", "path")
    rows = [{name: cell for name, cell in row.items() if name not in left_out} for row in theirs]
    with (tmp_path / "given.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    settings = settings_at(tmp_path / "there")
    with open_store(settings.url) as store:
        fill(store, settings)
        with store.write() as session:  # nobody has decided there yet
            for row in session.scalars(select(DecisionRow)):
                decisions.undo(session, row, "x")
        result = take(store, settings, tmp_path / "given.csv")
        assert (result.taken, result.known, result.refused_count) == (5, 0, 0)
        assert take(store, settings, tmp_path / "given.csv").known == 5
        export(store, settings, tmp_path / "two", "csv", names=True)
    mine = [{name: cell for name, cell in row.items() if name not in left_out}
            for row in rows_of(tmp_path / "two" / "corrections.csv")]  # fmt: skip
    by = ("video_sha256", "policy")
    assert sorted(mine, key=lambda row: [row[name] for name in by]) == sorted(
        rows, key=lambda row: [row[name] for name in by]
    )


def test_an_imported_decision(store: Store, settings: Settings, tmp_path: Path) -> None:
    case = scored(store, settings)["icd"]
    video = video_of(store, case)
    write(
        tmp_path / "a.csv",
        f'{video},icd,violence,violation,weapon used,"\'=1+1",0.5,2,eve',
        f'{video},icd,sexual,ok,,"\'=1+1",0.5,2,eve',
        head=HEAD + ",reason,comment,start_s,end_s,reviewer",
    )
    assert take(store, settings, tmp_path / "a.csv").taken == 1
    row = standing(store, case)
    assert (row.reviewer, row.role, row.kind, row.action) == ("eve", "import", "review", "remove")
    assert row.labels == {"violence": "violation", "sexual": "ok"}
    assert (row.reasons, row.comment) == ({"violence": "weapon used"}, "=1+1")
    assert (row.start_s, row.end_s, row.verdict_id) == (0.5, 2.0, None)
    assert "policies" not in row.snapshot and row.snapshot[IMPORTED_KEY]["by"] == "lea"
    with store.read() as session:
        event = session.scalars(select(EventRow).where(EventRow.subject_id == row.id)).one()
        assert (event.actor, event.data["import"]) == ("lea", "a.csv")
        assert cases.get(session, case).state == CaseState.DECIDED
        assert events.verify(session) is None


@pytest.mark.parametrize(
    ("row", "says"),
    [
        pytest.param("nope,icd,violence,ok", "There is no video nope", id="unknown video"),
        pytest.param("{v},icx,violence,ok", "Did you mean 'icd'", id="unknown task"),
        pytest.param("{v},icd,vilence,ok", "Did you mean 'violence'", id="unknown policy"),
        pytest.param("{v},icd,reupload,ok", "not one of the task", id="another task's policy"),
        pytest.param("{v},icd,violence,maybe", "violation or ok", id="label"),
        pytest.param("{v},icd,violence,", "label is empty", id="no label"),
        pytest.param(",icd,violence,ok", "One of video_id", id="no video"),
        pytest.param("{v},icd,violence,ok,7,2", "not in the video", id="range turned round"),
        pytest.param("{v},icd,violence,ok,900,901", "not in the video", id="range behind the end"),
        pytest.param("{v},icd,violence,ok,1,", "both start_s and end_s", id="half a range"),
        pytest.param("{v},icd,violence,ok,nan,2", "a number from 0", id="not a number"),
        pytest.param("{v},icd,violence,ok,1e999,2", "a number from 0", id="infinite"),
        pytest.param("{v},icd,violence,ok,,,2999-01-01T00:00Z", "in the future", id="future"),
        pytest.param("{v},icd,violence,ok,,,2020-01-01", "without a zone", id="no zone"),
        pytest.param("{v},icd,violence,ok,,,soon", "decided_at is 'soon'", id="no moment"),
        pytest.param("{v},icd,violence,violation,,,,nonsense", "is no reason", id="reason"),
        pytest.param("{v},icd,violence,ok,,,,other", "has no reason", id="reason of an ok"),
        pytest.param("{v},icd,violence,ok,,,,,0", "never drawn", id="propensity"),
        pytest.param("{v},icd,violence,ok,,,,,1,x,y", "more cells", id="too many cells"),
        pytest.param('{v},icd,violence,"' + "a" * 140_000 + '"', "field larger", id="huge cell"),
        pytest.param("{v},icd,violence," + "a" * LONGEST_LINE, "is longer than", id="huge line"),
        pytest.param("\udcff{v},icd,violence,ok", "not in UTF-8", id="other encoding"),
    ],
)
def test_refused_rows_are_told_by_line_and_others_taken(
    library: Library, tmp_path: Path, row: str, says: str
) -> None:
    store, settings = library
    with store.read() as session:
        first = session.scalars(select(DecisionRow).order_by(DecisionRow.id)).first()
        assert first is not None
        video = cases.get(session, first.case_id).video_id
    head = HEAD + ",start_s,end_s,decided_at,reason,propensity,reviewer"
    known = f"{video},icd,hate_harassment,violation,,,,,,ann"
    text = "\n".join((head, known, row.replace("{v}", video), known)) + "\n"
    (tmp_path / "a.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    before = decided(store)
    result = take(store, settings, tmp_path / "a.csv")
    assert [line for line, _ in result.refused] == [3], result.refused
    assert says in result.refused[0][1]
    assert result.known == 1 and decided(store) == before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "lacks columns", id="empty"),
        pytest.param(b"task,policy,label\n", "one of video_id", id="no column for the video"),
        pytest.param(b"video_id,task\n", "lacks columns", id="columns missing"),
        pytest.param("video_id,task".encode("utf-16"), "not in UTF-8", id="UTF-16"),
        pytest.param(b"\x00\x01\x02", "lacks columns", id="binary"),
    ],
)
def test_files_that_are_no_table(
    library: Library, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ExportError, match=says):
        take(*library, tmp_path / "a.csv")


def test_nul_and_a_byte_order_mark(store: Store, settings: Settings, tmp_path: Path) -> None:
    case = scored(store, settings)["icd"]
    text = f"\ufeff{HEAD},comment\n{video_of(store, case)},icd,violence,ok,a\x00b\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert take(store, settings, tmp_path / "a.csv").taken == 1
    assert standing(store, case).comment == "ab"


def test_a_file_that_is_missing(library: Library, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No such file"):
        take(*library, tmp_path / "a.csv")
    with pytest.raises(SettingsError, match="Did you mean 'csv'"):
        take(*library, tmp_path / "a.csv", "cvs")


def test_only_leads_import(library: Library, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        import_file(*library, ANN, "csv", write(tmp_path / "a.csv"))


def test_a_video_is_found_by_any_name(store: Store, settings: Settings, tmp_path: Path) -> None:
    one = scored(store, settings, b"1")["icd"]
    scored(store, settings, b"2")
    export_rows = [video_of(store, one)]
    with store.read() as session:
        sha256 = cases.video_of(session, cases.get(session, one)).sha256
    head = "video_sha256,path,task,policy,label"
    for row in (f"{sha256.upper()},,icd,sexual,ok", f",C:\\x\\{sha256}.mp4,icd,scam_spam,ok"):
        assert take(store, settings, write(tmp_path / "a.csv", row, head=head)).taken == 1
    with store.read() as session:
        labels = [row.labels for row in decisions.of_case(session, one)]
    assert labels == [{"scam_spam": "ok"}, {"sexual": "ok"}] and export_rows
    result = take(store, settings, write(tmp_path / "a.csv", ",clip.mp4,icd,sexual,ok", head=head))
    assert "2 videos are of the file 'clip.mp4'" in result.refused[0][1]


def test_contradicting_reviewers_stay_two(store: Store, settings: Settings, tmp_path: Path) -> None:
    case = scored(store, settings)["icd"]
    video = video_of(store, case)
    path = write(tmp_path / "a.csv", f"{video},icd,violence,violation,eve",
                 f"{video},icd,violence,ok,fay", head=HEAD + ",reviewer")  # fmt: skip
    assert take(store, settings, path).taken == 2
    assert take(store, settings, path).known == 2
    with store.read() as session:
        assert [row.reviewer for row in decisions.of_case(session, case)] == ["fay", "eve"]


def test_what_was_undone_can_be_taken_in_again(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    submit(store, settings, scored(store, settings)["icd"], HATE)
    export(store, settings, tmp_path, "csv")
    decide.undo_last(store, settings, ANN)
    assert take(store, settings, tmp_path / "corrections.csv").taken == 1


def tasks_of(store: Store, settings: Settings, folder: Path) -> list[dict[str, Any]]:
    export(store, settings, folder, "label-studio")
    return json.loads((folder / "tasks.json").read_text("utf-8"))


def chosen(task: dict[str, Any], *choices: str) -> None:
    task["annotations"][0]["result"][0]["value"]["choices"] = list(choices)


def test_an_annotation_that_was_changed_there(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    case = scored(store, settings)["icd"]
    submit(store, settings, case, HATE)
    (task,) = tasks_of(store, settings, tmp_path)
    chosen(task, "hate_harassment", "scam_spam")
    task["annotations"][0] |= {"completed_by": {"email": "eve@x.org"},
                               "updated_at": "2026-01-01T10:00:00.5Z"}  # fmt: skip
    (tmp_path / "back.json").write_text(json.dumps([task]))
    for taken in (1, 0):
        assert take(store, settings, tmp_path / "back.json", "label-studio").taken == taken
    row = standing(store, case)
    assert row.reviewer == "eve@x.org" and row.decided_at.isoformat().startswith("2026-01-01T10")
    assert {p for p, label in row.labels.items() if label == "violation"} == {
        "hate_harassment", "scam_spam",
    }  # fmt: skip
    assert row.reasons == {"hate_harassment": "slur"}


def test_one_who_looked_there_first(store: Store, settings: Settings, tmp_path: Path) -> None:
    """A task that nobody has decided here, with a range and a comment."""
    case = scored(store, settings)["icd"]
    result = [
        {"from_name": "decision", "type": "choices", "value": {"choices": ["violence"]}},
        {"from_name": "when", "type": "timelinelabels",
         "value": {"ranges": [{"start": 26, "end": 51}], "timelinelabels": ["violence"]}},
        {"from_name": "comment", "type": "textarea", "value": {"text": [HOSTILE]}},
    ]  # fmt: skip
    task = {"data": {"video_id": video_of(store, case)}, "annotations": [{"result": result}]}
    (tmp_path / "a.json").write_text(json.dumps([task]))
    assert take(store, settings, tmp_path / "a.json", "label-studio").taken == 1
    row = standing(store, case)
    assert (row.start_s, row.end_s, row.comment) == (1.0, 2.0, HOSTILE)
    assert row.labels["violence"] == "violation" and len(row.labels) == 5


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda t: chosen(t, "ok", "violence"), "ok and violated", id="both"),
        pytest.param(lambda t: chosen(t, "nonsense"), "no policy of the task", id="strange choice"),
        pytest.param(lambda t: chosen(t), "Nothing is chosen", id="nothing"),
        pytest.param(lambda t: t.pop("annotations"), "no annotations", id="JSON-MIN"),
        pytest.param(lambda t: t.update(data=[]), "no data", id="no data"),
        pytest.param(lambda t: t["data"].update(video_id="zz", video_sha256=""), "no video zz",
                     id="another video"),
        pytest.param(lambda t: t["annotations"].insert(0, 7), "no result", id="no annotation"),
        pytest.param(lambda t: t["annotations"][0]["result"][0].update(value=7), "no choices",
                     id="no value"),
    ],
)  # fmt: skip
def test_tasks_that_are_refused(
    library: Library, tmp_path: Path, change: Change, says: str
) -> None:
    store, settings = library
    tasks = tasks_of(store, settings, tmp_path)
    change(tasks[1])
    (tmp_path / "back.json").write_text(json.dumps(tasks))
    before = decided(store)
    result = take(store, settings, tmp_path / "back.json", "label-studio")
    assert [number for number, _ in result.refused] == [2] and says in result.refused[0][1]
    assert result.known == 4 and decided(store) == before


@pytest.mark.parametrize("content", ["", "{}", "[" * 100_000, "not json", "\ufeff{"])
def test_files_that_are_no_tasks(library: Library, tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(ExportError):
        take(*library, tmp_path / "a.json", "label-studio")


def test_a_decision_by_import_can_be_exported_in_every_format(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    case = scored(store, settings)["icd"]
    submit(store, settings, case, KEEP)
    row = f"{video_of(store, case)},icd,violence,violation,ok,0.2,mllm"
    head = HEAD + ",machine_label,machine_probability,stage"
    assert take(store, settings, write(tmp_path / "a.csv", row, head=head)).taken == 1
    assert standing(store, case).correction
    for name in ("csv", "ms-swift", "label-studio", "dsa"):
        export(store, settings, tmp_path / name, name)
    found = rows_of(tmp_path / "csv" / "corrections.csv")[-1]
    assert (found["machine_label"], found["machine_probability"], found["stage"]) == (
        "ok", "0.2", "mllm",
    )  # fmt: skip
