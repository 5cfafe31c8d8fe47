from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from coefvq.errors import SettingsError
from coefvq.learning import text_corpora as corpora
from coefvq.learning.text_corpora import HATE, SCAM, TextItem


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """All four sets with made-up rows, in the folder layout of the real ones."""
    folder = tmp_path / "text"
    folder.mkdir()
    rows = [
        {
            "id": "a",
            "title": "One",
            "description": None,
            "transcript": "hello",
            "label": "normal",
            "split": "train",
        },
        {
            "id": "b",
            "title": "Two",
            "description": "d",
            "transcript": "",
            "label": "hateful",
            "split": "valid",
        },
        {
            "id": "c",
            "title": "Three",
            "description": "",
            "transcript": None,
            "label": "offensive",
            "split": "train",
        },
    ]
    (folder / "multihateclip_en_train_valid.jsonl").write_text(
        "\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8"
    )
    _write(
        folder / "davidson_tweets.csv",
        ["class", "text"],
        [["neither", "line one\nline two"], ["hate", "h"], ["offensive", "o, with comma"]],
    )
    _write(
        folder / "youtube_spam_comments.csv",
        ["source", "text", "is_spam"],
        [["01", "subscribe", "1"], ["07", "nice song", "0"]],
    )
    (folder / "clickbait_headlines.txt").write_text("You won't believe\n\nThis dog\n")
    (folder / "non_clickbait_headlines.txt").write_text("Rain expected\n")
    return tmp_path


def _write(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([head, *rows])


def test_multihateclip(data: Path) -> None:
    first, second, third = corpora.multihateclip(data)
    assert (first.title, first.caption, first.speech) == ("One", None, "hello")
    assert (second.caption, second.speech, third.caption) == ("d", None, None)
    assert [item.labels for item in (first, second, third)] == [{HATE: 0}, {HATE: 1}, {HATE: 1}]
    assert first.id == "multihateclip/a" and "split:valid" in second.tags


def test_davidson(data: Path) -> None:
    items = corpora.davidson(data)
    assert [item.labels[HATE] for item in items] == [0, 1, 1]
    assert items[0].caption == "line one\nline two" and "class:neither" in items[0].tags


def test_youtube_spam_is_grouped_by_video(data: Path) -> None:
    items = corpora.youtube_spam(data)
    assert [(item.labels[SCAM], item.group) for item in items] == [
        (1, "youtube_spam/01"),
        (0, "youtube_spam/07"),
    ]


def test_headlines_are_weak_negatives_of_scam_only(data: Path) -> None:
    items = corpora.headlines(data)
    assert len(items) == 3
    assert all(item.labels == {SCAM: 0} and item.weak == {SCAM} for item in items)


@pytest.mark.parametrize("reader", [corpora.multihateclip, corpora.davidson])
def test_weak_labels_come_only_on_request(data: Path, reader) -> None:
    assert all(SCAM not in item.labels and not item.weak for item in reader(data))
    assert all(
        item.labels[SCAM] == 0 and SCAM in item.weak for item in reader(data, weak_scam=True)
    )


@pytest.mark.parametrize(
    "reader", [corpora.multihateclip, corpora.davidson, corpora.youtube_spam, corpora.headlines]
)
def test_ids_are_unique_and_the_inner_folder_works_too(data: Path, reader) -> None:
    items = reader(data)
    assert len({item.id for item in items}) == len(items)
    assert reader(data / "text") == items


@pytest.mark.parametrize(
    "reader", [corpora.multihateclip, corpora.davidson, corpora.youtube_spam, corpora.headlines]
)
def test_missing_data_names_file_and_option(tmp_path: Path, reader) -> None:
    with pytest.raises(SettingsError, match="--data"):
        reader(tmp_path)


SENTENCE = "the quick brown fox jumps over the lazy dog near the river"


@pytest.mark.parametrize(
    ("texts", "groups"),
    [
        pytest.param([SENTENCE, SENTENCE.upper() + "!"], [0, 0], id="same words"),
        pytest.param([SENTENCE, SENTENCE + " bank today"], [0, 0], id="a little longer"),
        pytest.param([SENTENCE, "something else altogether is written here"], [0, 1], id="other"),
        pytest.param(["a b", "a b", "a c"], [0, 0, 2], id="short"),
        pytest.param(
            ["one two three four five six", "x y z", "three four five six seven eight"],
            [0, 1, 2],
            id="little overlap",
        ),
    ],
)
def test_near_duplicates(texts: list[str], groups: list[int]) -> None:
    assert corpora.near_duplicate_groups(texts) == groups


def test_grouping_is_transitive() -> None:
    words = SENTENCE.split()
    texts = [" ".join(words[start : start + 8]) for start in (0, 2, 4)]
    assert corpora.near_duplicate_groups(texts) == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("he be working late", True),
        ("finna go wit dem", True),
        ("I am going with them", False),
        ("y'all come back", False),
        ("to be or not to be", False),
    ],
)
def test_dialect_marker(text: str, marked: bool) -> None:
    assert corpora.looks_aae(text) is marked


def test_text_joins_the_fields_that_are_there() -> None:
    assert TextItem("i", "g", "s", title="a", speech="b").text == "a\nb"
