"""Two people edited the same taxonomy: put the second one's edits on top of the first one's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coefvq.taxonomy.read import Document


@dataclass(frozen=True)
class Merged:
    """Both people's edits.

    Attributes:
        clashes: Fields that both changed, each to something else; there ``mine`` holds.
    """

    document: Document
    clashes: tuple[str, ...]


@dataclass
class _Merge:
    clashes: list[str] = field(default_factory=list)

    def value(self, where: str, base: Any, mine: Any, theirs: Any) -> Any:
        if mine in (base, theirs):
            return theirs
        if theirs != base:
            self.clashes.append(where)
        return mine

    def row(self, where: str, base: Document, mine: Document, theirs: Document) -> Document:
        made = {
            name: self.value(f"{where}: {name}", base[name], mine[name], theirs[name])
            for name in mine
            if name != "policies"
        }
        if "policies" in mine:
            three = (each["policies"] for each in (base, mine, theirs))
            made["policies"] = self.rows(f"{where}, policy", *three)
        return made

    def rows(
        self, where: str, base: list[Document], mine: list[Document], theirs: list[Document]
    ) -> list[Document]:
        """Rows that both kept are merged; what one added is there; what one removed and the other
        left as it was is gone."""
        before, my, their = ({row["id"]: row for row in rows} for rows in (base, mine, theirs))
        made = []
        for name in _order(list(before), list(my), list(their)):
            place = f"{where} {name}"
            if name in my and name in their:
                made.append(self.row(place, before.get(name, their[name]), my[name], their[name]))
                continue
            left = my.get(name) or their[name]
            if name in before and left == before[name]:
                continue
            if name in before:
                self.clashes.append(f"{place}: removed by one, changed by the other")
                if name not in my:
                    continue
            made.append(left)
        return made


def merge(base: Document, mine: Document, theirs: Document) -> Merged:
    """Apply the edits from ``base`` to ``mine`` to ``theirs``, which is in force."""
    work = _Merge()
    document = {
        "tasks": work.rows("Task", base["tasks"], mine["tasks"], theirs["tasks"]),
        "actions": work.rows("Action", base["actions"], mine["actions"], theirs["actions"]),
    }
    return Merged(document, tuple(work.clashes))


def _order(base: list[str], mine: list[str], theirs: list[str]) -> list[str]:
    """The order of whoever changed it, mine first; what the other added comes after."""
    kept = [name for name in base if name in mine]
    changed = [name for name in mine if name in base] != kept
    lead, rest = (mine, theirs) if changed else (theirs, mine)
    return [*lead, *(name for name in rest if name not in lead)]
