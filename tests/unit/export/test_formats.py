"""Every format by what its tool documents, and what all of them have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from coefvq import taxonomy
from coefvq.domain import ExpensiveSignals, PostedText
from coefvq.export.formats import FORMATS
from coefvq.export.output import MANIFEST, digest
from coefvq.export.questions import SYSTEM_PROMPT, ask, letter, without_placeholders
from coefvq.learning.dataset.items import SPLITS
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint import content
from coefvq.mllm.endpoint.dialects import Attached
from coefvq.mllm.endpoint.footage import Footage, Form, Pictures
from coefvq.settings import Settings
from coefvq.store.session import Store
from tests.store_factory import SCREEN, SPEECH
from tests.unit.export import schemas
from tests.unit.export.library import every_line, export, lines

Library = tuple[Store, Settings]
ROWS = {"ms-swift": 21, "llama-factory": 21, "llava": 21, "hf": 21, "trl": 21, "label-studio": 4,
        "csv": 23, "dsa": 3}  # fmt: skip


def valid(schema: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    checker = jsonschema.Draft202012Validator(schema)
    for row in rows:
        checker.validate(row)


def listed(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_export_says_what_it_is(library: Library, tmp_path: Path, name: str) -> None:
    report = export(*library, tmp_path, name)
    assert report.tally.rows == ROWS[name]
    card = (tmp_path / "dataset_card.md").read_text("utf-8")
    assert card.startswith(f"# Labelled corrections ({name})") and "pseudonym" in card
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    there = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if not p.is_dir()}
    assert {each["name"] for each in manifest["files"]} == there - {MANIFEST}
    for each in manifest["files"]:
        if "sha256" in each:
            assert digest(tmp_path / each["name"]) == each["sha256"]
    splits = json.loads((tmp_path / "splits.json").read_text())
    assert len(splits["videos"]) == sum(splits["counts"].values()) == report.tally.videos
    policy = json.loads((tmp_path / "policy.json").read_text())
    assert policy["answers"] == {"violation": "Yes", "ok": "No"}
    assert list(policy["policies"]) == list(taxonomy.policies())
    assert not (tmp_path / ".unfinished").exists()
    written = "".join(p.read_text("utf-8", "replace") for p in tmp_path.rglob("*.json*"))
    assert '"ann"' not in written and '"bob"' not in written


def test_ms_swift_rows_are_as_documented(library: Library, tmp_path: Path) -> None:
    export(*library, tmp_path, "ms-swift", classes=True)
    splits = [p for p in tmp_path.glob("*.jsonl") if "_" not in p.stem]
    rows = [row for path in splits for row in lines(path)]
    pairs, classes = every_line(tmp_path, "preference_*"), every_line(tmp_path, "classes_*")
    valid(schemas.MS_SWIFT, rows)
    valid(schemas.MS_SWIFT_PREFERENCE, pairs)
    valid(schemas.MS_SWIFT_CLASSES, classes)
    for row in (*rows, *classes):
        said = "".join(turn["content"] for turn in row["messages"])
        assert said.count("<video>") == len(row["videos"]) == 1
        assert "<|" not in said and Path(row["videos"][0]).is_file()
    assert all(row["rejected_response"] != row["messages"][-1]["content"] for row in pairs)
    assert pairs == [row for row in rows if "rejected_response" in row]
    ids = {name: number for number, name in enumerate(taxonomy.policies())}
    assert sorted(map(sorted, (row["label"] for row in classes))) == sorted(
        [[], [], [ids["hate_harassment"]], sorted([ids["violence"], ids["scam_spam"]]),
         [ids["static_slideshow"]]]
    )  # fmt: skip


def test_llama_factory_reads_what_dataset_info_says(library: Library, tmp_path: Path) -> None:
    export(*library, tmp_path, "llama-factory", media="link")
    info = listed(tmp_path / "dataset_info.json")
    valid(schemas.DATASET_INFO, [info])
    assert {each["file_name"] for each in info.values()} == {
        path.name for path in tmp_path.glob("coefvq_*.json")
    }
    for each in info.values():
        rows = listed(tmp_path / each["file_name"])
        ranked = each.get("ranking", False)
        valid(schemas.LLAMA_FACTORY_PREFERENCE if ranked else schemas.LLAMA_FACTORY, rows)
        assert set(each["columns"].values()) <= rows[0].keys()
        for row in rows:
            said = "".join(turn["content"] for turn in row["messages"])
            assert said.count("<video>") == len(row["videos"])
            assert (tmp_path / row["videos"][0]).is_file()
            if ranked:
                assert row["chosen"]["content"] != row["rejected"]["content"]


def test_llava_conversations(library: Library, tmp_path: Path) -> None:
    export(*library, tmp_path, "llava", media="copy")
    paths = [tmp_path / f"{name}.json" for name in SPLITS]
    rows = [row for path in paths if path.exists() for row in listed(path)]
    valid(schemas.LLAVA, rows)
    assert len({row["id"] for row in rows}) == len(rows) == 21
    assert all(row["conversations"][0]["value"].count("<video>") == 1 for row in rows)
    assert all((tmp_path / row["video"]).is_file() for row in rows)


def test_dsa_statements(library: Library, tmp_path: Path) -> None:
    export(*library, tmp_path, "dsa")
    rows = lines(tmp_path / "statements.jsonl")
    valid(schemas.DSA, rows)
    hate, scam, still = rows
    assert hate["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert hate["category"] == "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH"
    assert hate["automated_detection"] == "Yes"
    assert {row["automated_decision"] for row in rows} == {"AUTOMATED_DECISION_PARTIALLY"}
    assert scam["category"] == "STATEMENT_CATEGORY_VIOLENCE"  # graver than a scam
    assert scam["category_addition"] == ["STATEMENT_CATEGORY_SCAMS_AND_FRAUD"]
    assert still["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_DEMOTED"]
    assert still["automated_detection"] == "No"
    written = (tmp_path / "statements.jsonl").read_text()
    assert "evil" not in written and "first" not in written and "territorial_scope" not in written
    assert "territorial_scope" in (tmp_path / "dataset_card.md").read_text()


def test_a_question_is_what_the_endpoint_asks(library: Library, tmp_path: Path) -> None:
    export(*library, tmp_path, "ms-swift")
    rows = {row["id"].partition("-")[2]: row for row in every_line(tmp_path, "*.jsonl")
            if '"first"' in row["messages"][1]["content"]}  # fmt: skip
    item = MllmInput(
        PostedText("first", None), ExpensiveSignals("x", speech=SPEECH, screen_text=SCREEN), 10.0
    )
    texts = content.texts_of(item)
    shown = Attached(Footage(Form(Pictures.FILE)))
    for policy, row in rows.items():
        system, user = content.scoring_messages(texts, shown, taxonomy.policy(policy))
        assert row["messages"][0]["content"] == system["content"] == SYSTEM_PROMPT
        parts = user["content"]
        text = parts if isinstance(parts, str) else "\n\n".join(part["text"] for part in parts)
        assert row["messages"][1]["content"] == "<video>" + text
        assert ask(taxonomy.policy(policy)) in text
    assert rows["hate_harassment"]["messages"][2]["content"] == "Yes"
    assert rows["violence"]["messages"][2]["content"] == "No"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("<video>", "< video>", id="the place of a video"),
        pytest.param("< IMAGE >", "<  IMAGE >", id="with spaces, loud"),
        pytest.param("</audio>", "< /audio>", id="closing"),
        pytest.param("<ref-object><bbox>", "< ref-object>< bbox>", id="grounding"),
        pytest.param("<videos> a < b", "<videos> a < b", id="another word"),
    ],
)
def test_no_text_is_a_place_of_media(text: str, kept: str) -> None:
    assert without_placeholders(text) == kept


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (702, "AAA")]
)
def test_letters(number: int, expected: str) -> None:
    assert letter(number) == expected
