"""Admin: which queues there are, what enters each, and what waits in it."""

from __future__ import annotations

from typing import Any

from coefvq.errors import StoreError
from coefvq.review import queue, queues
from coefvq.review.access import Actor
from coefvq.review.queues import QueueSetup
from reviewer_ui.calls import Answer, Args, needed, number, text, texts, whole
from reviewer_ui.components import queue_admin
from reviewer_ui.markup import Markup, h
from reviewer_ui.pages.admin_frame import Section, card

MINUTE_S = 60.0


class QueuesSection(Section):
    """Leads add, change, order and remove queues."""

    name = "queues"
    title = "Queues"
    files = ("admin_queues.js",)
    names = ("list_queues", "add_queue", "edit_queue", "save_queue", "move_queue", "remove_queue")

    def shell(self) -> Markup:
        """The list, and below it the form for a new one."""
        return card("queues-table", "Queues", after=h('<div id="queue-add"></div>'))

    def list_queues(self, actor: Actor, args: Args) -> Answer:
        """All queues, and what waits in each."""
        regions = self._table(actor)
        if args.get("first"):
            regions["queue-add"] = queue_admin.add_form()
        return {"regions": regions}

    def add_queue(self, actor: Actor, args: Args) -> Answer:
        """Set a queue up."""
        made = queues.add(self.store, actor, **_values(args))
        note = f"{made.name}: added. Waiting cases were sorted anew."
        fresh = {"queue-add": queue_admin.add_form()}
        return {"regions": self._table(actor) | fresh, "note": {"text": note}, "clear": "queue-add"}

    def edit_queue(self, actor: Actor, args: Args) -> Answer:
        """The form that changes one queue."""
        wanted = needed(args, "queue")
        found = next((q for q in queues.list_queues(self.store, actor) if q.id == wanted), None)
        if found is None:
            raise StoreError(f"There is no queue {wanted}. Somebody may have removed it.")
        return {"regions": {"admin-dialog-body": queue_admin.edit_form(found)},
                "open": "admin-dialog"}  # fmt: skip

    def save_queue(self, actor: Actor, args: Args) -> Answer:
        """Change a queue."""
        changed = queues.change(self.store, actor, needed(args, "queue"), **_values(args))
        return self._done(actor, f"{changed.name}: saved.")

    def move_queue(self, actor: Actor, args: Args) -> Answer:
        """Move a queue up or down the order."""
        moved = queues.move(self.store, actor, needed(args, "queue"), whole(args, "by"))
        return self._done(actor, f"{moved.name} is number {moved.position + 1} now.")

    def remove_queue(self, actor: Actor, args: Args) -> Answer:
        """Take a queue away."""
        moved = queues.remove(self.store, actor, needed(args, "queue"))
        return self._done(actor, f"Removed. Cases that moved elsewhere: {moved}.")

    def _done(self, actor: Actor, note: str) -> Answer:
        return {"regions": self._table(actor), "note": {"text": note}, "close": True}

    def _table(self, actor: Actor) -> dict[str, Markup]:
        found: tuple[QueueSetup, ...] = queues.list_queues(self.store, actor)
        waiting = queue.counts(self.store, actor)
        return {"queues-table": queue_admin.table(found, waiting)}


def _values(args: Args) -> dict[str, Any]:
    minutes = number(args, "promised_min")
    return {
        "name": text(args, "name", limit=200),
        "task": text(args, "task", limit=64) or None,
        "policies": texts(args, "policies"),
        "rules": texts(args, "rules"),
        "promised_age_s": None if minutes is None else minutes * MINUTE_S,
        "restricted": args.get("restricted") is True,
    }
