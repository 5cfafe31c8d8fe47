"""The sampling benchmark runs and prints what it promises."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "sampling.py"


@pytest.fixture
def benchmark(monkeypatch):
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("benchmark_sampling", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_it_prints_a_line_a_file_and_medians(benchmark, good, monkeypatch, capsys):
    files = [str(good("plain.mp4")), str(good("many_keys.mp4"))]
    monkeypatch.setattr(sys, "argv", ["sampling.py", "--repeats", "1", *files])
    assert benchmark.main() == 0
    out = capsys.readouterr().out
    assert "plain.mp4" in out and "many_keys.mp4" in out
    assert "median, all (n=2)" in out
    assert "median, over 10 s (n=1)" in out


def test_a_bad_file_is_named_and_the_others_go_on(benchmark, good, tmp_path, monkeypatch, capsys):
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    files = [str(bad), str(good("plain.mp4"))]
    monkeypatch.setattr(sys, "argv", ["sampling.py", "--repeats", "1", *files])
    assert benchmark.main() == 1
    captured = capsys.readouterr()
    assert "unreadable_media" in captured.err
    assert "median, all (n=1)" in captured.out


def test_decoding_everything_counts_every_frame(benchmark, good):
    row = benchmark.measure(good("many_keys.mp4"), repeats=1, frames=8)
    assert row.frames == 300
    assert row.sample.decoded < 80
    assert row.ratio > 0
