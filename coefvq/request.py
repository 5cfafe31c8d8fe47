"""What is asked of the cascade for one video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coefvq.domain import STAGES, PostedText
from coefvq.errors import SettingsError, did_you_mean

StageChoice = Literal["auto", "prefilter", "mllm"]
RationaleChoice = Literal["never", "for_people", "always"]


@dataclass(frozen=True)
class Request:
    """What to score and how far to go.

    Attributes:
        stage: ``auto`` follows the routing; ``prefilter`` stops after the first stage;
            ``mllm`` always runs both.
        rationale: Whether the MLLM explains: never, only where a person is due, or always
            where it ran.
        key: Names the item for random draws.
        uploader: Whose limit of escalations counts; ``None``: nobody's.
    """

    posted: PostedText
    stage: StageChoice = "auto"
    rationale: RationaleChoice = "never"
    key: str = ""
    uploader: str | None = None

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise SettingsError(f"Unknown stage '{self.stage}'.{did_you_mean(self.stage, STAGES)}")


def rationale_choice(value: bool | RationaleChoice) -> RationaleChoice:
    """``True`` is ``always``, ``False`` is ``never``."""
    if isinstance(value, bool):
        return "always" if value else "never"
    return value
