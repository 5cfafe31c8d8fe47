"""Every figure of Insights as a file: ``/insights/NAME.csv`` and ``/insights/NAME.svg``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from coefvq import taxonomy
from coefvq.errors import CoefVQError, NotAllowed, StoreError
from coefvq.export.cells import cell
from coefvq.review import insights
from coefvq.review.access import Actor, Permission, require
from coefvq.store.session import Store
from reviewer_ui.components import insights_people, insights_plots
from reviewer_ui.components.insights import BASES
from reviewer_ui.who import actor_of

Document = dict[str, Any]
Rows = tuple[Sequence[str], Iterable[Sequence[object]]]
_ENDS = ("", "_low", "_high")


def operating_rows(document: Document, basis: str) -> Rows:
    """A row a budget."""
    rates = ("recall", "precision", "miss_rate")
    plain = ("human_share", "load_a_day", "seconds_per_1000", "tokens_per_1000",
             "money_per_1000")  # fmt: skip
    table = document.get(basis) or {}
    head = ["budget", "calls", "unknown", *(r + end for r in rates for end in _ENDS), *plain,
            "n", "positives", "in_force"]  # fmt: skip
    rows = [*((row, 0) for row in table.get("rows") or [])]
    if table.get("mark"):
        rows.append((table["mark"], 1))
    return head, (
        [row["budget"], row["calls"], row["unknown"],
         *(value for name in rates for value in _rate(row.get(name))),
         *(row.get(name) for name in plain), table["n"], table["positives"], mark]
        for row, mark in rows
    )  # fmt: skip


def calibration_rows(document: Document) -> Rows:
    """A row a bin, of the task ("task") and every policy, for each stage."""
    head = ("subject", "stage", "n_of_bin", "predicted", "observed", "observed_low",
            "observed_high", "n", "positives", "calibration_error", "brier")  # fmt: skip
    return head, (
        [subject or "task", name, *row, stage["n"], stage["positives"], stage["ece"],
         stage["brier"]]
        for subject, stages in (document.get("subjects") or {}).items()
        for name, stage in stages.items()
        for row in stage["bins"]
    )  # fmt: skip


def miss_rows(document: Document) -> Rows:
    """A row a rate."""
    names = ("miss_rate", "precision", "prevalence", "false_removal_rate")
    rows = [[name, *_rate(document.get(name))] for name in names]
    rows.append(["naive_miss_rate", *_rate((document.get("naive") or {}).get("rate"))])
    counts = [document.get(key) for key in ("items", "labelled", "audits")]
    head = ("rate", "value", "low", "high", "outcomes", "labelled", "audits")
    return head, ([*row, *counts] for row in rows)


def machine_rows(document: Document) -> Rows:
    """A row a policy and way of being chosen."""
    head = ("policy", "cases", "n", "corrected", "share", "low", "high")
    return head, (
        [each["policy"], kind, each[kind]["n"], each[kind]["hits"], *_rate(each[kind]["rate"])]
        for each in document.get("policies") or []
        for kind in ("sent", "audits", "missed")
    )


def drift_rows(document: Document) -> Rows:
    """A row a score."""
    head = ("score", "state", "psi", "noise", "items", "uploaders", "why")
    return head, (
        [each["policy"], each["level"], *(each["scores"][key] for key in head[2:6]),
         "; ".join(each["reasons"])]
        for each in document.get("reports") or []
    )  # fmt: skip


def series_rows(document: Document, part: str) -> Rows:
    """A row a day or hour."""
    found = document.get(part) or {}
    videos, decisions = (dict(map(tuple, found.get(key) or [])) for key in ("videos", "decisions"))
    return ("begins", "videos", "decisions"), (
        [_moment(at), videos.get(at, 0), decisions.get(at, 0)]
        for at in sorted({*videos, *decisions})
    )


def waits_rows(document: Document) -> Rows:
    """A row a day."""
    head = ("day", "median_s", "ninetieth_percentile_s", "n")
    return head, ([_moment(at), *rest] for at, *rest in document.get("waits") or [])


def ledger_rows(document: Document) -> Rows:
    """A row a stage, people last."""
    head = ("stage", "runs", "seconds", "tokens_in", "tokens_out", "money")
    rows: list[list[object]] = []
    for each in document.get("stages") or []:
        mllm = each["stage"] == "mllm"
        more = [document["tokens_in"], document["tokens_out"], document["mllm_money"]]
        rows.append([each["stage"], each["runs"], each["seconds"], *(more if mllm else [""] * 3)])
    if rows:
        people = [document["decisions"], document["people_s"], "", "", document["people_money"]]
        rows.append(["people", *people])
    return head, rows


Chosen = Mapping[str, str]
FILES: dict[str, tuple[str, Callable[[Document, Chosen], Rows],
                       Callable[[Document, Chosen], str | None] | None]] = {
    "operating": ("operating", lambda d, c: operating_rows(d, c["basis"]),
                  lambda d, c: insights_plots.operating(d, c["basis"])),
    "calibration": ("calibration", lambda d, c: calibration_rows(d),
                    lambda d, c: insights_plots.calibration(d, c["subject"])),
    "miss-rate": ("miss", lambda d, c: miss_rows(d), lambda d, c: insights_plots.miss_rate(d)),
    "machine": ("machine", lambda d, c: machine_rows(d), lambda d, c: insights_plots.machine(d)),
    "agreement": ("people", lambda d, c: insights_people.rows(d), None),
    "drift": ("drift", lambda d, c: drift_rows(d), None),
    "throughput": ("throughput", lambda d, c: series_rows(d, "days"),
                   lambda d, c: insights_plots.throughput(d)),
    "hours": ("throughput", lambda d, c: series_rows(d, "hours"),
              lambda d, c: insights_plots.hourly(d)),
    "waits": ("throughput", lambda d, c: waits_rows(d), lambda d, c: insights_plots.waits(d)),
    "ledger": ("ledger", lambda d, c: ledger_rows(d), None),
}  # fmt: skip
"""File to the figure that it is of, its rows and its plot."""


def make(store: Store, actor: Actor, file: str, query: Mapping[str, str]) -> tuple[str, str]:
    """The text of a file and its type.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such file, or nothing is computed yet.
    """
    require(actor, Permission.LEAD)
    name, _, kind = file.partition(".")
    if name not in FILES or kind not in ("csv", "svg"):
        raise StoreError(f"There is no figure '{file}'.")
    task = query.get("task") or next(iter(taxonomy.tasks()))
    window = query.get("days") or insights.DEFAULT_WINDOW
    basis = query.get("basis") or "traffic"
    chosen = {"basis": basis, "subject": query.get("subject") or ""}
    if basis not in BASES:
        raise StoreError(f"There is no way of counting '{basis}'.")
    found = insights.read(store, actor, task, window)
    figure, rows, plot = FILES[name]
    document = found.get(figure)
    if document is None:
        raise StoreError("This figure was not computed yet. Press Compute now on Insights.")
    if kind == "csv":
        return _csv(rows(document, chosen), document, found), "text/csv; charset=utf-8"
    drawn = plot(document, chosen) if plot is not None else None
    if drawn is None:
        raise StoreError(document.get("why") or f"There is nothing to draw of {name} in this time.")
    return drawn, "image/svg+xml"


def _csv(rows: Rows, document: Document, found: insights.Insights) -> str:
    """Rows, each with its task, the time covered and when it was computed."""
    out = io.StringIO()
    writer = csv.writer(out)
    head, lines = rows
    more = (found.task, _moment(document.get("since")), _moment(document.get("until")),
            found.computed_at)  # fmt: skip
    writer.writerow([*head, "task", "covered_since", "covered_until", "computed_at"])
    writer.writerows([cell(value) for value in (*line, *more)] for line in lines)
    return out.getvalue()


def _rate(value: Sequence[float] | None) -> list[float | None]:
    return [None, None, None] if value is None else list(value)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def insights_router(store: Store) -> APIRouter:
    """Make the route."""
    router = APIRouter()

    @router.get("/insights/{file}")
    async def download(file: str, request: Request) -> Response:
        """Send a figure as a file."""
        try:
            text, kind = await run_in_threadpool(
                make, store, actor_of(request), file, request.query_params
            )
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except CoefVQError as error:
            raise HTTPException(404, str(error)) from error
        headers = {
            "content-disposition": f'attachment; filename="{file}"',
            "cache-control": "no-store",
        }
        return Response(text, media_type=kind, headers=headers)

    return router
