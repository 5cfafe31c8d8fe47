"""``coefvq video``: what the platform knows of videos, and their deletion."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click


@click.group()
def video() -> None:
    """Bring in what the platform knows of videos; delete them."""


@video.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def views(file: Path, as_json: bool) -> None:
    """Keep how often videos were seen: a CSV with video_id,views."""
    from coefvq.review.access import LOCAL
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work.trials import import_views

    with open_store(load_settings().url) as store:
        found = import_views(store, LOCAL, file)
    if as_json:
        click.echo(json.dumps({"kept": found.kept, "refused": list(found.refused)}))
    else:
        click.echo(f"views kept of {found.kept} videos")
        for line in found.refused:
            click.echo(line, err=True)
    sys.exit(1 if found.refused else 0)


@video.command()
@click.argument("video_ids", nargs=-1, required=True, metavar="ID...")
@click.option("--reason", required=True, help="Why; it is kept in the event.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a video.")
def delete(video_ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Delete videos everywhere they left a trace; one under a legal hold stays."""
    from coefvq.errors import StoreError
    from coefvq.review.users import OPERATOR
    from coefvq.settings import load_settings
    from coefvq.store.session import open_store
    from coefvq.work.deletion import delete_video

    settings, failed = load_settings(), False
    with open_store(settings.url) as store:
        for video_id in video_ids:
            try:
                found = asdict(delete_video(store, settings, OPERATOR, video_id, reason))
            except StoreError as error:
                failed = True
                found = {"video_id": video_id, "error": {"code": error.code, "message": str(error)}}
            click.echo(
                json.dumps(found) if as_json else _told(found), err="error" in found and not as_json
            )
    sys.exit(1 if failed else 0)


def _told(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"error: {found['error']['message']}"
    shared = "; another video shows the same bytes, they stay" if found["shared"] else ""
    return f"{found['video_id']} deleted, {found['files']} files removed{shared}"
