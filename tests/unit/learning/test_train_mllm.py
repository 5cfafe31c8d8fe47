from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coefvq.errors import SettingsError
from coefvq.learning import mllm_heldout as heldout
from coefvq.learning import mllm_mix, mllm_runs, train_mllm
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm import checkpoint as files
from coefvq.mllm.lexical import count_words
from coefvq.mllm.prompt import posted_lines
from tests.unit.mllm import tiny

RECIPE = mllm_runs.Recipe(split=2, rank=2, alpha=4, batch=8, rate=1e-2, targets=("q_proj",))
COUNTS = {"davidson_tweets": 6, "comments": 4}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small made-up sets in which one word decides."""
    folder = tmp_path_factory.mktemp("data")
    rows = [
        {
            "id": str(n),
            "title": f"clip {n} {'vile' if n % 2 else 'nice'} t{n}",
            "description": None,
            "transcript": f"talk number {n} about w{n} and v{n}",
            "label": "hateful" if n % 2 else "normal",
            "split": "train",
        }
        for n in range(16)
    ]
    (folder / "multihateclip_en_train_valid.jsonl").write_text(
        "\n".join(map(json.dumps, rows)), encoding="utf-8"
    )
    tweets = [
        [kind, f"{kind} tweet {n}"] for kind in ("neither", "hate", "offensive") for n in range(4)
    ]
    _write(folder / "davidson_tweets.csv", ["class", "text"], tweets)
    comments = [
        [f"0{n % 4}", f"{'free money' if n % 3 == 0 else 'nice song'} {n}", str(int(n % 3 == 0))]
        for n in range(24)
    ]
    _write(folder / "youtube_spam_comments.csv", ["source", "text", "is_spam"], comments)
    for name in ("clickbait_headlines.txt", "non_clickbait_headlines.txt"):
        (folder / name).write_text("\n".join(f"news {n} of {name}" for n in range(6)))
    return folder


def _write(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([head, *rows])


@pytest.fixture
def tiny_base(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base = tiny.save_to(tmp_path / "base")
    monkeypatch.setattr(train_mllm, "ensure_base", lambda _: base)
    monkeypatch.setattr(train_mllm, "gguf_path", lambda: base)
    monkeypatch.setattr(train_mllm, "base_hash", lambda _: "tiny")


def _train(data: Path, out: Path, **options: Any) -> dict[str, Any]:
    values = {"folds": 2, "epochs": 1, "cache_dir": out, "recipe": RECIPE} | options
    return train_mllm.train_mllm(data, out, **values)


def test_training_writes_a_checkpoint_that_loads(
    data: Path, tmp_path: Path, tiny_base: None
) -> None:
    said: list[str] = []
    report = _train(data, tmp_path / "out", progress=said.append)
    made = files.load_checkpoint(tmp_path / "out")
    assert made.policies == (HATE, SCAM) and made.base_hash == "tiny"
    assert all(key.startswith("layers.2.self_attn.q_proj.lora_") for key in made.adapter)
    files.merge_adapter(tiny.model(), made.adapter, made.scaling)
    assert report["policies"][HATE]["n"] == 16 and report["policies"][SCAM]["n"] == 24
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == json.loads(
        json.dumps(report)
    )
    assert any("s left" in line for line in said)
    with (tmp_path / "out" / "held_out.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    primary = [row for row in rows if row["part"] in ("video", "comment")]
    assert len({(row["item_id"], row["policy"]) for row in primary}) == len(primary) == 40
    assert all(0.0 <= float(row["probability"]) <= 1.0 for row in rows)


def test_the_same_seed_gives_the_same_bytes_and_resuming_too(
    data: Path, tmp_path: Path, tiny_base: None
) -> None:
    for name in ("one", "two"):
        _train(data, tmp_path / name)
    first, second = ((tmp_path / n / files.TENSORS).read_bytes() for n in ("one", "two"))
    assert first == second
    (tmp_path / "one" / "work" / "run-final.pt").unlink()
    _train(data, tmp_path / "one")
    assert (tmp_path / "one" / files.TENSORS).read_bytes() == first


def test_without_folds_one_part_is_held_out(data: Path, tmp_path: Path, tiny_base: None) -> None:
    report = _train(data, tmp_path / "out", folds=0)
    assert report["folds"] == 1 and 0 < report["policies"][HATE]["n"] < 16


@pytest.mark.parametrize("folds", [1, -2])
def test_bad_folds_are_refused(tmp_path: Path, folds: int) -> None:
    with pytest.raises(SettingsError, match="folds"):
        train_mllm.train_mllm(tmp_path, tmp_path, folds=folds)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--data"):
        train_mllm.train_mllm(tmp_path, tmp_path / "out")


def _items(data: Path) -> list[mllm_runs.Cached]:
    builder = tiny.builder()
    examples = mllm_mix.build_mixture(data, folds=2)
    empty = torch.zeros(0, 32, dtype=torch.bfloat16)
    return [mllm_runs.Cached(e, builder.build(e.lines), empty) for e in examples]


@pytest.mark.parametrize("held", [0, 1])
def test_a_run_never_trains_on_what_it_holds_out(data: Path, held: int) -> None:
    plan = mllm_runs.plan_epochs(_items(data), held, 2, mllm_runs.random.Random(0))
    assert plan and all(item.example.fold != held for item in plan)
    assert not any(item.example.part.endswith(("_held", "_posted")) for item in plan)


def test_overlays_join_only_texts_of_one_fold(data: Path) -> None:
    examples = mllm_mix.build_mixture(data, folds=2)
    fold = {(e.id, e.part): e.fold for e in examples}
    overlays = [e for e in examples if e.part == "overlay"]
    assert overlays
    for one in overlays:
        video, comment = one.id.split("+")
        assert fold[(video, "video")] == fold[(comment, "comment")] == one.fold


def test_the_mixture_is_the_same_each_time(data: Path) -> None:
    assert mllm_mix.build_mixture(data, seed=3) == mllm_mix.build_mixture(data, seed=3)
    assert mllm_mix.build_mixture(data, seed=3) != mllm_mix.build_mixture(data, seed=4)


def test_batches_hold_every_item_once(data: Path) -> None:
    items = _items(data)
    found = mllm_runs.batches(items, 8, mllm_runs.random.Random(1))
    assert sorted(i.example.id + i.example.part for b in found for i in b) == sorted(
        i.example.id + i.example.part for i in items
    )


def _example(target: tuple[int | None, ...], weight: float = 1.0) -> mllm_mix.Example:
    return mllm_mix.Example(
        "i", "video", 0, tuple(posted_lines("title", "x")), target, (weight, weight)
    )


def _cached(example: mllm_mix.Example) -> mllm_runs.Cached:
    prompt = tiny.builder().build(example.lines)
    return mllm_runs.Cached(example, prompt, torch.zeros(len(prompt.ids), 32))


def test_unlabelled_slots_do_not_count_in_the_loss() -> None:
    items = [_cached(_example((1, None)))]
    mass = torch.zeros(1, 2)
    a, b = (mllm_runs.loss_of(torch.tensor([[2.0, x]]), mass, items, 0.1) for x in (-9.0, 9.0))
    assert torch.equal(a, b) and float(a) == pytest.approx(0.1269, abs=1e-3)


def test_low_label_mass_costs() -> None:
    items = [_cached(_example((1, 0)))]
    margin = torch.zeros(1, 2)
    low, high = (mllm_runs.loss_of(margin, torch.full((1, 2), x), items, 0.1) for x in (-5.0, 0.0))
    assert low > high


def _answers(n: int = 400) -> heldout.HeldOut:
    chance = np.random.default_rng(0)
    label = np.arange(n) % 2
    examples = tuple(replace(_example((int(y), None)), fold=i % 5) for i, y in enumerate(label))
    signal = label + chance.normal(size=n)
    noisy = signal + chance.normal(size=n)
    backwards = -(label + chance.normal(size=n))
    return heldout.HeldOut(HATE, examples, 5 * signal, np.ones(n), noisy, backwards)


def test_a_part_that_counts_backwards_is_left_out() -> None:
    label, head, words = heldout.readout_of(_answers()).weights
    assert label > 0.0 and head >= 0.0 and words == 0.0


def test_joining_never_uses_the_own_fold() -> None:
    answers = _answers()
    own = np.array(answers.fold) == 2
    changed = replace(answers, margin=np.where(own, -answers.margin, answers.margin))
    before, after = heldout.cross_fitted(answers), heldout.cross_fitted(changed)
    assert before[own] == pytest.approx(
        heldout.fit_readout(answers.parts[~own], answers.label[~own]).probability(
            answers.parts[own]
        )
    )
    assert not np.allclose(before[~own], after[~own])


def test_the_word_head_learns_the_deciding_word() -> None:
    examples = [replace(_example((n % 2, None)), id=str(n), fold=n % 5) for n in range(40)]
    lines = [posted_lines("title", f"a {'vile' if n % 2 else 'nice'} clip") for n in range(40)]
    head = heldout.fit_words(examples, [count_words(one) for one in lines], HATE, 0)
    vile, nice = (head(count_words(posted_lines("title", word))) for word in ("vile", "nice"))
    assert vile > 0 > nice


def test_figures_are_plausible() -> None:
    answers = _answers()
    found = heldout.figures(answers, [str(n) for n in range(400)])
    low, high = found["auc_interval"]
    assert low < found["auc"] < high and 0.65 < found["auc"] < 0.85
    assert found["debiased_ece"] < 0.1 and found["positives"] == 200
    assert set(found["auc_by_fold"]) == set("01234")


def test_the_head_never_sees_the_held_out_fold() -> None:
    chance = np.random.default_rng(1)
    examples = [
        replace(_example((n % 2, None)), id=str(n), fold=n % 2 if n < 40 else n % 3)
        for n in range(120)
    ]
    states = chance.normal(size=(120, 8))
    groups = [str(n) for n in range(120)]
    first = heldout.fit_head(examples, states, HATE, 0, groups=groups)
    states[[e.fold == 0 for e in examples]] += 100.0
    second = heldout.fit_head(examples, states, HATE, 0, groups=groups)
    assert np.array_equal(first.weights, second.weights)
