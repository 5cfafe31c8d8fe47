"""The gate: a candidate beside the model in force, on videos that it did not learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coefvq import taxonomy
from coefvq.domain import Stage
from coefvq.errors import ModelError, StoreError, TrainingError
from coefvq.learning.dataset.items import LabelledVideo, Signals
from coefvq.learning.gate import answers
from coefvq.learning.gate.case import Case, Found
from coefvq.learning.gate.choose import Chosen, choose
from coefvq.learning.gate.judge import judge
from coefvq.learning.gate.limits import Limits
from coefvq.learning.gate.report import GateReport
from coefvq.learning.gate.sheet import Sheet
from coefvq.learning.gate.slices import slices_of
from coefvq.learning.gate.stages import Desk, escalated
from coefvq.learning.gate.tasks import Pair, compare_task, task_rows
from coefvq.learning.model_files import not_finite
from coefvq.learning.monitor import Monitor, Quiet
from coefvq.learning.pair import fit_pair
from coefvq.learning.registry import folder_of
from coefvq.settings import Settings
from coefvq.store import trained_models
from coefvq.store.session import Store

if TYPE_CHECKING:
    from coefvq.learning.dataset.snapshot import Snapshot

MOST = {Stage.PREFILTER: 20_000, Stage.MLLM: 400}
"""Videos that a candidate is shown: an answer of the MLLM takes a second, and there are two."""
MOST_CALLS = 200
"""Calls of the MLLM in force that a prefilter's gate makes for videos that it never saw."""


def run_gate(
    store: Store,
    settings: Settings,
    version: str,
    *,
    snapshot: Snapshot | None = None,
    monitor: Monitor = Quiet(),  # noqa: B008 - it has no state
    signals: Signals | None = None,
    limits: Limits | None = None,
) -> GateReport:
    """Compare a candidate with the model in force for its stage, and keep the report.

    Args:
        version: Of the registry.
        snapshot: Whose held-out videos are judged on; ``None``: the newest one. Random audits that
            people decided since are judged on as well.
        signals: What the models are shown; ``None``: what the store has, or extracts.

    Returns:
        The report. A candidate whose files are damaged, or that nothing can be told of, is refused
        by its report, not by an error.

    Raises:
        StoreError: There is no such model or snapshot.
        TrainingError: It is in force already, or the model in force cannot be compared with.
        TrainingStopped: Somebody stopped it; the MLLM's answers are kept.
    """
    case = Case.of(store, settings, version, limits or Limits())
    found = _examined(case, snapshot, signals, monitor)
    document = found.document(case)
    with store.write() as session:
        row = trained_models.add_report(
            session, version, case.against, not found.reasons, document, found.reasons
        )
    return GateReport(
        row.id, version, case.stage, case.against, row.passed, tuple(found.reasons), document
    )


def report_of(store: Store, version: str, against: str | None = None) -> GateReport | None:
    """The newest kept report of a candidate; ``None`` where there is none."""
    with store.read() as session:
        row = trained_models.newest_report(session, version, against)
    if row is None:
        return None
    stage, reasons = Stage(row.document["stage"]), tuple(row.document["reasons"])
    return GateReport(row.id, version, stage, row.against, row.passed, reasons, row.document)


def _examined(
    case: Case, snapshot: Snapshot | None, signals: Signals | None, monitor: Monitor
) -> Found:
    found = Found()
    folders = _folders(case, found)
    if folders is None:
        return found
    chosen = _chosen(case, snapshot, found)
    if chosen is None:
        return found
    models = _models(case, folders, found)
    if models is None:
        return found
    desk = Desk(case.store, case.settings, signals or _signals(case), monitor)
    _compare(case, chosen, models, desk, found)
    return found


def _folders(case: Case, found: Found) -> tuple[Path, Path] | None:
    """Both models' folders; a damaged candidate is refused here."""
    try:
        old = folder_of(case.store, case.settings, case.against)
    except ModelError as error:
        raise TrainingError(
            f"The model in force cannot be compared with: {error} Roll back first."
        ) from error
    try:
        new = folder_of(case.store, case.settings, case.version)
    except ModelError as error:
        found.reasons.append(str(error))
        return None
    bad = not_finite(new)
    if bad:
        found.reasons.append(
            f"{len(bad)} of its tensors hold values that are no numbers (NaN or infinity), first "
            f"{bad[0]}."
        )
    lost = sorted(case.covered - case.covers)
    if lost:
        found.reasons.append(
            f"It does not answer {', '.join(lost)}, which the model in force answers."
        )
    return None if bad else (old, new)


def _chosen(case: Case, snapshot: Snapshot | None, found: Found) -> Chosen | None:
    """The videos to judge on; ``None``: it is not known what the candidate learnt from."""
    if case.snapshot_id is None:
        found.reasons.append(
            "Nobody knows what it learnt from, so no video can be trusted to be new to it. Train "
            "it from a snapshot."
        )
        return None
    from coefvq.learning.dataset.read import read_snapshot

    try:
        learnt = read_snapshot(case.store, case.settings, case.snapshot_id)
    except StoreError as error:
        found.reasons.append(f"What it learnt from cannot be read: {error}")
        return None
    held_out = snapshot or _newest(case) or learnt
    found.snapshot = {"id": held_out.id, "number": held_out.number}
    chosen = choose(held_out.items, _now(case), learnt.items, MOST[case.stage])
    found.chosen = chosen
    if chosen.overlap:
        found.reasons.append(
            f"{len(chosen.overlap):,} of the held-out videos taught it, first {chosen.overlap[0]}: "
            "nothing can be told from them. Train again from a new snapshot."
        )
        return None
    if chosen.of > len(chosen.items):
        found.notes.append(
            f"{len(chosen.items):,} of {chosen.of:,} held-out videos were shown: the MLLM takes a "
            "second each."
        )
    return chosen


def _newest(case: Case) -> Snapshot | None:
    from coefvq.learning.dataset.read import list_snapshots, read_snapshot
    from coefvq.review.access import LOCAL

    rows = list_snapshots(case.store, LOCAL)
    return read_snapshot(case.store, case.settings, rows[0].id) if rows else None


def _now(case: Case) -> Iterable[LabelledVideo]:
    """What is labelled at this moment, for audits that are newer than every snapshot."""
    from coefvq.learning.dataset.make import items_now

    with case.store.read() as session:
        return items_now(session)


def _models(case: Case, folders: tuple[Path, Path], found: Found) -> tuple[Any, Any] | None:
    old = answers.load(case.settings, case.stage, folders[0])
    try:
        new = answers.load(case.settings, case.stage, folders[1])
        if case.stage is Stage.MLLM:
            new.scorer()
    except Exception as error:  # whatever a damaged file makes torch throw
        found.reasons.append(f"It cannot be loaded: {str(error)[:300]}")
        return None
    if new.version != case.version:
        found.reasons.append(f"Its files call themselves {str(new.version)[:80]}.")
        return None
    missing = sorted(case.covers - new.covers)
    if missing:
        found.reasons.append(f"It was said to answer {', '.join(missing)}, and does not.")
    return old, new


def _signals(case: Case) -> Signals:
    from coefvq.learning.dataset.signals import StoreSignals

    return StoreSignals(case.store, case.settings)


def _compare(
    case: Case,
    chosen: Chosen,
    models: tuple[Any, Any],
    desk: Desk,
    found: Found,
) -> None:
    books = [
        answers.Book(case.settings, name) if case.stage is Stage.MLLM else None
        for name in (case.against, case.version)
    ]
    _warm_up(case, models, chosen.items)
    said = answers.ask(models, case.stage, chosen.items, desk.signals, desk.monitor, books)
    found.unreadable = said.unreadable
    if said.unreadable:
        found.notes.append(f"{said.unreadable:,} videos were left out: their files are gone.")
    slices = slices_of(case.store, said.items)
    sheet = Sheet.of(said.items, said.answers[0], said.answers[1], slices)
    desk.monitor.progress(len(said.items), len(said.items), "judging")
    found.judgement = judge(sheet, case.cuts(), case.limits)
    found.reasons += found.judgement.reasons
    _in_cascade(case, said, models, desk, found)


def _warm_up(case: Case, models: tuple[Any, Any], items: Sequence[LabelledVideo]) -> None:
    """The first answer of a model takes longer than all others."""
    if case.stage is Stage.PREFILTER and items:
        for model in models:
            model.assess(None, items[0].posted)


def _in_cascade(
    case: Case,
    said: answers.Said,
    models: tuple[Any, Any],
    desk: Desk,
    found: Found,
) -> None:
    """Judge the tasks, both stages together, under the routing in force."""
    if not said.items:
        return
    pairs = _pairs(case, said, models, desk, found)
    infos, rules = desk.infos(said.items), case.rules()
    for task in taxonomy.tasks():
        old, new = (task_rows(task, said.items, pair, infos) for pair in pairs)
        if not len(old):
            continue
        row, reasons = compare_task(rules[task], old, new, case.limits)
        found.tasks.append(row)
        found.notes += _surer(row, case.limits) if not reasons else []
        found.reasons += reasons


def _surer(row: Mapping[str, Any], limits: Limits) -> list[str]:
    """What a lead must know where a better model sends less to the MLLM and to people."""
    rose = row["difference"]["miss_rate"]
    if rose["low"] is None or rose["low"] <= 0 or rose["value"] <= limits.miss:
        return []
    old, new = row["old"], row["new"]
    return [
        f"Task {row['task']}: with it fewer videos go to the MLLM or to a person, and at the same "
        f"thresholds {new['miss_rate']['value']:.1%} of the violations pass, "
        f"{old['miss_rate']['value']:.1%} now. Publish routing with another budget if that is too "
        "much."
    ]


def _pairs(
    case: Case, said: answers.Said, models: tuple[Any, Any], desk: Desk, found: Found
) -> tuple[Pair, Pair]:
    """The models in force, and the same with the candidate in its place."""
    old, new = said.answers
    if case.stage is Stage.PREFILTER:
        mine = answers.covered([*old, *new]) | case.covered | case.covers
        firsts = [desk.firsts(said.items, row, mine) for row in (old, new)]
        wanted = [
            escalated(said.items, model, first, case.rules())
            for model, first in zip(models, firsts, strict=True)
        ]
        second, note = desk.seconds(said.items, case.other, wanted[0] | wanted[1], MOST_CALLS)
        found.notes += [note] if note else []
        fitted = fit_pair((case.version, case.other), said.items, firsts[1], second)
        return (
            Pair(models[0], firsts[0], second),
            Pair(models[1], firsts[1], second, fitted.by_item),
        )
    model = desk.model(Stage.PREFILTER, case.other)
    asked = answers.ask([model], Stage.PREFILTER, said.items, desk.signals, desk.monitor)
    first = desk.firsts(said.items, asked.answers[0], frozenset(model.covers))
    fitted = fit_pair((case.other, case.version), said.items, first, new)
    return Pair(model, first, old), Pair(model, first, new, fitted.by_item)
