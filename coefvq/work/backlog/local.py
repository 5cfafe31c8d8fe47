"""The engine for one machine: one cascade, one file after another, parts as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coefvq.errors import CoefVQError
from coefvq.settings import Settings
from coefvq.work.backlog.items import BacklogItem
from coefvq.work.backlog.output import Output
from coefvq.work.backlog.rows import error_row, result_rows
from coefvq.work.keep import Keeper

PART = 32
"""Videos a part: what a killed run has to score again at most."""
Progress = Callable[[int, int], None]
"""Called with how many are done in this run, and of how many."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        scored: Files scored in this run.
        failed: Files of this run that could not be scored; their errors are in ``errors``.
        before: Files that an earlier run had done.
    """

    scored: int
    failed: int
    before: int


def run_local(
    settings: Settings,
    items: Sequence[BacklogItem],
    output: Output,
    *,
    keep: bool = True,
    progress: Progress | None = None,
) -> Summary:
    """Score what is not done yet.

    Args:
        keep: Put media record, signals and assessments into the store, as ``coefvq score`` does.

    Raises:
        ModelError: Weights are missing; nothing is scored.
    """
    from coefvq.cascade import Cascade
    from coefvq.work.routing import learn_without_keeping, policies_without_keeping

    known = output.done()
    left = [item for item in items if item.key not in known]
    keeper = Keeper.open(settings) if keep else None
    cascade = Cascade.load(settings, {} if keeper else policies_without_keeping(settings))
    if keeper is None:
        learn_without_keeping(settings, cascade.routing)
    finder = keeper.finder(settings) if keeper else None
    scored, failed = 0, 0
    for first in range(0, len(left), PART):
        rows, errors = [], []
        for item in left[first : first + PART]:
            try:
                if keeper:
                    keeper.follow(cascade)
                found = cascade.assess(
                    item.path, item.title, item.caption, signals_cache=keeper, copies=finder
                )
                if keeper:
                    keeper.keep(found)
                rows += result_rows(item, found)
                scored += 1
            except CoefVQError as error:
                errors.append(error_row(item, error))
                failed += 1
            if progress is not None:
                progress(scored + failed, len(left))
        output.write(rows, errors)
    if keeper:
        keeper.close()
    return Summary(scored, failed, len(items) - len(left))
