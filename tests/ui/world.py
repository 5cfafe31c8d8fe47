"""A small library with real media and stored results, made through the store's own API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from coefvq import taxonomy
from coefvq.domain import (
    Assessment,
    CascadeResult,
    CheapSignals,
    Cost,
    Evidence,
    ExpensiveSignals,
    FinalScore,
    MediaInfo,
    Modality,
    PolicyScore,
    Rationale,
    Route,
    RouteName,
    Stage,
    TaskResult,
    TimedText,
    Verdict,
)
from coefvq.review import uploads
from coefvq.review.access import LOCAL
from coefvq.review.priority import of as priority_of
from coefvq.settings import Settings
from coefvq.store import jobs, results, videos
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobState
from coefvq.taxonomy import Task

HOSTILE = "<img src=x onerror=window.pwned=1> {{7*7}} ${window.pwned=2} `x` \\u0041"
FPS, SIDE = 12, (320, 180)


def make_clip(
    path: Path, seconds: float = 3.0, hue: int = 0, sound: bool = True, tag: str = ""
) -> Path:
    """Write a small MP4 that browsers play: a disc that moves over a coloured ground.

    Another ``tag`` makes another file: what is stored of a file belongs to all videos of its bytes.
    """
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        container.metadata["comment"] = tag
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = *SIDE, "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for index in range(int(seconds * FPS)):
            picture = av.VideoFrame.from_ndarray(_picture(index, hue), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio is not None:
            tone = np.sin(np.arange(int(seconds * 16000)) * 0.17).astype(np.float32)[None] * 0.2
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux([*audio.encode(frame), *audio.encode()])
    return path


def _picture(index: int, hue: int) -> np.ndarray:
    width, height = SIDE
    rows, columns = np.mgrid[0:height, 0:width]
    ground = np.stack([rows * 0.5 + 40, columns * 0.3 + 30, rows * 0.2 + 90], axis=-1)
    disc = (rows - 90) ** 2 + (columns - 40 - 7 * index) ** 2 < 38**2
    ground[disc] = (240, 200, 120)
    return np.roll(ground, hue, axis=-1).astype(np.uint8)


def save_still(path: Path, hue: int = 0) -> Path:
    """Write the poster."""
    with av.open(str(path), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = *SIDE, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(_picture(12, hue), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode()])
    return path


@dataclass
class World:
    """The store and what is in it: video id by name."""

    settings: Settings
    store: Store
    ids: dict[str, str]

    def case(self, name: str, task: str = "icd") -> str:
        """Id of a video's case."""
        with self.store.read() as session:
            return next(
                case.id
                for case in videos.cases_of(session, [self.ids[name]])[self.ids[name]]
                if case.task == task
            )


def add(
    world: World,
    name: str,
    *,
    title: str,
    caption: str | None = None,
    hue: int = 0,
    seconds: float = 3.0,
    sound: bool = True,
    result: CascadeResult | None = None,
) -> str:
    """Register a real clip with previews, and store a result for it where one is given."""
    folder = world.settings.previews_dir
    folder.mkdir(parents=True, exist_ok=True)
    source = make_clip(world.settings.home / f"{name}.mp4", seconds, hue, sound, name)
    proxy = folder / f"{name}.mp4"
    proxy.write_bytes(source.read_bytes())
    poster = save_still(folder / f"{name}.jpg", hue)
    video_id = uploads.register(
        world.store, world.settings, LOCAL, source, title=title, caption=caption
    )
    world.ids[name] = video_id
    with world.store.write() as session:
        video = videos.get(session, video_id)
        info = MediaInfo(str(source), video.sha256, proxy.stat().st_size, seconds, *SIDE, 0,
                         float(FPS), "h264", "yuv420p", "mp4", sound)  # fmt: skip
        videos.set_info(video.media, info)
        video.media.proxy, video.media.poster = proxy.name, poster.name
        if result is not None:
            job = jobs.open_job(session, JobKind.INGEST, video_id=video_id)
            assert job is not None
            job.state = JobState.DONE.value
            mine = replace(result, info=info, sha256=video.sha256)
            signals = {("c1", mine.sha256): b"", ("e1", mine.sha256): b""}
            payloads = {(sha, extractor): b"x" for extractor, sha in signals}
            results.record(session, video, mine, payloads=payloads, priority=priority_of,
                           actor="worker-test")  # fmt: skip
    return video_id


def _scores(
    task: Task, given: dict[str, float], mass: float | None = None
) -> dict[str, PolicyScore]:
    return {
        p.id: PolicyScore(p.id, given[p.id], label_mass=mass)
        if p.id in given
        else PolicyScore(p.id, None, covered=False, why_not="not_trained")
        for p in task.policies
    }


def _task(task: Task, first: dict[str, float], second: dict[str, float], route: RouteName,
          bits: float, reason: str) -> TaskResult:  # fmt: skip
    finals = {
        p.id: FinalScore(p.id, first.get(p.id), second.get(p.id),
                         second.get(p.id, first.get(p.id)), p.id in first or p.id in second,
                         None if p.id in first or p.id in second else "not_trained")
        for p in task.policies
    }  # fmt: skip
    best = max((f.final for f in finals.values() if f.final is not None), default=None)
    verdict = Verdict.VIOLATION if (best or 0) >= 0.5 else Verdict.OK
    if route is RouteName.HUMAN:
        verdict = Verdict.NEEDS_HUMAN
    return TaskResult(task.id, verdict, best,
                      Route(route, "entropy", "built-in", 0.66 if second else bits, 0.6, bits > 0.6,
                            reason=reason), finals,
                      Route(RouteName.MLLM, "entropy", "built-in", bits, 0.6, True,
                            reason="the prefilter is unsure") if second else None)  # fmt: skip


def escalated(quote: str = "you people should all be thrown out", *, rationale: bool = True,
              speech: str | None = None) -> CascadeResult:  # fmt: skip
    """Both stages answered and disagree on hate; the case goes to a person."""
    icd, ucc = taxonomy.task("icd"), taxonomy.task("ucc")
    first = {"hate_harassment": 0.41, "violence": 0.28, "scam_spam": 0.09}
    second = {"hate_harassment": 0.87, "violence": 0.12, "scam_spam": 0.34}
    other = {"watermark": 0.22, "static_slideshow": 0.03, "screen_recording": 0.05}
    said = Evidence(Modality.SPEECH, 0.6, 1.4, quote, "raises hate", "hate_harassment", 0.31)
    seen = Evidence(Modality.SCREEN_TEXT, 1.6, 2.4, "FREE GIFT CARD", "raises scam", "scam_spam",
                    0.12)  # fmt: skip
    calm = Evidence(Modality.VISUAL, 2.0, 2.6, None, "steady picture, no crowd", "violence", -0.08)
    why = Rationale(
        "Likely demeans a group; the words are the only evidence.",
        ("Demeaning a group, said aloud",),
        ("May quote somebody else",),
        ('Who is meant by "you people" is never shown',),
        (said,),
    )
    texts = ExpensiveSignals(
        "e1",
        (TimedText(0.1, 0.6, "okay so this guy"), TimedText(0.6, 1.4, speech or quote),
         TimedText(1.4, 2.8, "and everybody just stood there laughing about it")),
        True,
        (TimedText(1.6, 2.4, "FREE GIFT CARD link in bio", 0.97, (0.1, 0.1, 0.6, 0.2)),),
        (0.5, 1.0, 1.5),
    )  # fmt: skip
    pushed = (("loud voices", 0.21), ("caption wording", 0.12), ("crowd", -0.05))
    prefilter = Assessment(
        Stage.PREFILTER,
        "prefilter-1",
        _scores(icd, first) | _scores(ucc, other),
        (calm,),
        contributions={"hate_harassment": pushed},
        milliseconds=84.0,
    )
    mllm = Assessment(Stage.MLLM, "smollm2-lora-1",
                      _scores(icd, second, 0.96) | _scores(ucc, {}), (said, seen),
                      why if rationale else None, milliseconds=2400.0, tokens_in=512)  # fmt: skip
    tasks = {
        "icd": _task(icd, first, second, RouteName.HUMAN, 0.98,
                     "A missed violation here costs more than your time."),
        "ucc": _task(ucc, other, {}, RouteName.AUTO_PASS, 0.55, "The prefilter was sure."),
    }  # fmt: skip
    return CascadeResult(None, None, 3.0, (), tasks, prefilter, mllm, Cost(40, 84, 900, 2400),
                         cheap=CheapSignals("c1"), expensive=texts,
                         models={"prefilter": "prefilter-1", "mllm": "smollm2-lora-1"})  # fmt: skip


def sure(*, human: bool = False) -> CascadeResult:
    """Only the prefilter answered, and it was sure."""
    whole = escalated()
    icd, ucc = taxonomy.task("icd"), taxonomy.task("ucc")
    low = {"hate_harassment": 0.02, "violence": 0.05, "scam_spam": 0.01}
    other = {"watermark": 0.02, "static_slideshow": 0.97, "screen_recording": 0.05}
    prefilter = replace(whole.prefilter, scores=_scores(icd, low) | _scores(ucc, other),
                        contributions={"violence": (("motion", -0.3),)}, evidence=())  # fmt: skip
    route = RouteName.HUMAN if human else RouteName.AUTO_PASS
    tasks = {
        "icd": _task(icd, low, {}, route, 0.29, "Drawn for an audit." if human else "Sure."),
        "ucc": _task(ucc, other, {}, RouteName.AUTO_FLAG, 0.19, "Sure: a slideshow."),
    }
    return replace(whole, prefilter=prefilter, mllm=None, expensive=None, tasks=tasks)


def fail_job(world: World, name: str, code: str, message: str) -> None:
    """Set a video's job aside, as a worker does after the last attempt."""
    with world.store.write() as session:
        job = jobs.open_job(session, JobKind.INGEST, video_id=world.ids[name])
        assert job is not None
        job.state, job.error_code, job.error = JobState.SET_ASIDE.value, code, message
        videos.get(session, world.ids[name]).status = videos.FAILED


def fill(world: World) -> World:
    """The library that tests and screenshots use."""
    add(world, "quiet", title="a walk by the river", caption="morning", hue=1, result=sure())
    add(world, "audit", title="cooking pasta in ten minutes", hue=2, result=sure(human=True))
    add(world, "hostile", title=HOSTILE, caption=HOSTILE, hue=0,
        result=escalated(HOSTILE, speech=f"he said {HOSTILE} twice"))  # fmt: skip
    add(world, "plain", title="unexplained", hue=1, result=escalated(rationale=False))
    add(world, "argument", title="crazy argument at the station pt 1",
        caption="wait for the end #fyp", result=escalated())  # fmt: skip
    add(world, "broken", title="broken upload", hue=2)
    fail_job(world, "broken", "unreadable_media", "broken.mp4: no frame can be decoded.")
    add(world, "waiting", title="just uploaded", hue=1)
    return world
