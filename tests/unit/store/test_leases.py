"""Leases: never two holders, tokens only grow, a late answer is refused."""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from coefvq.errors import LeaseLost
from coefvq.store import leases
from coefvq.store.leases import Lease
from coefvq.store.session import Store, open_store

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TTL = 10.0
KEY = (leases.CASE, "case-1")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def claim(store: Store, holder: str, second: float = 0.0) -> Lease | None:
    with store.write() as session:
        return leases.claim(session, *KEY, holder, TTL, at(second))


def check(store: Store, lease: Lease, second: float) -> None:
    with store.write() as session:
        leases.check(session, *KEY, lease.holder, lease.token, at(second))


def test_a_free_lease_is_given_with_the_first_token(store: Store) -> None:
    assert claim(store, "ann") == Lease(*KEY, "ann", 1, at(TTL))


def test_nobody_else_gets_it_meanwhile(store: Store) -> None:
    claim(store, "ann")
    assert claim(store, "bob", TTL - 0.001) is None


def test_the_holder_gets_it_again_with_the_same_token_and_more_time(store: Store) -> None:
    first = claim(store, "ann")
    again = claim(store, "ann", 5.0)
    assert first is not None and again is not None
    assert again.token == first.token
    assert again.expires_at == at(5.0 + TTL)


def test_a_lease_that_ran_out_is_taken_over_with_a_larger_token(store: Store) -> None:
    claim(store, "ann")
    taken = claim(store, "bob", TTL)
    assert taken is not None and (taken.holder, taken.token) == ("bob", 2)


def test_after_running_out_even_the_same_holder_gets_a_new_token(store: Store) -> None:
    claim(store, "ann")
    again = claim(store, "ann", TTL)
    assert again is not None and again.token == 2


def test_a_late_answer_is_refused_and_the_message_names_the_new_holder(store: Store) -> None:
    old = claim(store, "ann")
    claim(store, "bob", TTL)
    assert old is not None
    with pytest.raises(LeaseLost, match=r"case-1 was taken over by bob"):
        check(store, old, TTL + 1)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        pytest.param(leases.CASE, "was taken over by bob, your draft is kept", id="a case"),
        pytest.param(leases.JOB, "was taken over by bob; your answer was not stored", id="a job"),
    ],
)
def test_what_is_said_of_what_was_done(store: Store, kind: str, says: str) -> None:
    with store.write() as session:
        old = leases.claim(session, kind, "x", "ann", TTL, T0)
        leases.claim(session, kind, "x", "bob", TTL, at(TTL))
        assert old is not None
        with pytest.raises(LeaseLost, match=says):
            leases.check(session, kind, "x", "ann", old.token, at(TTL + 1))


def test_a_lease_that_never_was_is_refused(store: Store) -> None:
    with pytest.raises(LeaseLost, match="ran out"), store.write() as session:
        leases.check(session, *KEY, "ann", 1, at(0.0))


def test_an_answer_after_the_time_is_refused_though_nobody_took_over(store: Store) -> None:
    old = claim(store, "ann")
    assert old is not None
    with pytest.raises(LeaseLost, match="ran out"):
        check(store, old, TTL)


def test_a_heartbeat_makes_it_last(store: Store) -> None:
    held = claim(store, "ann")
    assert held is not None
    with store.write() as session:
        longer = leases.heartbeat(session, *KEY, "ann", held.token, TTL, at(9.0))
    assert longer.expires_at == at(19.0)
    check(store, held, 18.0)


@pytest.mark.parametrize(
    ("holder", "token_change", "second"),
    [
        pytest.param("bob", 0, 1.0, id="somebody else"),
        pytest.param("ann", -1, 1.0, id="old token"),
        pytest.param("ann", 1, 1.0, id="token from nowhere"),
        pytest.param("ann", 0, TTL, id="too late"),
    ],
)
def test_a_heartbeat_is_refused(
    store: Store, holder: str, token_change: int, second: float
) -> None:
    held = claim(store, "ann")
    assert held is not None
    with pytest.raises(LeaseLost), store.write() as session:
        leases.heartbeat(session, *KEY, holder, held.token + token_change, TTL, at(second))


def test_released_is_free_for_others_and_void_for_the_old_holder(store: Store) -> None:
    held = claim(store, "ann")
    assert held is not None
    with store.write() as session:
        assert leases.release(session, *KEY, "ann", held.token)
        assert not leases.release(session, *KEY, "ann", held.token)
    with pytest.raises(LeaseLost):
        check(store, held, 1.0)
    taken = claim(store, "bob", 1.0)
    assert taken is not None and taken.token == held.token + 1


def test_somebody_else_cannot_release_it(store: Store) -> None:
    held = claim(store, "ann")
    assert held is not None
    with store.write() as session:
        assert not leases.release(session, *KEY, "bob", held.token)
    check(store, held, 1.0)


def test_all_leases_of_a_dead_holder_can_be_given_back(store: Store) -> None:
    with store.write() as session:
        for number in range(3):
            leases.claim(session, leases.JOB, f"j{number}", "dead", TTL, T0)
        leases.claim(session, leases.JOB, "j9", "alive", TTL, T0)
        leases.claim(session, leases.CASE, "c1", "dead", TTL, T0)
    with store.write() as session:
        assert leases.release_all(session, leases.JOB, "dead") == 3
        assert leases.current(session, leases.JOB, "j9", T0) is not None
        assert leases.current(session, leases.CASE, "c1", T0) is not None
        taken = leases.claim(session, leases.JOB, "j0", "alive", TTL, T0)
    assert taken is not None and taken.token == 2


def test_current_tells_the_holder_until_the_end(store: Store) -> None:
    held = claim(store, "ann")
    with store.read() as session:
        assert leases.current(session, *KEY, at(1.0)) == held
        assert leases.current(session, *KEY, at(TTL)) is None
        assert leases.current(session, leases.JOB, "case-1", at(1.0)) is None


def test_of_many_who_claim_at_once_one_gets_it(store: Store) -> None:
    got: list[Lease | None] = []
    start = threading.Barrier(6)

    def work(name: str) -> None:
        start.wait()
        got.append(claim(store, name))

    threads = [threading.Thread(target=work, args=(f"r{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([lease for lease in got if lease is not None]) == 1
    assert len(got) == 6


class LeaseMachine(RuleBasedStateMachine):
    """Three holders do what they like while time passes; a plain model says what must be."""

    holders = st.sampled_from(["ann", "bob", "cyd"])

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(f"sqlite:///{Path(self.folder.name) / 'db.sqlite3'}")
        self.now = 0.0
        self.issued: dict[int, str] = {}
        self.held: dict[str, Lease] = {}
        self.owner: str | None = None
        self.until = 0.0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def live_owner(self) -> str | None:
        return self.owner if self.until > self.now else None

    @rule(seconds=st.sampled_from([0.5, 4.0, 9.5, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(holder=holders)
    def claims(self, holder: str) -> None:
        lease = claim(self.store, holder, self.now)
        if self.live_owner() not in (None, holder):
            assert lease is None
            return
        assert lease is not None
        fresh = self.live_owner() is None
        newest = max(self.issued, default=0)
        assert lease.token == newest + 1 if fresh else lease.token == newest
        self.issued[lease.token] = holder
        self.held[holder], self.owner, self.until = lease, holder, self.now + TTL

    @rule(holder=holders)
    def beats(self, holder: str) -> None:
        lease = self.held.get(holder)
        if lease is None:
            return
        try:
            with self.store.write() as session:
                leases.heartbeat(session, *KEY, holder, lease.token, TTL, at(self.now))
        except LeaseLost:
            assert not self.valid(lease)
        else:
            assert self.valid(lease)
            self.until = self.now + TTL

    @rule(holder=holders)
    def submits(self, holder: str) -> None:
        lease = self.held.get(holder)
        if lease is None:
            return
        try:
            check(self.store, lease, self.now)
        except LeaseLost:
            assert not self.valid(lease)
        else:
            assert self.valid(lease)

    @rule(holder=holders)
    def releases(self, holder: str) -> None:
        lease = self.held.get(holder)
        if lease is None:
            return
        with self.store.write() as session:
            leases.release(session, *KEY, holder, lease.token)
        if lease.token == max(self.issued) and self.owner == holder:
            self.owner = None

    def valid(self, lease: Lease) -> bool:
        newest = lease.token == max(self.issued)
        return newest and self.live_owner() == lease.holder

    @invariant()
    def one_holder_at_most_and_the_right_one(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.read() as session:
            current = leases.current(session, *KEY, at(self.now))
        assert (current.holder if current else None) == self.live_owner()


LeaseMachine.TestCase.settings = hypothesis_settings(
    max_examples=25, stateful_step_count=25, deadline=None, derandomize=True
)
TestLeaseMachine = LeaseMachine.TestCase
