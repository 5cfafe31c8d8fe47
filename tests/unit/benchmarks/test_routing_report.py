"""Tables say what was measured, and land between their marks."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from benchmarks import routing
from benchmarks.routing_data import GATES, QUESTIONS
from benchmarks.routing_figures import write_figures
from benchmarks.routing_plots import HEIGHT, LEFT, RIGHT, WIDTH, Line, Panel, figure
from benchmarks.routing_questions import accuracy_curve
from benchmarks.routing_report import tables, write_tables
from tests.unit.benchmarks.routing_rows import cell, done


def whole() -> dict:
    """Figures of every study."""
    found = done()
    curve = {"accuracy": [0.6, 0.9], "cost": [0.1, 1.1]}
    for name in QUESTIONS:
        for split in range(2):
            for gate in GATES:
                key = json.dumps(["questions", name, gate, split])
                rules = ("entropy", "least sure first", "learned", "auto", "oracle")
                found[key] = [
                    {"name": name, "gate": gate, "split": split, "base": 0.6, "large": 0.9,
                     "curves": dict.fromkeys(rules, curve)}
                ]  # fmt: skip
            for goal in ("f1", "ap", "cost"):
                rows = [cell(r, split, 0.7, goal) for r in ("entropy", "bayes_risk", "auto")]
                key = json.dumps(["verdicts", name, split, goal])
                found[key] = [row | {"set": name} for row in rows]
    for seed in range(4):
        key = json.dumps(["guarantees", "konvid", "entropy", seed])
        found[key] = [{
            "name": "konvid", "rule": "entropy", "seed": seed, "certified_fit": 0.05,
            "learn_then_test": 0.08, "conformal_risk_control": 0.1, "naive": 0.09 + seed / 100,
        }]  # fmt: skip
    found['["speed"]'] = [{"what": "fit `auto`", "objective": "f1", "rows": 10_000, "s": 4.04}]
    return found


MARKS = (
    "goals", "kept-f1", "kept-ap", "kept-cost", "chosen", "few", "guarantees", "questions",
    "verdicts", "speed",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("kept-ap", "| `auto` | 95.0 % | +7.5 (+1.3 to +13.7) |"),
        ("kept-ap", "| `entropy` | 87.5 % |  |"),
        ("kept-ap", "| oracle calls | 125.0 % |  |"),
        ("kept-cost", "| `auto` | 50.0 % | +30.0 (+5.2 to +54.8) |"),
        ("kept-f1", "F1: prefilter alone 0.400, which is 50.0 % of the MLLM's; MLLM alone 0.800."),
        ("guarantees", "naive threshold | 2 of 4 = 50.0 % |"),
        ("guarantees", "`routing fit --miss-rate` | 0 of 4 = 0.0 % | 52.7 % | 5.0 % |"),
        ("kept-ap", "Splits: 3 at 30 %."),
        ("speed", "| fit `auto` | `f1` | 10,000 | 4.0 |"),
        ("chosen", "| `cost` | 10 % | auto 3 |"),
        ("questions", "published cascade | 0.872 at cost 0.417 |  | 0.417 |"),
        ("verdicts", "F1 kept | 30 % | 2 | 87.5 % | 87.5 % | 87.5 % | +0.0 (+0.0 to +0.0) |"),
    ],
)
def test_a_table_holds_the_line(name, line):
    assert line in tables(whole())[name]


def test_goals_say_what_is_met_and_what_is_not():
    rows = tables(whole())["goals"].splitlines()[2:]
    met = [row.rsplit("|", 2)[1].strip() for row in rows]
    assert met == ["**no**", "**no**", "yes", "**no**"]
    assert "2.5 times entropy's" in rows[2]


def test_studies_without_figures_have_no_table():
    found = tables({key: rows for key, rows in whole().items() if '"splits"' in key})
    assert set(found) == {"goals", "chosen", "kept-f1", "kept-ap", "kept-cost"}


def test_tables_replace_what_is_between_their_marks(tmp_path):
    page = tmp_path / "routing.md"
    page.write_text("before\n<!-- figures: a -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    for table in ("| 1 |", r"| \1 |"):
        write_tables({"a": table}, page)
        assert page.read_text(encoding="utf-8") == (
            f"before\n<!-- figures: a -->\n{table}\n<!-- end -->\nafter\n"
        )


def test_a_page_without_the_mark_is_refused(tmp_path):
    page = tmp_path / "routing.md"
    page.write_text("nothing here", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no place for a table"):
        write_tables({"a": "| 1 |"}, page)


def test_the_page_of_this_project_has_every_mark():
    from pathlib import Path

    text = (Path(__file__).parents[3] / "docs" / "routing.md").read_text(encoding="utf-8")
    for name in MARKS:
        assert text.count(f"<!-- figures: {name} -->") == 1
    assert set(tables(whole())) == set(MARKS)


def test_plots_are_well_formed_and_small(tmp_path):
    written = write_figures(whole(), tmp_path / "images")
    assert [path.name for path in written] == ["routing-konvid.svg", "routing-questions.svg"]
    for path in written:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag.endswith("svg") and path.stat().st_size < 60_000
        assert "prefers-color-scheme:dark" in path.read_text(encoding="utf-8")


def test_a_panel_maps_its_corners():
    line = Line("<a>", [(0, 0), (50, 100), (80, 50)], 0)
    panel = Panel("t", "x", "y", [line], (0, 50), (0, 100), [0, 50], [0, 100], [("m", 25, 50)])
    assert (panel.x(0), panel.x(50)) == (LEFT, WIDTH - RIGHT)
    assert panel.y(0) > panel.y(100) > 0 and panel.y(0) < HEIGHT
    text = figure([panel], "a & b")
    assert "&lt;a&gt;" in text and "a &amp; b" in text
    points = text.split('points="')[1].split('"')[0].split()
    assert points == [f"{LEFT}.0,{panel.y(0):.1f}", f"{WIDTH - RIGHT}.0,{panel.y(100):.1f}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--splits", "1"], "an interval needs two"),
        (["--kept-only"], "--kept-only needs --keep"),
    ],
)
def test_wrong_use_says_what_to_do(arguments, message, capsys):
    with pytest.raises(SystemExit):
        routing.main(["--data", ".", *arguments])
    assert message in capsys.readouterr().err


def test_kept_figures_are_printed_and_written(tmp_path, capsys):
    keep, out = tmp_path / "keep.jsonl", tmp_path / "docs"
    lines = [json.dumps({"job": key, "rows": rows}) for key, rows in whole().items()]
    keep.write_text("\n".join(lines), encoding="utf-8")
    out.mkdir()
    page = "\n".join(f"<!-- figures: {name} -->\n<!-- end -->" for name in MARKS)
    (out / "routing.md").write_text(page, encoding="utf-8")
    arguments = ["--data", str(tmp_path), "--keep", str(keep), "--kept-only", "--out", str(out)]
    assert routing.main(arguments) == 0
    assert "| `auto` | 95.0 % |" in capsys.readouterr().out
    assert "| `auto` | 95.0 % |" in (out / "routing.md").read_text(encoding="utf-8")
    assert (out / "images" / "routing-konvid.svg").is_file()


def test_the_oracle_of_questions_sends_only_what_helps_first(tmp_path):
    from benchmarks.routing_data import questions
    from tests.unit.benchmarks.routing_rows import write_questions

    name = next(iter(QUESTIONS))
    rows = [("A", "A", "A", 0.9, 0.9), ("A", "B", "A", 0.9, 0.9), ("A", "A", "B", 0.1, 0.1),
            ("A", "B", "B", 0.2, 0.2)]  # fmt: skip
    write_questions(tmp_path, QUESTIONS[name], rows)
    held = questions(tmp_path, name, "large")
    curve = accuracy_curve(held, held.large_right.astype(float) - held.base_right)
    assert curve["accuracy"][0] == 0.5 and max(curve["accuracy"]) == 0.75
    assert curve["accuracy"][-1] == 0.5
    assert curve["cost"][0] == pytest.approx(18 / 80)
    assert curve["cost"][-1] == pytest.approx((18 + 88) / 80)
