"""What a video is charged: the work on it, never the loading of models."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from coefvq import ledger
from coefvq.ledger import Ledger, loading
from coefvq.media.limits import MediaLimits
from coefvq.mllm.embedded import EmbeddedMllm
from coefvq.mllm.omni.backend import OmniMllm

Wait = Callable[[float], None]


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Lets seconds pass on the ledger's clock, one for all threads."""
    now = [0.0]
    monkeypatch.setattr(ledger, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def passes(seconds: float) -> None:
        now[0] += seconds

    return passes


def test_stages_add_up(wait: Wait) -> None:
    made = Ledger()
    for seconds in (1.0, 2.0):
        with made("mllm_ms"):
            wait(seconds)
    made.add_tokens(7, 1)
    assert (made.cost().mllm_ms, made.cost().tokens_in) == (3000.0, 7)


def test_loading_is_logged_and_not_charged(wait: Wait, caplog: pytest.LogCaptureFixture) -> None:
    made = Ledger()
    with caplog.at_level(logging.INFO), made("mllm_ms"):
        wait(1.0)
        with loading("the MLLM"):
            wait(40.0)
            with loading("its tower"):  # a part of it: once
                wait(30.0)
        wait(2.0)
    assert made.cost().mllm_ms == 3000.0
    assert [record.getMessage() for record in caplog.records] == ["loaded the MLLM in 70.0 s"]


def test_loading_that_fails_is_not_charged_either(wait: Wait) -> None:
    made = Ledger()
    with pytest.raises(ValueError, match="damaged"), made("mllm_ms"), loading("the MLLM"):
        wait(5.0)
        raise ValueError("damaged")
    assert made.cost().mllm_ms == 0.0


def test_what_another_thread_loads_changes_nothing_here(wait: Wait) -> None:
    def load() -> None:
        with loading("something else"):
            wait(5.0)

    made, other = Ledger(), threading.Thread(target=load)
    with made("media_ms"):
        other.start()
        other.join()
    assert made.cost().media_ms == 5000.0


def embedded(load: Callable[[], Any]) -> Callable[[], Any]:
    shipped: Any = None
    return EmbeddedMllm(shipped, load, MediaLimits()).scorer


def omni(load: Callable[[], Any]) -> Callable[[], Any]:
    family: Any = SimpleNamespace(sound_s=0.0)
    return OmniMllm(load, family, "model")._loaded


@pytest.mark.parametrize("backend", [embedded, omni], ids=["embedded", "omni"])
def test_the_first_call_of_a_backend_costs_what_the_second_does(
    wait: Wait, backend: Callable[[Callable[[], Any]], Callable[[], Any]]
) -> None:
    loads: list[int] = []

    def load() -> object:
        wait(70.0)
        loads.append(1)
        return object()

    first_need, costs = backend(load), []
    for _ in range(2):
        made = Ledger()
        with made("mllm_ms"):
            first_need()
            wait(2.0)
        costs.append(made.cost().mllm_ms)
    assert (costs, len(loads)) == ([2000.0, 2000.0], 1)
