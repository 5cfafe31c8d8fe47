"""Lists of models for people: where each comes from, what the gate said, what is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from coefvq.domain import Stage
from coefvq.errors import ModelError, StoreError
from coefvq.learning.registry import folder_of, in_force
from coefvq.learning.shipped_models import shipped_covers, shipped_version
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import model_publications, trained_models
from coefvq.store.session import Store
from coefvq.store.tables import TrainedModelRow


@dataclass(frozen=True)
class ModelView:
    """One model of the registry, or one that came with the project.

    Attributes:
        parent: That it was made from; empty for a shipped one.
        snapshot_id: Of the labelled videos that it learnt from; ``None``: not known.
        code: Version and hash of the program that made it.
        card: Markdown.
        live, shadow: Whether it is in force, or scores beside the one in force.
        gate: Whether its newest gate report let it pass; ``None``: there is none.
        gate_against: What that report compared it with.
        problem: Why its files cannot be used; empty: they can, or nobody asked.
    """

    version: str
    stage: Stage
    parent: str
    shipped: bool
    covers: tuple[str, ...]
    snapshot_id: str | None = None
    run_id: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    card: str = ""
    made_by: str = ""
    made_at: datetime | None = None
    live: bool = False
    shadow: bool = False
    gate: bool | None = None
    gate_against: str | None = None
    problem: str = ""


def models(store: Store, settings: Settings, actor: Actor, check: bool = False) -> list[ModelView]:
    """Every model: those in force first, then the newest; the shipped ones last.

    Args:
        check: Look at each model's files, which reads all of them.

    Raises:
        NotAllowed: The actor is no lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        force = in_force(session)
        shadows = {row.version for row in model_publications.shadows(session).values()}
        rows = trained_models.all_models(session)
        reports = {row.version: trained_models.newest_report(session, row.version) for row in rows}
    found = [_view(row, force, shadows, reports[row.version]) for row in rows]
    found += [_shipped_view(stage, force) for stage in Stage]
    if check:
        found = [_checked(store, settings, view) for view in found]
    return sorted(found, key=lambda view: not view.live)


def model(store: Store, settings: Settings, actor: Actor, version: str) -> ModelView:
    """One model, its files checked.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such model.
    """
    for view in models(store, settings, actor):
        if view.version == version:
            return _checked(store, settings, view)
    raise StoreError(f"There is no model {version[:80]}. `coefvq models list` names them.")


def _view(
    row: TrainedModelRow, force: Mapping[Stage, str], shadows: set[str], report: Any
) -> ModelView:
    document = row.document
    return ModelView(
        version=row.version, stage=Stage(row.stage), parent=row.parent, shipped=False,
        covers=tuple(row.covers), snapshot_id=row.snapshot_id, run_id=row.run_id,
        metrics=document.get("metrics", {}), code=document.get("code", {}),
        card=document.get("card", ""), made_by=row.made_by, made_at=row.made_at,
        live=row.version in force.values(), shadow=row.version in shadows,
        gate=None if report is None else report.passed,
        gate_against=None if report is None else report.against,
    )  # fmt: skip


def _shipped_view(stage: Stage, force: Mapping[Stage, str]) -> ModelView:
    version = shipped_version(stage)
    covers = tuple(sorted(shipped_covers(stage)))
    return ModelView(
        version, stage, "", True, covers, live=version in force.values(),
        card=f"# {version}\n\nComes with the project: see docs/models.\n",
    )  # fmt: skip


def _checked(store: Store, settings: Settings, view: ModelView) -> ModelView:
    try:
        folder_of(store, settings, view.version)
    except ModelError as error:
        return replace(view, problem=str(error))
    return view
