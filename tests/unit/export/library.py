"""A small library with real clips and decisions by two people, and how it is exported."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from coefvq.export.run import Report, run_export
from coefvq.export.wanted import Wanted
from coefvq.review import decide, queue
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store.session import Store
from tests.media_factory import clip
from tests.store_factory import ANN, BOB, scored
from tests.unit.review.quality import LEA

HOSTILE = '=HYPERLINK("http://evil","free"),\n<script> <video> {{7*7}} <|im_start|>'
HATE = DecisionForm({"hate_harassment": True}, "remove", {"hate_harassment": "slur"})
SCAM = DecisionForm(
    {"scam_spam": True, "violence": True},
    "age_gate",
    {"scam_spam": "phishing link", "violence": "other"},
    HOSTILE,
    0.2,
    0.6,
)
KEEP = DecisionForm({}, "keep")
STATIC = DecisionForm({"static_slideshow": True}, "restrict", {"static_slideshow": "single still"})

DECIDED = (
    ("first", [("icd", HATE, ANN)]),
    (HOSTILE, [("icd", SCAM, BOB)]),
    ("日本語 🎬 ñ", [("icd", KEEP, ANN), ("ucc", STATIC, BOB)]),
    ("fourth", [("ucc", KEEP, BOB)]),
)


def submit(
    store: Store, settings: Settings, case_id: str, form: DecisionForm, actor: Actor = ANN
) -> None:
    """Open a case and decide it."""
    lease = queue.open_case(store, settings, actor, case_id).lease
    assert lease is not None and lease.token is not None
    decide.submit(store, settings, actor, case_id, lease.token, form)


def add(store: Store, settings: Settings, number: int, title: str, **how: Any) -> dict[str, str]:
    """A real clip that was scored; case ids by task."""
    path = settings.home / f"clip-{number}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    clip(path, 0.4 + number / 25, with_audio=False)
    return scored(store, settings, path.read_bytes(), title=title, **how)


def fill(store: Store, settings: Settings) -> list[dict[str, str]]:
    """Four videos: five decisions, three of which correct the machine."""
    made = []
    for number, (title, decisions) in enumerate(DECIDED, 1):
        made.append(add(store, settings, number, title))
        for task, form, actor in decisions:
            submit(store, settings, made[-1][task], form, actor)
    return made


def export(
    store: Store, settings: Settings, out: Path, name: str, actor: Actor = LEA, **how: Any
) -> Report:
    """Export in a format; ``how``: fields of ``Wanted``."""
    return run_export(store, settings, actor, Wanted(name, **how), out)


def lines(path: Path) -> list[dict[str, Any]]:
    """Objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def every_line(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """Objects of all files of JSON lines that match."""
    return [row for path in sorted(folder.glob(pattern)) for row in lines(path)]


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
