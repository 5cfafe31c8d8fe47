"""Read a CSV of corrections: rows to decisions, and refused rows by their line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from coefvq import taxonomy
from coefvq.errors import CoefVQError, ExportError
from coefvq.export.cells import unguard
from coefvq.export.imports import LABELS, Refused, Result, Told, check_policy
from coefvq.export.records import Machine
from coefvq.export.wanted import IMPORTED

NEEDED = ("task", "policy", "label")
NAMED = ("video_id", "video_sha256", "path")
LONGEST_LINE = 1 << 20
"""Characters of a line; a longer one is refused and not kept in memory."""
MOST_ROWS = 5_000_000
_COMMON = (*NAMED, "task", "reviewer", "role", "decided_at")
_STAGES = frozenset({"prefilter", "mllm"})
_TRUE, _FALSE = frozenset({"1", "true"}), frozenset({"", "0", "false"})

Row = dict[str, str]
Key = tuple[str, ...]


def read_csv(path: Path, result: Result) -> Iterator[Told]:
    """Yield the decisions of a file; rows that cannot be read go to ``result``.

    Rows of one decision need not stand together: what video, task, reviewer, role and moment have
    in common is one.

    Raises:
        ExportError: The file is missing, is no CSV in UTF-8, or lacks a column.
    """
    found: dict[Key, list[tuple[int, Row]]] = {}
    for line, row in _rows(path, result):
        key = tuple(
            row.get(name, "") for name in (*NAMED, "task", "reviewer", "role", "decided_at")
        )
        found.setdefault(key, []).append((line, row))
    while found:
        yield from _decision(found.pop(next(iter(found))), result)


def _rows(path: Path, result: Result) -> Iterator[tuple[int, Row]]:
    try:
        with path.open("rb") as raw:
            if raw.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise ExportError(f"{path.name} is not in UTF-8. Save it as 'CSV UTF-8'.")
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(_bounded(file, result))
            columns = _columns(path, reader)
            yield from _cells(reader, columns, result)
    except FileNotFoundError:
        raise ExportError(f"No such file: {path}") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}.") from error


def _bounded(file, result: Result) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """The lines of a file; one that is too long becomes an empty one."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) <= LONGEST_LINE:
            yield line
            continue
        while line and not line.endswith("\n"):
            line = file.readline(LONGEST_LINE)
        result.refuse([number], f"The line is longer than {LONGEST_LINE:,} characters.")
        yield "\n"


def _columns(path: Path, reader) -> list[str]:  # type: ignore[no-untyped-def]
    try:
        columns = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise ExportError(f"{path.name} is no CSV file: {error}.") from error
    missing = [name for name in NEEDED if name not in columns]
    if missing or not set(NAMED) & set(columns):
        raise ExportError(
            f"{path.name} lacks columns: {', '.join(NEEDED)} and one of {', '.join(NAMED)} are "
            "needed in the first line."
        )
    return columns


def _cells(reader, columns: list[str], result: Result) -> Iterator[tuple[int, Row]]:  # type: ignore[no-untyped-def]
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            result.refuse([line], f"It cannot be read: {error}.")
            continue
        if not any(cells):
            continue
        if line > MOST_ROWS:
            raise ExportError(f"The file has more than {MOST_ROWS:,} lines. Split it.")
        row = {name: unguard(cell) for name, cell in zip(columns, cells, strict=False)}
        broken = any("\udc80" <= character <= "\udcff" for cell in cells for character in cell)
        if len(cells) > len(columns) or broken:
            why = "It is not in UTF-8." if broken else "It has more cells than the first line."
            result.refuse([line], why)
            continue
        yield line, {name: value for name, value in row.items() if value.strip()}


def _decision(rows: list[tuple[int, Row]], result: Result) -> Iterator[Told]:
    labels: dict[str, str] = {}
    reasons: dict[str, str] = {}
    machine: dict[str, Machine] = {}
    lines: list[int] = []
    first: Row = {}
    for line, row in rows:
        try:
            policy = _check_row(row, labels)
            machine[policy] = _machine(row)
            _common(row)
        except CoefVQError as error:
            result.refuse([line], str(error))
            continue
        labels[policy] = row["label"].strip()
        if row.get("reason"):
            reasons[policy] = row["reason"].strip()
        first = {**row, **first}
        lines.append(line)
    if labels:
        yield _told(first, tuple(lines), labels, reasons, machine)


def _told(
    row: Row, lines: tuple[int, ...], labels: dict[str, str], reasons: dict[str, str],
    machine: dict[str, Machine],
) -> Told:  # fmt: skip
    start_s, end_s, at, propensity = _common(row)
    return Told(
        lines, {name: row[name].strip() for name in NAMED if name in row}, row["task"].strip(),
        labels, row.get("reviewer", IMPORTED).strip(), row.get("role", IMPORTED).strip(), reasons,
        row.get("comment", ""), start_s, end_s, at, propensity, _flag(row, "audit"),
        row.get("taxonomy_version"), machine,
    )  # fmt: skip


def _check_row(row: Row, before: dict[str, str]) -> str:
    for name in NEEDED:
        if name not in row:
            raise Refused(f"{name} is empty.")
    if not set(NAMED) & set(row):
        raise Refused(f"One of {', '.join(NAMED)} is needed.")
    policy, label = row["policy"].strip(), row["label"].strip()
    check_policy(taxonomy.in_force(), row["task"].strip(), policy)
    if label not in LABELS:
        raise Refused(f"label is '{label[:40]}': violation or ok is expected.")
    if before.get(policy, label) != label:
        raise Refused(f"An earlier line of the same decision says {before[policy]} on {policy}.")
    return policy


def _machine(row: Row) -> Machine:
    label, stage = row.get("machine_label"), row.get("stage")
    probability = _number(row, "machine_probability", 1.0)
    if label is not None and label not in LABELS:
        raise Refused(f"machine_label is '{label[:40]}': violation, ok or nothing is expected.")
    if stage is not None and stage not in _STAGES:
        raise Refused(f"stage is '{stage[:40]}': prefilter, mllm or nothing is expected.")
    return Machine(label, probability, stage)


def _common(row: Row) -> tuple[float | None, float | None, datetime | None, float]:
    propensity = _number(row, "propensity", 1.0)
    if propensity == 0.0:
        raise Refused("propensity is 0: what is never drawn is not in a file.")
    _flag(row, "audit")
    start_s, end_s = _number(row, "start_s"), _number(row, "end_s")
    return start_s, end_s, _moment(row), 1.0 if propensity is None else propensity


def _number(row: Row, name: str, most: float = 1e9) -> float | None:
    text = row.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= most:
        raise Refused(f"{name} is '{text[:40]}': a number from 0 to {most:g} is expected.")
    return value


def _moment(row: Row) -> datetime | None:
    text = row.get("decided_at")
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused(f"decided_at is '{text[:40]}': 2026-11-23T09:00Z is expected.") from None
    if moment.tzinfo is None:
        raise Refused(f"decided_at is '{text[:40]}' without a zone: write 2026-11-23T09:00Z.")
    return moment


def _flag(row: Row, name: str) -> bool:
    text = row.get(name, "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise Refused(f"{name} is '{text[:40]}': 1 or 0 is expected.")
    return text in _TRUE
