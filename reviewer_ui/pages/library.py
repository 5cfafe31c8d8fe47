"""Library: upload, browse, filter, follow the scoring, retry what failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq import taxonomy
from coefvq.review import library, queue
from coefvq.review.access import Actor
from coefvq.review.views import IngestProgress, LibraryPage
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, needed, server_function, text, texts, whole
from reviewer_ui.components import chrome, grid
from reviewer_ui.markup import Markup, h
from reviewer_ui.pace import seconds_a_video
from reviewer_ui.theme import head

FILES = ("base.css", "library.css", "shared.js", "uploads.js", "library.js")
BOOT = "window.CoefVQ.boot(element, server)"
PAGE_SIZE = 48
NAMES = ("browse", "retry", "retry_all")


def shell(settings: Settings) -> Markup:
    """The empty page; the script fills the regions."""
    tasks = [(task.id, task.name) for task in taxonomy.tasks().values()]
    return h(
        '<div class="cv" data-page="library" style="visibility:hidden">{}<div class="shelf">{}{}'
        '<div id="ingest-progress" role="status"></div>'
        '<section id="library-grid" aria-label="Videos"></section>'
        '<div id="library-empty"></div>'
        '<nav class="pages" id="library-pages" aria-label="Pages of the library"></nav></div>'
        '<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/library", keys=False),
        grid.upload_area(settings.max_bytes),
        grid.toolbar(tasks, library.STATUSES),
    )


def _empty(found: LibraryPage, filtered: bool) -> Markup:
    if found.items:
        return Markup("")
    words = "No video fits this search." if filtered else "No videos yet. Choose some above."
    return h('<p class="none-found">{}</p>', words)


class LibraryCalls:
    """The page's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES]

    def browse(self, actor: Actor, args: Args) -> Answer:
        """One page of cards, and how far the scoring is."""
        offset = max(0, whole(args, "offset"))
        found = self._find(actor, args, offset)
        if not found.items and offset:  # the last page became empty
            offset = max(0, (found.total - 1) // PAGE_SIZE * PAGE_SIZE)
            found = self._find(actor, args, offset)
        filtered = any(text(args, name) for name in ("search", "task", "status"))
        return {
            "order": [item.video_id for item in found.items],
            "cards": {item.video_id: grid.card(item) for item in found.items},
            "offset": offset,
            "regions": {
                "queue-counts": chrome.counts(queue.counts(self.store, actor)),
                "library-found": _found(found.total),
                "library-pages": grid.pages(found, PAGE_SIZE),
                "library-empty": _empty(found, filtered),
                "ingest-progress": self._progress(actor, texts(args, "batch")),
            },
        }

    def retry(self, actor: Actor, args: Args) -> Answer:
        """Queue a job again that was set aside."""
        library.retry(self.store, actor, needed(args, "job"))
        return self.browse(actor, args) | {"note": {"text": "Queued again."}}

    def retry_all(self, actor: Actor, args: Args) -> Answer:
        """Queue everything again that was set aside."""
        waiting = library.set_aside(self.store, actor)
        for job in waiting:
            library.retry(self.store, actor, job.id)
        return self.browse(actor, args) | {"note": {"text": f"Queued again: {len(waiting)}."}}

    def _find(self, actor: Actor, args: Args, offset: int) -> LibraryPage:
        return library.list_videos(
            self.store,
            self.settings,
            actor,
            text=text(args, "search", limit=200),
            task=text(args, "task", limit=64) or None,
            status=text(args, "status", limit=64) or None,
            offset=offset,
            limit=PAGE_SIZE,
        )

    def _progress(self, actor: Actor, batch: list[str]) -> Markup:
        """Of this page's uploads, or of everything while anything is being scored."""
        if batch:
            progress = library.progress(self.store, self.settings, actor, batch)
        else:
            progress = self._all(actor)
        left = progress.total - progress.done - progress.failed
        if not batch and left == 0:
            return grid.retry_all(progress.failed)
        each = seconds_a_video(self.store, actor) if left else None
        return grid.ingest(progress, None if each is None else each * left)

    def _all(self, actor: Actor) -> IngestProgress:
        counts = library.status_counts(self.store, actor)
        total, failed = sum(counts.values()), counts["failed"]
        left = counts["waiting"] + counts["scoring"]
        done = total - failed - left
        return IngestProgress(total, done, failed, done / total if total else 1.0, "")


def _found(total: int) -> Markup:
    return h("{} {}", total, "video" if total == 1 else "videos")


def library_page(store: Store, settings: Settings) -> gr.HTML:
    """Put the page into the current ``gr.Blocks``."""
    return gr.HTML(
        shell(settings),
        html_template="${value}",  # made and escaped here; see markup.py for why not {{value}}
        js_on_load=BOOT,
        head=head(*FILES),
        server_functions=LibraryCalls(store, settings).functions(),
        apply_default_css=False,
        padding=False,
        elem_id="library-page",
    )
