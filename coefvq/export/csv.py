"""Corrections as CSV: the columns that the import reads too."""

from __future__ import annotations

import csv
import os
from dataclasses import astuple, dataclass
from pathlib import Path

from coefvq.export.card import Tally, render
from coefvq.export.cells import cell
from coefvq.export.corrections import COLUMNS, decided, left_out
from coefvq.export.pseudonyms import Naming, by_name
from coefvq.store.session import Store
from coefvq.store.tables import utcnow

FILE_NAME = "corrections.csv"
CARD_NAME = "dataset_card.md"


@dataclass(frozen=True)
class Report:
    """What an export wrote. ``message`` is one line for people."""

    files: tuple[Path, ...]
    decisions: int
    corrections: int
    rows: int
    message: str


def export_csv(
    store: Store,
    out_dir: Path | str,
    media_dir: Path | None = None,
    *,
    naming: Naming,
) -> Report:
    """Write ``corrections.csv`` and ``dataset_card.md`` into a folder, made where missing.

    Files of an earlier export are replaced whole, never left half written. Without any
    decision only the card is written, and an old ``corrections.csv`` goes.

    Args:
        media_dir: The media folder, for full paths in the ``path`` column.
        naming: From a reviewer's name to what is written: ``pseudonyms`` of the data folder, or
            ``by_name``.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    table = folder / FILE_NAME
    unfinished = folder / f".{FILE_NAME}.part"
    _write_rows(store, unfinished, media_dir, naming, tally)
    tally.left_out = left_out(store)
    if tally.decisions:
        os.replace(unfinished, table)
    else:
        unfinished.unlink()
        table.unlink(missing_ok=True)
    files = ((table,) if tally.decisions else ()) + (folder / CARD_NAME,)
    card = render(tally, [path.name for path in files], utcnow(), names=naming is by_name)
    (folder / CARD_NAME).write_text(card, encoding="utf-8")
    return Report(files, tally.decisions, tally.corrections, tally.rows, _message(tally, folder))


def _write_rows(
    store: Store, path: Path, media_dir: Path | None, naming: Naming, tally: Tally
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for each in decided(store, media_dir, naming):
            tally.add(each)
            writer.writerows([cell(value) for value in astuple(row)] for row in each.rows)


def _message(tally: Tally, folder: Path) -> str:
    if tally.decisions:
        said = (
            f"{tally.decisions} decisions ({tally.corrections} corrections), {tally.rows} rows "
            f"in {folder / FILE_NAME}."
        )
    else:
        said = f"No decision to export yet; wrote the card to {folder / CARD_NAME}."
    return said + (f" {tally.left_out_words()}" if tally.left_out else "")
