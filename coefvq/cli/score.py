"""``coefvq score``: files, or signals that a platform already has, to verdicts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coefvq.cli.items import SignalsError, SignalsItem, read_items
from coefvq.cli.progress import Progress
from coefvq.domain import STAGES
from coefvq.errors import CoefVQError
from coefvq.results import error_json, result_json
from coefvq.settings import Settings, load_settings

if TYPE_CHECKING:
    from coefvq.cascade import Cascade, StageChoice


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "--from-signals",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    help="Score signals that you already have, one JSON object a line.",
)
@click.option("--title", help="Title as posted (for all files of this call).")
@click.option("--caption", help="Caption as posted (for all files of this call).")
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    default="auto",
    show_default=True,
    help="auto: as routed; prefilter: first stage only; mllm: always both.",
)
@click.option("--rationale", is_flag=True, help="Explain where the MLLM ran.")
@click.option("--no-store", is_flag=True, help="Keep nothing in the store.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def score(
    paths: tuple[str, ...],
    from_signals: Path | None,
    title: str | None,
    caption: str | None,
    stage: StageChoice,
    rationale: bool,
    no_store: bool,
    as_json: bool,
) -> None:
    """Score files. Stores media, signals and assessments; opens no case.

    Copies are looked for among the originals in the store; with --stage prefilter only where a
    keyframe looks like one of theirs.
    """
    if bool(paths) == bool(from_signals):
        raise click.UsageError("Give files, or --from-signals FILE.jsonl (one of the two).")
    settings = load_settings()
    if from_signals:
        rows = _score_signals(settings, from_signals, stage, rationale)
    else:
        rows = _score_files(settings, paths, title, caption, stage, rationale, not no_store)
    sys.exit(_print(rows, as_json))


def _score_signals(
    settings: Settings, path: Path, stage: StageChoice, rationale: bool
) -> Iterator[dict[str, Any]]:
    if not path.exists() or path.is_dir():  # a pipe is fine
        raise click.UsageError(f"No such file: {path}")
    items = list(read_items(path))
    from coefvq.cascade import Cascade
    from coefvq.work.models import models_without_keeping
    from coefvq.work.routing import learn_without_keeping, policies_without_keeping

    published = models_without_keeping(settings)
    cascade = Cascade.load(settings, policies_without_keeping(settings), published)
    learn_without_keeping(settings, cascade.routing)
    progress = Progress(len(items), "scored")
    for done, (name, item) in enumerate(items, 1):
        yield _one_item(cascade, name, item, stage, rationale)
        progress(done)


def _one_item(
    cascade: Cascade,
    name: str,
    item: SignalsItem | SignalsError,
    stage: StageChoice,
    rationale: bool,
) -> dict[str, Any]:
    if isinstance(item, SignalsError):
        return error_json({"id": name}, item)
    try:
        result = cascade.assess_signals(item.id, item.posted, item.expensive, stage, rationale)
    except CoefVQError as error:
        return error_json({"id": name}, error)
    return result_json(result, with_rationale=rationale)


def _score_files(
    settings: Settings,
    paths: tuple[str, ...],
    title: str | None,
    caption: str | None,
    stage: StageChoice,
    rationale: bool,
    keep: bool,
) -> Iterator[dict[str, Any]]:
    from coefvq.cascade import Cascade
    from coefvq.work.keep import Keeper
    from coefvq.work.models import models_without_keeping
    from coefvq.work.routing import learn_without_keeping, policies_without_keeping

    keeper = Keeper.open(settings) if keep else None
    finder = keeper.finder(settings, quick=stage == "prefilter") if keeper else None
    published = {} if keeper else models_without_keeping(settings)  # a keeper follows by itself
    cascade = Cascade.load(
        settings, {} if keeper else policies_without_keeping(settings), published
    )
    if keeper:
        keeper.follow(cascade)  # what cannot be routed at all is one error, not one a file
    else:
        learn_without_keeping(settings, cascade.routing)
    progress = Progress(len(paths), "scored")
    for done, path in enumerate(paths, 1):
        try:
            if keeper:
                keeper.follow(cascade)
            result = cascade.assess(path, title, caption, stage, rationale, keeper, copies=finder)
            if keeper:
                keeper.keep(result)
            yield result_json(result, with_rationale=rationale) | {"path": path}
        except CoefVQError as error:
            yield error_json({"path": path}, error)
        progress(done)


def _print(rows: Iterator[dict[str, Any]], as_json: bool) -> int:
    """Print every row; 1 if any failed."""
    failed = 0
    for row in rows:
        failed |= "error" in row
        click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    return int(failed)


def _line(row: dict[str, Any]) -> str:
    name = row.get("path") or row.get("id")
    if "error" in row:
        return f"{name}: {row['error']['code']}: {row['error']['message']}"
    parts = [
        f"{task}: {found['verdict']} p={_number(found['probability'])} {found['route']}"
        for task, found in row["tasks"].items()
    ]
    return f"{name}: " + " | ".join(parts)


def _number(value: float | None) -> str:
    return "not covered" if value is None else f"{value:.2f}"
