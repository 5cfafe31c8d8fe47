"""Admin, taxonomy: edit tasks, policies and actions, publish, look back, roll back."""

from __future__ import annotations

from typing import Any

from coefvq.review import form as forms
from coefvq.review import taxonomies
from coefvq.review.access import Actor, Permission, require
from coefvq.review.taxonomies import Current, Problem, TaxonomyConflict
from coefvq.taxonomy.check import ids
from coefvq.taxonomy.diff import diff
from coefvq.taxonomy.read import Document
from reviewer_ui.calls import Answer, Args, BadCall, number, text, whole
from reviewer_ui.components import taxonomy_editor, taxonomy_review
from reviewer_ui.markup import Markup
from reviewer_ui.pages.admin_frame import Section, card

SAMPLE_TITLE = "A walk by the river"


class TaxonomySection(Section):
    """The edits are a document in the browser; the server draws it, checks it, publishes it."""

    name = "taxonomy"
    title = "Taxonomy"
    permission = Permission.LEAD
    files = ("taxonomy.css", "taxonomy.js")
    names = ("taxonomy", "taxonomy_draw", "taxonomy_check", "taxonomy_review", "taxonomy_publish",
             "taxonomy_rebase")  # fmt: skip

    def shell(self) -> Markup:
        """The editor and the history."""
        return card("taxonomy-editor", "Taxonomy") + card("taxonomy-history", "Versions")

    def taxonomy(self, actor: Actor, args: Args) -> Answer:
        """What is in force, and its history."""
        now = taxonomies.current(self.store, actor)
        regions = {
            "taxonomy-editor": taxonomy_review.editor(),
            "taxonomy-history": self._history(actor),
        }
        return {"regions": regions, "now": _now(now, actor)}

    def taxonomy_draw(self, actor: Actor, args: Args) -> Answer:
        """Draw the form from a document, and check it."""
        now = taxonomies.current(self.store, actor)
        made, found = taxonomies.check(self.store, actor, args.get("document"))
        return self._drawn(actor, args, now, made, found)

    def taxonomy_check(self, actor: Actor, args: Args) -> Answer:
        """Say what is wrong with a document, and how many changes it makes."""
        made, found = taxonomies.check(self.store, actor, args.get("document"))
        return _checked(made, found, taxonomies.document_of(self.store, actor))

    def taxonomy_review(self, actor: Actor, args: Args) -> Answer:
        """What publishing a document, or going back to a version, would do."""
        back = _number(args)
        found = taxonomies.review(self.store, actor, self._document(actor, args, back))
        return {
            "regions": {"admin-dialog-body": taxonomy_review.dialog(found, back)},
            "open": "admin-dialog",
            "base": found.base,
        }

    def taxonomy_publish(self, actor: Actor, args: Args) -> Answer:
        """Put it in force; where somebody was quicker, show what they changed."""
        back, base = _number(args), text(args, "base", limit=64) or None
        document = self._document(actor, args, back)
        try:
            made = taxonomies.publish(self.store, actor, document, text(args, "note"), base)
        except TaxonomyConflict as error:
            view = taxonomy_review.conflict(error)
            return {"regions": {"admin-dialog-body": view}, "conflict": error.version}
        regions = {"taxonomy-history": self._history(actor)}
        note = {"text": f"Version {made.number} is in force, here and for all workers."}
        now = taxonomies.current(self.store, actor)
        return {"regions": regions, "now": _now(now, actor), "note": note, "close": True}

    def taxonomy_rebase(self, actor: Actor, args: Args) -> Answer:
        """Put edits of an older version on top of the one in force."""
        base = text(args, "base", limit=64)
        now, merged = taxonomies.rebase(self.store, actor, args.get("document"), base)
        made, found = taxonomies.check(self.store, actor, merged.document)
        words = "Your edits stand on the new version now. Look at them again, then publish."
        if merged.clashes:
            words += f" You both changed {'; '.join(merged.clashes[:5])}: there yours stands."
        answer = self._drawn(actor, args, now, made, found)
        return answer | {"document": made, "note": {"text": words, "seconds": 15}, "close": True}

    def _drawn(
        self,
        actor: Actor,
        args: Args,
        now: Current,
        made: Document,
        found: tuple[Problem, ...],
    ) -> Answer:
        behind = text(args, "base", limit=64) not in ("", now.version.version)
        if "rebase" in args:
            behind = False
        regions = {
            "taxonomy-head": taxonomy_review.head(now.version, behind),
            "taxonomy-form": taxonomy_editor.form(
                made, ids(now.document), now.uncovered or frozenset(), whole(args, "turn")
            ),
        }
        checked = _checked(made, found, now.document)
        return checked | {"regions": regions, "now": _now(now, actor)}

    def _history(self, actor: Actor) -> Markup:
        return taxonomy_review.history(taxonomies.history(self.store, actor))

    def _document(self, actor: Actor, args: Args, back: int | None) -> object:
        require(actor, Permission.LEAD)
        if back is not None:
            return taxonomies.document_of(self.store, actor, back)
        if "document" not in args:
            raise BadCall("document is missing. Reload the page.")
        return args["document"]


def _now(now: Current, actor: Actor) -> dict[str, Any]:
    return {"version": now.version.version, "document": now.document, "who": actor.name}


def _number(args: Args) -> int | None:
    return None if number(args, "number") is None else whole(args, "number")


def _checked(made: Document, found: tuple[Problem, ...], base: Document) -> Answer:
    rows = [{"where": problem.where, "words": problem.words} for problem in found]
    first = next((p for task in made["tasks"] for p in task["policies"]), None)
    policy = [first["name"]] if first else []
    reasons = first["reasons"][:1] if first else []
    notices = {
        f"actions.{n}": forms.filled(action["notice"], SAMPLE_TITLE, policy, reasons)
        for n, action in enumerate(made["actions"])
        if action["notice"]
    }
    return {"problems": rows, "changes": len(diff(base, made)), "notices": notices}
