"""One finding of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        state: ``failed`` keeps something from working; ``warning`` only slows or limits it.
        remedy: What to do; empty where all is well.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
