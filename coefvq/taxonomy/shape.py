"""From whatever a page or a file sends to a document of the right types, texts trimmed."""

from __future__ import annotations

import unicodedata
from typing import Any

from coefvq.errors import SettingsError
from coefvq.taxonomy.read import Document, in_order

_LONGEST = 20_000  # of one text; far beyond every limit, so that the right message comes later
_MOST = 200  # of one list
_LONG = ("guideline", "notice")  # may have several lines
_HIDDEN = frozenset({"Cc", "Cs", "Co", "Cn"})


def shaped(given: object) -> Document:
    """Keep what a taxonomy has, and refuse what is of another type.

    Control characters and lone surrogates, which no store and no terminal can show, are left out.

    Raises:
        SettingsError: Names the field.
    """
    whole = _table(given, "The taxonomy")
    return {
        "tasks": [_task(row, f"tasks.{n}") for n, row in enumerate(_rows(whole, "tasks", ""))],
        "actions": [
            _action(row, f"actions.{n}") for n, row in enumerate(_rows(whole, "actions", ""))
        ],
    }


def _task(given: object, where: str) -> Document:
    row = _table(given, where)
    policies = _rows(row, "policies", where)
    return {
        "id": _text(row, "id", where),
        "name": _text(row, "name", where),
        "policies": [_policy(each, f"{where}.policies.{m}") for m, each in enumerate(policies)],
    }


def _policy(given: object, where: str) -> Document:
    row = _table(given, where)
    texts = {name: _text(row, name, where) for name in ("id", "name", "question", "guideline")}
    severity = row.get("severity")
    if isinstance(severity, bool) or not isinstance(severity, int):
        raise SettingsError(f"{where}.severity: a whole number is expected.")
    return texts | {
        "severity": severity,
        "modalities": in_order(_texts(row, "modalities", where)),
        "reasons": _texts(row, "reasons", where),
    }


def _action(given: object, where: str) -> Document:
    row = _table(given, where)
    flags = {}
    for name in ("violation", "default"):
        flags[name] = row.get(name, False)
        if not isinstance(flags[name], bool):
            raise SettingsError(f"{where}.{name}: true or false is expected.")
    names = {name: _text(row, name, where) for name in ("id", "name")}
    return names | flags | {"notice": _text(row, "notice", where)}


def _table(given: object, where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise SettingsError(f"{where}: an object is expected.")
    return given


def _rows(row: dict[str, Any], name: str, where: str) -> list[Any]:
    found = row.get(name)
    if not isinstance(found, list) or len(found) > _MOST:
        place = f"{where}.{name}".lstrip(".")
        raise SettingsError(f"{place}: a list of at most {_MOST} is expected.")
    return found


def _text(row: dict[str, Any], name: str, where: str) -> str:
    text = _plain(row.get(name, ""), f"{where}.{name}")
    return text if name in _LONG else " ".join(text.split())


def _texts(row: dict[str, Any], name: str, where: str) -> list[str]:
    found = (_plain(each, f"{where}.{name}") for each in _rows(row, name, where))
    return [" ".join(text.split()) for text in found]


def _plain(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise SettingsError(f"{where}: a text of at most {_LONGEST} characters is expected.")
    kept = (sign for sign in value if sign == "\n" or unicodedata.category(sign) not in _HIDDEN)
    return "".join(kept).strip()
