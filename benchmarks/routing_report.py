"""The tables of docs/routing.md, between marks that name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.routing_data import GATES, QUESTIONS
from benchmarks.routing_guarantees import CONFIDENCE, LABELS, TARGET
from benchmarks.routing_jobs import CERTIFIED, Done
from benchmarks.routing_questions import PUBLISHED
from benchmarks.routing_splits import LABELS as FEW
from benchmarks.routing_splits import MAIN, PAPER, RULES
from benchmarks.routing_statistics import Interval, resampled_t
from benchmarks.routing_summary import (
    METHODS,
    Splits,
    accuracy_at,
    broken,
    cost_for,
    rows_of,
    select,
)

WORDS = {
    "f1": "F1 kept",
    "ap": "average precision kept",
    "cost": "cost gap recovered, a miss 10 times dearer",
}
NAMES = {
    "certified_fit": "`routing fit --miss-rate`",
    "learn_then_test": "Learn then Test",
    "conformal_risk_control": "conformal risk control",
    "naive": "naive threshold",
}


def tables(done: Done) -> dict[str, str]:
    """Every table by the name of its mark; those whose figures are not there yet are left out."""
    splits, few = Splits(rows_of(done, "splits")), Splits(rows_of(done, "few"))
    found = {f"kept-{goal}": kept_table(splits, goal) for goal in WORDS}
    found |= {"goals": goals_table(splits), "chosen": chosen_table(splits)}
    if rows_of(done, "few"):
        found["few"] = few_table(few)
    if rows_of(done, "guarantees"):
        found["guarantees"] = guarantees_table(rows_of(done, "guarantees"))
    if rows_of(done, "questions"):
        found["questions"] = questions_table(rows_of(done, "questions"))
    if rows_of(done, "verdicts"):
        found["verdicts"] = verdicts_table(rows_of(done, "verdicts"))
    if rows_of(done, "speed"):
        found["speed"] = speed_table(rows_of(done, "speed"))
    return found


def kept_table(splits: Splits, objective: str) -> str:
    """Rules down, budgets across; the last column is the difference to entropy."""
    budgets, main = splits.budgets(objective), MAIN[objective]
    heads = [f"{100 * budget:g} %" for budget in budgets]
    last = f"ahead of entropy at {100 * main:g} %, points"
    lines = [_head([WORDS[objective], *heads, last])]
    for rule in (PAPER, *RULES):
        found = [splits.kept(objective, rule, budget) for budget in budgets]
        cells = ["–" if one is None else _percent(one.share) for one in found]
        ahead = splits.kept(objective, rule, main)
        difference = "" if ahead is None or rule == "entropy" else _points(ahead.ahead)
        lines.append(_row([f"`{rule}`" if rule in RULES else rule, *cells, difference]))
    for arm in ("random", "oracle"):
        cells = [_percent(splits.alone(objective, arm, budget)) for budget in budgets]
        lines.append(_row([f"{arm} calls", *cells, ""]))
    return "\n".join([*lines, "", _stages(splits, objective)])


def _stages(splits: Splits, objective: str) -> str:
    weak, strong = (splits.absolute(objective, f"{arm}_only") for arm in ("prefilter", "mllm"))
    what = {"f1": "F1", "ap": "Average precision", "cost": "Mean cost a video"}[objective]
    share = splits.alone(objective, "prefilter_only", MAIN[objective])
    kept = "" if objective == "cost" else f", which is {_percent(share)} of the MLLM's"
    counts = ", ".join(
        f"{len(splits.pick(objective, 'auto', budget))} at {100 * budget:g} %"
        for budget in splits.budgets(objective)
    )
    alone = f"prefilter alone {weak:.3f}{kept}; MLLM alone {strong:.3f}"
    return f"{what}: {alone}. Splits: {counts}."


def goals_table(splits: Splits) -> str:
    """What was aimed for, beside what was measured."""
    f1, ap = (_must(splits.kept(goal, "auto", 0.3)) for goal in ("f1", "ap"))
    plain = {goal: _must(splits.kept(goal, "entropy", MAIN[goal])) for goal in MAIN}
    cost, calls = _must(splits.kept("cost", "auto", 0.1)), splits.calls_for("auto")
    ratio = cost.share / plain["cost"].share if plain["cost"].share > 0 else float("inf")
    times = f"{ratio:.1f} times" if np.isfinite(ratio) else "more than any multiple of"
    rows = [
        ("F1 kept at 30 % of calls", "≥ 97 %", f1.share, plain["f1"].share,
         _points(f1.ahead), f1.ahead.better, f1.share >= 0.97),
        ("average precision kept at 30 %", "≥ 96 %", ap.share, plain["ap"].share,
         _points(ap.ahead), ap.ahead.better, ap.share >= 0.96),
        ("cost gap recovered at 10 %", "≥ 2 times entropy's", cost.share, plain["cost"].share,
         f"{_points(cost.ahead)}; {times} entropy's", cost.ahead.better, ratio >= 2),
        ("calls for the average precision that entropy keeps at 30 %", "≤ 80 % of entropy's",
         calls.mean, 1.0, f"interval {100 * calls.low:.0f} to {100 * calls.high:.0f} %", None,
         calls.mean <= 0.8),
    ]  # fmt: skip
    heads = ["figure", "goal", "`auto`", "`entropy`", "difference, points", "splits ahead", "met"]
    lines = [_head(heads)]
    for name, goal, share, entropy, difference, ahead, met in rows:
        counted = "" if ahead is None else f"{100 * ahead:.0f} %"
        answer = "yes" if met else "**no**"
        cells = [name, goal, _percent(share), _percent(entropy), difference, counted, answer]
        lines.append(_row(cells))
    return "\n".join(lines)


def chosen_table(splits: Splits) -> str:
    """What ``auto`` took."""
    lines = [_head(["objective", "budget", "what `auto` took, splits"])]
    for goal in WORDS:
        for budget in splits.budgets(goal):
            found = splits.chosen(goal, budget)
            listed = ", ".join(f"{name} {count}" for name, count in found.items())
            lines.append(_row([f"`{goal}`", f"{100 * budget:g} %", listed]))
    return "\n".join(lines)


def few_table(few: Splits) -> str:
    """``auto`` against entropy with few labels."""
    lines = [
        _head(["objective", "labels", "`auto`", "`entropy`", "difference, points (corrected)",
               "as if splits were independent", "splits ahead"])
    ]  # fmt: skip
    for goal in WORDS:
        for labels in FEW:
            auto, plain = (few.kept(goal, r, MAIN[goal], labels) for r in ("auto", "entropy"))
            if auto is None or plain is None:
                continue
            ahead = auto.ahead
            naive = f"{100 * ahead.plain_low:+.1f} to {100 * ahead.plain_high:+.1f}"
            shares = _percent(auto.share), _percent(plain.share)
            counted = f"{100 * ahead.better:.0f} %"
            lines.append(_row([f"`{goal}`", str(labels), *shares, _points(ahead), naive, counted]))
    return "\n".join(lines)


def guarantees_table(rows: Sequence[dict[str, Any]]) -> str:
    """How often each method broke the promised miss rate."""
    from coefvq.routing.bounds import clopper_pearson_upper

    lines = [
        _head(["labels drawn from", "rule", "method", "broken", "at most (95 %)", "mean miss rate"])
    ]
    for name, rule in CERTIFIED:
        some = [row for row in rows if (row["name"], row["rule"]) == (name, rule)]
        for method in METHODS:
            if not some:
                continue
            times, tried, mean = broken(some, method, TARGET)
            upper = float(clopper_pearson_upper(times, tried, 0.95))
            counted = f"{times} of {tried} = {_percent(times / tried)}"
            where = f"{name} (n = {LABELS[name]:,})"
            lines.append(_row([where, f"`{rule}`", NAMES[method], counted,
                               _percent(upper), _percent(mean)]))  # fmt: skip
    promise = f"Target {_percent(TARGET)}, confidence {CONFIDENCE:g}: at most {1 - CONFIDENCE:.0%}"
    return "\n".join([*lines, "", f"{promise} of the certified ones may be broken."])


def questions_table(rows: Sequence[dict[str, Any]]) -> str:
    """Accuracy at the published cost, and the cost of the published accuracy."""
    heads = ["set", "who checks", "order of escalation", "accuracy at the published cost",
             "ahead of entropy, points", "relative cost of the published accuracy"]  # fmt: skip
    lines = [_head(heads)]
    for name in QUESTIONS:
        for gate in GATES:
            lines += _questions_rows(name, gate, select(rows, name, gate))
        *_, accuracy, cost = PUBLISHED[name]
        found = [f"{accuracy:.3f} at cost {cost:.3f}", "", f"{cost:.3f}"]
        lines.append(_row([name, "large", "published cascade", *found]))
    return "\n".join(lines)


def _questions_rows(name: str, gate: str, rows: list[dict[str, Any]]) -> list[str]:
    *_, accuracy, cost = PUBLISHED[name]
    plain, lines = accuracy_at(rows, "entropy", cost), []
    for rule in rows[0]["curves"]:
        value, needed = accuracy_at(rows, rule, cost), cost_for(rows, rule, accuracy)
        ahead = "" if rule == "entropy" else _points(resampled_t(value - plain))
        shown = "not reached" if np.isnan(needed) else f"{needed:.3f}"
        lines.append(_row([name, gate, rule, f"{value.mean():.3f}", ahead, shown]))
    return lines


def verdicts_table(rows: Sequence[dict[str, Any]]) -> str:
    """Telling wrong answers of the base model, which checks itself first."""
    lines = [
        _head(["set", "figure", "calls", "splits", "`entropy`", "`bayes_risk`", "`auto`",
               "`auto` ahead of entropy, points"])
    ]  # fmt: skip
    for name in QUESTIONS:
        splits = Splits([row for row in rows if row["set"] == name])
        for goal, words in WORDS.items():
            rules = ("entropy", "bayes_risk", "auto")
            found = [_must(splits.kept(goal, rule, MAIN[goal])) for rule in rules]
            shares = [_percent(one.share) for one in found]
            calls = f"{100 * MAIN[goal]:g} % | {len(splits.pick(goal, 'auto', MAIN[goal]))}"
            lines.append(_row([name, words, calls, *shares, _points(found[-1].ahead)]))
    return "\n".join(lines)


def speed_table(rows: Sequence[dict[str, Any]]) -> str:
    """Seconds of wall time."""
    lines = [_head(["what", "objective", "items", "seconds"])]
    for row in rows:
        cells = [row["what"], f"`{row['objective']}`", f"{row['rows']:,}", f"{row['s']:.1f}"]
        lines.append(_row(cells))
    return "\n".join(lines)


def write_tables(found: dict[str, str], path: Path) -> None:
    """Put each table between its marks ``<!-- figures: NAME -->`` and ``<!-- end -->``.

    Raises:
        SystemExit: The file has no such marks.
    """
    text = path.read_text(encoding="utf-8")
    for name, table in found.items():
        mark = f"<!-- figures: {name} -->"
        if mark not in text:
            raise SystemExit(f"{path} has no place for a table: {mark} ... <!-- end -->")
        pattern = re.escape(mark) + r".*?<!-- end -->"
        whole = f"{mark}\n{table}\n<!-- end -->".replace("\\", r"\\")
        text = re.sub(pattern, whole, text, count=1, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


def _must(found: Any) -> Any:
    if found is None:
        raise SystemExit("The main budgets were not measured on two splits or more.")
    return found


def _head(cells: Sequence[str]) -> str:
    return _row(cells) + "\n" + "|---" * len(cells) + "|"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(found: Interval) -> str:
    return f"{100 * found.mean:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
