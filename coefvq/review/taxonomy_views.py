"""What the editor of the taxonomy is shown, and why a change is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from coefvq.errors import CoefVQError
from coefvq.taxonomy.check import Problem
from coefvq.taxonomy.diff import Change
from coefvq.taxonomy.read import Document


class TaxonomyRefused(CoefVQError):
    """A document or a note that does not do.

    Attributes:
        problems: What to change, by field.
    """

    code = "taxonomy_refused"

    def __init__(self, message: str, found: Sequence[Problem] = ()):
        super().__init__(message)
        self.problems = tuple(found)


class TaxonomyConflict(CoefVQError):
    """Somebody else published in between.

    Attributes:
        changes: What they changed.
        version: What is in force now.
    """

    code = "taxonomy_conflict"

    def __init__(self, message: str, changes: Sequence[Change], version: str):
        super().__init__(message)
        self.changes, self.version = tuple(changes), version


@dataclass(frozen=True)
class VersionView:
    """One version, as the history lists it.

    Attributes:
        number: 0 is what came with the program.
        changes: Against the version before.
    """

    number: int
    version: str
    note: str
    published_by: str
    published_at: datetime | None
    changes: tuple[Change, ...] = ()
    in_force: bool = False


@dataclass(frozen=True)
class Current:
    """What is in force, for the editor.

    Attributes:
        uncovered: Policies that no model answered for, in the newest answers of this store;
            ``None`` where nothing was scored yet.
    """

    version: VersionView
    document: Document
    uncovered: frozenset[str] | None


@dataclass(frozen=True)
class Review:
    """What publishing a document would do.

    Attributes:
        open_cases: Cases that wait or are being scored, by changed task.
        back: Ids that were there before and come back: the note must name them.
    """

    base: str
    document: Document
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    open_cases: dict[str, int]
    removed_tasks: tuple[str, ...]
    back: tuple[str, ...]
