"""How much memory and time a model of a real size takes on this machine, with random weights.

    python -m coefvq.mllm.omni.measure --family qwen2.5-omni-3b
    python -m coefvq.mllm.omni.measure --config FOLDER        # its config.json; no weights needed

Nothing is downloaded. Random weights take the memory and time of the real ones; what they answer
means nothing. Decoding and the processor are not in the figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch

from coefvq.errors import CoefVQError
from coefvq.mllm.omni import environment, families
from coefvq.mllm.omni.scoring import Scorer
from coefvq.mllm.omni.sizes import SIZES, config_of
from coefvq.mllm.omni.synthetic import Clip, synthetic_inputs

QUESTION_TOKENS = 150


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        parameters: Of the loaded part of the model.
        tokens: Of the video with its texts.
        read_s: Seconds to compute the video, median.
        ask_s: Seconds for all questions, median.
        peak_gib: Most GPU memory held at once, GiB; ``None`` on a CPU.
    """

    parameters: int
    tokens: int
    read_s: float
    ask_s: float
    peak_gib: float | None


def measure(
    config: Any, clip: Clip, *, questions: int, repeats: int, device: torch.device
) -> Measured:
    """Measure one model.

    Args:
        config: The thinker's or the whole model's settings.
        questions: Policies asked about a video.
        repeats: Videos measured, after one to warm up.

    Raises:
        torch.OutOfMemoryError: If it does not fit.
    """
    model = _random_model(config, device)
    scorer = Scorer(model, None, labels={9: "Yes", 10: "No"})
    inputs = synthetic_inputs(config, clip)
    ask = list(range(8, 8 + QUESTION_TOKENS))
    read_times, ask_times = [], []
    for _ in range(repeats + 1):
        cache, seconds = _timed(lambda: scorer.read(inputs), device)
        read_times.append(seconds)
        _, seconds = _timed(partial(_ask, scorer, cache, ask, questions), device)
        ask_times.append(seconds)
    return Measured(
        parameters=sum(weight.numel() for weight in model.parameters()),
        tokens=inputs["input_ids"].shape[1],
        read_s=_median(read_times[1:]),
        ask_s=_median(ask_times[1:]),
        peak_gib=torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None,
    )


def _ask(scorer: Scorer, cache: Any, ids: list[int], times: int) -> None:
    for _ in range(times):
        scorer.ask(cache, ids)


@click.command(help=__doc__)
@click.option("--family", "size", type=click.Choice(SIZES), help="A published size.")
@click.option("--config", "folder", type=click.Path(exists=True, path_type=Path))
@click.option("--frames", default=16, show_default=True, type=click.IntRange(1, 64))
@click.option("--sound-s", default=30.0, show_default=True, type=click.FloatRange(0.0, 300.0))
@click.option("--questions", default=7, show_default=True, type=click.IntRange(1, 100))
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1, 100))
def main(
    size: str | None,
    folder: Path | None,
    frames: int,
    sound_s: float,
    questions: int,
    repeats: int,
) -> None:
    """Print one measurement."""
    if (size is None) == (folder is None):
        raise click.UsageError("Name either --family or --config.")
    clip = Clip(frames=frames, sound_s=sound_s)
    try:
        config = config_of(size) if size else thinker_of(environment.read_config(Path(str(folder))))
        device = environment.choose_device()
        found = measure(config, clip, questions=questions, repeats=repeats, device=device)
    except torch.OutOfMemoryError:
        raise click.ClickException(str(environment.out_of_memory(frames, sound_s))) from None
    except CoefVQError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_in_words(size or str(folder), found, questions, device))


def thinker_of(config: Any) -> Any:
    """The part of a model's settings that is loaded: of the Qwen models the thinker's."""
    return getattr(config, "thinker_config", config)


def _random_model(config: Any, device: torch.device) -> Any:
    import transformers

    loader = getattr(transformers, families.family_of(config).model_class)
    make = getattr(loader, "_from_config", None) or loader.from_config
    before = torch.get_default_dtype()
    try:
        with device:
            return make(config, dtype=torch.bfloat16).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(before)


def _timed(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return result, time.perf_counter() - started


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _in_words(name: str, found: Measured, questions: int, device: torch.device) -> str:
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    memory = "not measured" if found.peak_gib is None else f"{found.peak_gib:.1f} GiB at most"
    return (
        f"{name} on {where}, random bfloat16 weights: {found.parameters / 1e9:.2f} billion "
        f"parameters, memory {memory}, {found.tokens} tokens a video: {found.read_s:.2f} s to read "
        f"it and {found.ask_s:.2f} s for {questions} questions"
    )


if __name__ == "__main__":
    main()
