"""Admin's section of originals: the banks and what is in them, and how one is taken out."""

from __future__ import annotations

from coefvq.errors import StoreError
from coefvq.review import banks
from coefvq.review.access import Actor, Permission, require
from coefvq.store.originals import LIBRARY
from coefvq.work import banks as work
from reviewer_ui.calls import Answer, Args, needed
from reviewer_ui.components import copy_banks
from reviewer_ui.markup import Markup
from reviewer_ui.pages.admin_frame import Section, card


class OriginalsSection(Section):
    """What copies are looked for of."""

    name = "originals"
    title = "Originals"
    files = ("admin_originals.js",)
    names = ("list_banks", "remove_original")

    def shell(self) -> Markup:
        """One table, and below it the form that takes an original out."""
        form = copy_banks.remove_form()
        return card("originals-table", "Banks of originals", after=form)

    def list_banks(self, actor: Actor, args: Args) -> Answer:
        """The banks with their counts."""
        return {"regions": self._regions(actor)}

    def remove_original(self, actor: Actor, args: Args) -> Answer:
        """Take an original out of a bank; the worker's own bank follows the library."""
        require(actor, Permission.LEAD)
        bank, reference = needed(args, "bank").strip(), needed(args, "reference").strip()
        if bank == LIBRARY:
            raise StoreError(
                f"The bank {LIBRARY} follows the library: its videos cannot be removed here."
            )
        work.remove(self.store, actor, reference, bank)
        return {"regions": self._regions(actor), "clear": self.name,
                "note": {"text": f"{reference}: removed from {bank}."}}  # fmt: skip

    def _regions(self, actor: Actor) -> dict[str, Markup]:
        return {"originals-table": copy_banks.table(banks.list_banks(self.store, actor))}
