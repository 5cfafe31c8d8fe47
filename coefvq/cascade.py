"""The cascade of the COEF-VQ paper (arXiv 2412.10435), readable top to bottom.

    file -> media -> cheap signals -> prefilter -> route -+- automatic
                                                          +- expensive signals -> MLLM -> route

A cheap multimodal prefilter sees every video. Only where it is unsure are the expensive signals
(speech, screen text) extracted and the MLLM asked; one MLLM run answers every task. What is still
unsure after that goes to a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from coefvq import taxonomy
from coefvq.combine import final_score, gaps, task_result
from coefvq.domain import (
    STAGES,
    Assessment,
    CascadeResult,
    CheapSignals,
    ExpensiveSignals,
    FinalScore,
    MediaInfo,
    PostedText,
    Route,
    RouteName,
    TaskResult,
)
from coefvq.errors import CoefVQError, SettingsError, did_you_mean
from coefvq.ledger import Ledger
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.mllm.backend import MllmBackend, MllmInput
from coefvq.mllm.profiles import load_backend
from coefvq.prefilter.predict import Prefilter
from coefvq.routing.entropy import EntropyRouting
from coefvq.settings import Settings, load_settings
from coefvq.signals import serialise
from coefvq.signals.extract import CheapExtractor, ExpensiveExtractor
from coefvq.signals.language import is_foreign

StageChoice = Literal["auto", "prefilter", "mllm"]
RationaleChoice = Literal["never", "for_people", "always"]
S = TypeVar("S", CheapSignals, ExpensiveSignals)
S_co = TypeVar("S_co", covariant=True)


class SignalsCache(Protocol):
    """Extracted signals by (sha256 of the media, extractor version)."""

    def get(self, sha256: str, extractor: str) -> bytes | None:
        """Return what was put, or ``None``."""

    def put(self, sha256: str, extractor: str, data: bytes) -> None:
        """Keep ``data``."""


@dataclass(frozen=True)
class Request:
    """What to score and how far to go.

    Attributes:
        stage: ``auto`` follows the routing; ``prefilter`` stops after the first stage;
            ``mllm`` always runs both.
        rationale: Whether the MLLM explains: never, only where a person is due, or always
            where it ran.
    """

    posted: PostedText
    stage: StageChoice = "auto"
    rationale: RationaleChoice = "never"

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise SettingsError(f"Unknown stage '{self.stage}'.{did_you_mean(self.stage, STAGES)}")


class Cascade:
    """Prefilter, routing and MLLM as one call. Thread-safe for reading; score one video at a time.

    Example:
        >>> from coefvq import Cascade
        >>> result = Cascade.load().assess("clip.mp4", caption="wait for the end")
        >>> result.tasks["icd"].verdict
    """

    def __init__(
        self,
        prefilter: Prefilter,
        mllm: MllmBackend,
        cheap: CheapExtractor,
        expensive: ExpensiveExtractor,
        routing: EntropyRouting,
        limits: MediaLimits,
    ):
        self.prefilter = prefilter
        self.mllm = mllm
        self.cheap = cheap
        self.expensive = expensive
        self.routing = routing
        self.limits = limits

    @classmethod
    def load(cls, settings: Settings | None = None) -> Cascade:
        """Load both stages as the settings say. The MLLM's weights load at its first call.

        Raises:
            ModelError: If weights are missing or damaged, with the command that mends it.
            SettingsError: For a setting that does not fit.
        """
        settings = settings or load_settings()
        limits = MediaLimits.from_settings(settings)
        return cls(
            prefilter=Prefilter.load(threads=settings.threads, is_foreign=is_foreign),
            mllm=load_backend(settings, is_foreign=is_foreign),
            cheap=CheapExtractor(threads=settings.threads, limits=limits),
            expensive=ExpensiveExtractor(threads=settings.threads, limits=limits),
            routing=EntropyRouting(settings.entropy_threshold, settings.human_entropy_threshold),
            limits=limits,
        )

    def assess(
        self,
        path: str | Path,
        title: str | None = None,
        caption: str | None = None,
        stage: StageChoice = "auto",
        rationale: bool | RationaleChoice = False,
        signals_cache: SignalsCache | None = None,
        sha256: str | None = None,
    ) -> CascadeResult:
        """Score one file.

        Args:
            path: A local media file.
            title: As posted; ``None`` where there is none.
            caption: As posted; ``None`` where there is none.
            stage: See ``Request``.
            rationale: ``True`` is ``always``; see ``Request``.
            signals_cache: Where extracted signals are looked up and kept.
            sha256: Digest of the bytes where the caller knows it already.

        Raises:
            MediaError: If the file cannot be used; its code says why.
        """
        request = Request(PostedText(title, caption), stage, _rationale_choice(rationale))
        ledger = Ledger()
        with ledger("media_ms"):
            info = probe(path, self.limits, sha256=sha256)
        with ledger("prefilter_ms"):
            cheap = _cached(CheapSignals, info, self.cheap, signals_cache)
            first = self.prefilter.assess(cheap, request.posted)
        first = replace(first, milliseconds=ledger.cost().prefilter_ms)

        def extract() -> ExpensiveSignals:
            return _cached(ExpensiveSignals, info, self.expensive, signals_cache)

        result = self._second_stage(request, first, extract, ledger, info)
        warnings = _merged(info.warnings, cheap.warnings, result.warnings)
        return replace(result, cheap=cheap, warnings=warnings)

    def assess_signals(
        self,
        item_id: str,
        posted: PostedText,
        expensive: ExpensiveSignals,
        stage: StageChoice = "auto",
        rationale: bool | RationaleChoice = False,
    ) -> CascadeResult:
        """Score signals that a platform already has; no media is opened.

        The prefilter reads title and caption only, as it would for a file.
        """
        request = Request(posted, stage, _rationale_choice(rationale))
        ledger = Ledger()
        with ledger("prefilter_ms"):
            first = self.prefilter.assess(None, posted)
        result = self._second_stage(request, first, lambda: expensive, ledger, None)
        return replace(result, item_id=item_id)

    def _second_stage(
        self,
        request: Request,
        first: Assessment,
        extract: Callable[[], ExpensiveSignals],
        ledger: Ledger,
        info: MediaInfo | None,
    ) -> CascadeResult:
        tasks = {task: self._after_prefilter(task, first) for task in taxonomy.tasks()}
        expensive, second = None, None
        warnings: tuple[str, ...] = ()
        if self._mllm_is_due(request.stage, tasks):
            try:
                expensive, second = self._ask_mllm(request.posted, extract, ledger, info)
            except CoefVQError as error:
                # The video keeps its route `mllm`: nothing is decided without the second stage.
                warnings = (f"mllm_failed: {error}",)
            else:
                tasks = {
                    name: replace(
                        self._after_mllm(name, first, second, task.route), first_route=task.route
                    )
                    for name, task in tasks.items()
                }
        result = self._result(tasks, first, second, ledger, info, expensive, request.posted)
        result = replace(result, warnings=warnings)
        return self._explained(result, request.rationale, ledger)

    def _mllm_is_due(self, stage: StageChoice, tasks: dict[str, TaskResult]) -> bool:
        if stage == "prefilter":
            return False
        return stage == "mllm" or any(task.route.escalated for task in tasks.values())

    def _ask_mllm(
        self,
        posted: PostedText,
        extract: Callable[[], ExpensiveSignals],
        ledger: Ledger,
        info: MediaInfo | None,
    ) -> tuple[ExpensiveSignals, Assessment]:
        with ledger("expensive_signals_ms"):
            expensive = extract()
        with ledger("mllm_ms"):
            second = self.mllm.assess(_mllm_input(posted, expensive, info))
        ledger.add_tokens(second.tokens_in, second.tokens_out)
        cost = ledger.cost()
        return expensive, replace(second, milliseconds=cost.expensive_signals_ms + cost.mllm_ms)

    def _after_prefilter(self, task: str, first: Assessment) -> TaskResult:
        finals = _finals(task, first, None)
        probability = self._task_probability(task, finals)
        route = self.routing.after_prefilter(
            probability,
            gaps=gaps(finals),
            mllm_covers=not self.mllm.covers.isdisjoint(finals),
        )
        return task_result(task, probability, route, finals)

    def _after_mllm(
        self, task: str, first: Assessment, second: Assessment, before: Route
    ) -> TaskResult:
        finals = _finals(task, first, second)
        probability = self._task_probability(task, finals)
        if not before.escalated and self.mllm.covers.isdisjoint(finals):
            return task_result(task, probability, before, finals)  # it has nothing to say here
        masses = [second.scores[name].label_mass for name in finals if name in second.scores]
        route = self.routing.after_mllm(
            probability,
            gaps=gaps(finals),
            label_mass=min((mass for mass in masses if mass is not None), default=None),
            escalated=before.escalated,
        )
        return task_result(task, probability, route, finals)

    def _task_probability(self, task: str, finals: dict[str, FinalScore]) -> float | None:
        known = {name: score.final for name, score in finals.items() if score.final is not None}
        return self.prefilter.task_probability(task, known) if known else None

    def _explained(
        self, result: CascadeResult, choice: RationaleChoice, ledger: Ledger
    ) -> CascadeResult:
        person = any(task.route.name is RouteName.HUMAN for task in result.tasks.values())
        wanted = choice == "always" or (choice == "for_people" and person)
        if result.mllm is None or result.expensive is None or not wanted:
            return result
        with ledger("mllm_ms"):
            item = _mllm_input(result.posted, result.expensive, result.info)
            rationale = self.mllm.explain(item, result.mllm)
        explained = replace(result.mllm, rationale=rationale, evidence=rationale.evidence)
        return replace(result, mllm=explained, cost=ledger.cost())

    def _result(
        self,
        tasks: dict[str, TaskResult],
        first: Assessment,
        second: Assessment | None,
        ledger: Ledger,
        info: MediaInfo | None,
        expensive: ExpensiveSignals | None,
        posted: PostedText,
    ) -> CascadeResult:
        return CascadeResult(
            path=info.path if info else None,
            sha256=info.sha256 if info else None,
            duration_s=info.duration_s if info else None,
            warnings=(),
            tasks=tasks,
            prefilter=first,
            mllm=second,
            cost=ledger.cost(),
            info=info,
            expensive=expensive,
            posted=posted,
            models={
                "prefilter": first.model_version,
                "mllm": second.model_version if second else None,
            },
        )


class Extractor(Protocol[S_co]):
    """Turns a probed file into signals."""

    @property
    def version(self) -> str:
        """Part of the cache key: changes whenever the signals would."""

    def extract(self, info: MediaInfo) -> S_co:
        """Read the file once."""


def _cached(
    kind: type[S], info: MediaInfo, extractor: Extractor[S], cache: SignalsCache | None
) -> S:
    kept = cache.get(info.sha256, extractor.version) if cache else None
    if kept is not None and isinstance(signals := serialise.load(kept), kind):
        return signals
    signals = extractor.extract(info)
    if cache:
        cache.put(info.sha256, extractor.version, serialise.dump(signals))
    return signals


def _rationale_choice(value: bool | RationaleChoice) -> RationaleChoice:
    if isinstance(value, bool):
        return "always" if value else "never"
    return value


def _mllm_input(
    posted: PostedText, expensive: ExpensiveSignals, info: MediaInfo | None
) -> MllmInput:
    return MllmInput(posted, expensive, info.duration_s if info else None, info)


def _finals(task: str, first: Assessment, second: Assessment | None) -> dict[str, FinalScore]:
    return {
        policy.id: final_score(policy.id, first, second) for policy in taxonomy.task(task).policies
    }


def _merged(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for group in groups for code in group))
