"""What the frozen half makes of every video: computed once, kept in files, read when needed.

Videos go in chunks of fixed content, so a training that goes on after a restart computes each
with the same neighbours and ends with the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.fused.align import rough_length
from coefvq.learning.monitor import Monitor
from coefvq.learning.tune.given import Left, differs, drawn_without, give
from coefvq.learning.tune.parent import Answered, Parent
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.pooled import pooled_states, words_of
from coefvq.mllm.fused.split import Lower
from coefvq.mllm.fused.words import Sparse, count_words

REVISION = 1
LOOKING = "reading the videos"
_CHUNK, _PASS = 24, 8
_ANSWERS = ("label_logits", "fused_logits", "slot_logits", "log_mass")
_PARTS = ("states", "slots", "text", "absent")
PLAIN, DROPPED = "plain", "dropped"


@dataclass(frozen=True)
class Kept:
    """One video as the frozen half left it; tensors are read from the file at each call.

    Attributes:
        why_not: As in ``given.Given``.
        unread: As in ``given.Given``.
        forms: ``plain``, and ``dropped`` where modality dropout takes something from it.
    """

    video: LabelledVideo
    file: _File = field(repr=False)
    row: int
    why_not: Mapping[str, str]
    unread: str | None
    forms: tuple[str, ...]

    def lower(self, form: str = PLAIN) -> Lower:
        """Its states; the plain ones where there is no such form."""
        name = f"{self.row}.{form if form in self.forms else PLAIN}"
        states, slots, text, absent = (self.file.read(f"{name}.{part}") for part in _PARTS)
        there = {
            at.rsplit(".", 1)[1]: self.file.read(at) for at in self.file.under(f"{name}.pooled.")
        }
        return Lower(states, slots, torch.zeros(0, dtype=torch.long), text, there, absent)

    @cached_property
    def pooled(self) -> dict[str, NDArray[np.float32]]:
        """Pooled states of the plain form."""
        return pooled_states(self.lower())

    @cached_property
    def parent(self) -> Answered:
        """What the parent's network says of the plain form."""
        return Answered(*self.file.read(f"{self.row}.parent"))

    @cached_property
    def words(self) -> Sparse:
        """Its counted words."""
        keys, values = (self.file.read(f"{self.row}.words.{name}") for name in ("keys", "values"))
        return keys.numpy(), values.numpy()


class _File:
    """A chunk on disk; opened at the first read."""

    def __init__(self, path: Path):
        self._path = path

    @cached_property
    def _open(self) -> Any:
        return safe_open(self._path, framework="pt")

    def read(self, name: str) -> Tensor:
        found: Tensor = self._open.get_tensor(name)
        return found

    def under(self, prefix: str) -> list[str]:
        return [name for name in self._open.keys() if name.startswith(prefix)]  # noqa: SIM118

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is known of each video of the chunk, in order."""
        found: list[dict[str, Any]] = json.loads(self._open.metadata()["rows"])
        return found


@dataclass(frozen=True)
class States:
    """All videos that could be read, and how many could not, by reason."""

    kept: list[Kept]
    skipped: dict[str, int]


def read_states(
    videos: Sequence[LabelledVideo],
    signals: Signals,
    parent: Parent,
    folder: Path,
    *,
    seed: int,
    monitor: Monitor,
) -> States:
    """Compute the states of videos, or take up what the folder holds."""
    kept: list[Kept] = []
    skipped: Counter[str] = Counter()
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(videos), _CHUNK):
        chunk = videos[start : start + _CHUNK]
        path = folder / f"{_digest(chunk, parent, seed)}.safetensors"
        if not _is_whole(path):
            maker = _Maker(signals, parent, seed, monitor, (start, len(videos)))
            write_whole(path, maker.make(chunk))
        file = _File(path)
        for row, (video, known) in enumerate(zip(chunk, file.rows, strict=True)):
            if known["left"]:
                skipped[known["left"]] += 1
                continue
            forms = tuple(known["forms"])
            kept.append(Kept(video, file, row, known["why_not"], known["unread"], forms))
    monitor.progress(len(videos), len(videos), LOOKING)
    return States(kept, dict(sorted(skipped.items())))


def _digest(chunk: Sequence[LabelledVideo], parent: Parent, seed: int) -> str:
    known = [[v.video_id, v.sha256, v.posted.title, v.posted.caption] for v in chunk]
    text = json.dumps([REVISION, parent.shipped.version, seed, known])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _is_whole(path: Path) -> bool:
    try:
        return bool(_File(path).rows)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return False


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader finds all of it or none."""
    scratch = path.with_name(f".{path.name}.part")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


class _Maker:
    """Computes one chunk."""

    def __init__(
        self, signals: Signals, parent: Parent, seed: int, monitor: Monitor, at: tuple[int, int]
    ) -> None:
        self._signals, self._parent, self._seed = signals, parent, seed
        self._monitor, self._at = monitor, at
        self._tensors: dict[str, Tensor] = {}

    def make(self, chunk: Sequence[LabelledVideo]) -> bytes:
        """The chunk's file."""
        self._parent.model.eval()
        rows: list[dict[str, Any]] = []
        shown: list[tuple[str, FusedItem]] = []
        for row, video in enumerate(chunk):
            self._monitor.check()
            self._monitor.progress(self._at[0] + row, self._at[1], LOOKING)
            known, forms = self._given(video)
            rows.append(known)
            shown += [(f"{row}.{name}", item) for name, item in forms.items()]
        self._pass(shown)
        for row, known in enumerate(rows):
            self._refuse_no_numbers(row, known)
        return save(self._tensors, {"rows": json.dumps(rows)})

    def _given(self, video: LabelledVideo) -> tuple[dict[str, Any], dict[str, FusedItem]]:
        try:
            given = give(video, self._signals, self._parent.shipped.readout.policies)
        except Left as left:
            return {"left": str(left), "forms": []}, {}
        plain = self._parent.look(given.item)
        forms = {PLAIN: plain}
        cut = drawn_without(video, plain, self._seed)
        if differs(plain, cut):
            forms[DROPPED] = cut
        known = {"left": "", "forms": list(forms), "why_not": given.why_not, "unread": given.unread}
        return known, forms

    def _pass(self, shown: Sequence[tuple[str, FusedItem]]) -> None:
        """Items of similar length go together."""
        order = sorted(range(len(shown)), key=lambda at: (rough_length(shown[at][1]), at))
        for start in range(0, len(order), _PASS):
            self._monitor.check()
            names = [shown[at][0] for at in order[start : start + _PASS]]
            items = [shown[at][1] for at in order[start : start + _PASS]]
            states = self._parent.below(items)
            for name, item, state, said in zip(
                names, items, states, self._parent.answers(states), strict=True
            ):
                self._put(name, item, state, said)

    def _put(self, name: str, item: FusedItem, state: Lower, said: Answered) -> None:
        self._tensors |= {f"{name}.{part}": getattr(state, part).contiguous() for part in _PARTS}
        for sense, values in state.pooled.items():
            self._tensors[f"{name}.pooled.{sense}"] = values.contiguous()
        row, form = name.split(".")
        if form == PLAIN:
            self._tensors[f"{row}.parent"] = torch.stack([getattr(said, at) for at in _ANSWERS])
            keys, values_ = count_words(words_of(item))
            self._tensors[f"{row}.words.keys"] = torch.from_numpy(keys)
            self._tensors[f"{row}.words.values"] = torch.from_numpy(values_)

    def _refuse_no_numbers(self, row: int, known: dict[str, Any]) -> None:
        said = self._tensors.get(f"{row}.parent")
        if said is None or bool(torch.isfinite(said).all()):
            return
        known |= {"left": "its signals hold what is no number", "forms": []}
        for name in [name for name in self._tensors if name.startswith(f"{row}.")]:
            del self._tensors[name]
