from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coefvq.domain import CheapSignals, ExpensiveSignals, PostedText, Stage
from coefvq.errors import MediaError, TrainingError, TrainingStopped
from coefvq.learning.candidate import Candidate
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo
from coefvq.learning.measures import auc
from coefvq.learning.monitor import Quiet
from coefvq.learning.refit import work
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.run import refit_prefilter
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.weights import DESCRIPTION, TENSORS, load
from tests.unit.learning.refit.conftest import NOVEL, SCAM, VIOLENCE, make_films, make_items

NOTHING = GivenSignals()


def _p(prefilter: Prefilter, text: str, policy: str = SCAM) -> float:
    found = prefilter.assess(None, PostedText(text)).scores[policy].probability
    assert found is not None
    return found


def _auc(folder: Path, items: list[LabelledVideo], signals: Any = NOTHING) -> float:
    prefilter, (policy,) = Prefilter.load(folder=folder), items[0].labels
    held = [item for item in items if item.split == "test"]
    scores = [prefilter.assess(signals.cheap(i), i.posted).scores[policy].probability for i in held]
    return auc([item.labels[policy] for item in held], [score or 0.0 for score in scores])


@pytest.fixture(scope="module")
def refitted(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    return refit_prefilter(make_items(), NOTHING, root, tmp_path_factory.mktemp("run"))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_words_that_the_root_never_met_are_learnt_and_its_own_are_kept(
    refitted: Candidate, root: Path
) -> None:
    before, after = Prefilter.load(folder=root), Prefilter.load(folder=refitted.folder)
    assert _auc(root, make_items()) < 0.65 and _auc(refitted.folder, make_items()) > 0.95
    assert _p(after, "a zorbex") > 0.5 > _p(after, "a quiet morning")
    assert _p(after, "a gift") > 0.8 and _p(before, "a gift") > 0.8
    assert (refitted.stage, refitted.parent) == (Stage.PREFILTER, before.version)


def test_the_candidate_is_whole_and_says_what_it_is(refitted: Candidate) -> None:
    assert sorted(_bytes(refitted.folder)) == [DESCRIPTION, TENSORS]
    assert load(refitted.folder)[1] == refitted.version
    figures = refitted.metrics["policies"][SCAM]
    assert figures["after"]["auc"] > 0.95 and figures["gain"] > 0
    assert refitted.metrics["adjusted"] == [SCAM]
    assert json.loads(json.dumps(refitted.metrics)) == refitted.metrics
    assert RefitOptions.of(refitted.options) == RefitOptions()


def test_what_was_learnt_is_named(refitted: Candidate) -> None:
    prefilter = Prefilter.load(folder=refitted.folder)
    moved = prefilter.assess(None, PostedText("morning zorbex")).contributions[SCAM]
    assert moved[0][0] == "caption wording: 'zorbex'" and moved[0][1] > 1


def test_the_same_decisions_in_any_order_give_the_same_bytes(
    refitted: Candidate, root: Path, tmp_path: Path
) -> None:
    again = refit_prefilter(make_items()[::-1], NOTHING, root, tmp_path)
    assert again.version == refitted.version
    assert _bytes(again.folder) == _bytes(refitted.folder)


def test_test_and_golden_videos_are_not_looked_at(
    refitted: Candidate, root: Path, tmp_path: Path
) -> None:
    class Closed(GivenSignals):
        def cheap(self, item: LabelledVideo) -> CheapSignals | None:
            assert item.split in ("train", "validation")
            return None

    kept = [
        replace(item, labels={SCAM: 1 - item.labels[SCAM]}, split="golden")
        if item.split == "test"
        else item
        for item in make_items()
    ]
    assert refit_prefilter(kept, Closed(), root, tmp_path).version == refitted.version


def test_a_refit_of_a_refit_begins_at_the_root(
    refitted: Candidate, root: Path, tmp_path: Path
) -> None:
    again = refit_prefilter(make_items(), NOTHING, refitted.folder, tmp_path)
    assert (again.version, again.parent) == (refitted.version, refitted.version)
    assert again.metrics["root"] == refitted.metrics["root"] == refitted.parent
    assert _bytes(again.folder) == _bytes(refitted.folder)


class Stopper(Quiet):
    """Stops at the n-th question; counts the plans that were tried."""

    def __init__(self, after: int):
        self.after, self.tried = after, 0

    def check(self) -> None:
        self.after -= 1
        if self.after < 0:
            raise TrainingStopped("stopped")

    def loss(self, step: int, name: str, value: float) -> None:
        self.tried += name == "held out"


@pytest.fixture(scope="module")
def two_policies() -> list[LabelledVideo]:
    return [
        replace(item, labels={SCAM: item.labels[SCAM], NOVEL: item.labels[SCAM]})
        for item in make_items(80)
    ]


def test_a_stopped_refit_goes_on_where_it_was(
    two_policies: list[LabelledVideo], root: Path, tmp_path: Path
) -> None:
    whole = Stopper(10_000)
    expected = refit_prefilter(two_policies, NOTHING, root, tmp_path / "a", monitor=whole)
    with pytest.raises(TrainingStopped):
        refit_prefilter(
            two_policies, NOTHING, root, tmp_path / "b", monitor=Stopper(10 + whole.tried // 2)
        )
    assert not (tmp_path / "b" / "model").exists()
    rest = Stopper(10_000)
    resumed = refit_prefilter(two_policies, NOTHING, root, tmp_path / "b", monitor=rest)
    assert 0 < rest.tried < whole.tried
    assert _bytes(resumed.folder) == _bytes(expected.folder)


@pytest.mark.parametrize("where", ["work", "model"])
def test_a_full_disk_says_so_and_the_work_is_kept(
    where: str, two_policies: list[LabelledVideo], root: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    real, calls = getattr(work, "save_file" if where == "work" else "save"), []

    def full(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if where == "model" or len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **more)

    monkeypatch.setattr(work, "save_file" if where == "work" else "save", full)
    with pytest.raises(TrainingError, match=r"disk is full.*resume"):
        refit_prefilter(two_policies, NOTHING, root, tmp_path)
    monkeypatch.undo()
    assert not list(tmp_path.rglob("*.part")) and not (tmp_path / "model").exists()
    rest = Stopper(10_000)
    made = refit_prefilter(two_policies, NOTHING, root, tmp_path, monitor=rest)
    assert rest.tried == 0 if where == "model" else rest.tried > 0
    assert load(made.folder)[1] == made.version


def test_damaged_work_is_done_again(refitted: Candidate, root: Path, tmp_path: Path) -> None:
    refit_prefilter(make_items(), NOTHING, root, tmp_path)
    for path in (tmp_path / "work").rglob("*.safetensors"):
        path.write_bytes(b"not it")
    assert refit_prefilter(make_items(), NOTHING, root, tmp_path).version == refitted.version


def _with(items: list[LabelledVideo], **changes: Any) -> list[LabelledVideo]:
    return [replace(item, **changes) for item in items]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        pytest.param([], "no decisions in the training part", id="nothing"),
        pytest.param(_with(make_items(40), split="test"), "no decisions in", id="only test"),
        pytest.param(_with(make_items(40), labels={}), "no decisions in", id="no labels"),
        pytest.param(_with(make_items(40), labels={SCAM: 1}), "one class only", id="one class"),
        pytest.param(
            _with(make_items(40), weights={SCAM: 0.0}), "no decisions on it", id="all contradict"
        ),
        pytest.param(
            _with(make_items(40), weights={SCAM: float("nan")}), "no decisions", id="no trust"
        ),
        pytest.param(_with(make_items(40), labels={"gone": 1}), "policy in force", id="gone"),
        pytest.param(make_items(6), "of each are needed", id="too few"),
        pytest.param(make_items(40, NOVEL), "20 each", id="too few of a new policy"),
        pytest.param(
            _with(make_items(40), language="de"), "no decisions on it", id="another language"
        ),
        pytest.param(make_items(160, noise=0.5, seed=3), "held out", id="coin flips"),
        pytest.param(make_items(160, NOVEL, noise=0.5, seed=3), "held out", id="coin flips, new"),
    ],
)
def test_what_cannot_be_learnt_is_refused_with_the_reason(
    items: list[LabelledVideo], words: str, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=words):
        refit_prefilter(items, NOTHING, root, tmp_path)
    assert not (tmp_path / "model").exists()


def test_people_who_contradict_each_other_do_not_outweigh_those_who_agree(
    root: Path, tmp_path: Path
) -> None:
    """A third of the videos has the wrong label, which the votes hardly carry."""
    items = [
        replace(item, labels={SCAM: 1 - item.labels[SCAM]}, weights={SCAM: 0.1})
        if number % 3 == 0 and item.split != "test"
        else item
        for number, item in enumerate(make_items())
    ]
    made = refit_prefilter(items, NOTHING, root, tmp_path)
    assert _auc(made.folder, make_items()) > 0.9


@pytest.mark.parametrize("group", [None, "one uploader"], ids=["groups", "one group"])
def test_without_a_validation_part_or_groups_it_still_learns(
    group: str | None, root: Path, tmp_path: Path
) -> None:
    items = [
        replace(item, split="train", group=group or item.group)
        for item in make_items()
        if item.split != "test"
    ]
    made = refit_prefilter(items, NOTHING, root, tmp_path)
    figures = made.metrics["policies"][SCAM]
    assert (figures["validation"], figures["folds_by"]) == (0, "video" if group else "group")
    assert _auc(made.folder, make_items()) > 0.95


def test_a_new_policy_is_answered_once_it_is_learnt(root: Path, tmp_path: Path) -> None:
    items = make_items(160, NOVEL)
    made = refit_prefilter(items, NOTHING, root, tmp_path)
    prefilter = Prefilter.load(folder=made.folder)
    assert NOVEL in made.covers and NOVEL in prefilter.covers
    assert _auc(made.folder, items) > 0.95
    share = np.mean([item.labels[NOVEL] for item in items])
    empty = prefilter.assess(None, PostedText()).scores[NOVEL].probability
    assert empty == pytest.approx(float(share), abs=0.1)
    assert _p(prefilter, "a gift") == pytest.approx(_p(Prefilter.load(folder=root), "a gift"))


def test_pictures_are_learnt_too_and_bad_numbers_do_no_harm(root: Path, tmp_path: Path) -> None:
    items, signals = make_films()
    odd = dict(signals.by_video)
    first, second, third = (item.video_id for item in items[:3])
    broken = np.array([np.nan, np.inf], np.float32)
    odd[first] = (replace(odd[first][0], motion=broken), ExpensiveSignals("test"))  # type: ignore[type-var]
    odd[second] = (
        replace(odd[second][0], motion=np.zeros(7, np.float32)),  # type: ignore[type-var]
        ExpensiveSignals("test"),
    )

    class Missing(GivenSignals):
        def cheap(self, item: LabelledVideo) -> CheapSignals | None:
            if item.video_id == third:
                raise MediaError("gone")
            return super().cheap(item)

    made = refit_prefilter(items, Missing(odd), root, tmp_path)
    assert _auc(made.folder, items, signals) > _auc(root, items, signals) + 0.1
    assert made.metrics["skipped"] == {
        "its signals are damaged or of another version": 1,
        "the file cannot be read any more": 1,
    }
    moved = Prefilter.load(folder=made.folder).assess(signals.cheap(items[5]), PostedText())
    assert VIOLENCE in moved.contributions


def test_mistakes_alone_leave_the_calibration(root: Path, tmp_path: Path) -> None:
    """Every decision contradicts the root: how often it is right cannot be seen from them."""
    items = [
        replace(item, labels={SCAM: 1 - item.labels[SCAM]}, corrected=frozenset({SCAM}))
        for item in make_items(160, word="gift gift gift")
    ]
    made = refit_prefilter(items, NOTHING, root, tmp_path)
    figures, trained = made.metrics["policies"][SCAM], load(made.folder)[0]
    assert figures["picked_mistakes"] and float(figures["reads"].split()[1]) >= 1
    assert (trained.calibration[SCAM].a, trained.calibration[SCAM].b) == (1.0, 0.0)


@pytest.mark.parametrize("how", ["missing", "pickle", "format", "text"])
def test_a_parent_that_cannot_be_read_is_named(how: str, root: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    for name, data in _bytes(root).items():
        (parent / name).write_bytes(data)
    if how == "missing":
        (parent / TENSORS).unlink()
    elif how == "pickle":
        (parent / TENSORS).write_bytes(b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.")
    elif how == "format":
        body = json.loads((parent / DESCRIPTION).read_text())
        (parent / DESCRIPTION).write_text(json.dumps(body | {"format": 3}))
    else:
        (parent / DESCRIPTION).write_text("[]")
    with pytest.raises(TrainingError, match="cannot be read"):
        refit_prefilter(make_items(), NOTHING, parent, tmp_path / "run")


def test_videos_without_a_word_measure_their_own_rate(root: Path, tmp_path: Path) -> None:
    silent = [
        LabelledVideo(f"s{n}", None, PostedText(), f"s{n}", "train", {SCAM: int(n % 2)})
        for n in range(60)
    ]
    made = refit_prefilter([*make_items(), *silent], NOTHING, root, tmp_path)
    rate = Prefilter.load(folder=made.folder).assess(None, PostedText()).scores[SCAM].probability
    assert rate == pytest.approx((20 * 0.04 + 30) / 80)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"speed": 3}, "no option speed", id="unknown"),
        pytest.param({"folds": "many"}, "no number", id="text"),
        pytest.param({"folds": 1}, "2 to 10 folds", id="folds"),
        pytest.param({"anchor": float("nan")}, "at least 0", id="nan"),
        pytest.param({"emphasis": 0.5}, "at least 1", id="emphasis"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        RefitOptions.of(given)
