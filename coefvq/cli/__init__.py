"""The command line: thin commands over the library. Each command's module loads when it is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from coefvq import __version__
from coefvq.errors import CoefVQError, did_you_mean

# name -> (module, attribute, one line of help)
COMMANDS = {
    "score": ("coefvq.cli.score", "score", "Score files, or signals that you already have."),
    "ingest": ("coefvq.cli.library", "ingest", "Add files to the library and queue scoring."),
    "worker": ("coefvq.cli.library", "worker", "Work off the queue of jobs."),
    "batch": ("coefvq.cli.batch", "batch", "Score a backlog into Parquet."),
    "demo": ("coefvq.cli.library", "demo", "Make the demo library and score it."),
    "status": ("coefvq.cli.library", "status", "Count videos, jobs, cases and decisions."),
    "serve": ("coefvq.cli.serve", "serve", "Serve the review app."),
    "user": ("coefvq.cli.user", "user", "Add, list, disable and enable people."),
    "queue": ("coefvq.cli.queue", "queue", "Set up the queues that cases wait in."),
    "taxonomy": ("coefvq.cli.taxonomy", "taxonomy", "Show, edit and roll back what is moderated."),
    "golden": ("coefvq.cli.golden", "golden", "Cases whose answer is known, to measure reviewers."),
    "appeal": ("coefvq.cli.oversight", "appeal", "File appeals, and uphold or overturn them."),
    "hold": ("coefvq.cli.oversight", "hold", "Legal holds: videos that nothing deletes."),
    "routing": ("coefvq.cli.routing", "routing", "Fit, replay and publish routing policies."),
    "figures": ("coefvq.cli.figures", "figures", "Compute the figures of Insights now."),
    "video": ("coefvq.cli.video", "video", "What the platform knows of videos; deletion."),
    "originality": ("coefvq.cli.originality", "originality", "Find copies of known originals."),
    "dataset": ("coefvq.cli.dataset", "dataset", "Labelled sets, and what to label next."),
    "train": ("coefvq.cli.train", "train", "Train the prefilter or the MLLM."),
    "models": ("coefvq.cli.models", "models", "Trained models: gate, promote, roll back."),
    "export": ("coefvq.cli.export", "export", "Export labelled corrections."),
    "import": ("coefvq.cli.import_", "import_", "Take labelled corrections in."),
    "alarms": ("coefvq.cli.alarms", "alarms", "List, acknowledge and check alarms."),
    "report": ("coefvq.cli.report", "report", "Write a month's report."),
    "key": ("coefvq.cli.key", "key", "Keys of programs that call the HTTP API."),
    "audit": ("coefvq.cli.audit", "audit", "Verify the chain of events."),
    "store": ("coefvq.cli.store", "store", "Back up, restore, copy to another database."),
    "doctor": ("coefvq.cli.doctor", "doctor", "Check that everything is in place."),
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            ctx.fail(f"No such command '{args[0]}'.{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Review videos with a cascade: prefilter, multimodal LLM, person."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line; errors of this project become one line and exit status 2."""
    try:
        cli.main(args=argv, prog_name="coefvq", standalone_mode=True)
    except CoefVQError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        sys.exit(130)
