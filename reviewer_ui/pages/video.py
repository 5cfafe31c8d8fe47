"""One video: what it is, its cases, and its full history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.errors import NotAllowed
from coefvq.review import history, preferences, queue
from coefvq.review.access import Actor
from coefvq.review.views import VideoView
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, needed, server_function
from reviewer_ui.components import chrome, copy_pair
from reviewer_ui.components import history as shown
from reviewer_ui.login import who_chip
from reviewer_ui.markup import Markup, h
from reviewer_ui.pages.copy_calls import EMPTY, VideoCopies
from reviewer_ui.theme import head

FILES = ("base.css", "video.css", "copy_pair.css", "shared.js", "copy_pair.js", "video.js")
BOOT = "window.CoefVQ.boot(element, server)"


def shell() -> Markup:
    """The empty page; the script fills the regions."""
    return h(
        '<div class="cv" data-page="video" style="visibility:hidden">{}<div class="shelf">'
        '<div id="video-title" class="video-head" tabindex="-1"></div><div class="sheet">'
        '<section class="about" aria-label="The video"><div id="video-poster"></div>'
        '<div id="video-facts" class="card"></div></section>'
        '<section class="told">{}<div class="card"><h2>Cases</h2><div id="video-cases"></div></div>'
        '<div class="card"><h2>History</h2><div id="video-history"></div></div></section></div>'
        '<div id="video-empty"></div></div>'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/video", keys=False),
        copy_pair.section(),
    )


class VideoCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.copies = VideoCopies(store, settings)

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        calls = ("copy_pair", "answer_copy")
        return [
            server_function("tell", self.tell),
            *(server_function(name, getattr(self.copies, name)) for name in calls),
        ]

    def tell(self, actor: Actor, args: Args) -> Answer:
        """Everything about one video."""
        wanted = needed(args, "id")
        found = history.of_video(self.store, actor, wanted, self.settings)
        video = history.video(self.store, self.settings, actor, wanted)
        return {
            "title": found.title,
            "regions": {
                "who": who_chip(actor),
                "queue-counts": chrome.counts(queue.counts(self.store, actor)),
                "video-title": _title(found),
                "video-poster": shown.poster(video),
                "video-facts": shown.facts(video),
                "video-cases": shown.cases(found),
                "video-history": shown.timeline(found),
                **self._copies(actor, video),
            },
            "prefs": preferences.load(self.store, actor) | {"blur": "always"},
        }

    def _copies(self, actor: Actor, video: VideoView) -> dict[str, Markup]:
        """Its copies; nothing where the video stands in a queue that is closed to the actor."""
        try:
            return self.copies.regions(actor, video)
        except NotAllowed:
            return EMPTY


def _title(found: history.VideoHistory) -> Markup:
    return h(
        '<h1 dir="auto">{}</h1><nav aria-label="About this video">'
        '<a href="/library?similar={}">Find similar</a><a href="/library">Library</a></nav>',
        found.title,
        found.video_id,
    )


def video_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=VideoCalls(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="video-page",
    )
