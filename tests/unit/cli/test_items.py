"""Signals files: what is read, and what is refused line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coefvq.cli.items import SignalsError, SignalsItem, read_items

GOOD = {
    "id": "a",
    "title": "a title",
    "caption": None,
    "speech": [{"start_s": 0, "end_s": 2.5, "text": "hello"}],
    "screen_text": [],
}


def _read(tmp_path: Path, *lines: str) -> list:
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return list(read_items(path))


def test_a_full_line(tmp_path: Path) -> None:
    [(name, item)] = _read(tmp_path, json.dumps(GOOD))
    assert isinstance(item, SignalsItem)
    assert (name, item.posted.title, item.posted.caption) == ("a", "a title", None)
    assert [line.text for line in item.expensive.speech or ()] == ["hello"]
    assert item.expensive.screen_text == ()


def test_what_is_left_out_is_absent_not_empty(tmp_path: Path) -> None:
    [(_, item)] = _read(tmp_path, '{"id": "a", "title": ""}')
    assert item.posted.title is None
    assert item.expensive.speech is None and item.expensive.screen_text is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("{", "not JSON", id="broken"),
        pytest.param("[1]", "not an object", id="list"),
        pytest.param("[" * 100_000, "not JSON", id="nested without end"),
        pytest.param('{"id": 1, "tilte": "x"}', "Did you mean 'title'", id="misspelt field"),
        pytest.param('{"id": 1, "title": 3}', "must be text", id="number for text"),
        pytest.param('{"id": 1, "speech": "hi"}', "must be a list", id="text for lines"),
        pytest.param('{"id": 1, "speech": [{"text": "hi"}]}', "start_s", id="no times"),
        pytest.param('{"id": 1, "speech": [3]}', "start_s", id="number for a line"),
        pytest.param(
            '{"id": 1, "speech": [{"start_s": 2, "end_s": 1, "text": "x"}]}', "start_s", id="back"
        ),
        pytest.param(
            '{"id": 1, "speech": [{"start_s": NaN, "end_s": 1, "text": "x"}]}', "start_s", id="nan"
        ),
    ],
)
def test_a_bad_line_is_refused_and_the_others_go_on(tmp_path: Path, line: str, says: str) -> None:
    bad, good = _read(tmp_path, line, "", json.dumps(GOOD))
    assert isinstance(bad[1], SignalsError)
    assert says in str(bad[1])
    assert isinstance(good[1], SignalsItem)
