"""The whole fine-tune over a tiny random checkpoint: result, refusals, stop, resume, full disk."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from coefvq.domain import PostedText
from coefvq.errors import ModelError, TrainingError, TrainingStopped
from coefvq.learning.fused import fit
from coefvq.learning.tune import run, states
from coefvq.learning.tune.network import TRAINING
from coefvq.learning.tune.run import tune_mllm
from coefvq.learning.tune.states import LOOKING
from coefvq.mllm.fused.shipped import read_shipped
from coefvq.mllm.fused.trained import read_trained
from tests.unit.learning.tune import toys
from tests.unit.mllm import tiny_backend as tiny


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        yield tiny.install(patch, tmp_path_factory.mktemp("tiny"))


def tuned(checkpoint: Path, out: Path, items=None, signals=None, **more):
    given = {"options": toys.QUICK, "cache_dir": checkpoint.parent} | more
    items = toys.videos() if items is None else items
    return tune_mllm(items, signals or toys.Heard(), checkpoint, out, **given)


@pytest.fixture(scope="module")
def made(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory):
    out, watch = tmp_path_factory.mktemp("out"), toys.Watch()
    return tuned(checkpoint, out, monitor=watch), watch


def test_a_candidate_is_a_checkpoint_of_its_own_version(made, checkpoint) -> None:
    candidate, _ = made
    found = read_shipped(candidate.folder)
    assert (
        found.version == candidate.version != candidate.parent == read_shipped(checkpoint).version
    )
    assert candidate.covers == set(tiny.POLICIES) == found.readout.policies.keys()
    names = {"fused.json", "fused.safetensors", "readout.json", "readout.safetensors"}
    assert {path.name for path in candidate.folder.iterdir()} == names
    assert json.loads(json.dumps(candidate.metrics)) == candidate.metrics
    assert candidate.options["items"] == toys.QUICK.items


def test_it_answers_videos(made, checkpoint) -> None:
    backend = tiny.load(made[0].folder)
    found = backend.assess(tiny.item())
    assert {n for n, one in found.scores.items() if one.covered} == set(tiny.POLICIES)
    assert found.model_version == made[0].version


def test_it_learns_what_people_said(made) -> None:
    found = made[0].metrics["policies"][toys.SCAM]["cross_fitted"]
    assert found["candidate"]["auc"] > 0.9
    assert found["candidate"]["log_loss"] < found["parent"]["log_loss"]


def test_only_the_open_half_and_the_labelled_policies_change(made, checkpoint) -> None:
    before, after = read_trained(checkpoint)[2], read_trained(made[0].folder)[2]
    assert before.keys() == after.keys()
    changed = {name for name in before if not before[name].equal(after[name])}
    assert any("lora_" in name for name in changed)
    assert all("layers.0." not in name and not name.startswith("early.") for name in changed)
    old, new = (read_shipped(at).readout.policies for at in (checkpoint, made[0].folder))
    for name in ("violence", "hate_harassment"):
        assert (old[name].weights, old[name].intercept) == (new[name].weights, new[name].intercept)
        assert (old[name].states.weights == new[name].states.weights).all()
    assert (old[toys.SCAM].states.weights != new[toys.SCAM].states.weights).any()


def test_progress_and_losses_are_told(made) -> None:
    watch = made[1]
    assert all(done == total for done, total in watch.parts.values())
    assert {LOOKING, TRAINING} < watch.parts.keys()
    assert {name for _, name, _ in watch.losses} == {"training", "held out"}


def test_test_and_golden_are_never_looked_at(checkpoint, tmp_path) -> None:
    signals = toys.Heard()
    tuned(checkpoint, tmp_path, signals=signals, options=replace(toys.QUICK, item_steps=0))
    kept = {one.video_id for one in toys.videos() if one.split in ("train", "validation")}
    assert set(signals.asked) == kept


@pytest.mark.parametrize(
    ("what", "at"), [(LOOKING, 30), (TRAINING, 3), ("fitting the readout", 0)],
    ids=["reading", "training", "fitting"],
)  # fmt: skip
def test_a_stopped_run_ends_with_the_same_bytes(made, checkpoint, tmp_path, what, at) -> None:
    with pytest.raises(TrainingStopped):
        tuned(checkpoint, tmp_path, monitor=toys.Watch(what, at))
    assert not (tmp_path / "model").exists()
    signals = toys.Heard()
    candidate = tuned(checkpoint, tmp_path, signals=signals)
    assert toys.files(candidate.folder) == toys.files(made[0].folder)
    assert len(signals.asked) < len(toys.videos())  # not all was read again


class _Killed(BaseException):
    """Nothing may catch this."""


class _Killer(toys.Watch):
    def loss(self, step: int, name: str, value: float) -> None:
        if step == 5:
            raise _Killed


def test_a_killed_run_goes_on_from_what_was_kept(made, checkpoint, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(fit, "_SAVE_EVERY", 2)
    with pytest.raises(_Killed):
        tuned(checkpoint, tmp_path, monitor=_Killer())
    assert (tmp_path / "work" / "network.partial").is_file()
    watch = toys.Watch()
    candidate = tuned(checkpoint, tmp_path, monitor=watch)
    assert min(step for step, _, _ in watch.losses) == 5
    assert toys.files(candidate.folder) == toys.files(made[0].folder)


def test_another_run_does_not_take_its_work(checkpoint, tmp_path) -> None:
    with pytest.raises(TrainingStopped):
        tuned(checkpoint, tmp_path, monitor=toys.Watch(LOOKING, 1))
    with pytest.raises(TrainingError, match="another training"):
        tuned(checkpoint, tmp_path, options=replace(toys.QUICK, seed=1))


ONE = [toys.relabelled(one, labels={toys.SCAM: 1}) for one in toys.videos()]
NONE = [toys.relabelled(one, labels={}) for one in toys.videos()]
HELD = [toys.relabelled(one, split="golden") for one in toys.videos()]
ODD = [toys.relabelled(one, labels={toys.SCAM: float("nan")}) for one in toys.videos()]
FEW = toys.videos(6)
FOREIGN = [toys.relabelled(one, posted=PostedText("бесплатная лотерея")) for one in toys.videos()]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "no corrections"), (NONE, "no corrections"), (HELD, "no corrections"),
        (ODD, "no corrections"), (ONE, "say the same"), (FEW, "5 of each are needed"),
        (FOREIGN, "0 violations and 0 others that the model can read"),
    ],
    ids=["empty", "no labels", "only golden", "no numbers", "one class", "too few", "foreign"],
)  # fmt: skip
def test_what_cannot_be_learnt_is_said(checkpoint, tmp_path, items, words) -> None:
    with pytest.raises(TrainingError, match=words):
        tuned(checkpoint, tmp_path, items)


def test_missing_and_broken_media_are_counted(checkpoint, tmp_path) -> None:
    signals = toys.Heard(gone=frozenset({"v000", "v001"}), broken=frozenset({"v002"}))
    found = tuned(checkpoint, tmp_path, signals=signals, options=replace(toys.QUICK, item_steps=0))
    assert found.metrics["skipped"] == {"the file cannot be read any more": 2}


def test_broken_numbers_do_not_spread(checkpoint, tmp_path) -> None:
    signals = toys.Heard(broken=frozenset(one.video_id for one in toys.videos()))
    items = [
        toys.relabelled(one, weights={toys.SCAM: float("nan") if at % 5 == 0 else 1.0})
        for at, one in enumerate(toys.videos())
    ]
    found = tuned(checkpoint, tmp_path, items, signals)
    for tensor in read_trained(found.folder)[2].values():
        assert tensor.isfinite().all()


@pytest.mark.parametrize("what", ["states", "network", "model"])
def test_a_full_disk_is_said_and_the_work_goes_on(made, checkpoint, tmp_path, what) -> None:
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    places = {"states": (states, "write_whole"), "network": (fit, "save_atomically"),
              "model": (run, "save_readout")}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*places[what], full)
        with pytest.raises(TrainingError, match="no space left"):
            tuned(checkpoint, tmp_path)
    assert not (tmp_path / "model").exists()
    assert toys.files(tuned(checkpoint, tmp_path).folder) == toys.files(made[0].folder)


@pytest.mark.parametrize("name", ["fused.safetensors", "readout.safetensors"])
def test_a_truncated_parent_is_refused(checkpoint, tmp_path, name) -> None:
    broken = tmp_path / "parent"
    broken.mkdir()
    for path, content in toys.files(checkpoint).items():
        (broken / path).write_bytes(content[: len(content) // 2] if path == name else content)
    with pytest.raises(ModelError):
        tune_mllm(
            toys.videos(), toys.Heard(), broken, tmp_path / "out",
            options=toys.QUICK, cache_dir=checkpoint.parent,
        )  # fmt: skip


def test_a_truncated_chunk_is_computed_again(made, checkpoint, tmp_path) -> None:
    with pytest.raises(TrainingStopped):
        tuned(checkpoint, tmp_path, monitor=toys.Watch(LOOKING, 30))
    for path in (tmp_path / "work" / "states").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    assert toys.files(tuned(checkpoint, tmp_path).folder) == toys.files(made[0].folder)


def test_a_new_policy_is_read_from_words(checkpoint, tmp_path) -> None:
    """It has no slot: the readout's own heads answer it, or it stays not covered and says so."""
    both = {"sexual": lambda n: n % 2, "dangerous_acts": lambda n: (n // 2) % 2}
    items = [
        toys.relabelled(one, labels={name: say(at) for name, say in both.items()})
        for at, one in enumerate(toys.videos(80))
    ]
    found = tuned(checkpoint, tmp_path, items)
    assert found.covers == {*tiny.POLICIES, "sexual"}
    figures = found.metrics["policies"]
    assert figures["sexual"]["new"] and not figures["dangerous_acts"]["covered"]
    assert "chance" in figures["dangerous_acts"]["why_not"]
    backend = tiny.load(found.folder)
    item = tiny.item(title="giveaway lottery")
    assessed = backend.assess(item)
    assert assessed.scores["sexual"].covered and assessed.scores["sexual"].label_mass is None
    assert backend.explain(item, assessed).summary
