"""``coefvq ingest``, ``worker``, ``demo`` and ``status``: the library from the command line."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from coefvq.cli.manifest import Entry, read_manifest
from coefvq.cli.progress import Progress
from coefvq.errors import CoefVQError, did_you_mean
from coefvq.results import error_json
from coefvq.review import library, uploads
from coefvq.review.access import LOCAL
from coefvq.settings import Settings, load_settings
from coefvq.store import cases, decisions, jobs, videos
from coefvq.store.session import Store, open_store
from coefvq.store.tables import JobKind

_POLL_S = 0.5


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="CSV with path,title,caption,uploader; paths relative to the file.",
)
@click.option("--wait", is_flag=True, help="Score them here and return when all are scored.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def ingest(paths: tuple[str, ...], manifest: Path | None, wait: bool, as_json: bool) -> None:
    """Add files to the library and queue their scoring."""
    if not paths and manifest is None:
        raise click.UsageError("Give files, or --manifest FILE.csv.")
    settings = load_settings()
    entries = [Entry(path) for path in paths] + (read_manifest(manifest) if manifest else [])
    with open_store(settings.url) as store:
        rows = [_add(settings, store, entry) for entry in entries]
        if wait:
            _wait(settings, store, [row["video_id"] for row in rows if "video_id" in row])
        failed = _print(_with_status(settings, store, rows), as_json)
    sys.exit(failed)


@click.command()
@click.option("--once", is_flag=True, help="Return when the queue is empty.")
@click.option("--kinds", metavar="KIND,...", help="Take only these kinds of jobs.")
@click.option("--no-training", is_flag=True, help="Leave trainings and their gates to others.")
def worker(once: bool, kinds: str | None, no_training: bool) -> None:
    """Work off the queue of jobs until stopped."""
    from coefvq.work.process import run_worker

    wanted = _kinds(kinds, no_training)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    run_worker(load_settings(), once=once, kinds=wanted)


def _kinds(named: str | None, no_training: bool) -> frozenset[JobKind] | None:
    """Kinds of jobs to take; ``None``: all."""
    from coefvq.work.worker import LEARNING

    if named is None:
        return frozenset(JobKind) - LEARNING if no_training else None
    known = {kind.value: kind for kind in JobKind}
    names = [name.strip() for name in named.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise click.UsageError(f"Unknown kind of job '{name}'.{did_you_mean(name, known)}")
    found = frozenset(known[name] for name in names) - (LEARNING if no_training else frozenset())
    if not found:
        raise click.UsageError("No kind of job is left to take.")
    return found


@click.command()
@click.option("--build-only", is_flag=True, help="Make and queue the clips; score nothing here.")
def demo(build_only: bool) -> None:
    """Make the demo library and score it; a second call finds nothing to do."""
    from coefvq.demo.catalogue import CLIPS
    from coefvq.demo.library import ensure_demo

    settings = load_settings()
    with open_store(settings.url) as store:
        added = ensure_demo(settings, store, Progress(len(CLIPS), "demo clips"))
        if not build_only:
            _wait(settings, store, added)
    click.echo(f"{len(added)} demo clips added", err=True)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def status(as_json: bool) -> None:
    """Count videos, jobs, cases and decisions."""
    with open_store(load_settings().url) as store, store.read() as session:
        counts = {
            "videos": sum(videos.count_by_status(session).values()),
            "jobs": jobs.counts(session),
            "cases": cases.counts(session),
            "decisions": decisions.count(session),
        }
    if as_json:
        click.echo(json.dumps(counts))
        return
    for name, value in counts.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        click.echo(f"{name}: {shown or 'none'}")


def _add(settings: Settings, store: Store, entry: Entry) -> dict[str, Any]:
    """Probe first, so that what can never be scored is refused here and now."""
    from coefvq.media.limits import MediaLimits
    from coefvq.media.probe import probe

    try:
        info = probe(entry.path, MediaLimits.from_settings(settings))
        video_id = uploads.register(
            store,
            settings,
            LOCAL,
            entry.path,
            title=entry.title,
            caption=entry.caption,
            uploader=entry.uploader,
            move=False,
        )
    except CoefVQError as error:
        return error_json({"path": entry.path}, error)
    return {"path": entry.path, "video_id": video_id, "sha256": info.sha256}


def _wait(settings: Settings, store: Store, video_ids: list[str]) -> None:
    """Work off the queue here until these videos are scored or set aside.

    Another worker may hold some of their jobs; those are waited for.
    """
    from coefvq.work.assessor import load_cascade
    from coefvq.work.worker import SCORING, Worker

    if not video_ids:
        return
    mine = Worker(settings, store, load_cascade, kinds=SCORING)
    progress = Progress(len(video_ids), "scored")
    while True:
        state = library.progress(store, settings, LOCAL, video_ids)
        progress(state.done + state.failed, state.total)
        if state.done + state.failed >= state.total:
            return
        if not mine.work_one():
            time.sleep(_POLL_S)


def _with_status(
    settings: Settings, store: Store, rows: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    added = [row["video_id"] for row in rows if "video_id" in row]
    found = library.progress(store, settings, LOCAL, added)
    items = {item.video_id: item for item in found.items}
    for row in rows:
        item = items.get(row.get("video_id", ""))
        if item is None:
            yield row
        elif item.error_code:
            error = {"code": item.error_code, "message": item.error or ""}
            yield row | {"status": item.status, "error": error}
        else:
            yield row | {"status": item.status}


def _print(rows: Iterator[dict[str, Any]], as_json: bool) -> int:
    failed = 0
    for row in rows:
        failed |= "error" in row
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        elif "error" in row:
            click.echo(f"{row['path']}: {row['error']['code']}: {row['error']['message']}")
        else:
            click.echo(f"{row['path']}: {row['video_id']} {row['status']}")
    return failed
