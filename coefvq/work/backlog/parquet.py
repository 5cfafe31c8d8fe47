"""Parquet by pyarrow, which only backlogs and exports need."""

from __future__ import annotations

from typing import Any

from coefvq.errors import SettingsError


def pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise SettingsError("Parquet needs pyarrow: pip install pyarrow") from error
    return pyarrow, pyarrow.parquet
