"""The plots of docs/routing.md: deferral curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.routing_data import QUESTIONS
from benchmarks.routing_jobs import Done
from benchmarks.routing_plots import Line, Panel, figure
from benchmarks.routing_questions import PUBLISHED
from benchmarks.routing_splits import MAIN
from benchmarks.routing_summary import Splits, mean_curve, rows_of, select

SHOWN = (("auto", 0), ("entropy", 1), ("bayes_risk", 2), ("similar", 3))
TITLES = {
    "f1": ("F1", "share of the MLLM's F1", (70, 130)),
    "ap": ("Average precision", "share of the MLLM's AP", (60, 130)),
    "cost": ("Cost, a miss 10 : 1", "share of the cost gap", (0, 160)),
}
QUESTION_LINES = (("least sure first", 2, "7 5"), ("learned", 0, ""), ("entropy", 1, ""))
END = {"f1": 50, "ap": 50, "cost": 30}


def write_figures(done: Done, folder: Path) -> list[Path]:
    """Draw what there are figures for."""
    folder.mkdir(parents=True, exist_ok=True)
    splits, asked = Splits(rows_of(done, "splits")), rows_of(done, "questions")
    drawn = {"routing-konvid.svg": konvid_figure(splits)}
    if asked:
        drawn["routing-questions.svg"] = questions_figure(asked)
    for name, text in drawn.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in drawn]


def konvid_figure(splits: Splits) -> str:
    """A panel an objective: share kept against calls."""
    return figure(
        [_panel(splits, goal) for goal in TITLES],
        "Share of the MLLM's quality kept against the share of MLLM calls, by rule",
    )


def _panel(splits: Splits, goal: str) -> Panel:
    title, y_title, (low, high) = TITLES[goal]
    lines = [
        Line(rule, [(i, 100 * v) for i, v in enumerate(splits.kept_curve(goal, rule))], colour)
        for rule, colour in SHOWN
    ]
    for arm, dashes in (("random", "2 3"), ("oracle", "6 4")):
        lines.append(Line(arm, _arm(splits, goal, arm), 4, dashes))
    step = 10 if goal != "cost" else 20
    ticks = [t for t in range(low, high + 1) if t % step == 0]
    edge = END[goal]
    return Panel(title, "MLLM calls", y_title, lines, (0, edge), (low, high),
                 range(0, edge + 1, 10), ticks)  # fmt: skip


def _arm(splits: Splits, goal: str, arm: str) -> list[tuple[float, float]]:
    start = 100 * splits.alone(goal, "prefilter_only", MAIN[goal])
    budgets = splits.budgets(goal)
    return [(0.0, start), *((100 * b, 100 * splits.alone(goal, arm, b)) for b in budgets)]


def questions_figure(rows: Sequence[dict[str, Any]]) -> str:
    """A panel a set, with the published gate: accuracy of the system against relative cost."""
    panels = [_questions_panel(name, select(rows, name, "large")) for name in QUESTIONS]
    return figure(panels, "Accuracy of the system against its cost over the large model's")


def _questions_panel(name: str, rows: Sequence[dict[str, Any]]) -> Panel:
    lines = []
    for rule, colour, dashes in QUESTION_LINES:
        right, cost = mean_curve(list(rows), rule)
        points = [(100 * c, 100 * r) for c, r in zip(cost, right, strict=True)]
        lines.append(Line(rule, points, colour, dashes))
    base, large, accuracy, paid = PUBLISHED[name]
    low = 5 * int(100 * min(base, *(row["base"] for row in rows)) // 5)
    marks = [("published cascade", 100 * paid, 100 * accuracy), ("large", 100.0, 100 * large)]
    return Panel(name, "cost, share of the large model alone", "accuracy", lines, (0, 120),
                 (low, 100), range(0, 121, 40), range(low, 101, 5), marks)  # fmt: skip
