"""The MLLM stage on a large omni model in this process: the video once, then every policy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from coefvq import taxonomy
from coefvq.domain import Assessment, Modality, PolicyScore, Rationale, Stage, WhyNot
from coefvq.errors import ModelError
from coefvq.ledger import loading
from coefvq.media.limits import MediaLimits
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint import reasons
from coefvq.mllm.endpoint.content import Texts, texts_of
from coefvq.mllm.omni import environment, families, prompt
from coefvq.mllm.omni.families import Family
from coefvq.mllm.omni.media import Media, read_media
from coefvq.mllm.omni.reader import Reader, Reading
from coefvq.mllm.omni.scoring import Scorer
from coefvq.settings import Settings
from coefvq.taxonomy import Policy

# A few stills do not show whether anything moved between them.
_NOT_IN_STILLS = frozenset({"static_slideshow"})
_TEXTS = frozenset({Modality.SPEECH, Modality.SCREEN_TEXT, Modality.CAPTION})
DEAF = "This model hears no sound: speech was read as its transcript, other sound was not noticed."
UNHEARD = "The sound was not heard: speech was read as its transcript."
PARTLY_HEARD = "Only the first {:g} seconds of the sound were heard."
UNSEEN = "No frame was looked at."


@dataclass(frozen=True)
class Engine:
    """A loaded model."""

    reader: Reader
    scorer: Scorer


@dataclass(frozen=True)
class _Seen:
    texts: Texts
    media: Media


class OmniMllm:
    """A model of transformers on one GPU. Make one with ``load``."""

    def __init__(
        self,
        make_engine: Callable[[], Engine],
        family: Family,
        name: str,
        *,
        frames: int = 16,
        sound_s: float = 60.0,
        limits: MediaLimits | None = None,
    ):
        """Keep what makes the model; it is loaded at the first video.

        Args:
            name: Model and fingerprint, for the version.
            frames: Most frames looked at; 0: none.
            sound_s: Seconds of sound heard from the start; 0.0: none.
            limits: Bounds of decoding.
        """
        self._make_engine, self._family, self._name = make_engine, family, name
        self._frames, self._sound_s = frames, min(sound_s, family.sound_s)
        self._limits = limits or MediaLimits()
        # Also one video at a time: a second one would need the memory twice.
        self._busy = threading.RLock()
        self._engine: Engine | None = None

    @classmethod
    def load(cls, model: str, settings: Settings) -> OmniMllm:
        """Make the backend that ``COEFVQ_MLLM=omni:MODEL`` names; weights load at first use.

        Raises:
            SettingsError: If torchvision is not installed.
            ModelError: If the model is not there, or torchvision does not fit.
        """
        environment.check_environment()
        folder = environment.model_folder(model)
        family = families.family_of(environment.read_config(folder))

        def make_engine() -> Engine:
            device = environment.choose_device()
            loaded = families.load_model(folder, family, device)
            reader = Reader(families.load_processor(folder), family)
            return Engine(reader, Scorer(loaded, reader.tokenizer))

        name = f"{model.rstrip('/').rpartition('/')[2]}-{environment.fingerprint(folder)}"
        return cls(
            make_engine,
            family,
            name,
            frames=settings.omni_frames,
            sound_s=settings.omni_sound_s,
            limits=MediaLimits.from_settings(settings),
        )

    @property
    def version(self) -> str:
        """Model with fingerprint, prompt, and how much of a video it is given."""
        given = f"frames{self._frames}-sound{self._sound_s:g}"
        return f"omni-{self._name}-prompt{prompt.PROMPT_VERSION}-{given}-uncalibrated"

    @property
    def covers(self) -> frozenset[str]:
        """Policies that are asked about; whether a video is a copy cannot be seen in it."""
        return frozenset(name for name, policy in taxonomy.policies().items() if self._asks(policy))

    def assess(self, item: MllmInput) -> Assessment:
        """Score every policy of the taxonomy; what cannot be answered is not covered.

        Raises:
            ModelError: If the model cannot be loaded, or the GPU's memory is full.
        """
        started = time.perf_counter()
        seen = self._see(item)
        scores, open_policies = {}, []
        for name, policy in taxonomy.policies().items():
            why_not = self._why_not(policy, item, seen)
            if why_not is None:
                open_policies.append(policy)
            else:
                scores[name] = PolicyScore(name, None, covered=False, why_not=why_not)
        found, tokens = self._guarded(lambda: self._ask_all(open_policies, seen))
        scores |= found
        return Assessment(
            stage=Stage.MLLM,
            model_version=self.version,
            scores={name: scores[name] for name in taxonomy.policies()},
            milliseconds=(time.perf_counter() - started) * 1000.0,
            tokens_in=tokens,
            tokens_out=len(open_policies),
        )

    def explain(self, item: MllmInput, assessment: Assessment) -> Rationale:
        """Let the model write reasons; where none can be had, the rationale says so and why."""
        asked = reasons.asked(item, assessment)
        if not asked.chosen:
            return reasons.no_rationale(asked, "no policy is covered.")
        seen = self._see(item)
        try:
            text = self._guarded(lambda: self._write(asked.policies, seen))
            answer = {"choices": [{"message": {"content": text}}]}
            rationale = reasons.read_rationale(answer, asked, seen.texts.truncated)
        except ModelError as error:
            rationale = reasons.no_rationale(asked, str(error))
        except ValueError:
            rationale = reasons.no_rationale(
                asked, "the model's answer was not the JSON asked for."
            )
        return _with_notes(rationale, self._notes(item, seen.media))

    def _see(self, item: MllmInput) -> _Seen:
        media = read_media(item.info, self._limits, self._frames, self._sound_s)
        return _Seen(texts_of(item), media)

    def _ask_all(self, policies: list[Policy], seen: _Seen) -> tuple[dict[str, PolicyScore], int]:
        if not policies:
            return {}, 0
        engine = self._loaded()
        reading = self._read(engine, seen)
        cache = engine.scorer.read(reading.inputs)
        scores, tokens = {}, reading.tokens
        for policy in policies:
            ids = [*engine.reader.encode(prompt.question(policy)), *reading.closing]
            tokens += len(ids)
            labels = engine.scorer.ask(cache, ids)
            scores[policy.id] = _score(policy.id, labels)
        return scores, tokens

    def _write(self, policies: tuple[str, ...], seen: _Seen) -> str:
        engine = self._loaded()
        reading = self._read(engine, seen)
        ids = [*engine.reader.encode(prompt.ask_for_reasons(policies)), *reading.closing]
        cache = engine.scorer.read(reading.inputs)
        return engine.scorer.write(cache, ids, reasons.MAX_TOKENS)[0]

    def _read(self, engine: Engine, seen: _Seen) -> Reading:
        times_s = () if self._family.video else seen.media.times_s
        return engine.reader.read(prompt.document(seen.texts, times_s), seen.media)

    def _guarded(self, work: Callable[[], Any]) -> Any:
        with self._busy:
            try:
                return work()
            except torch.OutOfMemoryError:
                pass  # the failed tensors are held until this handler is left
        raise environment.out_of_memory(self._frames, self._sound_s)

    def _loaded(self) -> Engine:
        if self._engine is None:
            with loading("the MLLM"):
                self._engine = self._make_engine()
        return self._engine

    def _asks(self, policy: Policy) -> bool:
        seen = self._frames > 0 or Modality.VISUAL not in policy.modalities
        answerable = Modality.COPY not in policy.modalities and policy.id not in _NOT_IN_STILLS
        return seen and answerable

    def _why_not(self, policy: Policy, item: MllmInput, seen: _Seen) -> str | None:
        if not self._asks(policy):
            return WhyNot.NOT_TRAINED
        media, spoken = seen.media, Modality.SPEECH in policy.modalities
        heard = media.sound is not None
        # Who hears all of the speech does not depend on the transcript.
        if spoken and item.expensive.speech_understood is False and not (heard and media.heard_all):
            return WhyNot.SPEECH_NOT_UNDERSTOOD
        # A "no" from the text alone would say nothing about what can be seen.
        if Modality.VISUAL in policy.modalities and media.frames is None:
            return WhyNot.NO_MEDIA if item.info is None else WhyNot.NO_FRAMES
        readable = bool(seen.texts.fields) or (spoken and heard)
        if _TEXTS.issuperset(policy.modalities) and not readable:
            return WhyNot.NOTHING_TO_READ
        return None

    def _notes(self, item: MllmInput, media: Media) -> tuple[str, ...]:
        notes = [] if media.frames is not None else [UNSEEN]
        if item.info is None or not item.info.has_audio:
            return tuple(notes)
        if self._family.sound_s == 0.0:
            notes.append(DEAF)
        elif media.sound is None:
            notes.append(UNHEARD)
        elif not media.heard_all:
            notes.append(PARTLY_HEARD.format(self._sound_s))
        return tuple(notes)


def _score(policy: str, labels: Any) -> PolicyScore:
    if labels is None:
        return PolicyScore(policy, None, covered=False, why_not=WhyNot.NO_PROBABILITY)
    return PolicyScore(policy, labels.probability, label_mass=labels.label_mass)


def _with_notes(rationale: Rationale, notes: tuple[str, ...]) -> Rationale:
    return replace(rationale, uncertain=(*rationale.uncertain, *notes))
