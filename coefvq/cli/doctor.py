"""``coefvq doctor``."""

from __future__ import annotations

import json
import sys

import click

from coefvq.ops.doctor import examine, report
from coefvq.settings import load_settings

_MARKS = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option(
    "--speed", is_flag=True, help="Load the MLLM and measure it on a made-up video (seconds)."
)
def doctor(as_json: bool, speed: bool) -> None:
    """Check that everything is in place; says what to do where it is not."""
    checks = examine(load_settings(), speed)
    if as_json:
        click.echo(json.dumps(report(checks), ensure_ascii=False))
    else:
        for check in checks:
            click.echo(f"{_MARKS[check.state]} {check.name}: {check.found} {check.remedy}".rstrip())
    sys.exit(0 if report(checks)["ok"] else 1)
