"""Items on disk: canonical, addressed by their hash, without what was removed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import PostedText
from coefvq.errors import StoreError
from coefvq.learning.dataset import files
from coefvq.learning.dataset.items import LabelledVideo

AT = datetime(2026, 5, 1, 8, 30, 0, 5, UTC)
HOSTILE = '\u2028line\n<script>\\" \U0001f600 \x1b[31m'


def item(video_id: str = "v1", **changes: object) -> LabelledVideo:
    values: dict[str, object] = {
        "video_id": video_id,
        "sha256": "a" * 64,
        "posted": PostedText("a title", None),
        "group": "g1",
        "split": "train",
        "labels": {"violence": 1, "sexual": 0},
        "weights": {"violence": 2 / 3, "sexual": 1.0},
        "votes": {"violence": (1, 0, 1), "sexual": (0,)},
        "propensity": 0.01,
        "audit": True,
        "machine": {"violence": 0.1 + 0.2, "sexual": None},
        "corrected": frozenset({"violence"}),
        "span": (1.5, 4.0),
        "language": "en",
        "decided_at": AT,
        "propensities": {"violence": 0.01, "sexual": 0.01},
        "audited": frozenset({"violence", "sexual"}),
    }
    return LabelledVideo(**(values | changes))  # type: ignore[arg-type]


def write(path: Path, *items: LabelledVideo) -> str:
    files.write_whole(path, map(files.line_of, items))
    return files.id_of(line.digest for line in files.read_lines(path))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(item(), id="everything"),
        pytest.param(LabelledVideo("v", None, PostedText(), "g", "test", {}), id="only defaults"),
        pytest.param(item(posted=PostedText(HOSTILE, HOSTILE)), id="hostile text"),
    ],
)
def test_an_item_comes_back(tmp_path: Path, made: LabelledVideo) -> None:
    write(tmp_path / "items.jsonl", made)
    (line,) = files.read_lines(tmp_path / "items.jsonl")
    assert line.item == made
    assert (tmp_path / "items.jsonl").read_bytes().count(b"\n") == 1


@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1), st.integers(0, 1))
def test_any_text_and_number_comes_back(text: str, number: float, label: int) -> None:
    made = item(posted=PostedText(text, None), machine={"p": number}, labels={"p": label})
    assert files.item_of(json.loads(files.line_of(made))) == made
    assert b"\n" not in files.line_of(made)


def test_the_same_item_is_the_same_line() -> None:
    other = item(
        labels={"sexual": 0, "violence": 1},
        audited=frozenset({"sexual", "violence"}),
        decided_at=AT.astimezone(timezone(timedelta(hours=2))),
    )
    assert files.line_of(other) == files.line_of(item())
    assert files.line_of(item(labels={"violence": 0})) != files.line_of(item())


def test_the_id_is_of_items_in_order() -> None:
    a, b = "a" * 64, "b" * 64
    assert files.id_of([a, b]) != files.id_of([b, a]) != files.id_of([a])


def test_removal_keeps_the_id_and_takes_the_texts(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    kept, secret = item("v1"), item("v2", posted=PostedText("a secret title", None))
    before = write(path, kept, secret)
    assert files.rewrite_without(path, {"v2"})
    lines = list(files.read_lines(path))
    assert files.id_of(line.digest for line in lines) == before
    assert [(line.video_id, line.item) for line in lines] == [("v1", kept), ("v2", None)]
    assert b"secret" not in path.read_bytes()
    assert not files.rewrite_without(path, {"v2"})
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"video_id":"v1"}', id="fields missing"),
        pytest.param(files.line_of(item())[:-1] + b',"new":1}', id="a field too many"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_is_no_item_is_refused_with_its_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(files.line_of(item()) + b"\n" + raw + b"\n")
    with pytest.raises(StoreError, match=r"Line 2 of .*items\.jsonl"):
        list(files.read_lines(path))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    write(path, item())
    before = path.read_bytes()

    def lines():  # type: ignore[no-untyped-def]
        yield b"{}"
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, lines())
    assert path.read_bytes() == before
    assert [path] == list(tmp_path.iterdir())
