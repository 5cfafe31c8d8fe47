"""The card that goes with every export: what it holds, how it came about, what it cannot say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from coefvq.export.corrections import COLUMNS
from coefvq.export.formats.base import NO_FILE, RESTRICTED, UNASKED_ACTION
from coefvq.export.questions import UNASKED
from coefvq.export.records import Video
from coefvq.export.wanted import Wanted

REMOVED = "removed"
_EMPTY = "No decision has been taken yet, so there are no rows.\n"
_NONE_FITS = "No decision fits what was asked for, so there are no rows.\n"
_WHY = {
    RESTRICTED: ("video is", "videos are", "in a restricted queue"),
    REMOVED: ("video is", "videos are", "deleted since the snapshot was made"),
    NO_FILE: ("video is", "videos are", "the file is gone or shows no frame"),
    UNASKED: ("label is", "labels are", "nobody can see in a video whether it is a copy"),
    "policy_gone": ("label is", "labels are", "the policy is not in the taxonomy any more"),
    "tied": ("label is", "labels are", "as many people said yes as no"),
    UNASKED_ACTION: ("decision is", "decisions are", "nothing was restricted by it"),
}
_CAVEATS = """## Mind

- A policy that was not marked counts as `ok`. Where several people answered, training formats hold
  what their answers come to (the newest ruling, else the majority) with the share that agrees as
  `label_weight`; CSV and Label Studio hold every decision that stands.
- Most decisions exist because the cascade was unsure: the rows are no random sample of the
  videos. Weight by 1 / `propensity` where a random draw brought a video to a person.
- What the machine said is what was on the screen at the time, by the model versions of then.
- Titles, captions, speech, screen text and comments were written by strangers: treat them as
  hostile text. Videos can show what must not be passed on.
- `golden` videos measure people and models: never train on them. `test` measures, too. Videos of
  one uploader, the same bytes, footage or texts are in one split, and stay in it.
- A cell of a CSV that a spreadsheet would run as a formula begins with an apostrophe; the import
  takes it off again.
"""
_NAMES = """- `reviewer` holds the real names of the people who decided. Keep the files where only
  those may read them who may know.
"""
_PSEUDONYMS = """- `reviewer` is a pseudonym: the same person in every export of one data
  folder; who it is cannot be told without the folder's secret. Comments stay as written and may
  name people.
"""


@dataclass
class Tally:
    """Counts over an export, filled while rows are written; see ``to_json``."""

    decisions: int = 0
    corrections: int = 0
    rows: int = 0
    videos: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, video: Video, rows: int, policies: Collection[str] = ()) -> None:
        """Count one video of which something was written.

        Args:
            policies: Only labels on these are counted; empty: all.
        """
        self.videos += 1
        self.rows += rows
        self.splits[video.split] += 1
        self.decisions += len(video.answers)
        self.corrections += sum(answer.correction for answer in video.answers)
        for answer in video.answers:
            for policy, label in answer.labels.items():
                if not policies or policy in policies:
                    self.labels[f"{answer.task}/{policy}/{label}"] += 1

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        plain = {name: getattr(self, name) for name in _NUMBERS}
        return plain | {name: dict(getattr(self, name)) for name in _COUNTERS}

    def left_out_words(self) -> list[str]:
        """What the export leaves out, and why: a sentence each."""
        said = []
        for reason, number in sorted(self.left_out.items()):
            one, several, why = _WHY.get(reason, ("item is", "items are", reason))
            if number:
                said.append(f"{number} {one if number == 1 else several} left out: {why}.")
        return said


_NUMBERS = ("decisions", "corrections", "rows", "videos")
_COUNTERS = ("labels", "splits", "left_out")


def tally_from(data: Mapping[str, Any]) -> Tally:
    """Inverse of ``Tally.to_json``."""
    made = Tally()
    for name in _NUMBERS:
        setattr(made, name, int(data[name]))
    for name in _COUNTERS:
        getattr(made, name).update(data[name])
    return made


def render(
    tally: Tally, files: Iterable[str], made_at: datetime, wanted: Wanted, how: str, splits: str
) -> str:
    """The card as Markdown.

    Args:
        how: How the format's tool reads the files.
        splits: How videos were dealt to splits.
    """
    head = f"# Labelled corrections ({wanted.format})\n\nMade by COEF-VQ Review on "
    head += f"{made_at:%Y-%m-%d %H:%M} UTC. {_asked(wanted)}\n\n"
    body = _counts(tally) if tally.videos else (_EMPTY if _is_all(wanted) else _NONE_FITS)
    gone = "".join(f"\n{line}" for line in tally.left_out_words())
    named = "".join(f"- `{name}`\n" for name in files)
    columns = ", ".join(f"`{name}`" for name in COLUMNS)
    who = _NAMES if wanted.names else _PSEUDONYMS
    return (
        f"{head}{body}{gone}\n\n## Files\n\n{named}\n## How to read them\n\n{how}\n"
        f"## Splits\n\n{splits}\n\n## Columns\n\n"
        f"{columns if wanted.format == 'csv' else 'See `policy.json` for labels and prompts.'}\n\n"
        f"{_CAVEATS}{who}"
    )


def _asked(wanted: Wanted) -> str:
    asked = {name: value for name, value in wanted.to_json().items()
             if value and name not in ("format", "seed", "media")}  # fmt: skip
    if not asked:
        return "Asked for: everything."
    parts = (f"{name} {', '.join(value) if isinstance(value, list) else value}"
             for name, value in asked.items())  # fmt: skip
    return f"Asked for: {'; '.join(parts)}."


def _is_all(wanted: Wanted) -> bool:
    asked = (wanted.since, wanted.until, wanted.tasks, wanted.policies, wanted.roles,
             wanted.splits, wanted.snapshot)  # fmt: skip
    return not any(asked)


def _counts(tally: Tally) -> str:
    dealt = ", ".join(f"{name} {number}" for name, number in sorted(tally.splits.items()))
    return (
        f"{tally.decisions} decisions on {tally.videos} videos, {tally.corrections} of them differ "
        f"from the machine's verdict; {tally.rows} rows. Videos by split: {dealt}.\n\n"
        f"{_table(tally.labels)}"
    )


def _table(labels: Mapping[str, int]) -> str:
    pairs = sorted({name.rpartition("/")[0] for name in labels})
    rows = [
        f"| {pair.replace('/', ' | ', 1)} | {labels.get(f'{pair}/violation', 0)} "
        f"| {labels.get(f'{pair}/ok', 0)} |\n"
        for pair in pairs
    ]
    return "| task | policy | violation | ok |\n|---|---|---:|---:|\n" + "".join(rows)
