"""The heartbeat keeps a lease, and tells when it is lost."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from coefvq.errors import LeaseLost
from coefvq.store import leases
from coefvq.store.leases import Lease
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from coefvq.work.heartbeat import Heartbeat


def claim(store: Store, holder: str = "w1", ttl_s: float = 60.0) -> Lease:
    with store.write() as session:
        lease = leases.claim(session, leases.JOB, "j1", holder, ttl_s)
    assert lease is not None
    return lease


def expiry(store: Store) -> datetime:
    with store.read() as session:
        current = leases.current(session, leases.JOB, "j1")
    assert current is not None
    return current.expires_at


def test_a_beat_prolongs_the_lease(store: Store) -> None:
    lease = claim(store)
    Heartbeat(store, lease, 600.0).beat()
    assert expiry(store) > utcnow() + timedelta(seconds=300)


def test_a_beat_of_a_lost_lease_is_refused(store: Store) -> None:
    lease = claim(store, ttl_s=0.0)
    claim(store, "w2")
    with pytest.raises(LeaseLost):
        Heartbeat(store, lease, 60.0).beat()


def test_the_thread_beats_while_the_job_runs(store: Store) -> None:
    lease = claim(store)
    deadline = time.monotonic() + 60
    with Heartbeat(store, lease, 600.0, every_s=0.02) as beating:
        while expiry(store) == lease.expires_at and time.monotonic() < deadline:
            time.sleep(0.02)
    assert expiry(store) > lease.expires_at
    assert not beating.lost.is_set()


def test_the_thread_tells_that_the_lease_is_lost(store: Store) -> None:
    lease = claim(store, ttl_s=0.0)
    claim(store, "w2")
    with Heartbeat(store, lease, 60.0, every_s=0.02) as beating:
        assert beating.lost.wait(30)
