"""The figures of a trained prefilter, from held-out predictions only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.learning.measures import (
    Measure,
    auc,
    bootstrap,
    brier,
    debiased_ece,
    entropy_bits,
    plain_ece,
)
from coefvq.learning.picture_recipe import Clips
from coefvq.learning.text_corpora import HATE
from coefvq.learning.text_recipe import TextSets, posted, taught_tweets
from coefvq.prefilter.model import TEXT_POLICIES
from coefvq.prefilter.text import weigh
from coefvq.prefilter.weights import Trained
from coefvq.routing.calibration import log_odds

ESCALATE_BITS = 0.6
_TWEETS_LOOKED_AT = 3000


@dataclass(frozen=True)
class Pool:
    """Held-out predictions of one policy.

    Attributes:
        logits: float64 (n,), from models that never saw the item's group.
        probabilities: float64 (n,), by a calibrator fitted on the other folds.
        moved: Log-odds with the words in the other field (text policies only).
    """

    ids: list[str]
    groups: list[str]
    sources: list[str]
    labels: NDArray[np.int64]
    logits: NDArray[np.float64]
    folds: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    moved: NDArray[np.float64] | None = None
    tags: list[tuple[str, ...]] = field(default_factory=list)


def figures(
    pools: dict[str, Pool], trained: Trained, clips: Clips, sets: TextSets, seed: int
) -> dict[str, Any]:
    """All figures by policy, with 95 % intervals."""
    found: dict[str, Any] = {
        name: _policy(pool, seed) for name, pool in pools.items() if name != "ordinary_violence"
    }
    found["ordinary_clips"] = _ordinary(pools, trained)
    found["tweets_not_trained_on"] = _dialect(trained, sets, seed)
    return found


def _policy(pool: Pool, seed: int) -> dict[str, Any]:
    by_group = len(set(pool.groups)) < len(pool.ids) / 2
    groups = pool.groups if by_group and len(set(pool.groups)) > 5 else None

    def measured(measure: Measure, values: NDArray[np.float64]) -> list[float]:
        got = bootstrap(measure, pool.labels, values, groups=groups, rounds=500, seed=seed)
        return [round(number, 4) for number in (got.value, got.low, got.high)]

    report: dict[str, Any] = {
        "n": len(pool.ids),
        "positives": int(pool.labels.sum()),
        "groups": len(set(pool.groups)),
        "intervals_resample": "sources" if groups else "items",
        "auc": measured(auc, pool.logits),
        "debiased_ece": measured(debiased_ece, pool.probabilities),
        "plain_ece": round(plain_ece(pool.labels, pool.probabilities), 4),
        "brier": measured(brier, pool.probabilities),
    }
    if pool.moved is not None:
        report["auc_words_in_title"] = round(auc(pool.labels, pool.moved), 4)
    if pool.sources[0] == "youtube_spam":
        report["auc_by_video"] = _by_group(pool)
    if any(pool.tags):
        report["mean_probability_by_kind"] = _by_kind(pool)
    return report


def _by_group(pool: Pool) -> dict[str, float]:
    names = np.asarray(pool.groups)
    return {
        name: round(auc(pool.labels[names == name], pool.logits[names == name]), 4)
        for name in sorted(set(pool.groups))
    }


def _by_kind(pool: Pool) -> dict[str, float]:
    kinds: dict[str, list[float]] = defaultdict(list)
    for tags, probability in zip(pool.tags, pool.probabilities, strict=True):
        kinds[tags[0] if tags else "ordinary"].append(float(probability))
    return {kind: round(float(np.mean(values)), 3) for kind, values in sorted(kinds.items())}


def _ordinary(pools: dict[str, Pool], trained: Trained) -> dict[str, Any]:
    """How often harmless clips posted without a word would be escalated, task by task."""
    violence = pools["ordinary_violence"]
    floor = max(trained.without_text.values())
    icd = trained.tasks["icd"](log_odds(np.maximum(violence.probabilities, floor)))
    ucc = []
    for policy in ("watermark", "static_slideshow", "screen_recording"):
        place = {name: at for at, name in enumerate(pools[policy].ids)}
        logits = [pools[policy].logits[place[name]] for name in violence.ids]
        ucc.append(trained.calibration[policy](logits))
    largest = trained.tasks["ucc"](log_odds(np.max(ucc, axis=0)))
    return {
        "n": len(violence.ids),
        "violence_mean": round(float(violence.probabilities.mean()), 3),
        "icd_share_above_0.6_bits": round(float((entropy_bits(icd) > ESCALATE_BITS).mean()), 3),
        "ucc_share_above_0.6_bits": round(float((entropy_bits(largest) > ESCALATE_BITS).mean()), 3),
    }


def _dialect(trained: Trained, sets: TextSets, seed: int) -> dict[str, Any]:
    """Harmless tweets that never trained: how often and how high ``hate_harassment`` goes."""
    taught = {item.id for item in taught_tweets(sets, seed)}
    left = [item for item in sets.tweets if item.id not in taught]
    picked = np.random.default_rng(seed).permutation(len(left))[:_TWEETS_LOOKED_AT]
    column = TEXT_POLICIES.index(HATE)
    table = trained.net.words.weight[:, column].numpy()
    counts = trained.net.surface.weight[column].numpy()
    slices: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at in picked:
        item = left[at]
        row = weigh(sets.count(posted(item)), trained.idf)
        raw = table[row.buckets] @ row.weights + counts @ row.surface
        logit = float(raw) + float(trained.net.surface.bias[column])
        score = float(trained.calibration[HATE](logit))
        name = "aae_like" if "aae_like" in item.tags else "other"
        slices[name].append((item.labels[HATE], score))
    return {name: _slice(rows) for name, rows in sorted(slices.items())}


def _slice(rows: list[tuple[int, float]]) -> dict[str, Any]:
    labels, scores = (np.asarray(part) for part in zip(*rows, strict=True))
    harmless = scores[labels == 0]
    return {
        "n": len(rows),
        "harmless": len(harmless),
        "auc": round(auc(labels, scores), 4),
        "harmless_above_half": round(float((harmless > 0.5).mean()), 4) if len(harmless) else None,
        "harmless_mean": round(float(harmless.mean()), 4) if len(harmless) else None,
    }
