"""What a refit has done so far, on disk: it goes on there after a stop, a kill, a full disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from coefvq.errors import TrainingError
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.refit.choose import Plan
from coefvq.learning.refit.learn import Learnt
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.solve import Solution
from coefvq.prefilter.weights import Trained, save

RECIPE = "refit-1"
"""Changes whenever the same decisions would give other numbers: old work is not taken up."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turn a disk that cannot be written into words; what was done so far stays.

    Raises:
        TrainingError: The disk is full, or the folder cannot be written.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        full = getattr(error, "errno", None) in _FULL or "No space left" in str(error)
        if full:
            raise TrainingError(
                f"The disk is full: {folder} cannot be written. Free some space and resume the "
                "training; what was done so far is kept."
            ) from error
        raise TrainingError(
            f"The training cannot write to {folder}: {error}. Resume it once that is possible; "
            "what was done so far is kept."
        ) from error


def digest_of(items: Sequence[LabelledVideo], root: str, options: RefitOptions) -> str:
    """Names the work: the same decisions, root and options have the same."""
    rows = [
        [
            item.video_id, item.sha256, item.posted.title, item.posted.caption, item.group,
            item.split, sorted(item.labels.items()), sorted(item.weights.items()),
            item.propensity, sorted(item.propensities.items()), sorted(item.corrected),
            item.language,
        ]
        for item in items
    ]  # fmt: skip
    body = json.dumps([RECIPE, root, options.to_json(), rows])
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


class Work:
    """The fits of one refit, a file each, named by what they were made from."""

    def __init__(self, folder: Path, digest: str):
        self._folder = folder / digest[:16]
        with room(folder):
            self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, policy: str, rows: str) -> Learnt | None:
        """A policy's fit where it was finished and can be read.

        Args:
            rows: Names the numbers that it was made from.
        """
        path = self._folder / f"{policy}.safetensors"
        try:
            with safe_open(path, framework="numpy") as file:
                body = json.loads(file.metadata()["fit"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return None if body["rows"] != rows else _learnt(body, arrays)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def put(self, policy: str, rows: str, learnt: Learnt) -> None:
        """Keep a policy's fit.

        Raises:
            TrainingError: The disk is full.
        """
        path = self._folder / f"{policy}.safetensors"
        partial = path.with_suffix(".part")
        body, arrays = _flat(learnt)
        with room(self._folder):
            try:
                save_file(arrays, partial, metadata={"fit": json.dumps({**body, "rows": rows})})
                os.replace(partial, path)
            except BaseException:
                with suppress(OSError):
                    partial.unlink()
                raise


def _flat(learnt: Learnt) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    filled = np.flatnonzero(learnt.solution.delta)
    body = {
        "pulls": learnt.plan.pulls,
        "slope": learnt.solution.slope,
        "shift": learnt.solution.shift,
        "loss": learnt.solution.loss,
        "width": len(learnt.solution.delta),
        "gain": learnt.gain,
        "gain_error": learnt.gain_error,
        "by_group": learnt.by_group,
    }
    arrays = {
        "filled": filled.astype(np.int64),
        "delta": learnt.solution.delta[filled],
        "logits": learnt.logits,
        "places": learnt.rows,
    }
    return body, arrays


def _learnt(body: dict[str, Any], arrays: dict[str, np.ndarray]) -> Learnt:
    delta = np.zeros(body["width"])
    delta[arrays["filled"]] = arrays["delta"]
    return Learnt(
        plan=Plan(tuple((name, pull) for name, pull in body["pulls"])),
        solution=Solution(body["slope"], body["shift"], delta, body["loss"]),
        logits=arrays["logits"],
        rows=arrays["places"],
        gain=body["gain"],
        gain_error=body["gain_error"],
        by_group=body["by_group"],
    )


def write_model(trained: Trained, folder: Path) -> str:
    """Write a model beside its place and then move it there: a folder is whole or absent.

    Returns:
        The version.

    Raises:
        TrainingError: The disk is full.
    """
    partial = folder.with_name(folder.name + ".part")
    with room(folder):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            version = save(trained, partial)
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(partial, folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return version
