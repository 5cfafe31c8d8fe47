"""The paper's rule: escalate what the prefilter is unsure of (COEF-VQ, arXiv 2412.10435 v2).

For a probability p the binary entropy is H(p) = -p log2 p - (1-p) log2 (1-p), in bits, between
0 (sure) and 1 (p = 0.5). A video is escalated where H exceeds a threshold. For one binary
probability that is the same as a symmetric band around 0.5.

Three things the paper leaves open are settled here. After the MLLM the same rule, with a threshold
of its own, decides between automatic and human. A policy whose text is in a language that the
model does not read is a *gap*: nobody has judged it, so the video goes on to the next stage, and
in the end to a person. The default thresholds come from a budget: see docs/routing.md.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from coefvq.domain import Route, RouteName

RULE = "entropy"
# Below this share of next-token probability on YES and NO, the MLLM was not answering the question.
MIN_LABEL_MASS = 0.5
# A number in 0..1 as ``:g`` writes it; no ten hex digits look like it.
_BITS = r"(?:[01]|0\.\d+|\d(?:\.\d+)?e-\d+)"


def binary_entropy(probability: float) -> float:
    """Entropy in bits of a yes/no answer.

    Args:
        probability: In 0..1.

    Returns:
        0.0 at certainty, 1.0 at 0.5.

    Raises:
        ValueError: If ``probability`` is outside 0..1 or not a number.
    """
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"probability must be in 0..1, got {probability!r}")
    if probability in (0.0, 1.0):
        return 0.0
    other = 1.0 - probability
    return -(probability * math.log2(probability) + other * math.log2(other))


def certain_below(threshold: float) -> float:
    """The probability p < 0.5 whose entropy is ``threshold`` bits: where the band begins.

    Solved by bisection; accurate to 1e-9.
    """
    low, high = 0.0, 0.5
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if binary_entropy(middle) < threshold else (low, middle)
    return (low + high) / 2


def unsure_band(threshold: float) -> tuple[float, float] | None:
    """Probabilities whose entropy lies above ``threshold``: (low, high); ``None`` from 1 bit."""
    if threshold >= 1.0:
        return None
    low = certain_below(threshold)
    return low, 1.0 - low


def is_settings_version(version: str) -> bool:
    """Whether ``EntropyRouting`` gave this version: its threshold is bits of this entropy.

    A published policy with the entropy rule is named ``entropy-`` and ten hex digits, and its
    threshold is of another scale or of another probability.
    """
    return re.fullmatch(rf"{RULE}-{_BITS}(-{_BITS})?", version) is not None


@dataclass(frozen=True)
class EntropyRouting:
    """A routing policy: a threshold for each stage.

    Attributes:
        threshold: Bits, 0..1. Above it the prefilter is unsure and the MLLM is due.
        human_threshold: Bits, 0..1. Above it an escalated task goes on to a person.
    """

    threshold: float = 0.9
    human_threshold: float = 0.8

    @property
    def version(self) -> str:
        """Names the rule and its thresholds, so that a route can be reproduced."""
        return f"{RULE}-{self.threshold:g}-{self.human_threshold:g}"

    def after_prefilter(
        self, probability: float | None, gaps: tuple[str, ...] = (), mllm_covers: bool = True
    ) -> Route:
        """Route one task after the first stage.

        Args:
            probability: Task probability, or ``None`` where the prefilter covers no policy.
            gaps: Policies of the task that the prefilter reads, but not in this video.
            mllm_covers: Whether the MLLM was trained for any policy of the task.
        """
        if probability is None and not mllm_covers:
            return self._route(RouteName.HUMAN, None, False, "no model covers this task here")
        if probability is None:
            return self._route(RouteName.MLLM, None, True, "the prefilter covers nothing here")
        if gaps:
            return self._route(RouteName.MLLM, probability, True, _gap_reason("prefilter", gaps))
        if binary_entropy(probability) > self.threshold:
            return self._route(RouteName.MLLM, probability, True, "the prefilter is unsure")
        name = _automatic(probability)
        return self._route(name, probability, False, "the prefilter is sure")

    def after_mllm(
        self,
        probability: float | None,
        gaps: tuple[str, ...] = (),
        label_mass: float | None = None,
        escalated: bool = True,
    ) -> Route:
        """Route one task after the second stage: automatic where it is sure, else a person.

        Args:
            probability: Task probability from the final scores of both stages.
            gaps: Policies that neither stage could judge in this video.
            label_mass: Smallest share on the label tokens over the policies of the task.
            escalated: Whether this task's own rule made the MLLM due. A task that only rides
                along with another keeps the first threshold: it must not end with a person
                because of something that has nothing to do with it.
        """
        limit = self.human_threshold if escalated else self.threshold
        if probability is None:
            reason = "no model covers this task here"
        elif gaps:
            reason = _gap_reason("MLLM", gaps)
        elif label_mass is not None and label_mass < MIN_LABEL_MASS:
            reason = f"the MLLM's answer is not to be trusted (label mass {label_mass:.2f})"
        elif binary_entropy(probability) > limit:
            reason = "still unsure after the MLLM"
        else:
            name = _automatic(probability)
            return self._route(name, probability, escalated, "sure after the MLLM", limit)
        return self._route(RouteName.HUMAN, probability, escalated, reason, limit)

    def _route(
        self,
        name: RouteName,
        probability: float | None,
        escalated: bool,
        reason: str,
        limit: float | None = None,
    ) -> Route:
        score = None if probability is None else binary_entropy(probability)
        threshold = self.threshold if limit is None else limit
        return Route(name, RULE, self.version, score, threshold, escalated, reason=reason)


def _automatic(probability: float) -> RouteName:
    return RouteName.AUTO_FLAG if probability >= 0.5 else RouteName.AUTO_PASS


def _gap_reason(stage: str, gaps: tuple[str, ...]) -> str:
    names = ", ".join(gap.replace("_", " ") for gap in gaps)
    return f"the {stage} does not follow the language: not judged for {names}"
