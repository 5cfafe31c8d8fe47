"""Loss, draws, heads, joint weights and options of the fine-tune, each by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from coefvq.errors import TrainingError
from coefvq.learning.monitor import Quiet
from coefvq.learning.tune.choose import choose, tasks_of
from coefvq.learning.tune.given import differs, drawn_without
from coefvq.learning.tune.heads import Rows, blank_states, blank_words, refit_states, refit_words
from coefvq.learning.tune.joint import Join, best_threshold, join_parts, line
from coefvq.learning.tune.network import drawn_steps
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.parent import Parent
from coefvq.learning.tune.policies import Task, parent_logits, weighed
from coefvq.learning.tune.preference import preference_loss
from coefvq.learning.tune.states import DROPPED, PLAIN, Kept, read_states
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.fused.shipped import read_shipped
from coefvq.mllm.fused.words import count_words
from tests.unit.learning.tune import toys
from tests.unit.mllm import tiny_backend as tiny
from tests.unit.mllm.fused import parts

NAN = float("nan")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        yield tiny.install(patch, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def kept(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Kept]:
    parent = Parent.open(read_shipped(checkpoint), checkpoint.parent)
    chosen = choose(toys.videos(), toys.QUICK)
    found = read_states(
        [*chosen.train, *chosen.held], toys.Heard(), parent, tmp_path_factory.mktemp("states"),
        seed=0, monitor=Quiet(),
    )  # fmt: skip
    return found.kept


def test_the_parent_says_what_the_stage_says(checkpoint, kept) -> None:
    readout = read_shipped(checkpoint).readout
    task = tasks_of(kept, readout, tiny.POLICIES, toys.QUICK)[0][0]
    backend, logits = tiny.load(checkpoint), parent_logits(task, kept)
    for one, logit in zip(kept[:6], logits, strict=False):
        given = MllmInput(one.video.posted, toys.Heard().expensive(one.video), None)
        wanted = backend.assess(given).scores[toys.SCAM].probability
        assert 1 / (1 + np.exp(-logit)) == pytest.approx(wanted, abs=2e-4)


@pytest.mark.parametrize(
    ("logit", "reference", "target", "loss"),
    [
        (0.0, 0.0, 1.0, np.log(2)), (2.0, 0.0, 1.0, np.log1p(np.exp(-1.0))),
        (2.0, 0.0, 0.0, np.log1p(np.exp(1.0))), (5.0, 5.0, 0.0, np.log(2)), (9.0, 0.0, NAN, 0.0),
    ],
    ids=["as the parent", "towards", "away", "only the change counts", "not labelled"],
)  # fmt: skip
def test_preference_is_of_the_change_of_the_margin(logit, reference, target, loss) -> None:
    values = (torch.tensor([[x]]) for x in (logit, reference, target))
    found = preference_loss(*values, torch.ones(1, 1), beta=0.5)
    assert float(found) == pytest.approx(loss, abs=1e-6)


def test_preference_weighs_only_where_the_parent_was_wrong() -> None:
    logits = torch.tensor([[0.3, -2.0]], requires_grad=True)
    loss = preference_loss(
        logits, torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([[1.0, 0.0]]), 0.5
    )
    loss.backward()
    assert logits.grad is not None and logits.grad[0, 0] < 0 == logits.grad[0, 1]


@pytest.mark.parametrize("most", [0, 7, 40, 10_000])
def test_item_steps_are_capped_and_half_see_dropout(kept, most) -> None:
    options = replace(toys.QUICK, item_steps=most, epochs=2)
    steps = drawn_steps(kept, options)
    numbers = [number for step in steps for number in step]
    assert len(numbers) == min(most, 2 * len(kept))
    assert steps == drawn_steps(kept, options)
    assert all(len(step) <= options.batch for step in steps)
    assert all(DROPPED in kept[n % len(kept)].forms for n in numbers if n >= len(kept))
    if most > 2 * len(kept):
        assert any(number >= len(kept) for number in numbers)


def test_dropout_leaves_a_place_of_words_and_a_sense(kept) -> None:
    item = parts.item(1)
    for number in range(200):
        cut = drawn_without(toys.video(number), item, 0)
        assert cut.motion is not None or cut.frame_features is not None
        assert cut.posted.caption or cut.speech or cut.screen_text
    assert differs(item, replace(item, speech=None)) and not differs(item, item)
    assert {PLAIN, DROPPED} == {form for one in kept for form in one.forms}


def rows(kept: list[Kept]) -> Rows:
    labels = np.array([one.video.labels[toys.SCAM] for one in kept], np.float64)
    return Rows(kept, labels, np.ones(len(kept)))


def test_heads_move_towards_the_labels(checkpoint, kept) -> None:
    before = read_shipped(checkpoint).readout.policies[toys.SCAM]
    some = rows(kept)
    sign = 2 * some.labels - 1
    states, _ = refit_states(before.states, some)
    words, fitted = refit_words(before.words, some)
    for old, new, read in ((before.states, states, "pooled"), (before.words, words, "words")):
        gain = [new(getattr(one, read)) - old(getattr(one, read)) for one in kept]
        assert float(np.mean(sign * np.array(gain))) > 0
    assert np.isfinite(words.weight).all() and np.mean(sign * fitted.held) > 0


def test_a_new_head_knows_only_the_words_it_met_twice(kept) -> None:
    words, _ = refit_words(blank_words(), rows(kept), known=False)
    assert words(count_words(["lottery giveaway"])) > words(count_words(["garden bread"]))
    assert words(count_words(["xyzzy"])) == pytest.approx(words.bias)
    states = blank_states(("text", "sound"), kept)
    assert [name for name, _ in states.inputs] == ["text", "sound"] and not states.weights.any()


def test_joint_weights_stay_near_the_parent_without_evidence() -> None:
    start = Join(np.array([0.0, 0.2, 0.5, 0.4]), -0.3)
    nothing = join_parts(np.zeros((2, 4)), np.array([0.0, 1.0]), np.zeros(2), start)
    assert np.allclose(nothing.weights, start.weights) and nothing.intercept == start.intercept
    chance = np.random.default_rng(0)
    labels = (np.arange(400) % 2).astype(float)
    seen = np.column_stack([-(2 * labels - 1), chance.normal(size=(400, 2)), 2 * (2 * labels - 1)])
    moved = join_parts(seen, labels, np.ones(400), start)
    assert moved.weights[3] > start.weights[3] and moved.weights[0] == 0.0


def test_the_line_mends_a_shift_and_few_items_change_nothing() -> None:
    chance = np.random.default_rng(1)
    truth = chance.normal(size=2000) * 2
    labels = (chance.uniform(size=2000) < 1 / (1 + np.exp(-truth))).astype(float)
    slope, shift = line(truth + 1.5, labels, np.ones(2000))
    assert slope == pytest.approx(1.0, abs=0.12) and shift == pytest.approx(-1.5, abs=0.25)
    assert best_threshold(truth[:5], labels[:5], 0.37) == 0.37
    assert 0.3 < best_threshold(truth, labels, 0.9) < 0.7


def test_too_many_videos_are_thinned_and_stand_for_the_rest() -> None:
    items = toys.videos(100)
    chosen = choose(items, replace(toys.QUICK, items=40))
    train = [one for one in items if one.split == "train"]
    corrected = [one for one in train if one.corrected]
    kept_ids = {one.video_id for one in chosen.train}
    assert len(chosen.train) == 40 and {one.video_id for one in corrected} <= kept_ids
    others = [one for one in chosen.train if not one.corrected]
    assert sum(1 / one.propensity for one in others) == pytest.approx(len(train) - len(corrected))
    assert all(one.propensity == 1.0 for one in chosen.train if one.corrected)


def test_weights_are_trust_and_capped_propensity_of_the_policy(kept) -> None:
    some = [(one, one.video.labels[toys.SCAM]) for one in kept[:20]]
    rare = replace(
        some[0][0].video, propensities={toys.SCAM: 1e-3}, weights={toys.SCAM: 0.5},
        corrected=frozenset(),
    )  # fmt: skip
    some[0] = (replace(some[0][0], video=rare), some[0][1])
    task = Task(toys.SCAM, None, None, 0.5, [], [])
    options = replace(toys.QUICK, heaviest=4.0, distance=9.0)
    calm = [(replace(one, video=replace(one.video, corrected=frozenset())), y) for one, y in some]
    found = weighed(task, calm, replace(options, distance=0.0), 1.0).weights
    assert found[0] == pytest.approx(2 * found[1])  # half the trust, four times the rarity
    assert float(found.mean()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"item_steps": -1}, "at least 0"), ({"beta": NAN}, "at least 0"), ({"batch": 0}, "batch"),
        ({"steps": 3}, "no option steps"), ({"items": "many"}, "no number"),
    ],
    ids=["negative", "nan", "no batch", "unknown", "words"],
)  # fmt: skip
def test_options_without_sense_are_refused(given, words) -> None:
    with pytest.raises(TrainingError, match=words):
        TuneOptions.of(given)


def test_options_survive_json() -> None:
    assert TuneOptions.of(toys.QUICK.to_json()) == toys.QUICK
