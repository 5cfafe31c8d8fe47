"""Serve the models that are published: before each video a look, and a change where there is one.

A model whose files were changed or cannot be read is not used: the model that served before goes
on, or, where none did, the one before it in the list of promotions, in the end the shipped one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from coefvq import combinations
from coefvq.domain import Assessment, CascadeResult, Stage
from coefvq.errors import CoefVQError, ModelError
from coefvq.learning.registry import folder_of, in_force, shipped_version
from coefvq.mllm.profiles import parse_profile
from coefvq.settings import Settings
from coefvq.store import events, model_publications, shadow_scores, trained_models
from coefvq.store.session import Store, open_store

if TYPE_CHECKING:
    from coefvq.mllm.backend import MllmBackend
    from coefvq.prefilter.predict import Prefilter

log = logging.getLogger(__name__)
ACTOR = "models"
AGAIN_S = 60.0
"""Seconds before a model that could not be used is tried again: somebody may have put it back."""


class Model(Protocol):
    """What both kinds of model have."""

    @property
    def version(self) -> str:
        """Names the exact weights."""


@runtime_checkable
class Serving(Protocol):
    """What serves two models that can be changed: the real cascade."""

    prefilter: Prefilter
    mllm: MllmBackend

    def use(self, prefilter: Prefilter | None = None, mllm: MllmBackend | None = None) -> None:
        """Serve other models."""


@dataclass(frozen=True)
class _Known:
    """What a look at the store found."""

    live: Mapping[str, str]
    shadows: Mapping[str, str]


class ModelFollower:
    """Keeps a cascade's models at what is published. Call ``refresh`` before each video.

    Args:
        shadows: Whether models in the shadow are loaded too, as for uploads.
    """

    def __init__(self, store: Store, settings: Settings, shadows: bool = True):
        self._store, self._settings = store, settings
        self._with_shadows = shadows
        self._cascade: object | None = None
        self._followed: _Known | None = None
        self._refused: dict[str, float] = {}
        self._shadows: dict[Stage, Any] = {}

    def refresh(self, cascade: object) -> bool:
        """Put what is published in force; return whether a model changed.

        Two small queries where nothing did. Never raises for a model that cannot be used: that is
        logged, kept as an event, and the one that served before goes on.
        """
        if not isinstance(cascade, Serving):
            return False
        with self._store.read() as session:
            found = self._look(session)
            fresh = cascade is not self._cascade or found != self._followed
            if not fresh and not self._due_again():
                return False
            if fresh:
                _know_combinations(session)
            chains = {each: list(chain(session, each)) for each in self._stages(found)}
        first = cascade is not self._cascade
        wanted = {*found.shadows.values(), *(name for chain in chains.values() for name in chain)}
        self._refused = {name: at for name, at in self._refused.items() if name in wanted}
        self._cascade, self._followed = cascade, found
        changed = [self._serve(cascade, stage, chains[stage], first) for stage in chains]
        self._follow_shadows(found)
        return any(changed)

    def shadow(self, result: CascadeResult) -> list[Assessment]:
        """What the models in the shadow say of a video that was scored just now.

        The prefilter's says something of every video, the MLLM's where the MLLM ran. A shadow
        that fails says nothing, and stops nobody.
        """
        found = []
        for stage, model in self._shadows.items():
            try:
                said = _say(stage, model, result)
            except Exception as error:  # whatever a model throws must not touch the live answer
                log.warning("%s in the shadow failed: %s", model.version, error)
                continue
            if said is not None:
                found.append(said)
        return found

    def _look(self, session: Session) -> _Known:
        rows = model_publications.shadows(session) if self._with_shadows else {}
        shadowed = {stage: row.version for stage, row in rows.items()}
        return _Known(model_publications.live(session), shadowed)

    def _stages(self, found: _Known) -> Iterator[Stage]:
        """Stages that ever had a publication here; the others keep what they were loaded with."""
        for stage in Stage:
            if stage.value in found.live and (stage is not Stage.MLLM or embedded(self._settings)):
                yield stage

    def _due_again(self) -> bool:
        now = time.monotonic()
        return any(now - at >= AGAIN_S for at in self._refused.values())

    def _serve(self, cascade: Serving, stage: Stage, chain: Sequence[str], first: bool) -> bool:
        """Serve the first model of a chain that can be used.

        Args:
            first: Nothing but the shipped model served until now; later the one that serves is
                kept rather than an older one.
        """
        now: Model = cascade.prefilter if stage is Stage.PREFILTER else cascade.mllm
        for version in chain if first else chain[:1]:
            if version == now.version:
                self._refused.pop(version, None)
                return False
            model = self._loaded(stage, version, now.version)
            if model is not None:
                cascade.use(**{stage.value: model})
                log.info("the %s is %s now, it was %s", stage.value, version, now.version)
                return True
        return False

    def _loaded(self, stage: Stage, version: str, serving: str) -> Any:
        """A model that is ready to answer; ``None`` where it cannot be used."""
        tried = self._refused.get(version)
        if tried is not None and time.monotonic() - tried < AGAIN_S:
            return None
        try:
            model = load_model(self._store, self._settings, stage, version)
        except Exception as error:  # torch throws what it likes; the old model must go on serving
            self._refuse(stage, version, serving, error, known=tried is not None)
            return None
        self._refused.pop(version, None)
        return model

    def _refuse(
        self, stage: Stage, version: str, serving: str, error: Exception, known: bool
    ) -> None:
        self._refused[version] = time.monotonic()
        why = str(error) if isinstance(error, CoefVQError) else f"{type(error).__name__}: {error}"
        log.error("%s cannot be used, %s goes on serving: %s", version, serving, why)
        if known:
            return
        data = {"stage": stage.value, "why": why[:1000], "serving": serving}
        with self._store.write() as session:
            subject = trained_models.SUBJECT
            events.append(session, ACTOR, trained_models.REFUSED, subject, version, data)

    def _follow_shadows(self, found: _Known) -> None:
        wanted = {Stage(stage): version for stage, version in found.shadows.items()}
        for stage in list(self._shadows):
            if self._shadows[stage].version != wanted.get(stage):
                del self._shadows[stage]
        for stage, version in wanted.items():
            if stage not in self._shadows and (stage is not Stage.MLLM or embedded(self._settings)):
                model = self._loaded(stage, version, "no shadow")
                if model is not None:
                    self._shadows[stage] = model


def load_model(store: Store, settings: Settings, stage: Stage, version: str) -> Any:
    """A model of the registry or a shipped one, its files checked, ready to answer.

    The MLLM's weights load now and not at its first video: what fails must fail before the model
    that serves is let go.

    Raises:
        ModelError: Its files are missing, changed or cannot be loaded.
    """
    from coefvq.cascade import load_mllm, load_prefilter

    folder = folder_of(store, settings, version)
    model: Any = (load_prefilter if stage is Stage.PREFILTER else load_mllm)(settings, folder)
    if model.version != version:
        raise ModelError(f"The files of {version} call themselves {model.version}.")
    if stage is Stage.MLLM:
        model.scorer()
    return model


def keep_shadows(session: Session, video_id: str, said: Sequence[Assessment]) -> None:
    """Keep what shadows said of a video, in the transaction of the live answer."""
    for one in said:
        shadow_scores.put(session, video_id, one)


def know_combinations(store: Store) -> None:
    """Tell this process how promoted pairs of models are combined."""
    with store.read() as session:
        _know_combinations(session)


def models_without_keeping(settings: Settings) -> dict[Stage, Path]:
    """Folders of what is published, for a call that keeps nothing; no store is made for it."""
    from coefvq.work.routing import store_is_there

    if not store_is_there(settings):
        return {}
    with open_store(settings.url) as store:
        with store.read() as session:
            _know_combinations(session)
            found = in_force(session)
        return {
            stage: folder_of(store, settings, version)
            for stage, version in found.items()
            if version != shipped_version(stage)
        }


def embedded(settings: Settings) -> bool:
    """Whether the MLLM is the embedded one, the only one that the registry holds."""
    return parse_profile(settings.mllm).kind == "embedded"


def usable(store: Store, settings: Settings, stage: Stage) -> tuple[str, Path]:
    """The model that a worker serves: what is in force, else the newest before it whose files hold.

    Raises:
        ModelError: Not even the shipped model is there.
    """
    with store.read() as session:
        names = list(chain(session, stage))
    for version in names[:-1]:
        try:
            return version, folder_of(store, settings, version)
        except ModelError as error:
            log.error("%s", error)
    return names[-1], folder_of(store, settings, names[-1])


def _know_combinations(session: Session) -> None:
    try:
        combinations.know(model_publications.combinations(session))
    except (CoefVQError, KeyError, TypeError, ValueError) as error:
        log.error("stored combinations of models cannot be read: %s", error)


def chain(session: Session, stage: Stage) -> Iterator[str]:
    """What is in force, then what was before it, the newest first, in the end the shipped one."""
    standing = model_publications.standing(session, stage)
    names = [in_force(session)[stage], *(row.version for row in reversed(standing))]
    yield from dict.fromkeys([*names, shipped_version(stage)])


def _say(stage: Stage, model: Any, result: CascadeResult) -> Assessment | None:
    if stage is Stage.PREFILTER:
        said: Assessment = model.assess(result.cheap, result.posted)
        return said
    if result.mllm is None or result.expensive is None:
        return None
    from coefvq.mllm.backend import MllmInput

    duration_s = result.info.duration_s if result.info else None
    copies = tuple(result.copies or ())
    ask: Callable[[MllmInput], Assessment] = model.assess
    return ask(MllmInput(result.posted, result.expensive, duration_s, result.info, copies))
