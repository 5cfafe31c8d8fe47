from __future__ import annotations

import pytest

from coefvq.learning.fused.example import POLICIES
from tests.unit.mllm.fused import parts


@pytest.fixture
def six_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny models and processors with the slots of the shipped model."""
    monkeypatch.setattr(parts, "POLICIES", POLICIES)
