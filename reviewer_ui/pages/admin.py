"""Admin: people and what they may do, who is signed in, exposure in this shift."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.review import exposure, queue, users
from coefvq.review.access import LOCAL, Actor, Permission, require
from coefvq.review.views import QueueView
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, needed, number, server_function, text, texts
from reviewer_ui.components import chrome, people
from reviewer_ui.login import who_chip
from reviewer_ui.markup import Markup, h
from reviewer_ui.theme import head

FILES = ("base.css", "admin.css", "shared.js", "admin.js")
BOOT = "window.CoefVQ.boot(element, server)"
NAMES = ("overview", "edit_user", "add_user", "save_user", "set_password", "disable_user",
         "enable_user")  # fmt: skip
SECTIONS = (
    ("users-table", "People"),
    ("user-add", "Add somebody"),
    ("signed-in", "Signed in"),
    ("exposure-table", "Severe material in this shift"),
)


def shell() -> Markup:
    """The empty page; a section whose region stays empty is not shown."""
    sections = Markup("").join(
        h(
            '<section class="card" aria-labelledby="{}-title"><h2 id="{}-title">{}</h2>'
            '<div class="region" id="{}"></div></section>',
            name,
            name,
            title,
            name,
        )
        for name, title in SECTIONS
    )
    return h(
        '<div class="cv" data-page="admin" style="visibility:hidden">{}<div class="admin">'
        '<h1 class="hidden">Admin</h1><div id="admin-note"></div>{}</div>'
        '<dialog id="user-dialog" aria-labelledby="user-dialog-title"><div id="user-form"></div>'
        '</dialog><div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/admin", keys=False),
        sections,
    )


class AdminCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES]

    def overview(self, actor: Actor, args: Args) -> Answer:
        """Everything that the actor may see here."""
        require(actor, Permission.LEAD)
        at_work = users.signed_in(self.store, self.settings, actor)
        seen = exposure.today(self.store, self.settings, actor)
        regions = {
            "who": who_chip(actor),
            "admin-note": people.note(actor),
            "signed-in": people.signed_in(at_work),
            "exposure-table": people.exposure_table(seen, self.settings.exposure_severity),
        }
        return {"regions": regions | self._people(actor)}

    def edit_user(self, actor: Actor, args: Args) -> Answer:
        """The form that changes one person."""
        name = needed(args, "name")
        person = next((p for p in users.list_people(self.store, actor) if p.name == name), None)
        form = people.edit_form(person, self._queues(actor)) if person else people.gone(name)
        return {"regions": {"user-form": form}, "open": True}

    def add_user(self, actor: Actor, args: Args) -> Answer:
        """Add somebody."""
        made = users.add(
            self.store,
            actor,
            text(args, "name", limit=200).strip(),
            text(args, "password"),
            texts(args, "roles", most=20),
            _queue_ids(args),
            _limit_s(args),
        )
        note = f"{made.name} can sign in."
        if actor.name == LOCAL.name:
            return {"leave": "/login?next=/admin", "note": {"text": note}}
        return self._done(actor, note) | {"clear": "user-add"}

    def save_user(self, actor: Actor, args: Args) -> Answer:
        """Change roles, queues and the exposure limit."""
        changed = users.change(
            self.store,
            actor,
            needed(args, "name"),
            roles=texts(args, "roles", most=20),
            queues=_queue_ids(args),
            exposure_limit_s=_limit_s(args),
        )
        return self._done(actor, f"{changed.name}: saved.")

    def set_password(self, actor: Actor, args: Args) -> Answer:
        """Give somebody a new password."""
        name = needed(args, "name")
        users.set_password(self.store, actor, name, text(args, "password"))
        return self._done(actor, f"{name}: new password, signed out everywhere.")

    def disable_user(self, actor: Actor, args: Args) -> Answer:
        """Shut somebody out."""
        person = users.disable(self.store, actor, needed(args, "name"))
        return self._done(actor, f"{person.name} is signed out and cannot sign in any more.")

    def enable_user(self, actor: Actor, args: Args) -> Answer:
        """Let somebody in again, or end a lock."""
        person = users.enable(self.store, actor, needed(args, "name"))
        return self._done(actor, f"{person.name} can sign in again.")

    def _done(self, actor: Actor, note: str) -> Answer:
        return {"regions": self._people(actor), "note": {"text": note}, "close": True}

    def _people(self, actor: Actor) -> dict[str, Markup]:
        """What only admins see; nothing for others."""
        if not actor.may(Permission.ADMINISTER):
            return {"users-table": Markup(""), "user-add": Markup("")}
        found = users.list_people(self.store, actor)
        queues = self._queues(actor)
        first = not found and actor.name == LOCAL.name
        return {
            "users-table": people.table(found, actor),
            "user-add": people.add_form(queues, first=first),
        }

    def _queues(self, actor: Actor) -> tuple[QueueView, ...]:
        return queue.counts(self.store, actor).queues


def _queue_ids(args: Args) -> list[str] | None:
    return None if args.get("queues") is None else texts(args, "queues")


def _limit_s(args: Args) -> float | None:
    minutes = number(args, "limit_min")
    return None if minutes is None else minutes * 60


def admin_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=AdminCalls(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="admin-page",
    )
