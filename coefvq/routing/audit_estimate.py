"""Unbiased rates from labels that exist for people's cases and for random audits only.

Within each outcome (auto_pass, auto_flag, human) the rate of violations is the Hajek ratio
sum(w y) / sum(w) over labelled items with w = 1 / propensity. How many items had each outcome is
known without labels, so the outcomes are put together by their counts (post-stratification). With
N_h items and violation rate r_h the miss rate is N_p r_p / (N_p r_p + N_f r_f + N_h r_h).

Intervals. Audits leave few labelled violations among the passed, often none, so a normal
approximation fails. Each r_h gets its exact Clopper-Pearson confidence distribution, Beta(k, n-k+1)
below and Beta(k+1, n-k) above, with k and n rescaled to the effective sample size where weights
differ (Korn & Graubard 1998). They are melded into an interval of the ratio (Fay, Proschan &
Brittain 2015): lower draws where the ratio rises, upper draws where it falls. With no event seen
the upper end is the exact bound and never 0; an outcome without any label counts as "anything".
Shares of the outcomes are drawn too, so an interval is for the process, not only for these items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coefvq.domain import RouteName
from coefvq.errors import RoutingError
from coefvq.routing.bounds import check_share

OUTCOMES = (RouteName.AUTO_PASS.value, RouteName.AUTO_FLAG.value, RouteName.HUMAN.value)
_PASS, _FLAG = 0, 1
_DRAWS, _SEED = 20_000, 20260


class Estimated(NamedTuple):
    """A rate and its interval.

    Attributes:
        value: The estimate; NaN where an outcome that enters it has items but no label.
        low: Lower end.
        high: Upper end.
        n_labelled: Labelled items that the rate is conditioned on (violations for the miss rate).
        effective_n: Their effective number, (sum w)^2 / sum w^2; far fewer where weights differ.
    """

    value: float
    low: float
    high: float
    n_labelled: int
    effective_n: float


@dataclass(frozen=True)
class AuditEstimate:
    """Rates of the whole traffic, from what people looked at.

    Attributes:
        miss_rate: Violations that ended in auto_pass / all violations.
        precision: Violations among auto_flag / auto_flag.
        prevalence: Violations / all items.
        false_removal_rate: Non-violations that ended in auto_flag / all non-violations.
        confidence: Of each interval by itself, two-sided.
        notes: What limits the estimates, for people.
    """

    miss_rate: Estimated
    precision: Estimated
    prevalence: Estimated
    false_removal_rate: Estimated
    confidence: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, with ``null`` for a value that cannot be given."""
        rates = ("miss_rate", "precision", "prevalence", "false_removal_rate")
        plain: dict[str, Any] = {name: getattr(self, name)._asdict() for name in rates}
        for rate in plain.values():
            rate["value"] = None if math.isnan(rate["value"]) else rate["value"]
        return plain | {"confidence": self.confidence, "notes": list(self.notes)}


@dataclass(frozen=True)
class _Stratum:
    """One outcome: ``items`` in all, ``n`` labelled (effective), their violation rate."""

    items: int
    labelled: int
    n: float
    rate: float

    def beta(self, rng: np.random.Generator, upper: bool) -> NDArray[np.float64]:
        """Draws from the Clopper-Pearson confidence distribution of the rate, above or below."""
        if self.labelled == 0:
            return np.full(_DRAWS, float(upper))
        k = round(self.rate * self.n, 6)
        a, b = (k + 1.0, self.n - k) if upper else (k, self.n - k + 1.0)
        if min(a, b) <= 1e-9:
            return np.full(_DRAWS, float(upper))
        return rng.beta(a, b, _DRAWS)


def estimate(
    outcome: Sequence[str] | NDArray[Any],
    label: ArrayLike,
    propensity: ArrayLike,
    labelled: ArrayLike,
    confidence: float = 0.95,
) -> AuditEstimate:
    """Estimate rates over all items from those that a person has labelled.

    Pass every item of the period, labelled or not. Items that wait for a label are taken to be
    like the labelled ones of their outcome. Do not pass labels that exist because somebody
    complained or searched: their propensity is unknown.

    Args:
        outcome: (items,), ``auto_pass``, ``auto_flag`` or ``human``.
        label: (items,), 1 violation, 0 none; anything where nobody looked.
        propensity: (items,), in (0, 1]: with which probability the item came to a person. 1.0
            for ``human``; the audit share for automatic outcomes, drawn or not.
        labelled: bool (items,).
        confidence: Of the two-sided intervals, strictly between 0 and 1.

    Raises:
        RoutingError: For arrays that do not fit, unknown outcomes, labels outside 0/1, propensities
            that are not in (0, 1], or no labels at all; says which items and what to do.
    """
    check_share("confidence", confidence)
    codes, y, q, seen = _checked(outcome, label, propensity, labelled)
    weight = np.where(seen, 1.0 / q, 0.0)
    strata = [_stratum(codes == code, y, weight, seen) for code in range(len(OUTCOMES))]
    ends = ((1 - confidence) / 2, (1 + confidence) / 2)
    domains = (seen & (y == 1), seen & (codes == _FLAG), seen, seen & (y == 0))
    miss, precision, prevalence, removal = (
        Estimated(*interval, int(domain.sum()), _kish(weight[domain]))
        for interval, domain in zip(_intervals(strata, ends), domains, strict=True)
    )
    return AuditEstimate(miss, precision, prevalence, removal, confidence, _notes(strata))


def _stratum(
    member: NDArray[np.bool_],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    seen: NDArray[np.bool_],
) -> _Stratum:
    """Hajek rate and effective sample size of one outcome (Korn & Graubard 1998)."""
    chosen = member & seen
    w, labels = weight[chosen], y[chosen]
    if not len(w):
        return _Stratum(int(member.sum()), 0, 0.0, math.nan)
    rate = float(w @ labels / w.sum())
    variance = float(np.square(w) @ np.square(labels - rate) / w.sum() ** 2)
    # Where rare labels carry the large weights, the linearised variance says so; Kish's n does not.
    from_variance = rate * (1 - rate) / variance if variance > 0 else math.inf
    # Rounded, so that the order of items, which changes last bits, cannot change the draws.
    effective = round(min(_kish(w), from_variance), 9)
    return _Stratum(int(member.sum()), len(w), effective, round(rate, 12))


def _kish(weight: NDArray[np.float64]) -> float:
    return float(weight.sum() ** 2 / np.square(weight).sum()) if len(weight) else 0.0


def _intervals(
    strata: list[_Stratum], ends: tuple[float, float]
) -> list[tuple[float, float, float]]:
    """(value, low, high) of miss rate, precision, prevalence and false-removal rate."""
    rng = np.random.default_rng(_SEED)
    items = np.array([s.items for s in strata], dtype=float)
    value = np.array([[s.rate if s.items else 0.0] for s in strata])
    lower = np.array([s.beta(rng, upper=False) for s in strata])
    upper = np.array([s.beta(rng, upper=True) for s in strata])
    # An outcome that never happened may yet be a little under 1 / items of the traffic.
    shares = rng.standard_gamma(np.maximum(items, 1.0)[:, None], (len(items), _DRAWS))
    violation, ok = (value, lower, upper), (1 - value, 1 - upper, 1 - lower)
    flags = tuple(rates[[_FLAG]] for rates in violation)
    return [
        _melded(violation, items, shares, ends, of=_PASS),
        _melded(flags, items[[_FLAG]], shares[[_FLAG]], ends),
        _melded(violation, items, shares, ends),
        _melded(ok, items, shares, ends, of=_FLAG),
    ]


def _melded(
    rates: tuple[NDArray[np.float64], ...],
    items: NDArray[np.float64],
    shares: NDArray[np.float64],
    ends: tuple[float, float],
    of: int | None = None,
) -> tuple[float, float, float]:
    """One rate from those of the outcomes: its value and melded interval.

    Args:
        rates: (value, lower, upper); (outcomes, 1) and twice (outcomes, draws).
        items: (outcomes,), how many items had each.
        shares: (outcomes, draws), drawn shares, up to a factor.
        ends: Probabilities of the lower and the upper end.
        of: The outcome whose part in all violations is asked for; ``None``: the rate over all.
    """
    value, lower, upper = rates
    rising = np.ones((len(items), 1), dtype=bool)
    if of is not None:
        rising[:] = False
        rising[of] = True
    low = _combine(np.where(rising, lower, upper), shares, of)
    high = _combine(np.where(rising, upper, lower), shares, of)
    middle = float(_combine(value, items[:, None], of)[0])
    return (
        middle,
        float(np.quantile(np.nan_to_num(low, nan=0.0), ends[0])),
        float(np.quantile(np.nan_to_num(high, nan=1.0), ends[1])),
    )


def _combine(
    rates: NDArray[np.float64], shares: NDArray[np.float64], of: int | None
) -> NDArray[np.float64]:
    """(outcomes, draws) to (draws,); NaN for 0 / 0."""
    cells = rates * shares
    above, below = cells.sum(axis=0), shares.sum(axis=0)
    if of is not None:
        above, below = cells[of], cells.sum(axis=0)
    return np.divide(above, below, out=np.full(above.shape, math.nan), where=below > 0)


def _notes(strata: list[_Stratum]) -> tuple[str, ...]:
    notes = []
    for name, stratum in zip(OUTCOMES, strata, strict=True):
        if stratum.items and not stratum.labelled:
            notes.append(
                f"None of {stratum.items:,} {name} items is labelled: rates that depend on them "
                "cannot be estimated, and their intervals allow for anything. Audit a larger share."
            )
        elif stratum.labelled and stratum.rate == 0.0:
            notes.append(
                f"No violation among {stratum.labelled:,} labelled {name} items: the upper end is "
                "an exact bound."
            )
    return tuple(notes)


def _checked(
    outcome: Sequence[str] | NDArray[Any],
    label: ArrayLike,
    propensity: ArrayLike,
    labelled: ArrayLike,
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    names, y = np.asarray(outcome, dtype=str), np.asarray(label, dtype=float)
    q, seen = np.asarray(propensity, dtype=float), np.asarray(labelled, dtype=bool)
    if names.ndim != 1 or not names.shape == y.shape == q.shape == seen.shape:
        raise RoutingError("outcome, label, propensity and labelled must be equally long columns.")
    if not seen.any():
        raise RoutingError(
            "nothing is labelled: rates need people's decisions. Review cases and audits first."
        )
    codes = np.full(len(names), -1, dtype=np.int8)
    for code, name in enumerate(OUTCOMES):
        codes[names == name] = code
    _refuse_if(
        codes < 0, f"have an outcome that is none of {', '.join(OUTCOMES)}; leave out open ones"
    )
    _refuse_if(seen & ~np.isin(y, (0.0, 1.0)), "are labelled, but the label is not 0 or 1")
    _refuse_propensities(codes, q, seen)
    return codes, y, q, seen


def _refuse_propensities(
    codes: NDArray[np.int8], q: NDArray[np.float64], seen: NDArray[np.bool_]
) -> None:
    _refuse_if(~np.isfinite(q) | (q < 0) | (q > 1), "have a propensity that is not in 0..1")
    _refuse_if(seen & (q == 0), "are labelled with propensity 0: record how they were drawn")
    _refuse_if(q == 0, "could not be drawn (propensity 0), so nothing stands for them; leave them "
               "out and say so, or audit them")  # fmt: skip
    automatic = codes < len(OUTCOMES) - 1
    _refuse_if(
        automatic & ~seen & (q == 1),
        "were decided without a person and without an audit draw (propensity 1, no label); start "
        "the period when audits began",
    )


def _refuse_if(bad: NDArray[np.bool_], why: str) -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise RoutingError(f"{int(bad.sum()):,} items (first: number {first}) {why}.")
