"""From the log-probabilities of the first answered token to a probability of a violation.

Servers name the most probable tokens with their log-probabilities. All spellings of YES are
summed, all of NO too::

    p = yes / (yes + no),    label_mass = yes + no

Nothing is calibrated: p is what the model says. A text answer without log-probabilities is not
turned into a probability, nor is one in whose named tokens neither label occurs.
The names of tokens are read with what tokenizers and chatty models put around a word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coefvq.mllm.endpoint.client import EndpointError

TOP_LOGPROBS = 20
YES, NO = "yes", "no"
SPELLINGS = ("Yes", "No", " Yes", " No", "yes", "no", "YES", "NO")
# What tokenizers and chatty models put around a word: word-start marks, quotes, emphasis.
_AROUND = " \t\r\n\u2581\u0120\u010a\"'`*.,:!"
_ROUNDING = 0.01
_LEAST = -1e4  # of a log-probability; a longer number would not fit a float


@dataclass(frozen=True)
class Labels:
    """Probability of YES among the labels, 0..1, and the share of both labels, 0..1.

    The share is ``None`` where the server does not tell it.
    """

    probability: float
    label_mass: float | None


def read_labels(answer: dict[str, Any]) -> Labels | None:
    """Read a chat completion.

    Returns:
        The probability; ``None`` where the answer holds no log-probabilities, or no YES or NO
        is among the named tokens.

    Raises:
        EndpointError: If the answer is not a chat completion, or its numbers are none.
    """
    tokens = _first_tokens(first_choice(answer))
    if tokens is None:
        return None
    return from_tokens(tokens)


def has_logprobs(answer: dict[str, Any]) -> bool:
    """Whether a chat completion names tokens with their log-probabilities at all."""
    return _first_tokens(first_choice(answer)) is not None


def from_tokens(tokens: Sequence[tuple[str, float]]) -> Labels | None:
    """Sum the labels' spellings.

    Args:
        tokens: Text and natural logarithm of the probability of each candidate.
    """
    mass = {YES: 0.0, NO: 0.0}
    for token, logprob in tokens:
        label = label_of(token)
        if label is not None:
            mass[label] += math.exp(min(0.0, logprob))
    total = mass[YES] + mass[NO]
    if total > 1.0 + _ROUNDING:
        raise EndpointError(f"The server's log-probabilities add up to {total:.2f}, more than 1.")
    if total <= 0.0:
        return None
    return Labels(mass[YES] / total, min(1.0, total))


def label_of(text: str) -> str | None:
    """``YES`` or ``NO`` if the text is a spelling of it, else ``None``."""
    word = text.strip(_AROUND).casefold()
    return word if word in (YES, NO) else None


def spoken(answer: dict[str, Any]) -> str:
    """The text of a chat completion; empty where there is none.

    Raises:
        EndpointError: If the answer is not a chat completion.
    """
    message = first_choice(answer).get("message")
    text = message.get("content") if isinstance(message, dict) else None
    return text if isinstance(text, str) else ""


def first_choice(answer: dict[str, Any]) -> dict[str, Any]:
    """Return ``choices[0]``.

    Raises:
        EndpointError: If there is none.
    """
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise EndpointError(
            "The server's answer holds no choices: it is not a chat completion. Check that the "
            "address in COEFVQ_MLLM is that of an OpenAI-compatible API."
        )
    return choices[0]


def _first_tokens(choice: dict[str, Any]) -> list[tuple[str, float]] | None:
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content:
        return None
    chosen = _candidate(content[0])
    top = content[0].get("top_logprobs")
    named = [_candidate(one) for one in top] if isinstance(top, list) else []
    # The chosen token is mostly among the named ones; two tokens may share one spelling.
    return named if chosen in named else [chosen, *named]


def _candidate(entry: Any) -> tuple[str, float]:
    row = entry if isinstance(entry, dict) else {}
    token, logprob = row.get("token"), row.get("logprob")
    number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
    if not isinstance(token, str) or logprob is None or not number or logprob > _ROUNDING:
        raise EndpointError("The server sent a log-probability that is none: update the server.")
    return token, float(max(logprob, _LEAST))
