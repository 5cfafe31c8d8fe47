"""The stored document: the same routes after JSON, a version of its content, no damage let in."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coefvq.errors import CoefVQError, RoutingError
from coefvq.routing.fit import fit_policy
from coefvq.routing.objective import Objective
from coefvq.routing.policy import (
    RoutingPolicy,
    Thresholds,
    read_policy,
    version_of,
    write_policy,
)
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.routing.route import route
from tests.unit.routing.worlds import HINTED, World

REQUESTS = {
    "entropy": FitRequest(rule="entropy"),
    "margin": FitRequest(rule="margin", budget=1.0),
    "bayes_risk": FitRequest(rule="bayes_risk", objective=Objective("cost", 10.0, 1.0)),
    "learned f1": FitRequest(rule="learned", human_share=0.05),
    "learned ap": FitRequest(rule="learned", objective=Objective("ap")),
    "learned cost": FitRequest(rule="learned", objective=Objective("cost", 10.0, 1.0)),
    "similar": FitRequest(rule="similar", abstention_cost=0.3),
    "certified": FitRequest(rule="entropy", miss_rate=0.2),
}
ITEMS = HINTED.draw(400)
MADE: dict[str, RoutingPolicy] = {}


def _policy(name: str) -> RoutingPolicy:
    if name not in MADE:
        MADE[name] = fit_policy(ITEMS, REQUESTS[name])
    return MADE[name]


def _random_items(n: int = 3000) -> Predictions:
    """Anything a stage may say, some of it absent or far outside what was fitted on."""
    rng = np.random.default_rng(5)
    hint = 10 * rng.normal(size=n)
    hint[rng.random(n) < 0.1] = np.nan
    mllm = rng.random(n)
    mllm[rng.random(n) < 0.1] = np.nan
    ids = np.array([f"r{i}" for i in range(n)], dtype=object)
    return Predictions.of(
        rng.integers(0, 2, n), rng.beta(0.3, 0.3, n), mllm, item_id=ids, features={"hint": hint}
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_json_brings_the_same_routes_and_version_back(name: str) -> None:
    policy, items = _policy(name), _random_items()
    again = RoutingPolicy.from_json(json.loads(json.dumps(policy.to_json(), allow_nan=False)))
    assert again.version == policy.version
    assert again.to_json() == policy.to_json()
    one, other = route(policy, items), route(again, items)
    for field in ("score", "escalated", "final", "called", "route", "drawn"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    assert np.isfinite(one.score).all()


def test_a_policy_survives_a_file(tmp_path: Path) -> None:
    policy = _policy("learned f1")
    write_policy(policy, tmp_path / "routing.json")
    assert read_policy(tmp_path / "routing.json").version == policy.version
    assert [path.name for path in tmp_path.iterdir()] == ["routing.json"]


def _leaves(document: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value, groups included; of long lists only the first and the last."""
    found = [at] if at else []
    if isinstance(document, dict):
        for name, value in document.items():
            found += _leaves(value, (*at, name))
    elif isinstance(document, list) and document:
        for index in sorted({0, len(document) - 1}):
            found += _leaves(document[index], (*at, index))
    return found


def _changed(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    holder = made
    for step in at[:-1]:
        holder = holder[step]
    holder[at[-1]] = value
    return made


def _without(document: Any, at: tuple[Any, ...]) -> Any:
    made = copy.deepcopy(document)
    holder = made
    for step in at[:-1]:
        holder = holder[step]
    del holder[at[-1]]
    return made


@pytest.mark.parametrize("name", ["learned f1", "certified"])
def test_any_other_number_is_another_version(name: str) -> None:
    policy = _policy(name)
    document = policy.to_json()
    versions = {policy.version}
    numbers = 0
    for at in _leaves(document):
        value = document
        for step in at:
            value = value[step]
        if isinstance(value, float):
            numbers += 1
            versions.add(version_of(policy.rule, _changed(document, at, np.nextafter(value, 9e9))))
    assert numbers > 20
    assert len(versions) == numbers + 1


def test_the_version_names_rule_and_content_and_not_the_order_of_keys() -> None:
    policy = _policy("entropy")
    backwards = dict(reversed(policy.to_json().items()))
    assert version_of("entropy", backwards) == policy.version
    assert policy.version.startswith("entropy-") and len(policy.version) == len("entropy-") + 10
    assert policy.noted("read me").version != policy.version
    assert policy.noted("read me").notes[-1] == "read me"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["learned f1", "learned ap", "similar", "certified"])
@pytest.mark.parametrize("junk", [None, "x", [], {}, float("nan"), -1e400], ids=repr)
def test_damage_anywhere_is_refused_or_harmless(name: str, junk: Any) -> None:
    """Never a traceback: a RoutingError, or a policy that routes items to somewhere."""
    document, items, refused = _policy(name).to_json(), ITEMS.take(np.arange(20)), 0
    for at in _leaves(document):
        try:
            made = RoutingPolicy.from_json(_changed(document, at, junk))
        except RoutingError:
            refused += 1
            continue
        if made.features in ((), ("hint",)):
            assert np.isfinite(route(made, items).score).all(), at
    assert refused > 10


@pytest.mark.parametrize("name", ["learned f1", "learned cost", "similar", "entropy"])
def test_a_part_that_is_missing_is_refused(name: str) -> None:
    document = _policy(name).to_json()
    for part in set(document) - {"baseline"}:
        with pytest.raises(RoutingError):
            RoutingPolicy.from_json(_without(document, (part,)))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("rule",), "magic"),
        (("requested",), "magic"),
        (("objective", "name"), "auc"),
        (("objective", "cost_fn"), -1.0),
        (("budget",), 7.0),
        (("budget",), float("nan")),
        (("score", "kind"), "magic"),
        (("mllm", "calibrator", "kind"), "magic"),
        (("first", "base"), "magic"),
        (("first", "forecast"), None),
        (("first", "calibration", "scale"), 0.0),
        (("thresholds", "call_from"), float("nan")),
        (("combination", "bias"), float("inf")),
        (("audit", "mllm"), 2.0),
        (("format",), 2),
        (("format",), None),
    ],
    ids=str,
)
def test_damage_that_would_route_wrongly_is_refused(at: tuple[str, ...], value: Any) -> None:
    document = _policy("learned ap").to_json()
    with pytest.raises(RoutingError):
        RoutingPolicy.from_json(_changed(document, at, value))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1]", "not a routing policy"),
        (b"3", "not a routing policy"),
        (b"{}", "format None"),
        (b'{"format": 1}', "damaged"),
    ],
    ids=str,
)
def test_files_that_are_no_policy_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "routing.json").write_bytes(content)
    with pytest.raises(RoutingError, match=words):
        read_policy(tmp_path / "routing.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CoefVQError, match="no such file"):
        read_policy(tmp_path / "none.json")


def test_a_policy_asks_for_its_features() -> None:
    policy = _policy("learned cost")
    assert policy.features == ("hint",)
    with pytest.raises(RoutingError, match="feature_hint"):
        route(policy, World().draw(20))


def test_only_an_uncertified_threshold_may_move() -> None:
    assert _policy("entropy").tracked and not _policy("certified").tracked


def test_final_probabilities_are_absent_where_the_mllm_is() -> None:
    final = _policy("entropy").final(np.array([0.2, 0.2]), np.array([np.nan, 0.7]))
    assert np.isnan(final).tolist() == [True, False]


def test_thresholds_change_without_the_rest() -> None:
    policy = _policy("entropy")
    moved = replace(policy, thresholds=Thresholds(0.1, 0.2, 0.1, 0.9))
    assert moved.thresholds.escalate_least < -1e299
    assert moved.version != policy.version
    assert moved.score == policy.score
