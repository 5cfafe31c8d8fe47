"""PREDICTIONS.csv: what is read, and what is refused with the row and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coefvq.errors import RoutingError
from coefvq.routing.predictions_csv import read_predictions

HEAD = "item_id,label,prefilter,mllm\n"
ROWS = "a,0,0.1,0.2\nb,1,0.9,0.8\nc,0,0.3,\n"


@pytest.fixture
def write(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Write text or bytes to a file and name it."""

    def written(content: str | bytes) -> Path:
        path = tmp_path / "predictions.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def test_three_rows(write) -> None:  # type: ignore[no-untyped-def]
    found = read_predictions(write(HEAD + ROWS))
    assert found.item_id.tolist() == ["a", "b", "c"]
    assert found.label.tolist() == [0, 1, 0]
    assert found.prefilter.tolist() == [0.1, 0.9, 0.3]
    assert np.isnan(found.mllm).tolist() == [False, False, True]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xef\xbb\xbf" + (HEAD + ROWS).encode(), id="byte order mark"),
        pytest.param((HEAD + ROWS).replace("\n", "\r\n"), id="lines as on Windows"),
        pytest.param((HEAD + ROWS).rstrip("\n"), id="no last line end"),
        pytest.param(HEAD + ROWS.replace(",0,", ",0.0,"), id="labels as 0.0"),
        pytest.param(HEAD + ROWS + "\n\n", id="blank lines at the end"),
        pytest.param(
            "mllm,prefilter,label,item_id\n0.2,0.1,0,a\n0.8,0.9,1,b\n,0.3,0,c\n", id="other order"
        ),
        pytest.param(
            "item_id,label,prefilter,mllm,title\na,0,0.1,0.2,x\nb,1,0.9,0.8,=1+1\nc,0,0.3,,\n",
            id="a column of no concern",
        ),
    ],
)
def test_the_same_three_rows_otherwise_written(write, content: str | bytes) -> None:  # type: ignore[no-untyped-def]
    assert read_predictions(write(content)).digest == read_predictions_of(write).digest


def read_predictions_of(write):  # type: ignore[no-untyped-def]
    """The plain file."""
    return read_predictions(write(HEAD + ROWS))


def test_ids_stay_text(write) -> None:  # type: ignore[no-untyped-def]
    found = read_predictions(write(HEAD + "007,0,0.1,0.2\n7,1,0.9,0.8\n1e3,0,0.2,0.1\n"))
    assert found.item_id.tolist() == ["007", "7", "1e3"]


def test_optional_columns(write) -> None:  # type: ignore[no-untyped-def]
    head = "item_id,label,prefilter,mllm,prefilter_cost,mllm_cost,weight,feature_len,feature_x\n"
    found = read_predictions(write(head + "a,0,1,2,1,50,2,10,\nb,1,3,4,1,60,,,0.5\n"))
    assert found.feature_names == ("len", "x")
    assert found.features[0, 0] == 10
    assert np.isnan(found.features).tolist() == [[False, True], [True, False]]
    assert found.mllm_cost.tolist() == [50, 60]
    assert found.weight.tolist() == [2, 1]
    assert found.costs_given


def test_an_mllm_that_never_ran(write) -> None:  # type: ignore[no-untyped-def]
    found = read_predictions(write(HEAD + "a,0,0.1,\nb,1,0.9,\n"))
    assert not found.has_mllm.any()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param("a,0,0.1,0.2\nb,0,0.9,0.8\n", id="no violation"),
        pytest.param("a,1,0.5,0.5\nb,1,0.5,0.5\n", id="constant scores, one class"),
        pytest.param("a,1,0.5,0.5\n", id="one row"),
        pytest.param("a,0,-1e9,3\nb,1,1e9,4\n", id="any scale"),
    ],
)
def test_what_a_reader_takes_and_a_fit_must_judge(write, rows: str) -> None:  # type: ignore[no-untyped-def]
    assert len(read_predictions(write(HEAD + rows))) == rows.count("\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "cannot be read as CSV", id="empty file"),
        pytest.param(HEAD, "no row below the header", id="header only"),
        pytest.param("item_id,label,prefilter\na,0,1\n", "column mllm is missing", id="no mllm"),
        pytest.param(
            "itemid,label,prefilter,mllm\na,0,1,1\n",
            "item_id is missing. Did you mean 'itemid'",
            id="itemid for item_id",
        ),
        pytest.param("Label;x\n1;2\n", "item_id is missing", id="semicolons"),
        pytest.param(HEAD + "a,2,0.1,0.2\n", "label must be 0 or 1.*first: a", id="label 2"),
        pytest.param(HEAD + "a,,0.1,0.2\n", "label must be 0 or 1.*first: a", id="label empty"),
        pytest.param(
            HEAD + "a,0,0.1,0.2\nb,yes,0.1,0.2\n", "line 3: label is 'yes'", id="label in words"
        ),
        pytest.param(
            HEAD + "a,0,0.1,0.2\nb,0,high,0.2\n",
            "line 3: prefilter is 'high', not a number",
            id="text for a number",
        ),
        pytest.param(HEAD + "a,0,,0.2\n", "prefilter must be a finite number.*a", id="no score"),
        pytest.param(HEAD + "a,0,nan,0.2\n", "prefilter must be a finite number", id="NaN"),
        pytest.param(HEAD + "a,0,inf,0.2\n", "prefilter must be a finite number", id="infinite"),
        pytest.param(HEAD + "a,0,0.1,-inf\n", "mllm must be finite", id="infinite mllm"),
        pytest.param(
            HEAD + "a,0,0.1,0.2\na,1,0.1,0.2\nb,1,0.1,0.2\n",
            "item_id must be unique: 'a'.*1 row",
            id="duplicate",
        ),
        pytest.param(HEAD + "a,0,0.1,0.2\n,1,0.1,0.2\n", "line 3: item_id is empty", id="no id"),
        pytest.param(
            "item_id,label,prefilter,mllm,mllm_cost\na,0,0.1,0.2,5\n",
            "prefilter_cost and mllm_cost come together",
            id="half the costs",
        ),
        pytest.param(
            "item_id,label,prefilter,mllm,weight\na,0,0.1,0.2,-1\n",
            "weight must be > 0",
            id="negative weight",
        ),
        pytest.param(
            "item_id,label,prefilter,mllm,feature_x\na,0,0.1,0.2,long\n",
            "line 2: feature_x is 'long'",
            id="text for a feature",
        ),
        pytest.param(HEAD + "a,0,0.1\nb,0,1,2,3,4\n", "cannot be read as CSV", id="ragged"),
        pytest.param(b"\xff\xfe\x00\x01binary\x00", "cannot be read as CSV", id="not text"),
        pytest.param(
            "item_id,label,prefilter,mllm\nTrue,True,0.1,0.2\nb,maybe,1,2\n",
            "label is",
            id="truth values and words",
        ),
        pytest.param(
            "item_id,label,label,prefilter,mllm\na,0,1,0.1,0.2\n",
            "label is there twice",
            id="a column twice",
        ),
    ],
)
def test_what_is_refused(write, content: str | bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RoutingError, match=message) as caught:
        read_predictions(write(content))
    assert str(caught.value).startswith("predictions.csv")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RoutingError, match=r"gone\.csv: there is no such file"):
        read_predictions(tmp_path / "gone.csv")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(RoutingError, match="cannot be read"):
        read_predictions(tmp_path)
