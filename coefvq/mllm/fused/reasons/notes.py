"""What is uncertain about an answer, in sentences for people."""

from __future__ import annotations

from collections.abc import Sequence

from coefvq import taxonomy
from coefvq.domain import Assessment, PolicyScore
from coefvq.mllm.rationale import DECISION, LOW_MASS, THIN_MARGIN

_SENTENCES = {
    "little text": "There is little text to go by.",
    "cut text": "The text was too long; parts of it were not read.",
}


def is_close(probability: float) -> bool:
    """Whether a probability is near the one at which decisions turn."""
    return abs(probability - DECISION) < THIN_MARGIN


def sentences(notes: Sequence[str]) -> list[str]:
    """The notes of ``text.NOTES`` but for ``close call``, which is told with its figure."""
    missing = [note.removeprefix("no ") for note in notes if note.startswith("no ")]
    found = [f"Missing: {', '.join(missing)}."] if missing else []
    return found + [_SENTENCES[note] for note in notes if note in _SENTENCES]


def doubts(score: PolicyScore) -> list[str]:
    """What speaks against trusting one score."""
    name, probability = taxonomy.policy(score.policy).name, score.probability or 0.0
    found = []
    if is_close(probability):
        found.append(f"The score for {name} is close to {DECISION:.2f} ({probability:.2f}).")
    if score.label_mass is not None and score.label_mass < LOW_MASS:
        found.append(
            f"The model put only {score.label_mass:.2f} of its probability on a yes or no "
            f"for {name}: the video is unlike what it was trained on."
        )
    return found


def not_covered(assessment: Assessment) -> list[str]:
    """One sentence for each reason why policies have no score."""
    missing = [score for score in assessment.scores.values() if not score.covered]
    found = []
    for reason in sorted({str(score.why_not) for score in missing}):
        names = [taxonomy.policy(s.policy).name for s in missing if s.why_not == reason]
        found.append(f"Not covered ({reason.replace('_', ' ')}): {'; '.join(names)}.")
    return found
