"""Labelled history of one task: what both stages said, and what people said."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import RoutingError, did_you_mean

Vector = NDArray[np.float64]
OPTIONAL = ("prefilter_cost", "mllm_cost", "weight", "features")


@dataclass(frozen=True)
class Predictions:
    """One row an item; all arrays have n rows.

    Attributes:
        item_id: Unique names.
        label: 1 = violation, 0 = not; the answer of people.
        prefilter: The prefilter's score, any scale, higher = more likely a violation.
        mllm: The MLLM's score, any scale; NaN where it was not run.
        prefilter_cost: Cost of the first stage on the item, >= 0, any unit.
        mllm_cost: Cost of the second stage on the item, same unit.
        weight: How many items of the traffic the row stands for (1 / propensity), > 0.
        features: (n, k) whatever else is known before the MLLM runs; NaN = absent.
        feature_names: k names without the prefix ``feature_``.
        costs_given: False where no costs were stated: an MLLM call counts 1, the prefilter 0.
    """

    item_id: NDArray[Any]
    label: NDArray[np.int8]
    prefilter: Vector
    mllm: Vector
    prefilter_cost: Vector
    mllm_cost: Vector
    weight: Vector
    features: Vector
    feature_names: tuple[str, ...] = ()
    costs_given: bool = False

    @classmethod
    def of(
        cls, label: Any, prefilter: Any, mllm: Any, item_id: Any = None, **columns: Any
    ) -> Predictions:
        """Build from arrays; what is left out gets its default.

        Args:
            columns: ``prefilter_cost``, ``mllm_cost``, ``weight``, and ``features`` as a dict of
                name to (n,) values.

        Raises:
            RoutingError: For arrays of unequal length, values that cannot be used, or a column
                of another name.
        """
        unknown = [name for name in columns if name not in OPTIONAL]
        if unknown:
            raise RoutingError(
                f"There is no column {unknown[0]}.{did_you_mean(unknown[0], OPTIONAL)}"
            )
        y = np.asarray(label)
        n, is_violation = len(y), y == 1
        features = {
            k: np.asarray(v, float) for k, v in (columns.pop("features", None) or {}).items()
        }
        made = cls(
            item_id=np.arange(n).astype(str) if item_id is None else np.asarray(item_id),
            label=np.asarray(is_violation, dtype=np.int8),
            prefilter=np.asarray(prefilter, float),
            mllm=np.asarray(mllm, float),
            prefilter_cost=np.asarray(columns.get("prefilter_cost", np.zeros(n)), float),
            mllm_cost=np.asarray(columns.get("mllm_cost", np.ones(n)), float),
            weight=np.asarray(columns.get("weight", np.ones(n)), float),
            features=_stacked(features, n),
            feature_names=tuple(features),
            costs_given="mllm_cost" in columns,
        )
        made._check(y)
        return made

    def __len__(self) -> int:
        return len(self.label)

    @property
    def violations(self) -> int:
        """Rows labelled 1."""
        return int(self.label.sum())

    @property
    def has_mllm(self) -> NDArray[np.bool_]:
        """(n,) where the MLLM was run."""
        return ~np.isnan(self.mllm)

    @property
    def weighted(self) -> bool:
        """Whether the rows count differently."""
        return bool(len(self) and np.ptp(self.weight) > 0)

    @property
    def digest(self) -> str:
        """Names the content whatever the order of rows: 12 hex digits."""
        order = np.argsort(self.item_id, kind="stable")
        found = hashlib.sha256()
        for column in (self.label, self.prefilter, self.mllm, self.weight, self.features):
            found.update(np.ascontiguousarray(column[order]).tobytes())
        return found.hexdigest()[:12]

    def take(self, index: NDArray[Any]) -> Predictions:
        """Rows by position or mask."""
        rows = ("item_id", "label", "prefilter", "mllm", "prefilter_cost", "mllm_cost", "weight")
        return replace(self, **{k: getattr(self, k)[index] for k in (*rows, "features")})

    def feature_matrix(self, names: tuple[str, ...]) -> Vector:
        """(n, len(names)) in the order asked for.

        Raises:
            RoutingError: A name is not there.
        """
        missing = [name for name in names if name not in self.feature_names]
        if missing:
            listed = ", ".join(f"feature_{name}" for name in missing)
            raise RoutingError(f"The predictions lack {listed}, which the routing policy reads.")
        return self.features[:, [self.feature_names.index(name) for name in names]]

    def _check(self, raw_label: NDArray[Any]) -> None:
        n = len(self)
        for name in ("item_id", "prefilter", "mllm", "prefilter_cost", "mllm_cost", "weight"):
            if getattr(self, name).shape != (n,):
                raise RoutingError(f"{name} must have {n} values, one a label.")
        known = (raw_label == 0) | (raw_label == 1)
        _refuse(~np.asarray(known, dtype=bool), self.item_id, "label must be 0 or 1")
        _refuse(~np.isfinite(self.prefilter), self.item_id, "prefilter must be a finite number")
        _refuse(np.isinf(self.mllm), self.item_id, "mllm must be finite, or empty where not run")
        for name in ("prefilter_cost", "mllm_cost"):
            values = getattr(self, name)
            _refuse(~(np.isfinite(values) & (values >= 0)), self.item_id, f"{name} must be >= 0")
        _refuse(~(np.isfinite(self.weight) & (self.weight > 0)), self.item_id, "weight must be > 0")
        endless = np.asarray(np.isinf(self.features).any(1))
        _refuse(endless, self.item_id, "features must be finite, or empty")


def _stacked(features: dict[str, Vector], n: int) -> Vector:
    for name, values in features.items():
        if values.shape != (n,):
            raise RoutingError(f"features must have {n} values, one a label; {name} has not.")
    return np.stack(list(features.values()), 1) if features else np.empty((n, 0))


def _refuse(bad: NDArray[np.bool_], item_id: NDArray[Any], rule: str) -> None:
    if bad.any():
        first = ", ".join(str(name) for name in item_id[bad][:3])
        raise RoutingError(f"{rule}: {int(bad.sum())} row(s) break this, first: {first}.")
