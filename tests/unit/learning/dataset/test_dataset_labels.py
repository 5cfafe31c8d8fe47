"""What several people's answers come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.learning.dataset.labels import Vote, resolve

START = datetime(2026, 5, 1, tzinfo=UTC)


def vote(by: str, minute: int, label: int, ruling: bool = False) -> Vote:
    return Vote(by, START + timedelta(minutes=minute), {"violence": label}, ruling)


@pytest.mark.parametrize(
    ("votes", "label", "weight", "answers"),
    [
        pytest.param([("ann", 1)], 1, 1.0, (1,), id="one person"),
        pytest.param([("ann", 1), ("bob", 1)], 1, 1.0, (1, 1), id="two agree"),
        pytest.param([("ann", 1), ("bob", 0), ("cyd", 1)], 1, 2 / 3, (1, 0, 1), id="majority"),
        pytest.param([("ann", 0), ("bob", 1), ("cyd", 0)], 0, 2 / 3, (0, 1, 0), id="against"),
        pytest.param([("ann", 1), ("bob", 0)], None, None, (1, 0), id="a tie has no label"),
        pytest.param([("ann", 1), ("ann", 0)], 0, 1.0, (0,), id="a person has one vote, the last"),
        pytest.param(
            [("ann", 1), ("bob", 0), ("ann", 0)], 0, 1.0, (0, 0), id="a change of mind settles"
        ),
        pytest.param(
            [("ann", 1), ("bob", 0), ("lea!", 0)], 0, 2 / 3, (1, 0, 0), id="an adjudication"
        ),
        pytest.param([("ann", 1), ("lea!", 0)], 0, 0.5, (1, 0), id="an appeal overturned"),
        pytest.param([("ann", 1), ("bob", 1), ("lea!", 0)], 0, 1 / 3, (1, 1, 0), id="against both"),
        pytest.param(
            [("lea!", 0), ("ann", 1), ("bob", 1)], 0, 1 / 3, (0, 1, 1), id="a later review"
        ),
        pytest.param(
            [("lea!", 0), ("leo!", 1)], 1, 0.5, (0, 1), id="the newest ruling of two counts"
        ),
    ],
)
def test_what_counts(
    votes: list[tuple[str, int]],
    label: int | None,
    weight: float | None,
    answers: tuple[int, ...],
) -> None:
    given_votes = [
        vote(by.rstrip("!"), at, said, by.endswith("!")) for at, (by, said) in enumerate(votes)
    ]
    found = resolve(list(reversed(given_votes)))
    assert found.labels.get("violence") == label
    assert found.weights.get("violence") == (None if weight is None else pytest.approx(weight))
    assert found.votes == {"violence": answers}
    assert found.tied == (frozenset() if label is not None else {"violence"})


def test_a_policy_that_only_one_was_asked_about() -> None:
    first = Vote("ann", START, {"violence": 1, "sexual": 0})
    second = Vote("bob", START + timedelta(minutes=1), {"violence": 0, "new": 1})
    found = resolve([first, second])
    assert found.labels == {"sexual": 0, "new": 1}
    assert found.tied == {"violence"}


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 1), st.booleans()), max_size=8))
def test_a_weight_is_the_share_that_agrees(raw: list[tuple[str, int, bool]]) -> None:
    found = resolve([vote(by, at, said, ruling) for at, (by, said, ruling) in enumerate(raw)])
    for policy, label in found.labels.items():
        votes = found.votes[policy]
        assert len(votes) == len({by for by, *_ in raw})
        assert 0 < found.weights[policy] <= 1
        if not any(ruling for *_, ruling in raw):
            assert found.weights[policy] == votes.count(label) / len(votes) > 0.5
