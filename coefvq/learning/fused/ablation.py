"""What each modality and each kind of fusion is worth on held-out items.

Inputs are taken away from items that a run never saw, and the same run answers again; nothing is
trained anew for that. For the kinds of fusion the head is trained again without the other kind.
A modality that adds nothing is reported as adding nothing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.learning.fused.dropping import without
from coefvq.learning.fused.example import Example
from coefvq.learning.fused.heads import PLANS
from coefvq.learning.fused.predictions import Predictions, is_measured, joined
from coefvq.learning.fused.runs import Bench, answer, held_by, may_train, read_tops
from coefvq.learning.measures import auc as area
from coefvq.learning.measures import bootstrap
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.pooled import known_states
from coefvq.mllm.fused.readout import PARTS
from coefvq.mllm.fused.split import Top

MOST = 160
"""Examples of a part and variant, in whole groups; each costs a pass of the language model."""
Change = Callable[[Example, FusedItem], FusedItem]


@dataclass(frozen=True)
class Variant:
    """Something taken away from the items of some parts of the mixture."""

    name: str
    change: Change
    parts: tuple[str, ...]


def _lacking(*names: str) -> Change:
    return lambda _, item: without(item, names)


_COMPOSED = ("composed_speech", "composed_screen_text", "composed_caption")
_EVERY = ("fights", "video", "comment", *_COMPOSED)
WHOLE = Variant("whole", lambda _, item: item, _EVERY)
VARIANTS = (
    WHOLE,
    Variant("without sight", _lacking("visual", "motion"), ("fights", *_COMPOSED)),
    Variant("without frames, motion kept", _lacking("visual"), ("fights",)),
    Variant("without motion, frames kept", _lacking("motion"), ("fights",)),
    Variant("without sound", _lacking("sound"), ("composed_speech",)),
    Variant("without speech", _lacking("speech"), ("video", *_COMPOSED)),
    Variant("without speech and sound", _lacking("speech", "sound"), ("composed_speech",)),
    Variant("without screen text", _lacking("screen_text"), _COMPOSED),
    Variant("without title and caption", _lacking("caption"), ("video", *_COMPOSED)),
)


def with_motion(moved: Mapping[str, NDArray[np.float32] | None], name: str) -> Variant:
    """Fights with other movement, by footage; those without any lose theirs."""
    return Variant(
        name, lambda one, item: replace(item, motion=moved.get(one.footage or "")), ("fights",)
    )


@dataclass(frozen=True)
class Row:
    """One line of the table; ``auc`` is ``None`` where nothing is left to judge."""

    policy: str
    part: str
    variant: str
    n: int
    auc: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Judge:
    """How one run answers: its tensors are loaded by ``enter``, its heads are at hand.

    Attributes:
        enter: Loads a run's tensors into the model, by name.
        heads: By run and policy: the state head and the word head.
        weights: By policy: of the joint model, and its intercept.
    """

    enter: Callable[[str], None]
    heads: Mapping[str, Mapping[str, tuple[Any, Any]]]
    weights: Mapping[str, tuple[tuple[float, ...], float]]


def ablate(
    bench: Bench,
    judge: Judge,
    plain: Mapping[int, Top],
    variants: Sequence[Variant] = VARIANTS,
    most: int = MOST,
) -> list[Row]:
    """Measure every variant on every policy that its parts are labelled for.

    Args:
        plain: What the head reads of whole items, where it is known.
    """
    scores: dict[tuple[str, str, str], list[tuple[Example, float]]] = {}
    for run in judge.heads:
        judge.enter(run)
        for variant in variants:
            rows = _rows(bench, variant, run, most)
            items = [variant.change(bench.examples[i], bench.items[i]) for i in rows]
            states = _states(bench, variant, rows, items, plain)
            for key, found in _scored(bench, judge, run, rows, items, states).items():
                scores.setdefault((*key, variant.name), []).extend(found)
    return [row_of(key, found) for key, found in sorted(scores.items())]


def _states(
    bench: Bench,
    variant: Variant,
    rows: Sequence[int],
    items: Sequence[FusedItem],
    plain: Mapping[int, Top],
) -> dict[int, Top]:
    """States of changed items; the language model is the same in every run."""
    if variant is WHOLE and all(index in plain for index in rows):
        return {index: plain[index] for index in rows}
    name = re.sub(r"\W+", "_", variant.name)
    return read_tops(bench, rows, name, items)


def _rows(bench: Bench, variant: Variant, run: str, most: int) -> list[int]:
    """Whole groups of what a run never saw, at most ``most`` a part, evenly over the runs."""
    held = held_by(run)
    chosen: list[int] = []
    for part in variant.parts:
        rows = [
            index
            for index, one in enumerate(bench.examples)
            if one.part == part and not may_train(one, held) and (one.fold == -2) == (held is None)
        ]
        share = most if part.startswith("composed_") or part == "fights" else most // 4
        chosen += _some_groups(bench.examples, rows, share)
    return chosen


def _some_groups(examples: Sequence[Example], rows: Sequence[int], most: int) -> list[int]:
    groups = sorted({examples[index].group for index in rows})
    random.Random("ablation").shuffle(groups)
    kept: list[int] = []
    for group in groups:
        if len(kept) >= most:
            break
        kept += [index for index in rows if examples[index].group == group]
    return kept


def _scored(
    bench: Bench,
    judge: Judge,
    run: str,
    rows: Sequence[int],
    items: Sequence[FusedItem],
    states: Mapping[int, Any],
) -> dict[tuple[str, str], list[tuple[Example, float]]]:
    found = answer(bench, [states[index] for index in rows])
    known = known_states(items, [states[index] for index in rows])
    scores: dict[tuple[str, str], list[tuple[Example, float]]] = {}
    for at, index in enumerate(rows):
        example = bench.examples[index]
        for policy, (state_head, word_head) in judge.heads[run].items():
            fold = np.array([example.fold])
            if policy in example.weights or policy not in example.targets:
                continue
            if not is_measured(policy, fold)[0] or not _answerable(policy, items[at]):
                continue
            column = list(bench.model.config.policies or ()).index(policy)
            words = 0.0 if word_head is None else word_head(known[at].counted)
            parts = np.array([[
                found.label_logits[at, column], found.fused_logits[at, column],
                state_head(known[at].states), words,
            ]])  # fmt: skip
            probability = float(joined(parts, judge.weights[policy])[0])
            scores.setdefault((policy, example.part), []).append((example, probability))
    return scores


def _answerable(policy: str, item: FusedItem) -> bool:
    """Whether something is left of what a policy needs."""
    there = {
        "speech": bool(item.speech),
        "screen_text": bool(item.screen_text),
        "caption": bool(item.posted.title or item.posted.caption),
        "visual": item.frame_features is not None,
        "motion": item.motion is not None,
    }
    return any(there[name] for name in PLANS[policy].needs)


def row_of(key: tuple[str, str, str], found: Sequence[tuple[Example, float]]) -> Row:
    """A line of the table from examples with their scores.

    Args:
        key: Policy, part and variant.
    """
    policy, part, variant = key
    label = np.array([example.targets[policy] for example, _ in found])
    if len(set(label.tolist())) < 2:
        return Row(policy, part, variant, len(found), None)
    score = np.array([probability for _, probability in found])
    groups = [example.group for example, _ in found]
    estimate = bootstrap(area, label, score, groups=groups)
    return Row(policy, part, variant, len(found), estimate.value, estimate.low, estimate.high)


def by_part(answers: Sequence[Predictions]) -> list[Row]:
    """AUC of each part of the readout alone, on the primary sets."""
    rows = []
    for one in answers:
        main = one.only(one.primary)
        for at, name in enumerate(PARTS):
            if main.parts[:, at].std() > 0:
                chosen = list(zip(main.examples, main.parts[:, at].tolist(), strict=True))
                key = (one.policy, PLANS[one.policy].primary, f"only {name}")
                rows.append(row_of(key, chosen))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = ["| policy | set | variant | n | AUC (95 %) |", "|---|---|---|---|---|"]
    for row in rows:
        value = "nothing left to judge"
        if row.auc is not None:
            value = f"{row.auc:.3f} ({row.low:.3f}-{row.high:.3f})"
        lines.append(f"| `{row.policy}` | {row.part} | {row.variant} | {row.n} | {value} |")
    return "\n".join(lines)
