"""Library: upload, search, filter, follow the scoring, decide many, find what looks alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from coefvq.review import bulk, filters, library, queue, similar
from coefvq.review.access import Actor, Permission
from coefvq.review.views import DecisionForm, LibraryPage
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work import vectors
from reviewer_ui.calls import Answer, Args, needed, server_function, table, text, texts, whole
from reviewer_ui.components import chrome, grid, library_tools
from reviewer_ui.login import who_chip
from reviewer_ui.markup import Markup, h
from reviewer_ui.pace import seconds_a_video
from reviewer_ui.theme import head

FILES = ("base.css", "panels.css", "library.css", "shared.js", "uploads.js", "selection.js",
         "library.js")  # fmt: skip
BOOT = "window.CoefVQ.boot(element, server)"
PAGE_SIZE = 48
SIMILAR = 24
FILTERS = ("search", "task", "status", "queue", "policy", "uploader")
NAMES = ("browse", "retry", "retry_all", "send", "decide", "undo", "save_filter", "drop_filter")


def shell(settings: Settings) -> Markup:
    """The empty page; the script fills the regions."""
    return h(
        '<div class="cv" data-page="library" style="visibility:hidden">{}<div class="shelf">'
        '<h1 class="hidden">Library</h1>{}{}<div id="ingest-progress" role="status"></div>'
        '<div id="library-similar" role="status"></div>'
        '<section id="library-grid" aria-label="Videos" aria-busy="true"></section>'
        '<div id="library-empty"></div>'
        '<nav class="pages" id="library-pages" aria-label="Pages of the library"></nav></div>'
        '{}{}{}<div class="notice off" role="status" aria-live="polite"></div></div>',
        chrome.header("/library", keys=False),
        grid.upload_area(settings.max_bytes),
        library_tools.toolbar(library.STATUSES),
        library_tools.selection_bar(),
        library_tools.saved_panel(),
        library_tools.decide_panel(),
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
        counts = queue.counts(self.store, actor)
        may_send = actor.may(Permission.DECIDE)
        shared = {
            "who": who_chip(actor),
            "queue-counts": chrome.counts(counts),
            "library-queues": library_tools.queues(counts.queues),
            **library_tools.rules(),
            "ingest-progress": self._progress(actor, texts(args, "batch")),
        }
        wanted = text(args, "similar", limit=64)
        answer = self._similar(actor, wanted) if wanted else self._page(actor, args)
        items = answer.pop("items")
        return answer | {
            "order": [item.video_id for item in items],
            "cards": {item.video_id: grid.card(item, pick=may_send) for item in items},
            "regions": shared | answer["regions"],
            "may": {
                "send": may_send,
                "decide": actor.may(Permission.DECIDE_MANY),
                "share": actor.may(Permission.LEAD),
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

    def send(self, actor: Actor, args: Args) -> Answer:
        """Send the selected videos' cases to people."""
        sent = bulk.enqueue_videos(self.store, actor, texts(args, "videos"))
        words = "1 case waits" if sent == 1 else f"{sent} cases wait"
        note = f"{words} for review now." if sent else "All of them wait or are not scored yet."
        return self.browse(actor, args) | {"note": {"text": note}}

    def decide(self, actor: Actor, args: Args) -> Answer:
        """Decide the selected videos' cases of one task."""
        task, chosen = needed(args, "decide_task"), texts(args, "videos")
        form = DecisionForm(
            labels=table(args, "labels", bool),
            action=needed(args, "action"),
            reasons=table(args, "reasons", str),
            comment=text(args, "comment", limit=library_tools.COMMENT_LIMIT),
            taxonomy_version=text(args, "taxonomy", limit=64) or None,
        )
        cases = library.case_ids(self.store, actor, chosen, task)
        done = bulk.decide_many(self.store, self.settings, actor, cases, form)
        refused = "".join(f" {why}" for why in sorted(set(done.refused.values()))[:2])
        words = f"Decided: {done.done}." + (
            f" Left as they are: {len(done.refused)}.{refused}" if done.refused else ""
        )
        batch = done.batch_id if done.done else None
        return self.browse(actor, args) | {"note": {"text": words}, "undo": batch}

    def undo(self, actor: Actor, args: Args) -> Answer:
        """Take the last batch back."""
        undone = bulk.undo_batch(self.store, actor, needed(args, "undo_batch"))
        return self.browse(actor, args) | {"note": {"text": f"Taken back: {undone}."}}

    def save_filter(self, actor: Actor, args: Args) -> Answer:
        """Keep what is shown now under a name."""
        shared = args.get("shared") is True
        query = text(args, "query", limit=filters.QUERY_LIMIT)
        name = text(args, "name", limit=filters.NAME_LIMIT)
        if name:
            filters.save(self.store, actor, "library", name, query, shared)
        return self._saved(actor)

    def drop_filter(self, actor: Actor, args: Args) -> Answer:
        """Forget a saved filter."""
        filters.delete(self.store, actor, needed(args, "filter"))
        return self._saved(actor)

    def _saved(self, actor: Actor) -> Answer:
        found = filters.list_filters(self.store, actor, "library")
        rows = library_tools.saved_rows(found, actor.may(Permission.LEAD))
        return {"regions": {"saved-rows": rows}}

    def _page(self, actor: Actor, args: Args) -> Answer:
        offset = max(0, whole(args, "offset"))
        found = self._find(actor, args, offset)
        if not found.items and offset:  # the last page became empty
            offset = max(0, (found.total - 1) // PAGE_SIZE * PAGE_SIZE)
            found = self._find(actor, args, offset)
        filtered = any(text(args, name) for name in FILTERS)
        regions = {
            "library-found": _found(found),
            "library-pages": grid.pages(found, PAGE_SIZE),
            "library-empty": _empty(found, filtered),
            "library-similar": Markup(""),
        }
        return {"items": found.items, "offset": offset, "regions": regions}

    def _similar(self, actor: Actor, video_id: str) -> Answer:
        vectors.fill_missing(self.store)
        found = similar.similar_to(self.store, self.settings, actor, video_id, SIMILAR)
        regions = {
            "library-found": h("{} similar", len(found.items)),
            "library-pages": Markup(""),
            "library-empty": Markup("") if found.items else library_tools.nothing_similar(found),
            "library-similar": library_tools.similar(found),
        }
        return {"items": found.items, "offset": 0, "regions": regions}

    def _find(self, actor: Actor, args: Args, offset: int) -> LibraryPage:
        wanted = {name: text(args, name, limit=200).strip() or None for name in FILTERS[1:]}
        search = text(args, "search", limit=200)
        return library.list_videos(
            self.store, self.settings, actor, search, offset=offset, limit=PAGE_SIZE, **wanted
        )

    def _progress(self, actor: Actor, batch: list[str]) -> Markup:
        """Of this page's uploads, or of everything while anything is being scored."""
        if batch:
            progress = library.progress(self.store, self.settings, actor, batch)
        else:
            progress = library.progress_of_all(self.store, actor)
        left = progress.total - progress.done - progress.failed
        if not batch and left == 0:
            return grid.retry_all(progress.failed)
        each = seconds_a_video(self.store, actor) if left else None
        return grid.ingest(progress, None if each is None else each * left)


def _found(found: LibraryPage) -> Markup:
    if found.uncounted:
        return h("more than {:,} videos", found.total)
    return h("{:,} {}", found.total, "video" if found.total == 1 else "videos")


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
