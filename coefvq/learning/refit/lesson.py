"""Which decisions teach which policy, and why a policy is left as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from coefvq.learning.refit.anchor import Anchor
from coefvq.learning.refit.choose import Floats, Lesson
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.replay import Replay, governed, per_video, picked_mistakes, trust
from coefvq.learning.refit.rows import Rows
from coefvq.prefilter.adjust import PICTURES, TEXT
from coefvq.prefilter.features import BLOCKS
from coefvq.prefilter.model import PICTURE_POLICIES, POLICIES, READS, TEXT_POLICIES
from coefvq.prefilter.weights import Trained
from coefvq.routing.calibration import Calibrator, log_odds, sigmoid

ELDERS = 1000
"""Videos without a label for a policy that keep the parent's answer, at most."""


@dataclass(frozen=True)
class Teaching:
    """One policy's decisions.

    Attributes:
        train: int64 (n,), rows that are learnt from.
        validation: int64 (m,), rows that only calibrate and measure.
        straight: The parent's calibration as slope and shift.
        natural: float64 (n + m,), for how much traffic each row stands, trust included.
    """

    policy: str
    lesson: Lesson
    replay: Replay
    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    straight: tuple[float, float]
    natural: Floats

    @property
    def labels(self) -> Floats:
        """float64 (n,), of ``train``."""
        return self.lesson.labels


def straightened(calibration: Calibrator) -> tuple[float, float]:
    """Slope and shift of a calibrator; of steps, those of the line nearest to them."""
    if calibration.kind != "isotonic":
        return calibration.a, calibration.b
    points = np.asarray(calibration.knots)
    if len(points) < 2 or np.ptp(points[:, 0]) <= 0:
        return 1.0, 0.0
    slope, shift = np.polyfit(points[:, 0], log_odds(points[:, 1], 0.01), 1)
    return max(float(slope), 0.05), float(shift)


def parent_log_odds(rows: Rows, root: Trained, policy: str) -> Floats:
    """The parent's calibrated log-odds (n,); zeros where it does not know the policy."""
    if policy not in POLICIES:
        return np.zeros(len(rows.items))
    slope, shift = straightened(root.calibration[policy])
    return slope * rows.parent[:, POLICIES.index(policy)] + shift


def answerable(rows: Rows, policy: str) -> NDArray[np.bool_]:
    """bool (n,): videos for which the model gives an answer of its own on a policy."""
    if policy in TEXT_POLICIES:
        return rows.worded
    return rows.filmed if policy in PICTURE_POLICIES else rows.worded | rows.filmed


def too_few(rows: Rows, policy: str, options: RefitOptions) -> str | None:
    """Why a policy cannot be learnt from these rows; ``None`` where it can."""
    counts = {split: _classes(rows, policy, split) for split in ("train", "validation")}
    train = counts["train"]
    if sum(train) == 0:
        return "no decisions on it in the training part"
    if not min(train):
        word = "violations" if train[1] else "harmless videos"
        return f"one class only: all {sum(train)} decisions in the training part are {word}"
    if policy in POLICIES:
        if min(train) < options.fewest:
            return (
                f"{train[0]} harmless and {train[1]} violating videos; {options.fewest} of each "
                "are needed"
            )
        return None
    both = [train[at] + counts["validation"][at] for at in (0, 1)]
    if min(both) < options.novices or min(train) < options.fewest:
        return (
            f"{both[0]} harmless and {both[1]} violating videos; a policy that the model does not "
            f"know yet needs {options.novices} each"
        )
    return None


def usable(rows: Rows, policy: str) -> NDArray[np.bool_]:
    """bool (n,): labelled for a policy, by people who agree, and answerable."""
    labelled = np.asarray([policy in item.labels for item in rows.items], dtype=bool)
    return answerable(rows, policy) & labelled & (trust(rows.items, policy) > 0)


def _classes(rows: Rows, policy: str, split: str) -> tuple[int, int]:
    """Harmless and violating videos of a split."""
    places = np.flatnonzero(usable(rows, policy))
    found = [bool(rows.items[at].labels[policy]) for at in places if rows.items[at].split == split]
    return found.count(False), found.count(True)


def teach(
    rows: Rows, root: Trained, anchor: Anchor, policy: str, options: RefitOptions
) -> Teaching:
    """Gather one policy's decisions; ``too_few`` must have let it pass."""
    taught = usable(rows, policy)
    split = np.asarray([item.split for item in rows.items])
    train = np.flatnonzero(taught & (split == "train"))
    validation = np.flatnonzero(taught & (split == "validation"))
    offsets = parent_log_odds(rows, root, policy)
    items = [rows.items[at] for at in train]
    labels = np.asarray([float(item.labels[policy]) for item in items])
    known = policy in POLICIES
    replay = governed(
        items, policy, labels, sigmoid(offsets[train]) if known else None,
        emphasis=options.emphasis, heaviest=options.heaviest, distance=options.distance,
    )  # fmt: skip
    lesson = Lesson(
        sides=_sides(rows, root, policy, train),
        parent=offsets[train],
        labels=labels,
        weights=replay.weights,
        groups=[item.group for item in items],
        known=known,
        anchor=anchor,
        hold=options.anchor,
        picked=known and picked_mistakes(labels, offsets[train] >= 0, replay.weights),
    )
    if known and options.anchor > 0:
        lesson = replace(lesson, elder=_elder(rows, root, policy, lesson.sides, offsets))
    both = [rows.items[at] for at in np.concatenate([train, validation])]
    natural = trust(both, policy) * per_video(both, policy, options.heaviest)
    straight = straightened(root.calibration[policy]) if known else (0.0, 0.0)
    return Teaching(policy, lesson, replay, train, validation, straight, natural)


def _elder(
    rows: Rows, root: Trained, policy: str, sides: Mapping[str, sparse.csr_matrix], offsets: Floats
) -> tuple[dict[str, sparse.csr_matrix], Floats] | None:
    """Training videos that nobody judged on this policy: there the parent's answer is kept."""
    silent = np.asarray(
        [policy not in item.labels and item.split == "train" for item in rows.items], dtype=bool
    )
    places = np.flatnonzero(silent & answerable(rows, policy))[:ELDERS]
    if not len(places):
        return None
    old = _sides(rows, root, policy, places)
    filled = {name: old.get(name, _zeros(len(places), side)) for name, side in sides.items()}
    return filled, offsets[places]


def sides_of(
    rows: Rows, root: Trained, policy: str, places: NDArray[np.intp], names: frozenset[str]
) -> dict[str, sparse.csr_matrix]:
    """The numbers of both sides for other videos, of those that were learnt from."""
    heard = _heard(root, policy)
    found = {TEXT: rows.text[places], PICTURES: rows.pictures[places] @ heard}
    return {name: found[name].tocsr() for name in (TEXT, PICTURES) if name in names}


def _sides(
    rows: Rows, root: Trained, policy: str, places: NDArray[np.intp]
) -> dict[str, sparse.csr_matrix]:
    has = {TEXT: rows.worded[places].any(), PICTURES: rows.filmed[places].any()}
    return sides_of(rows, root, policy, places, frozenset(name for name in has if has[name]))


def _heard(root: Trained, policy: str) -> sparse.csr_matrix:
    """Keeps the blocks that a policy reads: movement for fights and slideshows, else all."""
    reads = READS.get(policy, BLOCKS)
    widths = [len(root.scaling[name].mean) for name in BLOCKS]
    kept = [float(name in reads) for name in BLOCKS]
    matrix = sparse.diags(np.concatenate([np.repeat(kept, widths), kept])).tocsr()
    matrix.eliminate_zeros()
    return matrix.astype(np.float32)


def _zeros(count: int, like: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.csr_matrix((count, like.shape[1]), dtype=np.float32)
