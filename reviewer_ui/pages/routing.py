"""Routing: versions, replay with its diff, publish and roll back, trials on live traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from coefvq import taxonomy
from coefvq.errors import CoefVQError, NotAllowed
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work import routing_fit, routing_replay, routing_versions, trials
from coefvq.work.replay_views import Reading
from coefvq.work.routing_fit import Wanted
from coefvq.work.routing_versions import LARGEST, NOTE_LIMIT
from reviewer_ui.calls import Answer, Args, needed, number, server_function, text
from reviewer_ui.components import chrome, routing, routing_trials
from reviewer_ui.components import routing_replay as replays
from reviewer_ui.login import who_chip
from reviewer_ui.markup import NOTHING, Markup, h
from reviewer_ui.theme import head
from reviewer_ui.who import actor_of

FILES = ("base.css", "routing.css", "shared.js", "routing.js")
BOOT = "window.CoefVQ.boot(element, server)"
NAMES = ("overview", "bring_in", "fit", "replay", "publish", "rollback", "start_trial",
         "stop_trial", "show_trial")  # fmt: skip


def _section(key: str, title: str, body: Markup, *, before: Markup = NOTHING) -> Markup:
    return h(
        '<section class="card" aria-labelledby="{}-title"><h2 id="{}-title">{}</h2>{}{}</section>',
        key,
        key,
        title,
        before,
        body,
    )


def _region(key: str) -> Markup:
    return h('<div class="region" id="{}"></div>', key)


def shell() -> Markup:
    """The empty page; the script fills the regions."""
    return h(
        '<div class="cv" data-page="routing" style="visibility:hidden">{}<div class="routing">'
        '<h1 class="hidden">Routing</h1><div id="routing-note"></div>'
        '<div id="routing-tasks" role="group" aria-label="Task"></div>{}{}{}{}</div>{}'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/routing", keys=False),
        _section("routing-now", "In force", _region("routing-in-force")),
        _section("routing-versions", "Versions", _versions()),
        _section("routing-try", "Try a version", _try()),
        _section("routing-trials", "Trials on live traffic", _region("routing-trials")),
        _dialog(),
    )


def _versions() -> Markup:
    return h(
        '{}<details class="adding"><summary>Fit a new one on this store&#39;s decisions</summary>{}'
        '</details><details class="adding"><summary>Bring a routing.json in</summary>{}</details>'
        '<details class="adding"><summary>Publications</summary>{}</details>',
        _region("routing-versions"),
        routing.fit_form(),
        routing.bring_in_form(),
        _region("routing-publications"),
    )


def _try() -> Markup:
    return h(
        '<div class="try"><div class="stack"><label class="text" for="routing-version">Version'
        '<select id="routing-version"></select></label><label class="box"><input type="checkbox"'
        ' id="routing-fresh"><span>Only cases decided after it was made</span></label>'
        '<div><button type="button" class="primary" id="replay-run">Replay on decided cases'
        "</button></div></div>"
        '<form data-form="publish" class="stack"><label class="text" for="publish-note">Why it is '
        'published<textarea id="publish-note" name="note" rows="2" maxlength="{}" required>'
        "</textarea></label>"
        '<div><button type="submit" class="plain" id="publish-routing">Publish</button></div>'
        '</form>{}</div><div id="replay-diff" aria-live="polite"></div>',
        NOTE_LIMIT,
        routing_trials.form(),
    )


def _dialog() -> Markup:
    return h(
        '<dialog id="routing-dialog" aria-labelledby="routing-ask"><h2 id="routing-ask"></h2>'
        '<p id="routing-ask-more"></p><label class="text" for="routing-ask-note">Note'
        '<input id="routing-ask-note" maxlength="{}"></label><div class="form-end">'
        '<button type="button" class="primary" id="routing-yes"></button>'
        '<button type="button" class="plain" data-do="close-panel">Cancel</button></div></dialog>',
        NOTE_LIMIT,
    )


class RoutingCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES]

    def overview(self, actor: Actor, args: Args) -> Answer:
        """A task's versions, publications and trials."""
        require(actor, Permission.LEAD)
        task = text(args, "task", limit=64)
        return self._all(actor, task if task in taxonomy.tasks() else next(iter(taxonomy.tasks())))

    def bring_in(self, actor: Actor, args: Args) -> Answer:
        """Keep an uploaded policy."""
        task = needed(args, "task")
        version = routing_versions.bring_in(self.store, actor, text(args, "text", limit=LARGEST))
        return self._done(actor, task, f"{version} is kept. Replay it before it is published.") | {
            "choose": version, "clear": "bring_in"
        }  # fmt: skip

    def fit(self, actor: Actor, args: Args) -> Answer:
        """Fit on the store's decisions and keep what comes of it."""
        task, budget, miss = needed(args, "task"), number(args, "budget"), number(args, "miss_rate")
        wanted = Wanted(
            objective=needed(args, "objective"),
            budget=0.3 if budget is None else budget / 100,
            miss_rate=None if miss is None else miss / 100,
        )
        found = routing_fit.fit(self.store, self.settings, actor, task, wanted)
        if isinstance(found, Reading):
            return {"again": found.share}
        note = (f"{found.version}: fitted on {found.n:,} of {found.of:,} decided cases, "
                f"{found.violations:,} of them violations.")  # fmt: skip
        return self._done(actor, task, note) | {"choose": found.version}

    def replay(self, actor: Actor, args: Args) -> Answer:
        """Hold a version against the one in force."""
        fresh = args.get("fresh") is True
        found = routing_replay.replay(
            self.store, self.settings, actor, needed(args, "task"), needed(args, "version"),
            fresh=fresh,
        )  # fmt: skip
        if isinstance(found, Reading):
            return {"again": found.share, "regions": {"replay-diff": replays.reading(found)}}
        return {"regions": {"replay-diff": replays.result(found, fresh)}}

    def publish(self, actor: Actor, args: Args) -> Answer:
        """Put a version in force."""
        task, version = needed(args, "task"), needed(args, "version")
        expected, note = needed(args, "expected"), text(args, "note")
        routing_versions.publish(self.store, actor, task, version, note, expected)
        note = f"{version} is in force for {task}. Workers follow before their next video."
        return self._done(actor, task, note) | {"clear": "publish", "offer": "rollback"}

    def rollback(self, actor: Actor, args: Args) -> Answer:
        """Go one version back."""
        task, expected = needed(args, "task"), needed(args, "expected")
        found = routing_versions.rollback(self.store, actor, task, text(args, "note"), expected)
        note = f"{found.version} is in force for {task} again, from the next video on."
        return self._done(actor, task, note)

    def start_trial(self, actor: Actor, args: Args) -> Answer:
        """Begin a shadow or a split with a version."""
        task, kind, share = needed(args, "task"), needed(args, "kind"), number(args, "share")
        trials.start(
            self.store, actor, task, kind, needed(args, "version"), text(args, "note"),
            share=(share or 0.0) / 100, expected=needed(args, "expected"),
        )  # fmt: skip
        note = f"The {kind} runs from the next video on."
        return self._done(actor, task, note) | {"clear": "start_trial"}

    def stop_trial(self, actor: Actor, args: Args) -> Answer:
        """End a trial."""
        found = trials.stop(self.store, actor, needed(args, "trial"), text(args, "note"))
        note = f"The {found.kind} is over: all of {found.task} goes by the version in force."
        return self._done(actor, found.task, note)

    def show_trial(self, actor: Actor, args: Args) -> Answer:
        """What came of a trial so far, or until it ended."""
        key = needed(args, "trial")
        report = trials.report(self.store, actor, key)
        found = trials.of_task(self.store, actor, needed(args, "task"))
        each = next((trial for trial in found if trial.id == key), None)
        if each is None:
            return {"regions": {}}
        where = routing_trials.region(key) if each.running else "routing-old-trial"
        return {"regions": {where: routing_trials.report_of(each, report)}}

    def _done(self, actor: Actor, task: str, note: str) -> Answer:
        return self._all(actor, task) | {"note": {"text": note, "seconds": 10}}

    def _all(self, actor: Actor, task: str) -> Answer:
        found = routing_versions.versions(self.store, self.settings, actor, task)
        tried = trials.of_task(self.store, actor, task)
        known = [(each.id, each.name) for each in taxonomy.tasks().values()]
        regions = {
            "who": who_chip(actor),
            "routing-tasks": routing.tasks(known, task),
            "routing-in-force": routing.in_force(found),
            "routing-versions": routing.versions(found),
            "routing-publications": routing.publications(found),
            "routing-version": routing.choices(found),
            "routing-trials": routing_trials.trials(tried),
        }
        return {"regions": regions, "task": task, "in_force": found.in_force}


def routing_router(store: Store, settings: Settings) -> APIRouter:
    """Make the route that sends a replay's diff as a file."""
    router = APIRouter()

    @router.get(replays.CSV_PATH)
    async def diff(
        request: Request, task: str = "", version: str = "", fresh: str = ""
    ) -> StreamingResponse:
        """Every decided case that a version would send elsewhere."""
        try:
            actor = actor_of(request)
            lines = await run_in_threadpool(
                routing_replay.diff_csv, store, settings, actor, task, version, fresh=fresh == "1"
            )
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except CoefVQError as error:
            raise HTTPException(400, str(error)) from error
        headers = {"content-disposition": 'attachment; filename="routing-diff.csv"',
                   "cache-control": "no-store"}  # fmt: skip
        return StreamingResponse(lines, media_type="text/csv", headers=headers)

    return router


def routing_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=RoutingCalls(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="routing-page",
    )
