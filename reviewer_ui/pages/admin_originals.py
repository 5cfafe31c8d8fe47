"""Admin's section of originals: the banks and what is in them, to read only."""

from __future__ import annotations

from coefvq.review import banks
from coefvq.review.access import Actor
from reviewer_ui.calls import Answer, Args
from reviewer_ui.components import copy_banks
from reviewer_ui.markup import Markup
from reviewer_ui.pages.admin_frame import Section, card


class OriginalsSection(Section):
    """What copies are looked for of."""

    name = "originals"
    title = "Originals"
    files = ("admin_originals.js",)
    names = ("list_banks",)

    def shell(self) -> Markup:
        """One table."""
        return card("originals-table", "Banks of originals")

    def list_banks(self, actor: Actor, args: Args) -> Answer:
        """The banks with their counts."""
        found = banks.list_banks(self.store, actor)
        return {"regions": {"originals-table": copy_banks.table(found)}}
