"""Asking one question about one video: by log-probabilities, or by ``/v1/systemone``.

``Transformers serve`` gives no log-probabilities in a chat, but its ``/v1/systemone`` gives the
probability of Yes among Yes and No. How much of the whole those two are it does not say. So the
same question is asked as a chat first: only a model whose own first word is Yes or No is believed,
and ``label_mass`` stays unknown.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from coefvq.mllm.endpoint import content
from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.content import Texts
from coefvq.mllm.endpoint.dialects import Attached, Dialect
from coefvq.mllm.endpoint.footage import Frames, Pictures, Sound
from coefvq.mllm.endpoint.labels import Labels, label_of, read_labels, spoken
from coefvq.taxonomy import Policy

MAX_ASSETS = 4  # of /v1/systemone
ROUTE = "systemone"
_NAME = "answer"


@dataclass(frozen=True)
class Question:
    """One policy and one video in one form."""

    policy: Policy
    texts: Texts
    attached: Attached


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        labels: ``None`` where no probability could be had.
    """

    labels: Labels | None
    tokens_in: int = 0
    tokens_out: int = 0


class Scorer(Protocol):
    """One way of getting a probability."""

    pictures: tuple[Pictures, ...]
    sounds: tuple[Sound, ...]

    def ask(self, question: Question) -> Answer:
        """Ask one question.

        Raises:
            EndpointError: If the server did not give a usable answer.
        """
        ...


class ByLogprobs:
    """By the log-probabilities of the first answered token."""

    def __init__(
        self, client: EndpointClient, model: str, dialect: Dialect, label_ids: Sequence[int] = ()
    ):
        """Keep how to ask.

        Args:
            label_ids: Tokens of the labels' spellings, where the server takes them; else the
                likeliest tokens are asked for.
        """
        self._client, self._model, self._dialect = client, model, dialect
        self.label_ids = tuple(label_ids)
        self.pictures, self.sounds = dialect.pictures, dialect.sounds

    def ask(self, question: Question) -> Answer:
        """See ``Scorer``."""
        asked = content.scoring_messages(question.texts, question.attached, question.policy)
        fields = question.attached.fields
        request = self._dialect.scoring(self._model, asked, self.label_ids, fields)
        found = self._client.post("chat/completions", request)
        return Answer(read_labels(found), *tokens_of(found))


class BySystemOne:
    """By ``/v1/systemone``, where the model's own first word is Yes or No."""

    pictures: tuple[Pictures, ...] = (Pictures.STILLS,)
    sounds: tuple[Sound, ...] = ()

    def __init__(self, client: EndpointClient, model: str, dialect: Dialect):
        self._client, self._model, self._dialect = client, model, dialect

    def ask(self, question: Question) -> Answer:
        """See ``Scorer``."""
        asked = content.scoring_messages(question.texts, question.attached, question.policy)
        said = self._client.post("chat/completions", self._dialect.brief(self._model, asked))
        tokens_in, tokens_out = tokens_of(said)
        if label_of(spoken(said)) is None:
            return Answer(None, tokens_in, tokens_out)
        found = self._client.post(ROUTE, self.request(question))
        more = tokens_of(found, "input_tokens", "output_tokens")
        return Answer(Labels(read_yes(found), None), tokens_in + more[0], tokens_out + more[1])

    def request(self, question: Question) -> dict[str, Any]:
        """The question as ``/v1/systemone`` takes it, with at most ``MAX_ASSETS`` pictures."""
        frames = _some(question.attached.footage.frames)
        # Named after the texts, so that no text can hold the name of a picture.
        mark = hashlib.sha256(question.texts.document.encode()).hexdigest()[:12]
        names = [f"[picture-{mark}-{number}]" for number in range(len(frames.jpegs))]
        video = content.video_text(question.texts, question.attached, frames.times_s)
        state = "\n".join([content.SYSTEM.strip(), *names, video])
        request = {
            "model": self._model,
            "state": state,
            "questions": {
                _NAME: {"type": "noul", "instructions": content.rule_text(question.policy)}
            },
        }
        assets = {name: _asset(jpeg) for name, jpeg in zip(names, frames.jpegs, strict=True)}
        return request | ({"assets": assets} if assets else {})


def trial_request(model: str, question: str) -> dict[str, Any]:
    """A question about nothing, to see whether ``/v1/systemone`` is there."""
    return {
        "model": model,
        "state": "A trial.",
        "questions": {_NAME: {"type": "noul", "instructions": question}},
    }


def read_yes(answer: dict[str, Any]) -> float:
    """Read the probability of Yes from an answer of ``/v1/systemone``.

    Raises:
        EndpointError: If there is none.
    """
    answers = answer.get("answers")
    row = answers.get(_NAME) if isinstance(answers, dict) else None
    yes = row.get("noul") if isinstance(row, dict) else None
    if not isinstance(yes, int | float) or isinstance(yes, bool) or not 0.0 <= yes <= 1.0:
        raise EndpointError("The server's /systemone answered without a probability: update it.")
    return float(yes)


def tokens_of(
    answer: dict[str, Any], read: str = "prompt_tokens", written: str = "completion_tokens"
) -> tuple[int, int]:
    """Tokens read and written, as the server counts them; 0 where it does not."""
    usage = answer.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return _count(counts.get(read)), _count(counts.get(written))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _some(frames: Frames) -> Frames:
    """At most ``MAX_ASSETS`` frames, spread over all."""
    count = len(frames.jpegs)
    if count <= MAX_ASSETS:
        return frames
    kept = [round(number * (count - 1) / (MAX_ASSETS - 1)) for number in range(MAX_ASSETS)]
    return Frames(tuple(frames.jpegs[at] for at in kept), tuple(frames.times_s[at] for at in kept))


def _asset(jpeg: bytes) -> dict[str, str]:
    data = base64.b64encode(jpeg).decode("ascii")
    return {"type": "image", "format": "jpeg", "data_base64": data}
