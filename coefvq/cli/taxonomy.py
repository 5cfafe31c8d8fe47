"""``coefvq taxonomy``: what is moderated. Whoever runs this has the database."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import yaml

from coefvq.errors import SettingsError
from coefvq.review import taxonomies
from coefvq.review.taxonomies import VersionView
from coefvq.review.users import OPERATOR
from coefvq.settings import load_settings
from coefvq.store.session import open_store

_LARGEST = 2**20
_VERSION = click.option(
    "--number", type=click.IntRange(0), default=None, help="An older version; 0: built-in."
)


@click.group()
def taxonomy() -> None:
    """Tasks, policies and actions: show, export, import, history."""


@taxonomy.command()
@_VERSION
@click.option("--json", "as_json", is_flag=True, help="One JSON object: tasks and actions.")
def show(number: int | None, as_json: bool) -> None:
    """Show what is in force."""
    with open_store(load_settings().url) as store:
        version = taxonomies.current(store, OPERATOR).version
        document = taxonomies.document_of(store, OPERATOR, number)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(f"version {version.number if number is None else number}", err=True)
    for task in document["tasks"]:
        click.echo(f"{task['id']}  {task['name']}")
        for policy in task["policies"]:
            click.echo(f"  {policy['id']:<24} severity {policy['severity']}  {policy['question']}")
    for action in document["actions"]:
        kind = "violation" if action["violation"] else "no violation"
        default = ", proposed" if action["default"] else ""
        click.echo(f"action {action['id']:<17} {action['name']} ({kind}{default})")


@taxonomy.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_VERSION
def export(file: Path, number: int | None) -> None:
    """Write it to FILE as YAML (or JSON, by the file's ending), to edit and import again."""
    with open_store(load_settings().url) as store:
        document = taxonomies.document_of(store, OPERATOR, number)
    if file.suffix == ".json":
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    else:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error}.") from error
    click.echo(f"Wrote {file}.", err=True)


@taxonomy.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--note", required=True, help="Why; it stays with the version.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
def import_(file: Path, note: str, dry_run: bool) -> None:
    """Check FILE and put it in force as a new version."""
    document = _read(file)
    with open_store(load_settings().url) as store:
        found = taxonomies.review(store, OPERATOR, document)
        for change in found.changes:
            click.echo(str(change), err=True)
        for problem in found.problems:
            click.echo(f"{problem.where or file.name}: {problem.words}", err=True)
        waiting = sum(found.open_cases.values())
        click.echo(f"{waiting} open cases are of tasks that change.", err=True)
        if dry_run:
            if found.problems:
                raise SettingsError(f"{file}: {len(found.problems)} things to change first.")
            return
        made = taxonomies.publish(store, OPERATOR, document, note, base=found.base)
    click.echo(f"Version {made.number} is in force.", err=True)


@taxonomy.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def history(as_json: bool) -> None:
    """List all versions, newest first, with what each changed."""
    with open_store(load_settings().url) as store:
        found = taxonomies.history(store, OPERATOR)
    for version in found:
        if as_json:
            click.echo(json.dumps(_fields(version), ensure_ascii=False))
            continue
        when = f"{version.published_at:%Y-%m-%d %H:%M} UTC" if version.published_at else "-"
        click.echo(f"{version.number}\t{when}\t{version.published_by}\t{version.note}")
        for change in version.changes:
            click.echo(f"\t{change}")


def _fields(version: VersionView) -> dict[str, Any]:
    made = asdict(version) | {"changes": [str(change) for change in version.changes]}
    at = version.published_at
    return made | {"published_at": at.isoformat() if at else None}


def _read(file: Path) -> object:
    """Read YAML, of which JSON is a part.

    Raises:
        SettingsError: The file cannot be read.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise SettingsError(f"{file} is larger than {_LARGEST} bytes: that is no taxonomy.")
        return yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from error
