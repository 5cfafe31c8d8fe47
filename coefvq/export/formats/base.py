"""What every format is: takes videos one by one, writes lines, and finishes its files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from coefvq.export.media_files import MediaKeeper
from coefvq.export.output import Output
from coefvq.export.questions import Asker
from coefvq.export.records import Video
from coefvq.export.wanted import NONE, Wanted
from coefvq.settings import Settings
from coefvq.taxonomy import Taxonomy

RESTRICTED, NO_FILE, UNASKED_ACTION = "restricted", "file_gone", "no_restriction"


@dataclass
class Context:
    """What a format works with.

    Attributes:
        left_out: Reason to number of videos (or decisions) that are not in the files.
    """

    out: Output
    wanted: Wanted
    settings: Settings
    rules: Taxonomy
    media: MediaKeeper
    asker: Asker
    left_out: Counter[str] = field(default_factory=Counter)


class Format:
    """A format. Subclasses say what they are and write.

    Attributes:
        name: What users call it.
        title: One line for people.
        needs_file: A video whose file is gone is left out.
        texts: Whether it shows what was heard and read.
        media: How it holds videos unless asked otherwise.
        packages: What must be importable.
        of_snapshot: Whether a dataset snapshot can be written.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    needs_file: ClassVar[bool] = True
    texts: ClassVar[bool] = True
    media: ClassVar[str] = NONE
    packages: ClassVar[tuple[str, ...]] = ()
    of_snapshot: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        self.context = context
        self.out = context.out

    def add(self, video: Video) -> int:
        """Write a video; return the number of rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """Complete the files after the last video."""

    def how(self) -> str:
        """How the tool reads the files, as Markdown for the card."""
        raise NotImplementedError
