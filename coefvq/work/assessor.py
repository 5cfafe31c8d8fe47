"""What a worker needs of a cascade."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from coefvq.domain import CascadeResult, CopyMatch, ExpensiveSignals, PostedText
from coefvq.settings import Settings
from coefvq.store.signals_cache import SignalsCache


class Assessor(Protocol):
    """The part of ``coefvq.cascade.Cascade`` that workers call."""

    def assess(
        self,
        path: str | Path,
        title: str | None = None,
        caption: str | None = None,
        stage: Literal["auto", "prefilter", "mllm"] = "auto",
        rationale: bool | Literal["never", "for_people", "always"] = False,
        signals_cache: SignalsCache | None = None,
        sha256: str | None = None,
        uploader: str | None = None,
        copies: Sequence[CopyMatch] | None = None,
    ) -> CascadeResult:
        """Score one file; see ``Cascade.assess``."""

    def assess_signals(
        self,
        item_id: str,
        posted: PostedText,
        expensive: ExpensiveSignals,
        stage: Literal["auto", "prefilter", "mllm"] = "auto",
        rationale: bool | Literal["never", "for_people", "always"] = False,
    ) -> CascadeResult:
        """Score signals that somebody has already; see ``Cascade.assess_signals``."""


def load_cascade(settings: Settings) -> Assessor:
    """Load the real cascade. The import waits until here because it brings torch."""
    from coefvq.cascade import Cascade

    return Cascade.load(settings)
