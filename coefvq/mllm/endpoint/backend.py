"""The MLLM stage on a server: one question a policy, scored by the labels' probabilities."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from coefvq import taxonomy
from coefvq.domain import Assessment, Modality, PolicyScore, Rationale, Stage, WhyNot
from coefvq.media.limits import MediaLimits
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint import content, reasons
from coefvq.mllm.endpoint.capabilities import REFUSALS, Capabilities, probe
from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.content import Texts
from coefvq.mllm.endpoint.dialects import Attached
from coefvq.mllm.endpoint.footage import MAX_FRAMES, TEXT, Pictures, footage_of
from coefvq.mllm.endpoint.labels import Labels
from coefvq.mllm.endpoint.scoring import Answer, Question
from coefvq.settings import Settings
from coefvq.taxonomy import Policy

# A few stills do not show whether anything moved between them.
_NOT_IN_STILLS = frozenset({"static_slideshow"})
_TEXTS = frozenset({Modality.SPEECH, Modality.SCREEN_TEXT, Modality.CAPTION})


class EndpointMllm:
    """A model behind an OpenAI-compatible API. Make one with ``from_settings``."""

    def __init__(
        self,
        client: EndpointClient,
        model: str,
        *,
        concurrency: int = 4,
        frames: int = MAX_FRAMES,
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
        scores, answers = self._scored(item, content.texts_of(item))
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
        texts = content.texts_of(item)
        try:
            answer = self._reasons(item, texts, asked.policies)
            return reasons.read_rationale(answer, asked, texts.truncated)
        except EndpointError as error:
            return reasons.no_rationale(asked, str(error))
        except ValueError:
            return reasons.no_rationale(asked, "the server's answer was not the JSON asked for.")

    def _reasons(self, item: MllmInput, texts: Texts, policies: Sequence[str]) -> dict[str, Any]:
        """Ask for reasons after a schema; for any JSON where the server refuses a schema."""
        found = self._capabilities()
        attached = next(self._attachments(item, found))
        asked = reasons.rationale_messages(texts, attached, policies)
        wanted = (reasons.schema(policies), reasons.MAX_TOKENS, attached.fields)
        request = found.dialect.structured(self._model, asked, *wanted)
        try:
            return self._client.post("chat/completions", request)
        except EndpointError as error:
            if error.status not in REFUSALS | {500}:
                raise
        request = found.dialect.structured(self._model, asked, *wanted, loose=True)
        return self._client.post("chat/completions", request)

    def _scored(
        self, item: MllmInput, texts: Texts
    ) -> tuple[dict[str, PolicyScore], Sequence[Answer]]:
        """Ask in the best form; in the next one where the server refuses this video's."""
        found = self._capabilities()
        for attached in self._attachments(item, found):
            # Without a way to a probability nothing is sent, and pictures make no difference.
            seen = attached.footage.form.pictures is not Pictures.NONE or found.scorer is None
            scores, open_policies = self._sorted_out(item, texts, seen)
            asked = [Question(policy, texts, attached) for policy in open_policies]
            try:
                first = self._ask(found, asked[:1])
            except EndpointError as error:
                if error.status in REFUSALS and attached.footage.form != TEXT:
                    continue
                raise
            # The first question went alone: it warms the prefix, and what is refused or down
            # is asked once. From here on a failure is one of the whole video.
            answers = [*first, *self._ask(found, asked[1:])]
            for policy, answer in zip(open_policies, answers, strict=True):
                scores[policy.id] = _score(policy.id, answer.labels)
            return scores, answers
        raise AssertionError("the last form is the text alone")

    def _attachments(self, item: MllmInput, found: Capabilities) -> Iterator[Attached]:
        """What can be sent of this video, best form first, the text alone last."""
        count = self._frames if item.info is not None else 0
        for form in found.forms(count):
            footage = footage_of(item.info, self._limits, count, form)
            if footage is not None:
                yield found.dialect.attach(footage, count)

    def _sorted_out(
        self, item: MllmInput, texts: Texts, seen: bool
    ) -> tuple[dict[str, PolicyScore], list[Policy]]:
        """Policies that have no answer here, and those to be asked about."""
        scores, open_policies = {}, []
        for name, policy in taxonomy.policies().items():
            why_not = self._why_not(policy, item, texts, seen)
            if why_not is None:
                open_policies.append(policy)
            else:
                scores[name] = PolicyScore(name, None, covered=False, why_not=why_not)
        return scores, open_policies

    def _ask(self, found: Capabilities, questions: Sequence[Question]) -> list[Answer]:
        scorer = found.scorer
        if scorer is None:
            return [Answer(None) for _ in questions]
        if len(questions) < 2:
            return [scorer.ask(question) for question in questions]
        with ThreadPoolExecutor(max_workers=self._concurrency) as pool:
            return list(pool.map(scorer.ask, questions))

    def _capabilities(self) -> Capabilities:
        """What the server takes; asked anew where it gave no probabilities so far."""
        with self._probing:
            if self._found is None or self._found.scorer is None:
                self._found = probe(self._client, self._model)
            return self._found

    def _asks(self, policy: Policy) -> bool:
        seen = self._frames > 0 or Modality.VISUAL not in policy.modalities
        answerable = Modality.COPY not in policy.modalities and policy.id not in _NOT_IN_STILLS
        return seen and answerable

    def _why_not(self, policy: Policy, item: MllmInput, texts: Texts, seen: bool) -> str | None:
        if not self._asks(policy):
            return WhyNot.NOT_TRAINED
        if Modality.SPEECH in policy.modalities and item.expensive.speech_understood is False:
            return WhyNot.SPEECH_NOT_UNDERSTOOD
        # A "no" from the text alone would say nothing about what can be seen.
        if Modality.VISUAL in policy.modalities and item.info is None:
            return WhyNot.NO_MEDIA
        if Modality.VISUAL in policy.modalities and not seen:
            return WhyNot.NO_FRAMES
        if _TEXTS.issuperset(policy.modalities) and not texts.fields:
            return WhyNot.NOTHING_TO_READ
        return None


def _score(policy: str, labels: Labels | None) -> PolicyScore:
    if labels is None:
        return PolicyScore(policy, None, covered=False, why_not=WhyNot.NO_PROBABILITY)
    return PolicyScore(policy, labels.probability, label_mass=labels.label_mass)
