"""Insights: what the cascade and the people do, what another budget would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from coefvq.review import insights
from coefvq.review.access import Actor
from coefvq.review.insights import Insights
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, BadCall, server_function, text, whole
from reviewer_ui.components import chrome, insights_people, insights_plots, insights_tables
from reviewer_ui.components import insights as shown
from reviewer_ui.components.insights_words import covered
from reviewer_ui.login import who_chip
from reviewer_ui.markup import NOTHING, Markup, h, join
from reviewer_ui.pages import alarm_calls
from reviewer_ui.theme import head

FILES = ("base.css", "insights.css", "shared.js", "insights.js")
BOOT = "window.CoefVQ.boot(element, server)"
NAMES = ("overview", "dial", "compute", "progress")
CARDS = (
    ("operating", "Operating curve", "wide", ("operating-basis", "operating-curve", "dial")),
    ("miss", "Miss rate", "", ("miss-rate",)),
    ("calibration", "Calibration", "", ("calibration-choice", "calibration-plot")),
    ("machine", "People and the machine", "wide", ("machine-plot", "machine-table")),
    ("agreement", "People among themselves", "wide", ("agreement-table",)),
    ("throughput", "Throughput", "wide", ("throughput-days", "throughput-waits",
                                          "throughput-hours", "throughput-queue")),
    ("drift", "Drift", "wide", ("drift-table",)),
    ("ledger", "Cost", "wide", ("cost-ledger",)),
)  # fmt: skip
"""Card to its title, width, and the regions that answers fill."""


@dataclass(frozen=True)
class Wish:
    """What somebody looks at."""

    task: str
    days: str
    basis: str
    subject: str

    @property
    def query(self) -> dict[str, str]:
        """As an address says it."""
        return {"task": self.task, "days": self.days}


def shell() -> Markup:
    """The empty page; the script fills the regions."""
    cards = join(
        h(
            '<section class="card {}" id="{}-card" aria-labelledby="{}-title">'
            '<h2 id="{}-title">{}</h2>{}</section>',
            wide, name, name, name, title,
            join(h('<div id="{}"></div>', region) for region in regions),
        )
        for name, title, wide, regions in CARDS
    )  # fmt: skip
    return h(
        '<div class="cv" data-page="insights" style="visibility:hidden">{}<main class="insights">'
        '<h1 class="hidden">Insights</h1><div class="insights-bar"><div id="insights-tools"></div>'
        '<div id="insights-age"></div></div><div id="insights-note"></div>'
        '{}<div class="figures">{}</div></main>'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/insights", keys=False),
        alarm_calls.shell(),
        cards,
    )


class InsightsCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES]

    def overview(self, actor: Actor, args: Args) -> Answer:
        """Every figure of a task and a time."""
        names = insights.tasks(actor)
        wish = wish_of(args, names)
        found = insights.read(self.store, actor, wish.task, wish.days)
        regions = {
            "who": who_chip(actor),
            "insights-tools": shown.tools(names, found),
            "insights-age": shown.freshness(found),
            **_operating(found, wish),
            **_quality(found, wish),
            **_flow(found, wish),
        }
        return {"regions": regions, "busy": found.run.busy, "chosen": vars(wish)}

    def dial(self, actor: Actor, args: Args) -> Answer:
        """The figures at one budget."""
        wish = wish_of(args, insights.tasks(actor))
        document = insights.read(self.store, actor, wish.task, wish.days).get("operating")
        rows = ((document or {}).get(wish.basis) or {}).get("rows") or []
        at = whole(args, "at")
        if document is None or not rows:
            return {"regions": {"dial": NOTHING}}
        if not 0 <= at < len(rows):
            raise BadCall(f"at: a step of 0 to {len(rows) - 1} is expected.")
        return {"regions": {"budget-figures": shown.dial_figures(document, wish.basis, at)}}

    def compute(self, actor: Actor, args: Args) -> Answer:
        """Ask a worker for new figures."""
        run = insights.request(self.store, actor)
        return {"regions": {"insights-progress": shown.working(run)}, "busy": run.busy}

    def progress(self, actor: Actor, args: Args) -> Answer:
        """How far the run is."""
        run = insights.progress(self.store, actor)
        line = shown.working(run) if run.busy else NOTHING
        return {"regions": {"insights-progress": line}, "busy": run.busy}


def wish_of(args: Args, tasks: dict[str, str]) -> Wish:
    """Read what is asked for; absent is the first of each, as is a task that is gone since.

    Raises:
        BadCall: A way of counting that is not there.
    """
    basis = text(args, "basis", limit=20) or next(iter(shown.BASES))
    if basis not in shown.BASES:
        raise BadCall(f"basis: one of {', '.join(shown.BASES)} is expected.")
    task = text(args, "task", limit=64)
    return Wish(
        task if task in tasks else next(iter(tasks), ""),
        text(args, "days", limit=10) or insights.DEFAULT_WINDOW,
        basis,
        text(args, "subject", limit=64),
    )


def _operating(found: Insights, wish: Wish) -> dict[str, Markup]:
    document = found.get("operating")
    plot = insights_plots.operating(document, wish.basis) if document else None
    files = shown.downloads("operating", wish.query | {"basis": wish.basis})
    return {
        "operating-basis": shown.basis_choice(wish.basis) if document else NOTHING,
        "operating-curve": shown.operating(document, plot, wish.basis, files),
        "dial": shown.dial(document, wish.basis),
    }


def _quality(found: Insights, wish: Wish) -> dict[str, Markup]:
    miss, bins, machine = (found.get(name) for name in ("miss", "calibration", "machine"))
    subjects = (bins or {}).get("subjects") or {}
    subject = wish.subject if wish.subject in subjects else ""
    files = shown.downloads("calibration", wish.query | {"subject": subject})
    made = {
        "miss-rate": shown.figure(
            insights_plots.miss_rate(miss) if miss else None, miss,
            shown.downloads("miss-rate", wish.query),
            insights_tables.miss_rate(miss) if miss else NOTHING,
        ),
        "calibration-choice": _subjects(subjects, subject),
        "calibration-plot": _calibration(bins, subject, files),
        "machine-plot": NOTHING,
        "machine-table": shown.why(shown.NEVER),
        "agreement-table": _people(found, wish),
    }  # fmt: skip
    if machine:
        files = shown.downloads("machine", wish.query)
        why = {"why": "No case of this time was sent to people and decided."}
        made["machine-plot"] = shown.figure(insights_plots.machine(machine), machine | why, files)
        made["machine-table"] = (
            insights_tables.machine(machine) if machine.get("policies") and machine["n"]
            else shown.why(machine.get("why")) if machine.get("why") else NOTHING
        )  # fmt: skip
    return made


def _people(found: Insights, wish: Wish) -> Markup:
    document = found.get("people")
    if document is None:
        return shown.why(shown.NEVER)
    files = shown.downloads("agreement", wish.query, svg=False)
    return h("{}{}", insights_people.section(document), _files(files))


def _subjects(subjects: dict[str, Any], chosen: str) -> Markup:
    if not subjects:
        return NOTHING
    names = {name: name.replace("_", " ") or "the whole task" for name in subjects}
    return h(
        '<label>Probability of <select id="insights-subject" data-choose="subject">{}</select>'
        "</label>",
        shown.options(names, chosen),
    )


def _calibration(document: dict[str, Any] | None, subject: str, files: Markup) -> Markup:
    plot = insights_plots.calibration(document, subject) if document else None
    if document is None or document.get("why"):
        return shown.figure(None, document, files)
    stages = insights_tables.calibration(document, subject)
    shade = "Groups of equal weight; the shade is the 95 % interval after both stages."
    note = f"{shade} Decided {covered(document)}."
    left = shown.left_out(document)
    if plot is None:
        return h("{}{}", stages, left)
    return shown.figure(plot, document, files, stages, left, note=note)


def _flow(found: Insights, wish: Wish) -> dict[str, Markup]:
    flow, drift, costs = (found.get(name) for name in ("throughput", "drift", "ledger"))
    made: dict[str, Markup] = {"throughput-queue": NOTHING}
    for region, name, draw in (
        ("throughput-days", "throughput", insights_plots.throughput),
        ("throughput-waits", "waits", insights_plots.waits),
        ("throughput-hours", "hours", insights_plots.hourly),
    ):
        files = shown.downloads(name, wish.query)
        plot = draw(flow) if flow else None
        nothing = {"why": NOTHING_YET[name]}
        made[region] = shown.figure(plot, flow and flow | nothing, files, note=NOTES[name])
    if flow:
        made["throughput-queue"] = insights_tables.queue(flow)
    made["drift-table"] = shown.why(shown.NEVER)
    if drift:
        files = shown.downloads("drift", wish.query, svg=False)
        made["drift-table"] = h("{}{}", insights_tables.drift(drift), _files(files))
    made["cost-ledger"] = shown.why(shown.NEVER)
    if costs:
        files = shown.downloads("ledger", wish.query, svg=False)
        made["cost-ledger"] = h("{}{}", insights_tables.ledger(costs), _files(files))
    return made


_IDLE = "No video was scored and nothing was decided yet."
NOTHING_YET = {
    "throughput": _IDLE,
    "waits": "Nothing was decided yet, so no wait is known.",
    "hours": _IDLE,
}
NOTES = {
    "throughput": "All tasks, days of UTC, at most a year; the last day is not over. "
    "Undone decisions count as given.",
    "waits": "All tasks, by the day of the decision (UTC).",
    "hours": "All tasks, the last 48 hours (UTC); the last hour is not over.",
}


def _files(files: Markup) -> Markup:
    return h('<p class="muted under">{}</p>', files)


def insights_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=[
            *InsightsCalls(store, settings).functions(),
            *alarm_calls.AlarmCalls(store, settings).functions(),
        ],
        apply_default_css=False,
        padding=False,
        elem_id="insights-page",
    )
