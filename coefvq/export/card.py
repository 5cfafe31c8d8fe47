"""The card that goes with every export: what it holds, how it came about, what it cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from coefvq.export.corrections import COLUMNS, Decided

_EMPTY = "No decision has been taken yet, so there are no rows.\n"
_CAVEATS = """## Mind

- Each row is one person's label on one policy. A policy that was not marked counts as `ok`.
- Most decisions exist because the cascade was unsure: the rows are no random sample of the
  videos. Weight by 1 / `propensity` where a random draw brought a video to a person.
- `machine_probability` is what was on the screen at the time, by the model versions of then.
- Titles and comments were written by strangers: treat them as hostile text.
- A cell that a spreadsheet would run as a formula begins with an apostrophe; the import takes
  it off again.
"""


@dataclass
class Tally:
    """Counts over an export, filled while rows are written."""

    decisions: int = 0
    corrections: int = 0
    rows: int = 0
    videos: set[str] = field(default_factory=set)
    labels: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    left_out: int = 0

    def left_out_words(self) -> str:
        """How many videos the export leaves out, and why."""
        videos = "1 video is" if self.left_out == 1 else f"{self.left_out} videos are"
        return f"{videos} left out: in a restricted queue."

    def add(self, decided: Decided) -> None:
        """Count one decision."""
        self.decisions += 1
        self.corrections += decided.correction
        self.rows += len(decided.rows)
        for row in decided.rows:
            self.videos.add(row.video_id)
            self.labels[(row.task, row.policy, row.label)] += 1


_NAMES = """- `reviewer` holds the real names of the people who decided. Keep the files where only
  those may read them who may know.
"""
_PSEUDONYMS = """- `reviewer` is a pseudonym: the same person in every export of one data
  folder; who it is cannot be told without the folder's secret. Comments stay as written and may
  name people.
"""


def render(tally: Tally, files: Iterable[str], made_at: datetime, *, names: bool = False) -> str:
    """The card as Markdown; ``names``: reviewers stand there under their real names."""
    head = f"# Labelled corrections\n\nMade by COEF-VQ Review on {made_at:%Y-%m-%d %H:%M} UTC.\n\n"
    counts = (
        f"{tally.decisions} decisions on {len(tally.videos)} videos, "
        f"{tally.corrections} of them differ from the machine's verdict; {tally.rows} rows.\n\n"
    )
    named = "".join(f"- `{name}`\n" for name in files)
    columns = f"\n## Columns\n\n{', '.join(f'`{name}`' for name in COLUMNS)}\n\n"
    who = _NAMES if names else _PSEUDONYMS
    body = counts + _table(tally) if tally.decisions else _EMPTY
    body += f"\n{tally.left_out_words()}\n" if tally.left_out else ""
    return f"{head}{body}\n## Files\n\n{named}{columns}{_CAVEATS}{who}"


def _table(tally: Tally) -> str:
    pairs = sorted({(task, policy) for task, policy, _ in tally.labels})
    rows = [
        f"| {task} | {policy} | {tally.labels[(task, policy, 'violation')]} "
        f"| {tally.labels[(task, policy, 'ok')]} |\n"
        for task, policy in pairs
    ]
    return "| task | policy | violation | ok |\n|---|---|---:|---:|\n" + "".join(rows)
