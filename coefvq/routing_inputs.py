"""What is known of a video before the MLLM runs, as routing policies may read it.

The cascade computes it when it routes, ``coefvq routing predictions`` when it writes the history
that policies are fitted on: one function, so that both mean the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from coefvq import taxonomy
from coefvq.domain import Assessment, MediaInfo, PostedText

SCORE = "prefilter_"


def known_features(trained: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of all features, without the prefix ``feature_``, in a fixed order.

    ``prefilter_<policy>``: the prefilter's calibrated probability. ``duration_s``: seconds.
    ``has_sound``: 1 or 0. ``title_length``, ``caption_length``: characters.

    Args:
        trained: More policies that count as known: a routing policy in force may read one that
            was taken out of the taxonomy since. Its feature is absent from then on.
    """
    policies = dict.fromkeys((*taxonomy.policies(), *sorted(trained)))
    scores = tuple(SCORE + policy for policy in policies)
    return (*scores, "duration_s", "has_sound", "title_length", "caption_length")


def run_time_features(
    first: Assessment, posted: PostedText, info: MediaInfo | None
) -> dict[str, float]:
    """Every known feature of one video; NaN where it is absent, which is not zero.

    Args:
        first: The prefilter's answer.
        posted: Title and caption; only their length is read.
        info: ``None`` where no media is at hand.
    """
    values = {SCORE + policy: _probability(first, policy) for policy in taxonomy.policies()}
    return values | {
        "duration_s": math.nan if info is None else info.duration_s,
        "has_sound": math.nan if info is None else float(info.has_audio),
        "title_length": _length(posted.title),
        "caption_length": _length(posted.caption),
    }


def _probability(first: Assessment, policy: str) -> float:
    score = first.scores.get(policy)
    return math.nan if score is None or score.probability is None else score.probability


def _length(text: str | None) -> float:
    return math.nan if text is None else float(len(text))
