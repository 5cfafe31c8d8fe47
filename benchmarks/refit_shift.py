"""What a refit gains on a domain that the prefilter was not made for, and what it forgets.

    python -m benchmarks.refit_shift shift --data DIR [--seeds 5] [--cases videos-tweets ...]
    python -m benchmarks.refit_shift pieces --data DIR [--seeds 3]
    python -m benchmarks.refit_shift speed --data DIR [--decisions 10000]

A base model is trained without one domain. Simulated moderators decide the cases of that domain
that the cascade is least sure of; one in twenty of their answers is wrong. Four in five uploaders
teach, the others calibrate. Test sets of both domains are held out by group.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.refit_bases import CASES, Made, make_case
from coefvq.errors import TrainingError
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo
from coefvq.learning.measures import auc, debiased_ece
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.run import refit_prefilter
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.weights import SHIPPED

Floats = NDArray[np.float64]
WRONG = 0.05


@dataclass(frozen=True)
class Outcome:
    """One refit against its base.

    Attributes:
        old: AUC before and after on the old domain's test set.
        new: The same on the shifted one.
        old_ece: Debiased calibration error before and after.
        new_ece: The same on the shifted one.
        why: Why there is no candidate; the base then stays.
    """

    old: tuple[float, float]
    new: tuple[float, float]
    old_ece: tuple[float, float]
    new_ece: tuple[float, float]
    why: str = ""


def decided(made: Made, count: int, seed: int, wrong: float, pick: str) -> list[LabelledVideo]:
    """What moderators said of ``count`` cases of the shifted domain.

    Args:
        wrong: Share of their answers that are wrong.
        pick: ``unsure``: nearest to a probability of 1/2, as the entropy rule escalates;
            ``random``: any; ``mistakes``: only those that the base gets wrong.
    """
    rng = np.random.default_rng(seed)
    name = made.case.policy
    shown = _of_base(made, "pool")
    truth = np.asarray([item.labels[name] for item in made.pool])
    said = np.where(rng.random(len(truth)) < wrong, 1 - truth, truth)
    guess = np.full(len(truth), 0.5) if shown is None else shown
    order = {
        "unsure": lambda: np.argsort(np.abs(guess - 0.5), kind="stable"),
        "random": lambda: rng.permutation(len(truth)),
        "mistakes": lambda: np.flatnonzero((guess >= 0.5) != (said == 1)),
    }[pick]()
    return [_decided(made.pool[at], name, int(said[at]), guess[at], seed) for at in order[:count]]


def _decided(item: LabelledVideo, policy: str, said: int, shown: float, seed: int) -> LabelledVideo:
    teaches = zlib.crc32(f"{seed}/{item.group}".encode()) % 5 > 0
    corrected = frozenset({policy}) if (shown >= 0.5) != (said == 1) else frozenset()
    return replace(
        item,
        labels={policy: said},
        split="train" if teaches else "validation",
        machine={policy: float(shown)},
        corrected=corrected,
    )


def scores(
    prefilter: Prefilter, items: Sequence[LabelledVideo], made: Made, policy: str
) -> Floats | None:
    """A model's probabilities (n,); ``None`` where it does not know the policy."""
    if policy not in prefilter.covers:
        return None
    found = []
    for item in items:
        given = prefilter.assess(made.signals.cheap(item), item.posted).scores[policy]
        found.append(0.5 if given.probability is None else given.probability)
    return np.asarray(found)


def outcome(made: Made, taught: Sequence[LabelledVideo], options: RefitOptions) -> Outcome:
    """Refit on decisions and compare with the base on both test sets."""
    with tempfile.TemporaryDirectory() as folder:
        why = ""
        try:
            candidate = refit_prefilter(
                taught, made.signals, made.base, Path(folder), options=options
            )
            after = Prefilter.load(folder=candidate.folder)
        except TrainingError as error:
            why, after = str(error), Prefilter.load(folder=made.base)
        old, new = _both("old", made, after), _both("new", made, after)
    return Outcome(old[0], new[0], old[1], new[1], why)


_SCORED: dict[tuple[Path, str], Floats | None] = {}


def _of_base(made: Made, part: str) -> Floats | None:
    """The base's answers on ``pool``, ``old`` or ``new``, asked for once."""
    key = (made.base / made.case.name, part)
    if key not in _SCORED:
        base = Prefilter.load(folder=made.base)
        _SCORED[key] = scores(base, getattr(made, part), made, made.case.policy)
    return _SCORED[key]


def _both(
    part: str, made: Made, after: Prefilter
) -> tuple[tuple[float, float], tuple[float, float]]:
    name, items = made.case.policy, getattr(made, part)
    labels = np.asarray([item.labels.get(name, 0) for item in items], dtype=np.float64)
    if not len(items):
        return (float("nan"),) * 2, (float("nan"),) * 2
    first, second = _of_base(made, part), scores(after, items, made, name)
    if first is None:
        first = np.full(len(items), 0.5)
    if second is None:
        second = first
    return (auc(labels, first), auc(labels, second)), (
        debiased_ece(labels, first),
        debiased_ece(labels, second),
    )


def interval(values: Sequence[float]) -> str:
    """Mean over seeds and the 95 % interval of the mean (Student's t)."""
    kept = [value for value in values if np.isfinite(value)]
    if not kept:
        return "-"
    from scipy.stats import t

    half = 0.0
    if len(kept) > 1:
        half = float(t.ppf(0.975, len(kept) - 1) * np.std(kept, ddof=1) / np.sqrt(len(kept)))
    return f"{np.mean(kept):+.3f} ± {half:.3f}"


def line(label: str, found: Sequence[Outcome]) -> str:
    """A row of the table."""
    new = [each.new[1] - each.new[0] for each in found]
    old = [each.old[1] - each.old[0] for each in found]
    ece = {
        name: " -> ".join(_mean([getattr(each, name)[at] for each in found]) for at in (0, 1))
        for name in ("new_ece", "old_ece")
    }
    refused = sum(bool(each.why) for each in found)
    return (
        f"{label:42s} new {_mean([each.new[0] for each in found])} {interval(new):16s} "
        f"old {_mean([each.old[0] for each in found])} {interval(old):16s} "
        f"ece new {ece['new_ece']} old {ece['old_ece']}"
        + (f" refused {refused}/{len(found)}" if refused else "")
    )


def _mean(values: Sequence[float]) -> str:
    kept = [value for value in values if np.isfinite(value)]
    return f"{np.mean(kept):.3f}" if kept else "-"


def shift(data: Path, work: Path, seeds: int, cases: Sequence[str], counts: Sequence[int]) -> None:
    """The main table: gain and loss after so many corrections."""
    for name in cases:
        case = CASES[name]
        made = [make_case(case, data, work, seed) for seed in range(seeds)]
        most = min(len(each.pool) for each in made)
        for count in sorted({min(count, most) for count in counts}, reverse=True):
            found = [
                outcome(each, decided(each, count, seed, WRONG, "unsure"), RefitOptions())
                for seed, each in enumerate(made)
            ]
            print(line(f"{name} {count}", found), flush=True)


PIECES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}),
    "no anchor": ({"anchor": 0.0}, {}),
    "anchor x 10": ({"anchor": 10.0}, {}),
    "corrections count 3 times": ({"emphasis": 3.0, "distance": 1.0}, {}),
    "3 times, governed": ({"emphasis": 3.0, "distance": 0.05}, {}),
    "no wrong answers": ({}, {"wrong": 0.0}),
    "15 % wrong answers": ({}, {"wrong": 0.15}),
    "cases drawn at random": ({}, {"pick": "random"}),
    "only the base's mistakes": ({}, {"pick": "mistakes"}),
}
"""Options of the refit, and how the moderators' answers come about."""


def pieces(data: Path, work: Path, seeds: int, cases: Sequence[str]) -> None:
    """What each piece does, at 300 decisions."""
    for name in cases:
        made = [make_case(CASES[name], data, work, seed) for seed in range(seeds)]
        for label, (options, how) in PIECES.items():
            way = {"wrong": WRONG, "pick": "unsure", **how}
            found = [
                outcome(each, decided(each, 300, seed, **way), RefitOptions.of(options))
                for seed, each in enumerate(made)
            ]
            print(line(f"{name}: {label}", found), flush=True)


def speed(data: Path, decisions: int) -> None:
    """Time of a refit of the shipped model, on tweets and comments."""
    from benchmarks.refit_bases import many

    items = many(data, decisions)
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        found = refit_prefilter(items, GivenSignals(), SHIPPED, Path(folder))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = sum(path.stat().st_size for path in found.folder.iterdir())
    print(f"{len(items)} decisions: {wall:.1f} s, {cpu:.1f} s of CPU, {size / 1e6:.1f} MB")


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refit_shift", description=__doc__)
    parser.add_argument("what", choices=("shift", "pieces", "speed"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "refit-shift")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), default=None)
    parser.add_argument("--counts", nargs="+", type=int, default=[300, 100, 50])
    parser.add_argument("--decisions", type=int, default=10_000)
    given = parser.parse_args()
    run: dict[str, Callable[[], None]] = {
        "shift": lambda: shift(
            given.data, given.work, given.seeds, given.cases or sorted(CASES), given.counts
        ),
        "pieces": lambda: pieces(
            given.data, given.work, given.seeds, given.cases or ["videos-tweets", "tweets-videos"]
        ),
        "speed": lambda: speed(given.data, given.decisions),
    }
    run[given.what]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
