"""``coefvq train``: from this store's corrections, or (``--data``) the shipped weights."""

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
    help="Make the shipped weights from this folder of data sets (docs/data.md).",
)
@click.option("--snapshot", metavar="ID", help="Learn from this snapshot [default: one of now].")
@click.option("--resume", metavar="RUN", help="Take a stopped or failed training up again.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of the training from corrections (docs/learning.md); may be repeated.",
)
@click.option(
    "--no-gate", is_flag=True, help="Do not compare the candidate with the model in force."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="With --data: where the trained parts go [default: runs/MODEL].",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Makes the run repeatable.")
@click.option(
    "--folds",
    type=click.IntRange(0, 20),
    default=5,
    show_default=True,
    help="With --data: folds of the cross-validation that the model card quotes; 0: none.",
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
    data: Path | None,
    snapshot: str | None,
    resume: str | None,
    options: tuple[str, ...],
    no_gate: bool,
    out: Path | None,
    seed: int,
    folds: int,
    ablations: bool,
    prefilter_answers: Path | None,
) -> None:
    """Train a stage of the cascade; an interrupted run goes on where it stopped.

    Without --data it learns from what people decided in this store. The candidate goes into the
    registry and is compared with the model in force; nothing uses it before it is promoted
    (`coefvq models promote`).
    """
    if model not in MODELS:
        raise SettingsError(f"Unknown model '{model}'.{did_you_mean(model, MODELS)}")
    if data is None:
        from coefvq.cli.train_corrections import Wish, train_here

        _only_with_data(out, ablations, prefilter_answers)
        named = _named(options, seed)
        click.echo(
            json.dumps(train_here(Wish(model, snapshot, resume, named, not no_gate)), indent=2)
        )
        return
    if snapshot or resume or options or no_gate:
        raise click.UsageError(
            "--snapshot, --resume, --option and --no-gate are for training from corrections: "
            "leave --data out."
        )
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


def _only_with_data(out: Path | None, ablations: bool, answers: Path | None) -> None:
    if out is not None or ablations or answers is not None:
        raise click.UsageError("--out, --ablations and --prefilter-answers go with --data.")


def _named(options: tuple[str, ...], seed: int) -> dict[str, Any]:
    """``("a=1",)`` as a dictionary, with the seed where it is not 0."""
    found: dict[str, Any] = {"seed": seed} if seed else {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"--option {option}: NAME=VALUE is expected.")
        found[name.strip()] = value.strip()
    return found


def _prefilter(data: Path, out: Path, seed: int, folds: int) -> dict[str, Any]:
    from coefvq.learning.train_prefilter import train_prefilter

    return train_prefilter(data, out, seed=seed, folds=folds, progress=_say)


def _mllm(data: Path, out: Path, seed: int, folds: int) -> dict[str, Any]:
    from coefvq.learning.train_fused import FOLDS, train_fused

    return train_fused(data, out, seed=seed, folds=min(folds, FOLDS), progress=_say)


def _say(line: str) -> None:
    click.echo(line, err=True)
