"""What the doctor says of the MLLM stage: which backend runs, how fast, what the others lack."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from coefvq.domain import ExpensiveSignals, PostedText, TimedText
from coefvq.ops.check import Check
from coefvq.settings import Settings

if TYPE_CHECKING:
    from coefvq.mllm.backend import MllmBackend
    from coefvq.mllm.embedded import EmbeddedMllm
    from coefvq.mllm.fused.items import FusedItem
    from coefvq.mllm.profiles import Profile

PASSES = 3
_SENTENCE = "a walk through the old town on a sunny afternoon, with a stop at the bakery"
_SECONDS = 10


def mllm_checks(settings: Settings, speed: bool = False) -> Iterator[Check]:
    """The backend of the settings, then the profiles that are not in use.

    Args:
        speed: Load the models and score a made-up video, which takes seconds; an endpoint is
            then sent real requests.

    Raises:
        CoefVQError: If the backend cannot be used, with the remedy.
    """
    from coefvq.mllm.profiles import load_backend, parse_profile

    profile = parse_profile(settings.mllm)
    for kind, missing in (("omni", _omni_lacks), ("endpoint", _endpoint_lacks)):
        if profile.kind != kind:
            yield Check(f"mllm {kind}", "ok", f"not in use; {missing()}")
    if profile.kind == "endpoint":
        yield _endpoint_answers(profile, settings)
    if profile.kind == "omni":
        yield _gpu()
    started = time.perf_counter()
    backend = load_backend(settings)
    spent = time.perf_counter() - started
    covers = ", ".join(sorted(backend.covers))
    yield Check(
        "mllm",
        "ok",
        f"{profile.kind}, {backend.version}, covers {covers}; checked in {spent:.1f} s",
    )
    if speed:
        yield _speed(backend)


def _omni_lacks() -> str:
    """What stands between this environment and a large model on a GPU."""
    lacks = [] if find_spec("torchvision") is not None else ["torchvision, in an environment apart"]
    lacks += [] if _gpu_name() else ["a GPU"]
    if not lacks:
        return "COEFVQ_MLLM=omni:MODEL would run here"
    return f"it would need {' and '.join(lacks)}: docs/models/omni.md"


def _endpoint_lacks() -> str:
    return "it would need a server: COEFVQ_MLLM=endpoint:URL#MODEL, docs/models/endpoint.md"


def _gpu_name() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""


def _gpu() -> Check:
    name = _gpu_name()
    if name:
        return Check("mllm GPU", "ok", name)
    remedy = "Run on a machine with a GPU, or set COEFVQ_MLLM=embedded."
    return Check("mllm GPU", "warning", "none; a large model takes minutes a video", remedy)


def _endpoint_answers(profile: Profile, settings: Settings) -> Check:
    """Ask the server for its models; one question, without any of a video."""
    from coefvq.mllm.endpoint.client import EndpointClient, EndpointError, Retry

    timeout_s = min(10.0, settings.endpoint_timeout_s)
    client = EndpointClient(
        profile.url, settings.endpoint_key, timeout_s=timeout_s, retry=Retry(attempts=1)
    )
    started = time.perf_counter()
    try:
        client.get("models")
    except EndpointError as error:
        if error.status in (404, 405, 500, 501):  # it answers, but lists no models
            return Check("mllm endpoint", "ok", f"{profile.url} answers, without a list of models")
        remedy = "Start the server or mend COEFVQ_MLLM; `coefvq doctor` asks again."
        return Check("mllm endpoint", "failed", f"{profile.url}: {error}", remedy)
    finally:
        client.close()
    spent = (time.perf_counter() - started) * 1000.0
    return Check("mllm endpoint", "ok", f"{profile.url} answers in {spent:.0f} ms")


def _speed(backend: MllmBackend) -> Check:
    from coefvq.mllm.backend import MllmInput
    from coefvq.mllm.embedded import EmbeddedMllm

    if isinstance(backend, EmbeddedMllm):
        return _embedded_speed(backend)
    item = MllmInput(PostedText(_SENTENCE), _signals(), float(_SECONDS))
    first, later = _timed(lambda: backend.assess(item))
    found = (
        f"{later:.2f} s a made-up video of text only (median of {PASSES}), the first {first:.1f} s"
    )
    return Check("mllm speed", "ok", found)


def _embedded_speed(backend: EmbeddedMllm) -> Check:
    started = time.perf_counter()
    scorer = backend.scorer()
    loading = time.perf_counter() - started
    item = _full_item(backend)
    _, later = _timed(lambda: scorer.score_one(item))
    tokens = scorer.score_one(item)[0].tokens
    found = (
        f"{later:.2f} s a made-up video of {_SECONDS} s with pictures, sound and {tokens} tokens "
        f"(median of {PASSES}); models loaded in {loading:.1f} s"
    )
    return Check("mllm speed", "ok", found)


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the first call, and the median of ``PASSES`` more."""
    spent = []
    for _ in range(1 + PASSES):
        started = time.perf_counter()
        run()
        spent.append(time.perf_counter() - started)
    return spent[0], statistics.median(spent[1:])


def _signals() -> ExpensiveSignals:
    lines = tuple(TimedText(float(at), at + 2.0, _SENTENCE) for at in range(0, _SECONDS, 2))
    return ExpensiveSignals("doctor", speech=lines, speech_understood=True, screen_text=lines[:1])


def _full_item(backend: EmbeddedMllm) -> FusedItem:
    """Noise of the sizes that a real video has."""
    import numpy as np

    from coefvq.mllm.fused.items import FusedItem
    from coefvq.mllm.senses import FRAMES, LONG_SIDE, SOUND_STATES_PER_SECOND

    chance, config = np.random.default_rng(0), backend.scorer().model.config
    frames = chance.integers(0, 256, (FRAMES, LONG_SIDE, LONG_SIDE * 9 // 16, 3), dtype=np.uint8)
    steps, signals = int(_SECONDS * SOUND_STATES_PER_SECOND), _signals()
    return FusedItem(
        posted=PostedText(_SENTENCE),
        speech=signals.speech,
        screen_text=signals.screen_text,
        frames=list(frames),
        frame_times_s=np.linspace(0, _SECONDS, FRAMES),
        sound_states=chance.normal(size=(steps, config.sound_config.hidden_size)),
        states_per_second=SOUND_STATES_PER_SECOND,
        motion=chance.normal(size=config.motion_size) if config.motion_size else None,
    )
