"""Admin: a frame of sections, each with its own calls and script, loaded one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, server_function
from reviewer_ui.components import chrome, people
from reviewer_ui.login import who_chip
from reviewer_ui.markup import Markup, h, join
from reviewer_ui.pages.admin_disputes import AdjudicationSection, AppealsSection
from reviewer_ui.pages.admin_events import EventsSection
from reviewer_ui.pages.admin_frame import Section
from reviewer_ui.pages.admin_originals import OriginalsSection
from reviewer_ui.pages.admin_people import PeopleSection
from reviewer_ui.pages.admin_quality import AgreementSection, GoldenSection, HoldsSection
from reviewer_ui.pages.admin_queues import QueuesSection
from reviewer_ui.pages.admin_taxonomy import TaxonomySection
from reviewer_ui.theme import head

FILES = ("base.css", "admin.css", "shared.js", "admin.js")
BOOT = "window.CoefVQ.boot(element, server)"


def sections(store: Store, settings: Settings) -> tuple[Section, ...]:
    """All sections in the order in which they stand on the page."""
    made = (
        PeopleSection, QueuesSection, TaxonomySection, AdjudicationSection, AppealsSection,
        GoldenSection, AgreementSection, OriginalsSection, HoldsSection, EventsSection,
    )  # fmt: skip
    return tuple(section(store, settings) for section in made)


def shell() -> Markup:
    """The empty page: what stands on it depends on who looks, so the first answer brings it."""
    return h(
        '<div class="cv" data-page="admin" style="visibility:hidden">{}'
        '<nav id="admin-nav" aria-label="Sections of this page"></nav><main class="admin">'
        '<h1 class="hidden">Admin</h1><div id="admin-note"></div><div id="admin-sections"></div>'
        "</main>"
        '<dialog id="user-dialog" aria-labelledby="user-dialog-title"><div id="user-form"></div>'
        '</dialog><dialog id="admin-dialog" aria-labelledby="admin-dialog-title">'
        '<div id="admin-dialog-body"></div></dialog>'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/admin", keys=False),
    )


def nav(seen: list[Section]) -> Markup:
    """The way to each section; the number beside it is filled by the section."""
    links = (
        h(
            '<a href="/admin#{}">{}<span class="count" id="nav-{}"></span></a>',
            s.name,
            s.title,
            s.name,
        )
        for s in seen
    )
    return join(links)


class AdminCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.sections = sections(store, settings)

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        mine = [server_function("frame", self.frame)]
        return mine + [call for section in self.sections for call in section.functions()]

    def files(self) -> list[str]:
        """The frame's files and after them each section's."""
        mine = (name for section in self.sections for name in section.files)
        return list(dict.fromkeys((*FILES, *mine)))

    def frame(self, actor: Actor, args: Args) -> Answer:
        """Nav and empty cards of the sections that the actor may see."""
        require(actor, Permission.LEAD)
        seen = [section for section in self.sections if actor.may(section.permission)]
        shells = join(
            h('<div class="group" id="{}" data-section="{}">{}</div>', s.name, s.name, s.shell())
            for s in seen
        )
        regions = {"who": who_chip(actor), "admin-note": people.note(actor),
                   "admin-nav": nav(seen), "admin-sections": shells}  # fmt: skip
        return {"regions": regions}


def admin_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    calls = AdminCalls(store, settings)
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*calls.files()),
        server_functions=calls.functions(),
        apply_default_css=False,
        padding=False,
        elem_id="admin-page",
    )
