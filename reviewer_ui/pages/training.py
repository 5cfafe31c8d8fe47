"""Training: what people taught, models learnt from it, the gate, promotion and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.domain import Stage
from coefvq.learning import promote
from coefvq.learning.shadow_view import shadow_comparison
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work import promotion, training, training_options, training_promotion, training_views
from coefvq.work.training import NAMES, RunView, stage_of
from coefvq.work.training_summary import Summaries
from coefvq.work.training_views import CandidateView, Models
from reviewer_ui.calls import Answer, Args, BadCall, needed, server_function, text
from reviewer_ui.components import training as shown
from reviewer_ui.components import training_gate, training_runs
from reviewer_ui.components import training_promotion as promotions
from reviewer_ui.login import who_chip
from reviewer_ui.markup import NOTHING, Markup
from reviewer_ui.pages.training_shell import shell
from reviewer_ui.theme import head

FILES = ("base.css", "routing.css", "training.css", "shared.js", "training.js")
BOOT = "window.CoefVQ.boot(element, server)"
NAMES_OF_CALLS = ("overview", "summary", "look", "start", "cancel", "resume", "compare", "show",
                  "promote", "shadow", "end_shadow", "rollback")  # fmt: skip
MOST_OPTIONS = 40


class TrainingCalls:
    """The page's calls; what it keeps is only a count that it need not make twice."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self._summaries = Summaries()

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES_OF_CALLS]

    def overview(self, actor: Actor, args: Args) -> Answer:
        """Models in force, trainings, the candidate that is looked at, publications."""
        require(actor, Permission.LEAD)
        return self._all(actor, text(args, "version", limit=200))

    def summary(self, actor: Actor, args: Args) -> Answer:
        """What there is to learn from now: it is counted, so it comes after the page."""
        found = self._summaries.read(self.store, actor)
        return {"regions": {"dataset-summary": shown.summary(found)}}

    def look(self, actor: Actor, args: Args) -> Answer:
        """How far things are: what the page asks again while something goes on."""
        runs = training.training_runs_of(self.store, actor)
        candidates = training_views.models(self.store, actor).candidates
        return {
            "regions": {"train-progress": training_runs.progress(runs)},
            "busy": _busy(runs, candidates),
            "stamp": _stamp(runs, candidates),
        }

    def start(self, actor: Actor, args: Args) -> Answer:
        """Begin a training from a snapshot of now."""
        stage = stage_of(needed(args, "stage"))
        training.start_training(
            self.store, self.settings, actor, stage, options=_options(args.get("options"))
        )
        note = f"The training of the {NAMES[stage]} begins. You may leave this page."
        return self._done(actor, note) | {"counted": True}

    def cancel(self, actor: Actor, args: Args) -> Answer:
        """Stop a training."""
        found = training.cancel_training(self.store, self.settings, actor, needed(args, "run"))
        over = "is stopped" if not found.open else "stops after the step at hand"
        return self._done(actor, f"The training {over}; its work is kept.")

    def resume(self, actor: Actor, args: Args) -> Answer:
        """Take a training up again."""
        training.resume_training(self.store, self.settings, actor, needed(args, "run"))
        return self._done(actor, "The training goes on where it was.")

    def compare(self, actor: Actor, args: Args) -> Answer:
        """Run the gate of a candidate again."""
        version = needed(args, "version")
        training.request_gate_of(self.store, actor, version)
        return self._done(actor, "The gate compares it with the model in force.", version)

    def show(self, actor: Actor, args: Args) -> Answer:
        """Look at another candidate."""
        require(actor, Permission.LEAD)
        models = training_views.models(self.store, actor)
        return {"regions": self._candidate(actor, models, text(args, "version", limit=200))}

    def promote(self, actor: Actor, args: Args) -> Answer:
        """Ask for a promotion; a worker fits the routing and does it."""
        version = needed(args, "version")
        training_promotion.request_promotion(
            self.store, actor, version, text(args, "note"), needed(args, "expected")
        )
        note = "The routing is fitted for it; then it comes into force, or you are told why not."
        return self._done(actor, note, version) | {"clear": "promote"}

    def shadow(self, actor: Actor, args: Args) -> Answer:
        """Let a candidate score beside the model in force."""
        version = needed(args, "version")
        promote.shadow(self.store, self.settings, actor, version, note=text(args, "note"))
        note = f"{version} scores each new video beside the model in force; it routes nothing."
        return self._done(actor, note, version) | {"clear": "promote"}

    def end_shadow(self, actor: Actor, args: Args) -> Answer:
        """Take a candidate out of the shadow."""
        stage = Stage(stage_of(needed(args, "stage")))
        found = promote.end_shadow(self.store, actor, stage, note=text(args, "note"))
        return self._done(actor, f"{found.version} is out of the shadow.", found.version)

    def rollback(self, actor: Actor, args: Args) -> Answer:
        """Put the model before in force again, with its routing."""
        stage = stage_of(needed(args, "stage"))
        found = promotion.rollback(
            self.store, self.settings, actor, stage,
            note=text(args, "note"), expected=needed(args, "expected"),
        )  # fmt: skip
        note = f"{found.version} is in force again, with the routing of then, from the next video."
        return self._done(actor, note)

    def _done(self, actor: Actor, note: str, version: str = "") -> Answer:
        return self._all(actor, version) | {"note": {"text": note, "seconds": 8}}

    def _all(self, actor: Actor, version: str) -> Answer:
        models = training_views.models(self.store, actor)
        runs = training.training_runs_of(self.store, actor)
        last = models.publications[0].stage if models.publications else ""
        regions = {
            "who": who_chip(actor),
            "train-progress": training_runs.progress(runs),
            "training-runs": training_runs.past(runs),
            "training-publications": shown.publications(models.publications),
        }
        for each in models.in_force:
            key = "rollback-model" if each.stage == _id_for(models, last) else ""
            regions[f"in-force-{each.stage}"] = shown.in_force(each)
            regions[f"back-{each.stage}"] = shown.way_back(each, key)
            regions[f"start-{each.stage}"] = shown.start_form(
                each.stage,
                training_options.known(Stage(each.stage)),
                _blocked(runs, each.stage),
                _took(runs, each.stage),
            )
        return {
            "regions": regions | self._candidate(actor, models, version),
            "busy": _busy(runs, models.candidates),
            "stamp": _stamp(runs, models.candidates),
            "in_force": {each.stage: each.version for each in models.in_force},
        }

    def _candidate(self, actor: Actor, models: Models, version: str) -> dict[str, Markup]:
        """The candidate that is looked at: the wanted one, else the newest."""
        found = next((each for each in models.candidates if each.version == version), None)
        found = found or next(iter(models.candidates), None)
        shadows = {each.stage: each.shadow[0] for each in models.in_force if each.shadow}
        regions = {
            "gate-version": training_gate.choices(
                models.candidates, found.version if found else ""
            ),
            "gate-table": training_gate.candidate(found) if found else training_gate.nothing(),
            "gate-actions": promotions.actions(found, shadows),
            "shadow-table": NOTHING,
        }
        if found is not None and found.shadow:
            said = shadow_comparison(self.store, actor, found.version)
            regions["shadow-table"] = promotions.shadow(said)
        return regions


def _options(given: Any) -> dict[str, Any]:
    """What the form sent: texts, numbers and flags by name.

    Raises:
        BadCall: It is something else.
    """
    found = given or {}
    fits = isinstance(found, dict) and len(found) <= MOST_OPTIONS
    if not fits or not all(isinstance(value, str | int | float | bool) for value in found.values()):
        raise BadCall("options: an object of texts and numbers is expected.")
    return {str(name)[:80]: value for name, value in found.items() if value != ""}


def _id_for(models: Models, last: str) -> str:
    """The stage whose way back carries the page's stable id: what was published last."""
    able = [each.stage for each in models.in_force if each.back_to is not None]
    return last if last in able else next(iter(able), "")


def _blocked(runs: tuple[RunView, ...], stage: str) -> str:
    if any(run.open and run.stage == stage for run in runs):
        return "A training of it goes on: see below."
    return ""


def _took(runs: tuple[RunView, ...], stage: str) -> float | None:
    """Seconds of the last training that was done in one go, as far as its times tell."""
    done = (run for run in runs if run.stage == stage and run.state == "done")
    last = next(done, None)
    if last is None or last.started_at is None or last.finished_at is None:
        return None
    return (last.finished_at - last.started_at).total_seconds()


def _busy(runs: tuple[RunView, ...], candidates: tuple[CandidateView, ...]) -> bool:
    promoting = any(
        each.promotion is not None and each.promotion[0] in ("queued", "running")
        for each in candidates
    )
    comparing = any(
        each.gate_job is not None and each.gate_job[0] in ("queued", "running")
        for each in candidates
    )
    return promoting or comparing or training_runs.busy(runs)


def _stamp(runs: tuple[RunView, ...], candidates: tuple[CandidateView, ...]) -> str:
    """Changes when something came to an end or began, so that the whole page is read again."""
    parts = [f"{run.id} {run.state}" for run in runs[:5]]
    for each in candidates:
        report, job, asked = each.gate, each.gate_job, each.promotion
        parts.append(f"{each.version} {each.live} {report and report.id} {job and job[0]}"
                     f" {asked and asked[0]}")  # fmt: skip
    return "|".join(parts)


def training_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=TrainingCalls(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="training-page",
    )
