"""The MLLM stage on a server: one request a policy, scored by the labels' log-probabilities."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Assessment, Modality, PolicyScore, Rationale, Stage, WhyNot
from coefvq.media.limits import MediaLimits
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint import content, reasons
from coefvq.mllm.endpoint.capabilities import Capabilities, probe
from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.labels import Labels, has_logprobs, read_labels
from coefvq.settings import Settings
from coefvq.taxonomy import Policy

# A few stills do not show whether anything moved between them.
_NOT_IN_STILLS = frozenset({"static_slideshow"})
_TEXTS = frozenset({Modality.SPEECH, Modality.SCREEN_TEXT, Modality.CAPTION})


@dataclass(frozen=True)
class _Answer:
    labels: Labels | None
    has_logprobs: bool
    tokens_in: int
    tokens_out: int


class EndpointMllm:
    """A model behind an OpenAI-compatible API. Make one with ``from_settings``."""

    def __init__(
        self,
        client: EndpointClient,
        model: str,
        *,
        concurrency: int = 4,
        frames: int = content.MAX_FRAMES,
        limits: MediaLimits | None = None,
    ):
        """Keep the client; the server is asked for the first time at the first video.

        Args:
            model: Name as the server knows it.
            concurrency: Policies of one video that are asked about at once.
            frames: Most frames sent, 0..8; 0 sends text only.
            limits: Bounds of decoding.
        """
        self._client, self._model = client, model
        self._concurrency, self._frames = concurrency, frames
        self._limits = limits or MediaLimits()
        self._probing = threading.Lock()
        self._found: Capabilities | None = None

    @classmethod
    def from_settings(cls, url: str, model: str, settings: Settings) -> EndpointMllm:
        """Make the backend that ``COEFVQ_MLLM=endpoint:URL#MODEL`` names.

        Raises:
            SettingsError: For a key that cannot stand in an HTTP header.
        """
        client = EndpointClient(
            url,
            settings.endpoint_key,
            timeout_s=settings.endpoint_timeout_s,
            concurrency=settings.endpoint_concurrency,
        )
        return cls(
            client,
            model,
            concurrency=settings.endpoint_concurrency,
            frames=settings.endpoint_frames,
            limits=MediaLimits.from_settings(settings),
        )

    @property
    def version(self) -> str:
        """Model, address (hashed) and prompt; a server can change its weights unseen."""
        address = hashlib.sha256(self._client.url.encode()).hexdigest()[:8]
        prompt = f"prompt{content.PROMPT_VERSION}"
        return f"endpoint-{self._model}-{address}-{prompt}-frames{self._frames}-uncalibrated"

    @property
    def covers(self) -> frozenset[str]:
        """Policies that are asked about; whether a video is a copy cannot be seen in it."""
        return frozenset(name for name, policy in taxonomy.policies().items() if self._asks(policy))

    def assess(self, item: MllmInput) -> Assessment:
        """Score every policy of the taxonomy; what cannot be answered is not covered.

        Raises:
            EndpointError: If the server did not answer every question; nothing is kept then.
        """
        started = time.perf_counter()
        texts, frames = self._read(item)
        scores, open_policies = {}, []
        for name, policy in taxonomy.policies().items():
            why_not = self._why_not(policy, item, texts, frames)
            if why_not is None:
                open_policies.append(policy)
            else:
                scores[name] = PolicyScore(name, None, covered=False, why_not=why_not)
        answers = self._ask_all(open_policies, texts, frames)
        for policy, answer in zip(open_policies, answers, strict=True):
            scores[policy.id] = _score(policy.id, answer.labels)
        return Assessment(
            stage=Stage.MLLM,
            model_version=self.version,
            scores={name: scores[name] for name in taxonomy.policies()},
            milliseconds=(time.perf_counter() - started) * 1000.0,
            tokens_in=sum(answer.tokens_in for answer in answers),
            tokens_out=sum(answer.tokens_out for answer in answers),
        )

    def explain(self, item: MllmInput, assessment: Assessment) -> Rationale:
        """Ask for reasons; where none can be had, the rationale says so and why."""
        asked = reasons.asked(item, assessment)
        if not asked.chosen:
            return reasons.no_rationale(asked, "no policy is covered.")
        try:
            texts, frames = self._read(item)
            request = self._capabilities().dialect.structured(
                self._model,
                reasons.rationale_messages(texts, frames, asked.policies),
                reasons.schema(asked.policies),
                reasons.MAX_TOKENS,
            )
            answer = self._client.post("chat/completions", request)
            return reasons.read_rationale(answer, asked, texts.truncated)
        except EndpointError as error:
            return reasons.no_rationale(asked, str(error))
        except ValueError:
            return reasons.no_rationale(asked, "the server's answer was not the JSON asked for.")

    def _read(self, item: MllmInput) -> tuple[content.Texts, content.Frames]:
        count = 0 if self._capabilities().pictures is False else self._frames
        return content.texts_of(item), content.frames_of(item.info, self._limits, count)

    def _capabilities(self) -> Capabilities:
        with self._probing:
            if self._found is None:
                self._found = probe(self._client, self._model)
            return self._found

    def _asks(self, policy: Policy) -> bool:
        seen = self._frames > 0 or Modality.VISUAL not in policy.modalities
        answerable = Modality.COPY not in policy.modalities and policy.id not in _NOT_IN_STILLS
        return seen and answerable

    def _why_not(
        self, policy: Policy, item: MllmInput, texts: content.Texts, frames: content.Frames
    ) -> str | None:
        if not self._asks(policy):
            return WhyNot.NOT_TRAINED
        if Modality.SPEECH in policy.modalities and item.expensive.speech_understood is False:
            return WhyNot.SPEECH_NOT_UNDERSTOOD
        # A "no" from the text alone would say nothing about what can be seen.
        if Modality.VISUAL in policy.modalities and not frames.jpegs:
            return WhyNot.NO_MEDIA if item.info is None else WhyNot.NO_FRAMES
        if _TEXTS.issuperset(policy.modalities) and not texts.fields:
            return WhyNot.NOTHING_TO_READ
        return None

    def _ask_all(
        self, policies: Sequence[Policy], texts: content.Texts, frames: content.Frames
    ) -> list[_Answer]:
        """Ask the first policy alone: it warms the prefix, and a server that is down is asked once.

        A server that gave no log-probabilities is not asked again for the other policies.
        """
        if not policies:
            return []
        first = self._ask(policies[0], texts, frames)
        rest = policies[1:]
        if not first.has_logprobs:
            return [first, *(_Answer(None, False, 0, 0) for _ in rest)]
        with ThreadPoolExecutor(max_workers=self._concurrency) as pool:
            return [first, *pool.map(lambda policy: self._ask(policy, texts, frames), rest)]

    def _ask(self, policy: Policy, texts: content.Texts, frames: content.Frames) -> _Answer:
        asked = content.scoring_messages(texts, frames, policy)
        request = self._capabilities().dialect.scoring(self._model, asked)
        answer = self._client.post("chat/completions", request)
        tokens = (_tokens(answer, name) for name in ("prompt_tokens", "completion_tokens"))
        return _Answer(read_labels(answer), has_logprobs(answer), *tokens)


def _score(policy: str, labels: Labels | None) -> PolicyScore:
    if labels is None:
        return PolicyScore(policy, None, covered=False, why_not=WhyNot.NO_PROBABILITY)
    return PolicyScore(policy, labels.probability, label_mass=labels.label_mass)


def _tokens(answer: dict[str, Any], name: str) -> int:
    usage = answer.get("usage")
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
