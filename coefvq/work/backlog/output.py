"""Where a backlog's results go: whole Parquet parts, each written once, and what is done."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coefvq.errors import SettingsError
from coefvq.work.backlog.items import BacklogItem
from coefvq.work.backlog.parquet import pyarrow
from coefvq.work.backlog.rows import ERROR_FIELDS, result_fields

NOTE = "backlog.json"
SCORES, ERRORS = "scores", "errors"


class Output:
    """A folder of parts. A part appears whole or not at all, so a killed run loses its last one.

    Args:
        folder: Made where missing; one that holds another backlog is refused.
        items: Of this backlog.

    Raises:
        SettingsError: The folder holds something else.
    """

    def __init__(self, folder: Path, items: Sequence[BacklogItem]):
        self.folder = folder
        for name in (SCORES, ERRORS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._claim(items)
        for left in folder.glob("*/.part-*"):
            left.unlink(missing_ok=True)

    def done(self, *, failed: bool = True) -> set[str]:
        """Keys that have a result; with ``failed`` also those that have an error."""
        kinds = (SCORES, ERRORS) if failed else (SCORES,)
        return {key for kind in kinds for key in self._keys(kind)}

    def write(self, scores: Sequence[dict[str, Any]], errors: Sequence[dict[str, Any]]) -> None:
        """Keep one part's results and its errors."""
        if scores:
            self._part(SCORES, result_fields(), scores)
        if errors:
            self._part(ERRORS, ERROR_FIELDS, errors)

    def drop_errors(self) -> None:
        """Forget what failed, so that it is tried again."""
        for path in (self.folder / ERRORS).glob("*.parquet"):
            path.unlink()

    def _claim(self, items: Sequence[BacklogItem]) -> None:
        mine = hashlib.sha256("\n".join(sorted(item.key for item in items)).encode()).hexdigest()
        note = self.folder / NOTE
        if note.is_file():
            if json.loads(note.read_text(encoding="utf-8")).get("items_sha256") != mine:
                raise SettingsError(
                    f"{self.folder} holds the results of another backlog. Give another OUTPUT."
                )
            return
        if next(self.folder.glob("*/*.parquet"), None) is not None:
            raise SettingsError(f"{self.folder} is not empty. Give another OUTPUT.")
        body = {"items": len(items), "items_sha256": mine}
        note.write_text(json.dumps(body) + "\n", encoding="utf-8")

    def _keys(self, kind: str) -> Iterable[str]:
        _, pq = pyarrow()
        for path in sorted((self.folder / kind).glob("*.parquet")):
            yield from pq.read_table(path, columns=["key"])["key"].to_pylist()

    def _part(self, kind: str, fields: Mapping[str, str], rows: Sequence[dict[str, Any]]) -> None:
        pa, pq = pyarrow()
        schema = pa.schema([(name, _type(pa, text)) for name, text in fields.items()])
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
        name = hashlib.sha256("\n".join(str(row["key"]) for row in rows).encode()).hexdigest()[:16]
        part = self.folder / kind / f".part-{os.getpid()}-{name}"
        pq.write_table(table, part)
        os.replace(part, self.folder / kind / f"{name}.parquet")


def _type(pa: Any, name: str) -> Any:
    return pa.list_(pa.string()) if name == "list<string>" else pa.type_for_alias(name)
