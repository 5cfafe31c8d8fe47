from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from coefvq.learning.fused.fit import Rates, batches, fit, load_into

RATES = Rates(adapter=0.05, projector=0.05, head=0.05)
X = torch.arange(24.0).reshape(8, 3).sin()
Y = (X.sum(1) > 0).float()
STEPS = [[n % 8, (n + 3) % 8] for n in range(130)]


class Stopped(Exception):
    """The power fails."""


class Toy:
    """A logistic model with dropout, so that a resumed run must draw the same numbers."""

    def __init__(self, stop_at: int | None = None):
        self.parameters = {
            "early.weight": nn.Parameter(torch.zeros(3)),
            "head.bias": nn.Parameter(torch.zeros(1)),
            "layer.lora_A": nn.Parameter(torch.ones(3)),
        }
        self.seen: list[int] = []
        self._stop_at = stop_at

    def loss(self, rows: Sequence[int], seed: int) -> Tensor:
        if len(self.seen) == self._stop_at:
            raise Stopped
        self.seen.append(seed)
        weight = self.parameters["early.weight"] * self.parameters["layer.lora_A"]
        x = nn.functional.dropout(X[list(rows)], 0.2)
        logits = x @ weight + self.parameters["head.bias"]
        return nn.functional.binary_cross_entropy_with_logits(logits, Y[list(rows)])


def _fit(toy: Toy, place: Path, seed: int = 0, steps: Sequence[Sequence[int]] = STEPS
         ) -> dict[str, Tensor]:  # fmt: skip
    return fit(
        toy.loss, steps, toy.parameters, place, RATES, seed=seed, what="toy",
        progress=lambda _: None,
    )  # fmt: skip


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_it_learns_a_toy(tmp_path: Path) -> None:
    toy = Toy()
    _fit(toy, tmp_path / "toy.pt", steps=STEPS * 4)
    weight = toy.parameters["early.weight"] * toy.parameters["layer.lora_A"]
    logits = X @ weight + toy.parameters["head.bias"]
    assert torch.equal((logits > 0).float(), Y)


@pytest.mark.parametrize("stop_at", [40, 57, 129], ids=["at a save", "between", "at the end"])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    whole = _fit(Toy(), tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        _fit(Toy(stop_at), tmp_path / "cut.pt")
    assert not (tmp_path / "cut.pt").exists()
    again = Toy()
    assert _same(_fit(again, tmp_path / "cut.pt"), whole)
    assert len(again.seen) == len(STEPS) - stop_at // 40 * 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.pt", "whole.pt"]


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = _fit(Toy(), tmp_path / "toy.pt")
    again = Toy()
    assert _same(_fit(again, tmp_path / "toy.pt"), first) and not again.seen
    assert torch.equal(again.parameters["head.bias"], first["head.bias"])


def test_the_seed_decides(tmp_path: Path) -> None:
    one, two = (_fit(Toy(), tmp_path / f"{n}.pt", seed=0) for n in range(2))
    other = _fit(Toy(), tmp_path / "other.pt", seed=1)
    assert _same(one, two) and not _same(one, other)


@pytest.mark.parametrize(
    ("name", "moves"),
    [("early.weight", "projector"), ("head.bias", "head"), ("layer.lora_A", "adapter")],
)
def test_each_kind_of_parameter_has_its_own_rate(tmp_path: Path, name: str, moves: str) -> None:
    toy = Toy()
    before = toy.parameters[name].detach().clone()
    still = dict.fromkeys(("adapter", "projector", "head"), 0.0) | {moves: 0.05}
    fit(
        toy.loss, [[1], [2], [5]], toy.parameters, tmp_path / "toy.pt", Rates(**still), seed=0,
        what="toy", progress=lambda _: None,
    )  # fmt: skip
    assert not torch.equal(toy.parameters[name], before)
    others = {k: v for k, v in toy.parameters.items() if k != name}
    fresh = Toy().parameters
    assert all(torch.equal(value, fresh[key]) for key, value in others.items())


def test_tensors_of_other_names_are_not_loaded() -> None:
    toy = Toy()
    saved = {name: torch.full_like(p, 2.0) for name, p in toy.parameters.items()}
    found = load_into(toy.parameters, saved | {"elsewhere": torch.ones(1)})
    assert found.keys() == toy.parameters.keys()
    assert all((value == 2.0).all() for value in toy.parameters.values())
    with pytest.raises(KeyError, match="early"):
        load_into(toy.parameters, {"elsewhere": torch.ones(1)})


@given(
    lengths=st.lists(st.integers(0, 50), max_size=90), size=st.integers(1, 9), seed=st.integers()
)
def test_batches_hold_everything_once(lengths: list[int], size: int, seed: int) -> None:
    order = random.Random(seed).sample(range(len(lengths)), len(lengths))
    found = batches(order, lengths, size, random.Random(seed))
    assert sorted(index for rows in found for index in rows) == sorted(order)
    assert all(1 <= len(rows) <= size for rows in found)


def test_batches_are_of_similar_length() -> None:
    chance = random.Random(0)
    lengths = [chance.randrange(100) for _ in range(640)]
    order = chance.sample(range(640), 640)

    def spread(rows: Sequence[Sequence[int]]) -> float:
        return sum(max(found) - min(found) for found in ([lengths[i] for i in r] for r in rows))

    plain = [order[at : at + 8] for at in range(0, 640, 8)]
    assert spread(batches(order, lengths, 8, chance)) < 0.4 * spread(plain)
