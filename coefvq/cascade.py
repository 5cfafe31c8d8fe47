"""The cascade of the COEF-VQ paper (arXiv 2412.10435), readable top to bottom.

    file -> media -> cheap signals -> prefilter -> route -+- automatic
                                                          +- expensive signals -> MLLM -> route

A cheap multimodal prefilter sees every video. Only where it is unsure are the expensive signals
(speech, screen text) extracted and the MLLM asked; one MLLM run answers every task. What is still
unsure after that goes to a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from coefvq import taxonomy
from coefvq.cached_signals import SignalsCache, cached
from coefvq.combine import (
    final_scores,
    gaps,
    label_mass,
    severity_at_stake,
    task_probability,
    task_result,
    whole_result,
)
from coefvq.domain import (
    Assessment,
    CascadeResult,
    CheapSignals,
    CopyMatch,
    ExpensiveSignals,
    MediaInfo,
    PostedText,
    RouteName,
    ShadowRoute,
    Stage,
    TaskResult,
    WhyNot,
)
from coefvq.errors import CoefVQError
from coefvq.ledger import Ledger
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.mllm.backend import MllmBackend, MllmInput
from coefvq.mllm.profiles import load_backend
from coefvq.origins import Copies, joined, look_up, with_bars, with_marks
from coefvq.prefilter.copies import with_copies
from coefvq.prefilter.predict import Prefilter
from coefvq.request import RationaleChoice, Request, StageChoice, rationale_choice
from coefvq.router import Router
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.one_video import Outcome, Seen
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.published import refuse_unknown_features
from coefvq.routing_inputs import known_features, run_time_features
from coefvq.settings import Settings, load_settings
from coefvq.signals.extract import CheapExtractor, ExpensiveExtractor
from coefvq.signals.language import is_foreign

__all__ = ["Cascade", "SignalsCache", "StageChoice"]


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
        routing: EntropyRouting | Router,
        limits: MediaLimits,
    ):
        self.prefilter = prefilter
        self.mllm = mllm
        self.cheap = cheap
        self.expensive = expensive
        self.routing = routing if isinstance(routing, Router) else Router(routing)
        self.limits = limits

    @classmethod
    def load(
        cls,
        settings: Settings | None = None,
        routing: Mapping[str, RoutingPolicy] | None = None,
        models: Mapping[Stage, Path] | None = None,
    ) -> Cascade:
        """Load both stages as the settings say. The MLLM's weights load at its first call.

        Args:
            routing: Routing policies in force, by task; the settings' entropy rule for the rest.
                Budgets and limits are kept in memory, and no audit is drawn, until
                ``cascade.routing.remember`` names a store.
            models: Folders of models in place of those that come with the project, by stage. The
                MLLM's is passed over where the settings name another backend.

        Raises:
            ModelError: If weights are missing or damaged, with the command that mends it.
            SettingsError: For a setting that does not fit.
            RoutingError: For a policy that reads what is not known when a video is scored.
        """
        settings = settings or load_settings()
        limits = MediaLimits.from_settings(settings)
        router = Router.from_settings(settings)
        folders = models or {}
        prefilter = load_prefilter(settings, folders.get(Stage.PREFILTER))
        for policy in (routing or {}).values():
            refuse_unknown_features(policy, known_features(prefilter.covers))
        router.use(routing or {})
        return cls(
            prefilter=prefilter,
            mllm=load_mllm(settings, folders.get(Stage.MLLM)),
            cheap=CheapExtractor(threads=settings.threads, limits=limits),
            expensive=ExpensiveExtractor(threads=settings.threads, limits=limits),
            routing=router,
            limits=limits,
        )

    def use(self, prefilter: Prefilter | None = None, mllm: MllmBackend | None = None) -> None:
        """Serve other models from the next video on; ``None``: the one that serves stays."""
        self.prefilter = prefilter or self.prefilter
        self.mllm = mllm or self.mllm

    def assess(
        self,
        path: str | Path,
        title: str | None = None,
        caption: str | None = None,
        stage: StageChoice = "auto",
        rationale: bool | RationaleChoice = False,
        signals_cache: SignalsCache | None = None,
        sha256: str | None = None,
        uploader: str | None = None,
        copies: Copies = None,
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
            uploader: Who posted it, for the limit of escalations; ``None`` is not limited.
            copies: Earlier footage found in it, or what finds it; ``None``: nobody looked.

        Raises:
            MediaError: If the file cannot be used; its code says why.
        """
        request = Request(PostedText(title, caption), stage, rationale_choice(rationale))
        ledger = Ledger()
        with ledger("media_ms"):
            info = probe(path, self.limits, sha256=sha256)
        request = replace(request, key=info.sha256, uploader=uploader)
        with ledger("prefilter_ms"):
            cheap = cached(CheapSignals, info, self.cheap, signals_cache)
            first = self.prefilter.assess(cheap, request.posted)
            first = with_bars(first, cheap, info.duration_s)
        with ledger("copies_ms"):
            found, missed = look_up(copies, info, cheap)
        first = replace(with_copies(first, found), milliseconds=ledger.cost().prefilter_ms)

        def extract() -> ExpensiveSignals:
            return cached(ExpensiveSignals, info, self.expensive, signals_cache)

        result = self._second_stage(request, first, extract, ledger, info, found)
        warnings = _merged(info.warnings, cheap.warnings, missed, result.warnings)
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
        request = Request(posted, stage, rationale_choice(rationale), item_id)
        ledger = Ledger()
        with ledger("prefilter_ms"):
            first = with_copies(self.prefilter.assess(None, posted), None, WhyNot.NO_MEDIA)
        result = self._second_stage(request, first, lambda: expensive, ledger, None)
        return replace(result, item_id=item_id)

    def _second_stage(
        self,
        request: Request,
        first: Assessment,
        extract: Callable[[], ExpensiveSignals],
        ledger: Ledger,
        info: MediaInfo | None,
        copies: Sequence[CopyMatch] | None = None,
    ) -> CascadeResult:
        features = run_time_features(first, request.posted, info)
        seen = {task: self._seen(task, request, features, first) for task in taxonomy.tasks()}
        routing = self.routing.for_video(request.uploader or request.key)
        tasks = self._after_prefilter(routing, request, seen, first)
        due = {name: task.route.escalated for name, task in tasks.items()}
        expensive, second, marked = None, None, None
        warnings: tuple[str, ...] = ()
        if self._mllm_is_due(request.stage, tasks):
            try:
                asked = (request.posted, extract, ledger, info, copies)
                expensive, second = self._ask_mllm(*asked)
            except CoefVQError as error:
                # The video keeps its route `mllm`: nothing is decided without the second stage.
                warnings = (f"mllm_failed: {error}",)
            else:
                marked = with_marks(first, second, expensive)
                tasks = {
                    name: self._after_mllm(routing, request, task, seen[name], first, marked)
                    for name, task in tasks.items()
                }
        shadows = self._shadows(routing, request, seen, first, marked, due)
        for name, task in tasks.items():
            route = routing.audited(name, seen[name].key, task.route)
            tasks[name] = replace(task, route=route, shadow=shadows.get(name))
        result = whole_result(tasks, first, second, ledger.cost(), info, expensive, request.posted)
        result = replace(result, warnings=warnings, copies=None if copies is None else (*copies,))
        # The MLLM explains its own answer, which knows nothing of the marks.
        return joined(self._explained(result, request.rationale, ledger), marked)

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
        copies: Sequence[CopyMatch] | None,
    ) -> tuple[ExpensiveSignals, Assessment]:
        with ledger("expensive_signals_ms"):
            expensive = extract()
        with ledger("mllm_ms"):
            second = self.mllm.assess(_mllm_input(posted, expensive, info, copies))
        ledger.add_tokens(second.tokens_in, second.tokens_out)
        cost = ledger.cost()
        return expensive, replace(second, milliseconds=cost.expensive_signals_ms + cost.mllm_ms)

    def _shadows(
        self,
        routing: Router,
        request: Request,
        seen: Mapping[str, Seen],
        first: Assessment,
        second: Assessment | None,
        due: Mapping[str, bool],
    ) -> dict[str, ShadowRoute]:
        """What policies on trial would have done, where the routing itself decided on the MLLM."""
        if request.stage != "auto" or not routing.watched:
            return {}
        if second is None:
            return routing.shadows(seen, None, due)
        after = {
            task: self._seen(task, request, each.features, first, second)
            for task, each in seen.items()
        }
        return routing.shadows(seen, after, due)

    def _after_prefilter(
        self, routing: Router, request: Request, seen: Mapping[str, Seen], first: Assessment
    ) -> dict[str, TaskResult]:
        """Calls are taken from the budgets only where the routing decides on the MLLM."""
        outcomes = routing.after_prefilter(seen, request.uploader, request.stage == "auto")
        return {
            task: task_result(task, outcome.probability, outcome.route, final_scores(task, first))
            for task, outcome in outcomes.items()
        }

    def _after_mllm(
        self,
        routing: Router,
        request: Request,
        before: TaskResult,
        seen: Seen,
        first: Assessment,
        second: Assessment,
    ) -> TaskResult:
        name, finals = before.task, final_scores(before.task, first, second)
        outcome = Outcome(before.route, before.probability)
        changed = seen.mllm_covers or finals != before.policies
        if before.route.escalated or changed:  # else it has nothing to say here
            after = self._seen(name, request, seen.features, first, second)
            outcome = routing.after_mllm(name, seen, after, before.route)
        result = task_result(name, outcome.probability, outcome.route, finals)
        return replace(result, first_route=before.route)

    def _seen(
        self,
        task: str,
        request: Request,
        features: Mapping[str, float],
        first: Assessment,
        second: Assessment | None = None,
    ) -> Seen:
        finals = final_scores(task, first, second)
        return Seen(
            probability=task_probability(self.prefilter, task, finals),
            gaps=gaps(finals),
            mllm_covers=not self.mllm.covers.isdisjoint(finals),
            key=f"{request.key} {task}",
            features=features,
            severity=severity_at_stake(finals),
            label_mass=label_mass(finals, second) if second else None,
        )

    def _explained(
        self, result: CascadeResult, choice: RationaleChoice, ledger: Ledger
    ) -> CascadeResult:
        person = any(task.route.name is RouteName.HUMAN for task in result.tasks.values())
        wanted = choice == "always" or (choice == "for_people" and person)
        if result.mllm is None or result.expensive is None or not wanted:
            return result
        with ledger("mllm_ms"):
            item = _mllm_input(result.posted, result.expensive, result.info, result.copies)
            rationale = self.mllm.explain(item, result.mllm)
        explained = replace(result.mllm, rationale=rationale, evidence=rationale.evidence)
        return replace(result, mllm=explained, cost=ledger.cost())


def load_prefilter(settings: Settings, folder: Path | None = None) -> Prefilter:
    """The prefilter as the cascade uses it: the shipped one, or that of a folder.

    Raises:
        ModelError: If weights are missing or damaged.
    """
    where = {} if folder is None else {"folder": folder}
    return Prefilter.load(threads=settings.threads, is_foreign=is_foreign, **where)


def load_mllm(settings: Settings, folder: Path | None = None) -> MllmBackend:
    """The MLLM that the settings name; of a folder where that is the embedded one.

    Raises:
        ModelError: If weights are missing or damaged.
        SettingsError: For a profile that this environment cannot run.
    """
    return load_backend(settings, is_foreign=is_foreign, folder=folder)


def _mllm_input(
    posted: PostedText,
    expensive: ExpensiveSignals,
    info: MediaInfo | None,
    copies: Sequence[CopyMatch] | None,
) -> MllmInput:
    duration_s = info.duration_s if info else None
    return MllmInput(posted, expensive, duration_s, info, tuple(copies or ()))


def _merged(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for group in groups for code in group))
