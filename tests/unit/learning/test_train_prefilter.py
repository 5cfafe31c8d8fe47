from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from coefvq.domain import PostedText
from coefvq.errors import SettingsError
from coefvq.learning.measures import auc
from coefvq.learning.train_prefilter import ASSUMED_RATE, train_prefilter
from coefvq.media.probe import probe
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.weights import DESCRIPTION, TENSORS
from coefvq.signals.extract import CheapExtractor

Trained = tuple[Path, Path, dict[str, Any], list[str]]


@pytest.fixture(scope="module")
def run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One whole training on tiny data: compose, extract, cross-validate, fit, save."""
    base = tmp_path_factory.mktemp("run")
    said: list[str] = []
    report = train_prefilter(
        tiny_data, base / "out", clips_cache=base / "work", folds=2, progress=said.append,
        clips_scale=0.1,
    )  # fmt: skip
    return base / "out", base / "work", report, said


def test_it_writes_weights_that_load(run: Trained) -> None:
    out, _, report, _ = run
    assert sorted(path.name for path in out.iterdir()) == [DESCRIPTION, TENSORS]
    assert Prefilter.load(folder=out).version == report["version"]


def test_it_says_how_far_it_is(run: Trained) -> None:
    said = run[3]
    for stage in ("composing clips", "extracting signals", "fitting"):
        last = [line for line in said if line.startswith(stage)][-1]
        done, total = last.split(": ")[1].split("/")
        assert done == total


def test_it_learns_the_words_and_reads_the_pictures(run: Trained, tiny_data: Path) -> None:
    prefilter = Prefilter.load(folder=run[0])
    cheap = CheapExtractor().extract(probe(tiny_data / "fights" / "clip1.mp4"))

    def scam(caption: str) -> float:
        got = prefilter.assess(cheap, PostedText(None, caption)).scores["scam_spam"]
        assert got.probability is not None
        return got.probability

    assert scam("subscribe giveaway") > 0.5 > scam("love song")
    assert prefilter.assess(cheap, PostedText()).scores["scam_spam"].probability == ASSUMED_RATE
    assert prefilter.assess(cheap, PostedText()).scores["violence"].covered


def test_every_figure_can_be_made_again_from_the_predictions(run: Trained) -> None:
    _, work, report, _ = run
    with (work / "predictions.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["policy"] == "scam_spam"]
    assert len(rows) == report["figures"]["scam_spam"]["n"] == 80
    again = auc([int(row["label"]) for row in rows], [float(row["logit"]) for row in rows])
    assert again == pytest.approx(report["figures"]["scam_spam"]["auc"][0], abs=1e-3)


def test_no_source_is_on_both_sides_of_a_fold(run: Trained) -> None:
    with (run[1] / "predictions.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    homes: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        homes.setdefault((row["policy"], row["group"]), set()).add(row["fold"])
    assert all(len(folds) == 1 for folds in homes.values())


def test_the_report_names_data_and_slices(run: Trained) -> None:
    report = run[2]
    assert set(report["data"]) == {"text", "clips", "fights"}
    assert report["figures"]["ordinary_clips"]["n"] == 4
    assert report["figures"]["violence"]["n"] == 12
    low, high = report["figures"]["hate_harassment"]["auc"][1:]
    assert 0 <= low <= high <= 1


def test_a_second_run_uses_what_is_there_and_gives_the_same_weights(
    run: Trained, tiny_data: Path, tmp_path: Path
) -> None:
    _, work, report, _ = run
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.npz")}
    again = train_prefilter(tiny_data, tmp_path, clips_cache=work, folds=2, clips_scale=0.1)
    assert again["version"] == report["version"]
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.npz")} == before


def test_a_missing_set_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="multihateclip"):
        train_prefilter(tmp_path, tmp_path / "out", clips_cache=tmp_path / "work")
    assert not (tmp_path / "out").exists()
