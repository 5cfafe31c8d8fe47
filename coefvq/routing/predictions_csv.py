"""PREDICTIONS.csv: ``item_id,label,prefilter,mllm`` and optional columns, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError, did_you_mean
from coefvq.routing.predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("item_id", "label", "prefilter", "mllm")
COSTS = ("prefilter_cost", "mllm_cost")
FEATURE = "feature_"


def read_predictions(path: str | Path) -> Predictions:
    """Read a CSV file of predictions.

    Columns that are neither promised nor named ``feature_*`` are passed over.

    Raises:
        RoutingError: The file is missing, empty or breaks a rule; says which row and column.
    """
    import pandas as pd

    path = Path(path)
    try:
        table = pd.read_csv(path, dtype={"item_id": str}, keep_default_na=True, engine="c")
    except FileNotFoundError as error:
        raise RoutingError(f"{path.name}: there is no such file.") from error
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RoutingError(f"{path.name} cannot be read as CSV: {error}") from error
    try:
        return _predictions(table)
    except RoutingError as error:
        raise RoutingError(f"{path.name}: {error}") from error


def _predictions(table: pd.DataFrame) -> Predictions:
    _check_columns(table)
    ids = _ids(table)
    features = [name for name in table.columns if name.startswith(FEATURE)]
    extra = {name: _numbers(table, name) for name in COSTS if name in table}
    if "weight" in table:
        extra["weight"] = _numbers(table, "weight", empty=1.0)
    return Predictions.of(
        label=_numbers(table, "label"),
        prefilter=_numbers(table, "prefilter"),
        mllm=_numbers(table, "mllm"),
        item_id=ids,
        features={name[len(FEATURE) :]: _numbers(table, name) for name in features},
        **extra,
    )


def _check_columns(table: pd.DataFrame) -> None:
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        hint = did_you_mean(missing[0], [str(name) for name in table.columns] or ["none"])
        raise RoutingError(f"the column {missing[0]} is missing.{hint}")
    twice = [name for name in (*REQUIRED, *COSTS, "weight") if f"{name}.1" in table]
    if twice:
        raise RoutingError(f"the column {twice[0]} is there twice; keep one of them.")
    if len([name for name in COSTS if name in table]) == 1:
        raise RoutingError("prefilter_cost and mllm_cost come together; one of them is missing.")
    if not len(table):
        raise RoutingError("there is no row below the header.")


def _ids(table: pd.DataFrame) -> NDArray[np.object_]:
    ids = table["item_id"]
    if ids.isna().any():
        raise RoutingError(f"line {int(ids.isna().argmax()) + 2}: item_id is empty.")
    if ids.is_unique:
        return ids.to_numpy(dtype=object)
    twice = ids[ids.duplicated()]
    raise RoutingError(
        f"item_id must be unique: {twice.iloc[0]!r} is there more than once, in all "
        f"{len(twice)} row(s) repeat another. Keep one row an item."
    )


def _numbers(table: pd.DataFrame, name: str, empty: float | None = None) -> NDArray[np.float64]:
    """A column as floats; empty cells become NaN, or ``empty``."""
    import pandas as pd

    column = table[name]
    if column.dtype.kind in "fiu":
        values = column.to_numpy(dtype=np.float64)
    else:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
        wrong = np.isnan(values) & column.notna().to_numpy()
        if wrong.any():
            line = int(wrong.argmax())
            raise RoutingError(f"line {line + 2}: {name} is {column.iloc[line]!r}, not a number.")
    return values if empty is None else np.nan_to_num(values, nan=empty)
