"""From labelled videos to what the network is given, with modality dropout as in training."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from coefvq.errors import MediaError, StoreError
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.fused.dropping import SENSE_RATE, TEXT_RATE, has, without
from coefvq.media.limits import MediaLimits
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.embedded import fused_item, unanswerable
from coefvq.mllm.fused.configuration import MODALITIES, TEXT_MODALITIES
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.readout import PolicyReadout
from coefvq.signals.language import is_foreign

_SENSES = ("visual", "motion")


@dataclass(frozen=True)
class Given:
    """What the model would be given of one video.

    Attributes:
        item: All of it, frames included.
        why_not: Policies of the readout that the model does not answer for it, with the reason.
        unread: Why no policy of text can be read from it, or ``None``.
    """

    item: FusedItem
    why_not: Mapping[str, str]
    unread: str | None


class Left(Exception):
    """A video is left out; the text says why."""


def give(video: LabelledVideo, signals: Signals, readouts: Mapping[str, PolicyReadout]) -> Given:
    """Read a video's signals and pictures.

    Raises:
        Left: Its file cannot be read any more, or its signals are damaged.
    """
    try:
        expensive, info = signals.expensive(video), signals.info(video)
    except (MediaError, FileNotFoundError, PermissionError) as error:
        raise Left("the file cannot be read any more") from error
    except (StoreError, ValueError) as error:
        raise Left("its signals are damaged or of another version") from error
    given = MllmInput(video.posted, expensive, info.duration_s if info else None, info)
    item = fused_item(given, MediaLimits())
    text = {"": PolicyReadout((), 0.0, None, None, TEXT_MODALITIES)}  # type: ignore[arg-type]
    return Given(
        item,
        unanswerable(readouts, given, item, is_foreign),
        unanswerable(text, given, item, is_foreign).get(""),
    )


def drawn_without(video: LabelledVideo, item: FusedItem, seed: int) -> FusedItem:
    """The item without what it loses by chance; the same arguments give the same draw.

    Where the evidence lies is not known of a real video, so at least one place of words and one
    of pictures and movement stays, where there is any.
    """
    chance = random.Random(f"{seed}/{video.video_id}")
    rates = {name: TEXT_RATE if name in TEXT_MODALITIES else SENSE_RATE for name in MODALITIES}
    lost = {name for name in MODALITIES if chance.random() < rates[name] and has(item, name)}
    for kind in (TEXT_MODALITIES, _SENSES):
        there = [name for name in kind if has(item, name)]
        if there and lost >= set(there):
            lost.discard(chance.choice(there))
    return without(item, sorted(lost))


def differs(one: FusedItem, other: FusedItem) -> bool:
    """Whether something was taken from one of two forms of an item."""
    return any(has(one, name) != has(other, name) for name in MODALITIES)
