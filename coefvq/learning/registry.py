"""The registry of models: where each comes from, and files that are what they were.

A candidate's files are copied into ``models/<version>`` of the data folder, whole or not at all,
before its row is written. A crash between the two leaves a folder that nothing names; the next
registration of the same model takes it over.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

import coefvq
from coefvq.domain import Stage
from coefvq.errors import ModelError, TrainingError
from coefvq.learning.candidate import Candidate
from coefvq.learning.model_card import model_card, plain
from coefvq.learning.model_files import check_folder, file_hash
from coefvq.learning.shipped_models import FOLDERS, shipped_covers, shipped_version, version_in
from coefvq.mllm.profiles import parse_profile
from coefvq.settings import Settings
from coefvq.store import assessments, model_publications, trained_models
from coefvq.store.session import Store
from coefvq.store.tables import SnapshotRow, TrainedModelRow

_VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{3,120}")
_DRAFT = ".new-"
_STALE_S = 24 * 3600.0
_SOURCES = {Stage.PREFILTER: ("learning", "prefilter"), Stage.MLLM: ("learning", "mllm")}


def register(
    store: Store,
    settings: Settings,
    actor_name: str,
    candidate: Candidate,
    *,
    snapshot_id: str | None,
    run_id: str | None = None,
) -> str:
    """Take a candidate into the registry; a second time changes nothing.

    Args:
        actor_name: Who asked for the training.
        snapshot_id: What it learnt from; ``None``: not known, and no gate lets it pass.

    Returns:
        Its version.

    Raises:
        ModelError: A file is not safetensors or JSON, is damaged, or calls itself otherwise.
        TrainingError: The disk is full, or the version is there with another content.
    """
    files = copy_in(settings, candidate)
    with store.write() as session:
        record(session, actor_name, candidate, files, snapshot_id=snapshot_id, run_id=run_id)
    return candidate.version


def copy_in(settings: Settings, candidate: Candidate) -> dict[str, str]:
    """Check a candidate's files and copy them to their place; ``record`` makes them known.

    Returns:
        SHA-256 by file name.

    Raises:
        ModelError, TrainingError: As ``register``.
    """
    _check_name(candidate)
    files = check_folder(candidate.folder)
    named = version_in(candidate.stage, candidate.folder)
    if named != candidate.version:
        raise ModelError(
            f"The files of {candidate.version} call themselves {named[:80]}. Train it again."
        )
    place = settings.models_dir / candidate.version
    if place.is_dir() and _differs(place, files) is None:
        return files
    try:
        _place(candidate.folder, place, files)
    except OSError as error:
        raise TrainingError(
            f"The model could not be copied to {settings.models_dir}: {error.strerror or error}. "
            "Make room there and register it again; the training's work is kept."
        ) from error
    return files


def record(
    session: Session,
    actor_name: str,
    candidate: Candidate,
    files: Mapping[str, str],
    *,
    snapshot_id: str | None,
    run_id: str | None = None,
) -> TrainedModelRow:
    """Write the row of a model whose files ``copy_in`` has placed, in a transaction at hand.

    Raises:
        TrainingError: The version is there with another content, or there is no such snapshot.
    """
    known = trained_models.find(session, candidate.version)
    if known is not None:
        if dict(known.files) != dict(files):
            raise TrainingError(
                f"{candidate.version} is in the registry with other files. A version is final: "
                "train again with another seed or other options."
            )
        return known
    if snapshot_id is not None and session.get(SnapshotRow, snapshot_id) is None:
        raise TrainingError(f"There is no snapshot {snapshot_id[:16]} that it could come from.")
    code = code_version(candidate.stage)
    document = {
        "metrics": plain(candidate.metrics),
        "options": plain(candidate.options),
        "code": code,
        "card": model_card(candidate, files, snapshot_id, code),
    }
    row = TrainedModelRow(
        version=candidate.version, stage=candidate.stage.value, parent=candidate.parent,
        snapshot_id=snapshot_id, run_id=run_id, files=dict(files), covers=sorted(candidate.covers),
        document=document, made_by=actor_name,
    )  # fmt: skip
    return trained_models.add(session, row)


def folder_of(store: Store, settings: Settings, version: str) -> Path:
    """Where a model's files lie, each checked against its hash.

    Raises:
        ModelError: A file is missing or changed, by name; or there is no such model.
    """
    stage = shipped_stage(version)
    if stage is not None:
        return FOLDERS[stage]
    with store.read() as session:
        row = trained_models.find(session, version)
    if row is None:
        raise ModelError(f"There is no model {version[:80]} in the registry of this store.")
    place = settings.models_dir / version
    why = _differs(place, row.files)
    if why is not None:
        raise ModelError(
            f"The model {version} in {place} is not what was registered: {why}. It is not used. "
            "Put the folder back from a backup, roll back, or train again."
        )
    return place


def in_force(session: Session) -> dict[Stage, str]:
    """The version in force by stage: what was promoted last, else the one that is shipped.

    Raises:
        ModelError: A shipped model's description is missing.
    """
    published = model_publications.live(session)
    return {stage: published.get(stage.value) or shipped_version(stage) for stage in Stage}


def serving(session: Session, settings: Settings) -> dict[Stage, str]:
    """The versions that answer: ``in_force``, or the MLLM of another backend where one is set.

    That one is known by its newest answer; before its first it has no name here.
    """
    found = in_force(session)
    if parse_profile(settings.mllm).kind != "embedded":
        found[Stage.MLLM] = assessments.newest_version(session, Stage.MLLM) or "not asked yet"
    return found


def stage_of(session: Session, version: str) -> Stage:
    """Which of the two models a version is.

    Raises:
        StoreError: There is no such model.
    """
    shipped = shipped_stage(version)
    return shipped or Stage(trained_models.get(session, version).stage)


def covers_of(session: Session, version: str) -> frozenset[str]:
    """Policies that a model answers.

    Raises:
        StoreError: There is no such model.
    """
    shipped = shipped_stage(version)
    if shipped is not None:
        return shipped_covers(shipped)
    return frozenset(trained_models.get(session, version).covers)


def shipped_stage(version: str) -> Stage | None:
    """The stage of a shipped model; ``None``: it did not come with the project."""
    return next((stage for stage in Stage if shipped_version(stage) == version), None)


@cache
def code_version(stage: Stage) -> dict[str, str]:
    """Version of the program and a hash of the sources that make a model of this stage."""
    root, found = Path(coefvq.__file__).parent, hashlib.sha256()
    for name in _SOURCES[stage]:
        for path in sorted((root / name).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return {"program": coefvq.__version__, "sources": found.hexdigest()[:16]}


def _check_name(candidate: Candidate) -> None:
    if _VERSION.fullmatch(candidate.version) is None:
        raise ModelError(f"{candidate.version[:80]!r} is no name of a model version.")
    if shipped_stage(candidate.version) is not None:
        raise TrainingError(
            f"The training gave {candidate.version} itself, the model that comes with the project: "
            "it has learnt nothing new."
        )


def _place(source: Path, place: Path, files: Mapping[str, str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep(place.parent)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=place.parent))
    try:
        for name, digest in files.items():
            _copy(source / name, draft / name)
            if file_hash(draft / name) != digest:
                raise ModelError(f"{name} changed while it was copied. Register it again.")
        if place.exists():  # what a crash or a stranger left: no row names it, or it is damaged
            place.rename(Path(tempfile.mkdtemp(prefix=_DRAFT, dir=place.parent)) / "old")
        draft.chmod(0o755)
        draft.rename(place)
        _sync(place.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("xb") as write:
        shutil.copyfileobj(read, write)
        write.flush()
        os.fsync(write.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Take away what crashed copies left long ago."""
    for path in folder.glob(f"{_DRAFT}*"):
        if time.time() - path.stat().st_mtime > _STALE_S:
            shutil.rmtree(path, ignore_errors=True)


def _differs(place: Path, files: Mapping[str, str]) -> str | None:
    """Why a folder is not what it should be."""
    for name, digest in files.items():
        path = place / name
        if path.is_symlink() or not path.is_file():
            return f"{name} is missing"
        try:
            if file_hash(path) != digest:
                return f"{name} was changed"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    more = sorted({path.name for path in place.iterdir()} - files.keys())
    return f"{more[0][:80]} does not belong to it" if more else None
