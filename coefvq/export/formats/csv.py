"""Corrections as CSV: the columns that the import reads too."""

from __future__ import annotations

import csv
import io
from operator import attrgetter
from typing import Any

from coefvq.export.cells import cell
from coefvq.export.corrections import COLUMNS, rows_of
from coefvq.export.formats.base import Context, Format
from coefvq.export.records import Video

FILE_NAME = "corrections.csv"
_values = attrgetter(*COLUMNS)


class Csv(Format):
    """``corrections.csv``: one row a policy of every decision that stands."""

    name = "csv"
    title = "CSV: one row a policy of a decision; it can be imported again"
    needs_file = False
    texts = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer, lineterminator="\n")

    def add(self, video: Video) -> int:
        """All its answers."""
        if not self.out.has(FILE_NAME):
            self._write([COLUMNS])
        wanted = self.context.wanted.policies
        media_dir = self.context.settings.media_dir
        rows = [
            [cell(value) for value in _values(row)]
            for answer in video.answers
            for row in rows_of(video, answer, media_dir)
            if not wanted or row.policy in wanted
        ]
        self._write(rows)
        return len(rows)

    def _write(self, rows: list[Any]) -> None:
        self._writer.writerows(rows)
        self.out.write(FILE_NAME, self._buffer.getvalue().encode("utf-8", "replace"))
        self._buffer.seek(0)
        self._buffer.truncate()

    def how(self) -> str:
        """How to bring it in again."""
        return "`coefvq import --format csv corrections.csv` takes it in, here or elsewhere.\n"
