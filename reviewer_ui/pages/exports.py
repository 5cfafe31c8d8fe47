"""Exports: choose, count, run in the background, take away; and imports with refused lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq import taxonomy
from coefvq.export import desk
from coefvq.export.wanted import Wanted, moment_from
from coefvq.learning.dataset.read import list_snapshots, show_snapshot
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.store.tables import JobKind
from reviewer_ui.calls import Answer, Args, needed, server_function, text
from reviewer_ui.components import chrome
from reviewer_ui.components import exports as shown
from reviewer_ui.login import who_chip
from reviewer_ui.markup import Markup, h
from reviewer_ui.theme import head

FILES = ("base.css", "exports.css", "shared.js", "exports.js")
BOOT = "window.CoefVQ.boot(element, server)"
NAMES = ("overview", "count", "run", "progress", "show_card", "stop", "remove")
SNAPSHOTS = 50


def _section(key: str, title: str, body: Markup) -> Markup:
    return h(
        '<section class="card" aria-labelledby="{}-title"><h2 id="{}-title">{}</h2>{}</section>',
        key, key, title, body,
    )  # fmt: skip


def shell() -> Markup:
    """The empty page; the script fills the regions."""
    new = Markup(
        '<div class="new"><div id="export-choices"></div>'
        '<div class="holds"><h3>It will hold</h3><div id="export-counts" aria-live="polite"></div>'
        "</div></div>"
    )
    taken = Markup('<div id="import-choices"></div><div id="import-list"></div>')
    return h(
        '<div class="cv" data-page="exports" style="visibility:hidden">{}<main class="exports">'
        '<h1 class="hidden">Exports</h1><div id="exports-note"></div>{}{}{}</main>{}'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/exports", keys=False),
        _section("exports-new", "Export what people decided", new),
        _section("exports-past", "Exports", Markup('<div id="export-list"></div>')),
        _section("exports-import", "Take decisions in", taken),
        _dialogs(),
    )


def _dialogs() -> Markup:
    return Markup(
        '<dialog id="exports-card" aria-labelledby="exports-card-title"><div class="head">'
        '<h2 id="exports-card-title">Card</h2><button type="button" class="plain" '
        'data-do="close-panel">Close</button></div><div id="export-card"></div></dialog>'
        '<dialog id="exports-ask" aria-labelledby="exports-ask-title">'
        '<h2 id="exports-ask-title"></h2><p id="exports-ask-more"></p><div class="form-end">'
        '<button type="button" class="primary" id="exports-yes"></button>'
        '<button type="button" class="plain" data-do="close-panel">Cancel</button></div></dialog>'
    )


class ExportCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES]

    def overview(self, actor: Actor, args: Args) -> Answer:
        """The forms and both lists."""
        require(actor, Permission.LEAD)
        frozen = list_snapshots(self.store, actor)[:SNAPSHOTS]
        regions = {
            "who": who_chip(actor),
            "export-choices": shown.form(taxonomy.in_force(), frozen),
            "import-choices": shown.import_form(),
        }
        answer = self._lists(actor)
        return answer | {"regions": regions | answer["regions"]}

    def count(self, actor: Actor, args: Args) -> Answer:
        """What an export would hold."""
        require(actor, Permission.LEAD)
        wanted = wanted_of(args)
        if wanted.snapshot:
            view = show_snapshot(self.store, actor, wanted.snapshot)
            return {"regions": {"export-counts": shown.snapshot_counts(view)}}
        found = desk.counts(self.store, actor, wanted)
        return {"regions": {"export-counts": shown.counts(found, taxonomy.in_force())}}

    def run(self, actor: Actor, args: Args) -> Answer:
        """Queue an export."""
        desk.start_export(self.store, self.settings, actor, wanted_of(args))
        return self._lists(actor) | {"note": {"text": "The export is under way."}}

    def progress(self, actor: Actor, args: Args) -> Answer:
        """Both lists as they are now."""
        return self._lists(actor)

    def show_card(self, actor: Actor, args: Args) -> Answer:
        """The card of an export."""
        text_of = desk.card_of(self.store, self.settings, actor, needed(args, "export"))
        return {"regions": {"export-card": shown.card(text_of)}}

    def stop(self, actor: Actor, args: Args) -> Answer:
        """Stop one that is under way."""
        desk.stop(self.store, actor, needed(args, "export"))
        return self._lists(actor) | {"note": {"text": "It stops."}}

    def remove(self, actor: Actor, args: Args) -> Answer:
        """Delete an export's files."""
        desk.remove(self.store, self.settings, actor, needed(args, "export"))
        return self._lists(actor) | {"note": {"text": "It is removed."}}

    def _lists(self, actor: Actor) -> Answer:
        views = desk.listed(self.store, actor)
        made = [view for view in views if view.kind == JobKind.EXPORT.value]
        taken = [view for view in views if view.kind == JobKind.IMPORT.value]
        regions = {"export-list": shown.listing(made), "import-list": shown.imports(taken)}
        return {"regions": regions, "busy": any(view.busy for view in views)}


def wanted_of(args: Args) -> Wanted:
    """Read the form.

    Raises:
        BadCall: A field of another type.
        SettingsError: A day that is none.
    """

    def some(name: str) -> tuple[str, ...]:
        value = text(args, name, limit=64)
        return (value,) if value else ()

    return Wanted(
        needed(args, "format"),
        moment_from(text(args, "since", limit=40)),
        moment_from(text(args, "until", limit=40), end=True),
        some("task"), some("policy"), some("role"), some("split"),
        snapshot=text(args, "snapshot", limit=80) or None,
        names=args.get("names") is True,
        media=text(args, "media", limit=10) or "none",
        classes=args.get("classes") is True,
    )  # fmt: skip


def exports_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=ExportCalls(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="exports-page",
    )
