"""``coefvq train``: the commands that make the shipped weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from coefvq.errors import SettingsError, did_you_mean

MODELS = ("prefilter", "mllm")


@click.command()
@click.argument("model", metavar="prefilter|mllm")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder with the data sets (docs/data.md).",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Where the trained parts go [default: runs/MODEL].",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Makes the run repeatable.")
@click.option(
    "--folds",
    type=click.IntRange(0, 20),
    default=5,
    show_default=True,
    help="Folds of the grouped cross-validation that the model card quotes; 0: none.",
)
@click.option(
    "--ablations",
    is_flag=True,
    help="mllm: after the training, what each modality and kind of fusion adds.",
)
@click.option(
    "--prefilter-answers",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="With --ablations: predictions.csv of `train prefilter`, to compare with.",
)
def train(
    model: str,
    data: Path,
    out: Path | None,
    seed: int,
    folds: int,
    ablations: bool,
    prefilter_answers: Path | None,
) -> None:
    """Train a stage of the cascade; an interrupted run goes on where it stopped."""
    if model not in MODELS:
        raise SettingsError(f"Unknown model '{model}'.{did_you_mean(model, MODELS)}")
    if not data.is_dir():
        raise click.UsageError(f"No such folder: {data}")
    if ablations and (model != "mllm" or folds < 5):
        raise click.UsageError("--ablations goes with `train mllm` and its five folds.")
    trainer = _prefilter if model == "prefilter" else _mllm
    out = out or Path("runs") / model
    report = trainer(data, out, seed, folds)
    click.echo(json.dumps(report, indent=2, default=str))
    if ablations:
        from coefvq.learning.ablate_fused import ablate_fused

        click.echo(
            ablate_fused(data, out, seed=seed, progress=_say, prefilter_answers=prefilter_answers)
        )


def _prefilter(data: Path, out: Path, seed: int, folds: int) -> dict[str, Any]:
    from coefvq.learning.train_prefilter import train_prefilter

    return train_prefilter(data, out, seed=seed, folds=folds, progress=_say)


def _mllm(data: Path, out: Path, seed: int, folds: int) -> dict[str, Any]:
    from coefvq.learning.train_fused import FOLDS, train_fused

    return train_fused(data, out, seed=seed, folds=min(folds, FOLDS), progress=_say)


def _say(line: str) -> None:
    click.echo(line, err=True)
