"""Labelled videos as the numbers that an adjustment is learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from coefvq.domain import CheapSignals
from coefvq.errors import MediaError, StoreError
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.monitor import Monitor
from coefvq.prefilter.adjust import PICTURES, TEXT
from coefvq.prefilter.features import BLOCKS, Blocks, batch, picture_blocks
from coefvq.prefilter.model import POLICIES
from coefvq.prefilter.text import (
    BUCKETS,
    STATES,
    SURFACE,
    TextRow,
    text_counts,
    weigh,
    with_unseen,
)
from coefvq.prefilter.weights import Trained

WORDS = 2 * BUCKETS
COUNTS = len(SURFACE) + len(STATES)
_BATCH = 256


@dataclass(frozen=True)
class Rows:
    """Videos in one order, as the parent and as an adjustment read them.

    Attributes:
        text: float32 (n, WORDS + COUNTS): TF-IDF weights, surface counts; zeros without a word.
        pictures: float32 (n, widths of the blocks + one a block): standardised numbers, each
            block scaled so that its squared length is about 1; then 1 where a block is absent.
        parent: float64 (n, len(POLICIES)): the parent's log-odds before calibration.
        worded: bool (n,): whether title or caption hold a word that the model can follow.
        filmed: bool (n,): whether there are frames.
        skipped: Why videos were left out, and how many.
    """

    items: list[LabelledVideo]
    text: sparse.csr_matrix
    pictures: sparse.csr_matrix
    parent: NDArray[np.float64]
    worded: NDArray[np.bool_]
    filmed: NDArray[np.bool_]
    skipped: dict[str, int]

    def reading(self, name: str) -> sparse.csr_matrix:
        """The numbers of one side, ``TEXT`` or ``PICTURES``."""
        return {TEXT: self.text, PICTURES: self.pictures}[name]


def read_rows(
    items: Sequence[LabelledVideo], signals: Signals, root: Trained, monitor: Monitor
) -> Rows:
    """Read every video's signals once; what cannot be read is left out and counted."""
    reader = _Reader(root)
    for number, item in enumerate(items):
        if number % 16 == 0:
            monitor.check()
            monitor.progress(number, len(items), "reading signals")
        reader.add(item, signals)
    monitor.progress(len(items), len(items), "reading signals")
    return reader.rows()


class _Reader:
    """Gathers rows; the network is asked for a batch at a time."""

    def __init__(self, root: Trained):
        self._root, self._unseen = root, with_unseen(root.idf)
        self._items: list[LabelledVideo] = []
        self._plain: list[TextRow] = []
        self._blocks: list[Blocks] = []
        self._parent: list[NDArray[np.float64]] = []
        self._text: list[TextRow] = []
        self._pictures: list[sparse.csr_matrix] = []
        self._worded: list[bool] = []
        self._filmed: list[bool] = []
        self._skipped: Counter[str] = Counter()

    def add(self, item: LabelledVideo, signals: Signals) -> None:
        try:
            cheap = signals.cheap(item)
            blocks = picture_blocks(cheap)
            self._fits(blocks)
        except (MediaError, FileNotFoundError):
            self._skipped["the file cannot be read any more"] += 1
            return
        except (StoreError, ValueError):
            self._skipped["its signals are damaged or of another version"] += 1
            return
        counts = text_counts(item.posted)
        self._items.append(item)
        self._plain.append(weigh(counts, self._root.idf))
        self._text.append(weigh(counts, self._unseen))
        self._blocks.append(blocks)
        self._worded.append(not counts.empty and _followed(item))
        self._filmed.append(_has_frames(cheap))
        if len(self._blocks) == _BATCH:
            self._flush()

    def _fits(self, blocks: Blocks) -> None:
        for name, scale in self._root.scaling.items():
            block = blocks.get(name)
            if block is not None and block.shape != scale.mean.shape:
                raise ValueError(name)

    def _flush(self) -> None:
        if not self._blocks:
            return
        plain = self._plain[-len(self._blocks) :]
        inputs = batch(plain, self._blocks, self._root.scaling)
        with torch.no_grad():
            self._parent.append(self._root.net(inputs).numpy().astype(np.float64))
        parts = []
        for name in BLOCKS:
            values = inputs.blocks[name].numpy()
            parts.append(values / np.sqrt(values.shape[1]))
        absent = [~inputs.present[name].numpy()[:, None] for name in BLOCKS]
        self._pictures.append(sparse.csr_matrix(np.hstack([*parts, *absent]).astype(np.float32)))
        self._blocks.clear()

    def rows(self) -> Rows:
        self._flush()
        worded = np.asarray(self._worded, dtype=bool)
        parent = np.concatenate(self._parent) if self._parent else np.zeros((0, len(POLICIES)))
        width = sum(len(scale.mean) + 1 for scale in self._root.scaling.values())
        pictures = (
            sparse.vstack(self._pictures, format="csr")
            if self._pictures
            else sparse.csr_matrix((0, width), dtype=np.float32)
        )
        return Rows(
            items=self._items,
            text=_text_matrix(self._text, worded),
            pictures=pictures,
            parent=parent,
            worded=worded,
            filmed=np.asarray(self._filmed, dtype=bool),
            skipped=dict(sorted(self._skipped.items())),
        )


def _followed(item: LabelledVideo) -> bool:
    """Whether the words are of the language that the prefilter reads, as far as is known."""
    return item.language is None or item.language.lower().startswith("en")


def _has_frames(cheap: CheapSignals | None) -> bool:
    return (
        cheap is not None and cheap.frame_embeddings is not None and len(cheap.frame_embeddings) > 0
    )


def _text_matrix(rows: Sequence[TextRow], worded: NDArray[np.bool_]) -> sparse.csr_matrix:
    tail = np.arange(WORDS, WORDS + COUNTS)
    columns, values, starts = [], [], [0]
    for row, readable in zip(rows, worded, strict=True):
        if readable:
            columns.append(np.concatenate([row.buckets, tail]))
            values.append(np.concatenate([row.weights, row.surface]))
        starts.append(starts[-1] + (len(row.buckets) + COUNTS if readable else 0))
    return sparse.csr_matrix(
        (
            np.concatenate(values) if values else np.zeros(0, np.float32),
            np.concatenate(columns) if columns else np.zeros(0, np.int64),
            np.asarray(starts),
        ),
        shape=(len(rows), WORDS + COUNTS),
        dtype=np.float32,
    )
