"""Fitting how two models' held-out answers are combined."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from coefvq.errors import CoefVQError
from coefvq.learning.fit_combination import fit_pairs, main
from coefvq.learning.fused.mixture import ALIGN_VIDEO
from coefvq.mllm.fused.readout import PARTS
from coefvq.routing.calibration import sigmoid

N = 400
COLUMNS = ("item_id", "part", "policy", "fold", "label", *PARTS, "mass", "probability")


def _files(
    folder: Path, shared: bool = True, policy: str = "hate_harassment", part: str = "video"
) -> tuple[Path, Path]:
    """Two models that each see half of the evidence."""
    rng = np.random.default_rng(3)
    label = rng.random(N) < 0.3
    sign = 2.0 * label - 1
    p1, p2 = (sigmoid(strength * sign + rng.normal(size=N)) for strength in (0.7, 1.0))
    first, second = folder / "predictions.csv", folder / "held_out.csv"
    with first.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(["policy", "item", "probability"])
        rows.writerows([policy, f"a/{i}" if shared else f"z/{i}", p1[i]] for i in range(N))
    with second.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(COLUMNS)
        for kind, p in ((part, p2), (f"{part}_moved", np.full(N, 0.5))):
            known = ([f"a/{i}", kind, policy, i % 4, int(label[i]), *[0.0] * 5] for i in range(N))
            rows.writerows([*row, p[i]] for i, row in enumerate(known))
    return first, second


def test_both_stages_together_beat_each(tmp_path: Path) -> None:
    found = fit_pairs(*_files(tmp_path))["hate_harassment"]
    assert found["n"] == N
    assert found["auc"]["both"] > max(found["auc"]["prefilter"], found["auc"]["mllm"])
    assert found["log_loss"]["both"] < min(
        found["log_loss"]["prefilter"], found["log_loss"]["mllm"]
    )
    assert found["combination"]["prefilter"] > 0.3


@pytest.mark.parametrize(
    ("policy", "part", "count"),
    [
        ("hate_harassment", "video", N),
        ("violence", "fights", N),
        # The first phase of the training saw the comments of one of the four videos.
        ("scam_spam", "comment", N * 3 // 4),
        ("hate_harassment", "composed_speech", None),
    ],
)
def test_only_what_both_saw_and_no_training_did_is_used(
    tmp_path: Path, policy: str, part: str, count: int | None
) -> None:
    files = _files(tmp_path, policy=policy, part=part)
    if count is None:
        with pytest.raises(CoefVQError, match="no item in common"):
            fit_pairs(*files)
    else:
        assert fit_pairs(*files)[policy]["n"] == count
    assert ALIGN_VIDEO == 0


def test_files_without_a_common_item_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CoefVQError, match="no item in common"):
        fit_pairs(*_files(tmp_path, shared=False))


def test_another_pair_of_models_is_kept_and_the_same_pair_is_replaced(tmp_path: Path) -> None:
    first, second = map(str, _files(tmp_path))
    out = tmp_path / "combinations.json"

    def run(prefilter: str) -> None:
        names = ["--prefilter-version", prefilter, "--mllm-version", "m", "--out", str(out)]
        result = CliRunner().invoke(main, [first, second, *names])
        assert result.exit_code == 0, result.output

    for version in ("one", "two", "one"):
        run(version)
    pairs = json.loads(out.read_text())["pairs"]
    assert sorted(pair["prefilter"] for pair in pairs) == ["one", "two"]
