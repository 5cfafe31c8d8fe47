"""Which videos a fine-tune learns from, and what is wanted of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from coefvq.errors import TrainingError
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.parent import Parent
from coefvq.learning.tune.policies import Labelled, Task, parent_logits, weighed
from coefvq.learning.tune.preference import Aims
from coefvq.learning.tune.states import Kept
from coefvq.mllm.fused.readout import Readout
from coefvq.routing.calibration import sigmoid


@dataclass(frozen=True)
class Chosen:
    """Videos of the two splits that are used, in a fixed order."""

    train: list[LabelledVideo]
    held: list[LabelledVideo]


def choose(items: Sequence[LabelledVideo], options: TuneOptions) -> Chosen:
    """The labelled videos of train and validation; ``test`` and ``golden`` stay out.

    Where there are more than the options allow, corrected ones go first, and the others stand
    for those that were left out.

    Raises:
        TrainingError: Nothing can be learnt from these, and why.
    """
    cleaned = [_clean(item) for item in items if item.split in ("train", "validation")]
    train = [item for item in cleaned if item.split == "train" and item.labels]
    held = [item for item in cleaned if item.split == "validation" and item.labels]
    if not train:
        raise TrainingError(
            "There are no corrections to learn from: no decided video of the snapshot is in its "
            "training part. Decide more videos and make a new snapshot."
        )
    if not _two_classes(train):
        raise TrainingError(
            "All decisions say the same: for no policy are there videos that violate it and videos "
            "that do not. Decide some of the other kind and make a new snapshot."
        )
    return Chosen(_at_most(train, options.items), _at_most(held, options.held_items))


def tasks_of(
    chosen: Sequence[Kept], readout: Readout, slots: Sequence[str], options: TuneOptions
) -> tuple[list[Task], dict[str, str]]:
    """Policies that can be tuned, and those that cannot, with the reason."""
    named = {policy for one in chosen for policy in one.video.labels}
    tasks, left = [], {}
    for policy in sorted(named):
        parent = readout.policies.get(policy)
        known = [
            one
            for one in chosen
            if policy in one.video.labels and answerable(one, policy, parent is not None)
        ]
        train = _labelled(known, policy, "train")
        least = options.fewest if parent is not None else options.novices
        if reason := _too_few(train, least):
            left[policy] = reason
            continue
        slot = slots.index(policy) if policy in slots else None
        threshold = readout.thresholds.get(policy, 0.5)
        held = _labelled(known, policy, "validation")
        tasks.append(Task(policy, slot, parent, threshold, train, held))
    return tasks, left


def answerable(one: Kept, policy: str, known: bool) -> bool:
    """Whether the model would answer a policy for a video.

    Args:
        known: Whether the parent answers the policy at all.
    """
    if known:
        return policy not in one.why_not
    return one.unread is None or "visual" in one.pooled or "motion" in one.pooled


def aims_of(
    kept: Sequence[Kept], tasks: Sequence[Task], parent: Parent, options: TuneOptions
) -> Aims:
    """What is wanted of videos at their slots."""
    size = (len(kept), len(parent.slots))
    targets, weights = np.full(size, np.nan, np.float32), np.ones(size, np.float32)
    preferred, keep = np.zeros(size, np.float32), np.ones(size, np.float32)
    place = {id(one): at for at, one in enumerate(kept)}
    for task in tasks:
        for labelled, emphasis in ((task.train, options.emphasis), (task.held, 1.0)):
            rows = [(place[id(one)], one, label) for one, label in labelled if id(one) in place]
            if task.slot is None or not rows:
                continue
            both = [(one, label) for _, one, label in rows]
            at = [row for row, _, _ in rows]
            labels = np.array([label for _, label in both], np.float32)
            weight = weighed(task, both, options, emphasis).weights.astype(np.float32)
            wrong = parent_says(task, [one for one, _ in both]) != (labels > 0.5)
            targets[at, task.slot], weights[at, task.slot] = labels, weight
            preferred[at, task.slot] = weight * wrong
            keep[at, task.slot] = np.where(wrong, 0.0, weight)
    said = [one.parent for one in kept]
    said = [one.parent for one in kept]
    return Aims(
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        preferred=torch.from_numpy(preferred),
        keep=torch.from_numpy(keep),
        parent_label=torch.stack([one.label_logits for one in said]),
        parent_fused=torch.stack([one.fused_logits for one in said]),
    )


def parent_says(task: Task, kept: Sequence[Kept]) -> np.ndarray:
    """Whether the parent calls each video a violation, bool (n,)."""
    if task.parent is not None:
        return np.asarray(sigmoid(parent_logits(task, kept)) >= task.threshold)
    assert task.slot is not None
    return np.array([float(one.parent.slot_logits[task.slot]) >= 0.0 for one in kept])


def _clean(item: LabelledVideo) -> LabelledVideo:
    labels = {policy: int(value) for policy, value in item.labels.items() if value in (0, 1)}
    return replace(item, labels=labels)


def _two_classes(items: Sequence[LabelledVideo]) -> bool:
    seen: dict[str, set[int]] = {}
    for item in items:
        for policy, label in item.labels.items():
            seen.setdefault(policy, set()).add(label)
    return any(len(both) == 2 for both in seen.values())


def _at_most(items: list[LabelledVideo], most: int) -> list[LabelledVideo]:
    order = sorted(items, key=lambda item: (not item.corrected, _draw(item)))
    kept, left = order[:most], order[most:]
    confirmed = [item for item in kept if not item.corrected]
    others = len(confirmed) + sum(not item.corrected for item in left)
    share = len(confirmed) / others if others else 1.0
    found = [item if item.corrected else _rarer(item, share) for item in kept]
    return sorted(found, key=lambda item: item.video_id)


def _rarer(item: LabelledVideo, share: float) -> LabelledVideo:
    """The item where only a share of its kind is kept."""
    each = {policy: chance * share for policy, chance in item.propensities.items()}
    return replace(item, propensity=item.propensity * share, propensities=each)


def _draw(item: LabelledVideo) -> str:
    return hashlib.sha256(f"tune/{item.video_id}".encode()).hexdigest()


def _labelled(known: Sequence[Kept], policy: str, split: str) -> Labelled:
    return [(one, one.video.labels[policy]) for one in known if one.video.split == split]


def _too_few(train: Labelled, least: int) -> str:
    positives = sum(label for _, label in train)
    negatives = len(train) - positives
    if min(positives, negatives) >= least:
        return ""
    return (
        f"{positives} violations and {negatives} others that the model can read; "
        f"{least} of each are needed"
    )


def nothing_to_learn(left: Mapping[str, str], skipped: Mapping[str, int]) -> TrainingError:
    """The error where no policy can be tuned."""
    reasons = "; ".join(f"{policy}: {reason}" for policy, reason in left.items())
    gone = ", ".join(f"{count} because {why}" for why, count in skipped.items())
    return TrainingError(
        f"No policy can be tuned from these decisions. {reasons or 'No video could be read'}."
        + (f" Videos left out: {gone}." if gone else "")
        + " Decide more videos and make a new snapshot."
    )
