"""Stores, results and cascades for tests. The results are built, not computed by a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coefvq import taxonomy
from coefvq.domain import (
    Assessment,
    CascadeResult,
    Cost,
    Evidence,
    ExpensiveSignals,
    FinalScore,
    MediaInfo,
    Modality,
    PolicyScore,
    PostedText,
    Rationale,
    Route,
    RouteName,
    Stage,
    TaskResult,
    TimedText,
    Verdict,
)
from coefvq.review.access import LOCAL, Actor
from coefvq.review.priority import of as priority_of
from coefvq.review.uploads import register
from coefvq.settings import Settings
from coefvq.store import jobs, results, videos
from coefvq.store.session import Store

EXTRACTOR = "expensive-test-1"
SPEECH = (
    TimedText(1.0, 2.5, "okay so this guy", -0.2),
    TimedText(2.5, 4.0, "you people should all be thrown out", -0.3),
)
SCREEN = (TimedText(3.0, 5.0, "FREE GIFT CARD", 0.9, (0.1, 0.1, 0.5, 0.2)),)
EVIDENCE = (
    Evidence(Modality.SPEECH, 2.5, 4.0, "you people", "names a group", "hate_harassment", 0.3),
    Evidence(Modality.VISUAL, 0.0, 1.0, None, "still picture", "static_slideshow", 0.1),
)
RATIONALE = Rationale("said aloud", ("demeans a group",), ("may quote",), ("who is meant",))
ANN = Actor("ann", frozenset({"reviewer"}))
BOB = Actor("bob", frozenset({"reviewer"}))
Probabilities = Mapping[str, float | None]


def settings_at(home: Path, **changes: Any) -> Settings:
    """Settings with everything under one folder."""
    return Settings(home=home, **changes)


def media_file(folder: Path, content: bytes = b"bytes", name: str = "clip.mp4") -> Path:
    """Write a file to upload. It need not be a video where nothing opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def route(name: RouteName = RouteName.HUMAN, **changes: Any) -> Route:
    """A route of the entropy rule."""
    escalated = name in (RouteName.HUMAN, RouteName.MLLM)
    made = Route(name, "entropy", "entropy-0.6", 0.98, 0.6, escalated, reason="unsure")
    return replace(made, **changes)


def task_result(task: str, finals: Probabilities, made: Route) -> TaskResult:
    """A task's answer; the prefilter says half of what the MLLM says."""
    policies = {
        policy.id: _final(policy.id, finals.get(policy.id))
        for policy in taxonomy.task(task).policies
    }
    known = [score.final for score in policies.values() if score.final is not None]
    verdicts = {RouteName.AUTO_PASS: Verdict.OK, RouteName.AUTO_FLAG: Verdict.VIOLATION}
    verdict = verdicts.get(made.name, Verdict.NEEDS_HUMAN)
    return TaskResult(task, verdict, max(known, default=None), made, policies)


def result(
    sha256: str,
    icd: Probabilities | None = None,
    ucc: Probabilities | None = None,
    routes: Mapping[str, Route] | None = None,
    mllm: bool = True,
    rationale: Rationale | None = None,
) -> CascadeResult:
    """A whole answer: by default ``icd`` for a person, ``ucc`` passed."""
    icd = {"hate_harassment": 0.87, "violence": 0.1} if icd is None else icd
    ucc = {"watermark": 0.05} if ucc is None else ucc
    ways = {"icd": route(), "ucc": route(RouteName.AUTO_PASS)} | dict(routes or {})
    finals = {**icd, **ucc}
    return CascadeResult(
        path="clip.mp4",
        sha256=sha256,
        duration_s=10.0,
        warnings=("no_audio",),
        tasks={
            "icd": task_result("icd", icd, ways["icd"]),
            "ucc": task_result("ucc", ucc, ways["ucc"]),
        },
        prefilter=_assessment(Stage.PREFILTER, finals, 0.5),
        mllm=replace(_assessment(Stage.MLLM, finals, 1.0), rationale=rationale) if mllm else None,
        cost=Cost(media_ms=3.0, prefilter_ms=80.0, mllm_ms=900.0 if mllm else 0.0),
        info=info(sha256),
        expensive=ExpensiveSignals(EXTRACTOR, SPEECH, True, SCREEN, (0.0, 5.0)) if mllm else None,
        posted=PostedText(),
        models={"prefilter": "prefilter-test", "mllm": "mllm-test" if mllm else None},
    )


def info(sha256: str) -> MediaInfo:
    """A probed ten-second clip."""
    return MediaInfo(
        "clip.mp4", sha256, 5, 10.0, 320, 240, 0, 25.0, "h264", "yuv420p", "mp4", False
    )


def upload(store: Store, settings: Settings, content: bytes = b"bytes", **texts: Any) -> str:
    """Register a file with these bytes; returns the video id."""
    path = media_file(settings.home / "incoming", content)
    return register(store, settings, LOCAL, path, **texts)


def scored(
    store: Store,
    settings: Settings,
    content: bytes = b"bytes",
    *,
    title: str | None = None,
    **how: Any,
) -> dict[str, str]:
    """Upload and record a result as a worker would; returns case ids by task."""
    video_id = upload(store, settings, content, title=title)
    made = result(hashlib.sha256(content).hexdigest(), **how)
    payloads = {(made.sha256, EXTRACTOR): b"payload"} if made.expensive else {}
    with store.write() as session:
        _finish_ingest(session)
        row = videos.get(session, video_id)
        recorded = results.record(
            session, row, made, payloads=payloads, priority=priority_of, actor="worker-test"
        )
    return recorded.case_ids


def _finish_ingest(session: Any) -> None:
    while (job := jobs.claim_next(session, "worker-test", 60.0)) is not None:
        jobs.finish(session, job.lease)


@dataclass
class FixedCascade:
    """Answers what it is told to, for tests of the worker."""

    answer: Callable[[str], CascadeResult] = result
    fail_with: list[Exception] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def assess(self, path: Any, **how: Any) -> CascadeResult:
        self.calls.append({"path": Path(path), **how})
        if self.fail_with:
            raise self.fail_with.pop(0)
        cache = how["signals_cache"]
        if cache.get(how["sha256"], EXTRACTOR) is None:
            cache.put(how["sha256"], EXTRACTOR, b"payload")
        made = self.answer(how["sha256"])
        wanted = how.get("rationale") in ("always", "for_people", True)
        if made.mllm is not None and wanted:
            made = replace(made, mllm=replace(made.mllm, rationale=RATIONALE))
        return made


def _final(policy: str, value: float | None) -> FinalScore:
    if value is None:
        return FinalScore(policy, None, None, None, False, "not_trained")
    return FinalScore(policy, value / 2, value, value, True)


def _assessment(stage: Stage, finals: Probabilities, share: float) -> Assessment:
    mass = 0.96 if stage is Stage.MLLM else None
    scores = {
        policy: PolicyScore(policy, None, False, "not_trained")
        if finals.get(policy) is None
        else PolicyScore(policy, (finals[policy] or 0.0) * share, label_mass=mass)
        for policy in taxonomy.policies()
    }
    contributions = {"hate_harassment": (("caption wording", 0.3), ("loud voices", 0.1))}
    return Assessment(
        stage,
        f"{stage.value}-test",
        scores,
        evidence=EVIDENCE if stage is Stage.MLLM else (),
        contributions=contributions if stage is Stage.PREFILTER else {},
        milliseconds=84.0,
    )
