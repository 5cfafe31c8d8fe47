"""``coefvq train``: the commands that make the shipped weights."""

from __future__ import annotations

import json
from pathlib import Path

import click

from coefvq.cli.progress import Progress
from coefvq.errors import SettingsError, did_you_mean

MODELS = ("prefilter", "mllm")


@click.command()
@click.argument("model", metavar="prefilter|mllm")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder with the data sets (docs/data.md).")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=None,
              help="Where the trained parts go [default: runs/MODEL].")
@click.option("--seed", type=int, default=0, show_default=True, help="Makes the run repeatable.")
@click.option("--folds", type=click.IntRange(0, 20), default=5, show_default=True,
              help="Folds of the grouped cross-validation that the model card quotes; 0: none.")
def train(model: str, data: Path, out: Path | None, seed: int, folds: int) -> None:
    """Train a stage of the cascade; an interrupted run goes on where it stopped."""
    if model not in MODELS:
        raise SettingsError(f"Unknown model '{model}'.{did_you_mean(model, MODELS)}")
    if not data.is_dir():
        raise click.UsageError(f"No such folder: {data}")
    report = _trainer(model)(data, out or Path("runs") / model, seed, folds)
    click.echo(json.dumps(report, indent=2, default=str))
