"""A section of Admin: its cards, its calls, its script. Each stands on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coefvq.review.access import Permission
from coefvq.settings import Settings
from coefvq.store.session import Store
from reviewer_ui.calls import server_function
from reviewer_ui.markup import NOTHING, Markup, h


class Section:
    """One part of Admin.

    A subclass names itself and lists its calls; the frame puts its ``shell`` on the page for those
    who have the permission. Its script registers ``window.CoefVQ.sections[name]``.

    Attributes:
        name: Anchor on the page and name of its script's part.
        title: What the page's nav says.
        permission: Who sees it; each call authorises again.
        files: Stylesheets and scripts of its own.
        names: Methods that the page's script can call, unique over all sections.
    """

    name = ""
    title = ""
    permission = Permission.LEAD
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What the page's script can call."""
        return [server_function(name, getattr(self, name)) for name in self.names]

    def shell(self) -> Markup:
        """The cards, with empty regions that the section's first call fills."""
        raise NotImplementedError


def card(
    name: str, title: str, *, wide: bool = True, before: Markup = NOTHING, after: Markup = NOTHING
) -> Markup:
    """One card with a heading and a region; it is not shown while the region is empty.

    Args:
        name: Id of the region that answers fill.
        wide: Over both columns.
        before: What stands above the region.
        after: What stands below it.
    """
    return h(
        '<section class="card{}" aria-labelledby="{}-title"><h2 id="{}-title">{}</h2>{}'
        '<div class="region" id="{}"></div>{}</section>',
        " wide" if wide else "",
        name,
        name,
        title,
        before,
        name,
        after,
    )
