"""How a training tells what it does, and learns that it should stop."""

from __future__ import annotations

from typing import Protocol


class Monitor(Protocol):
    """Told of progress by a training; may ask it to stop."""

    def progress(self, done: int, total: int, what: str) -> None:
        """Say how far one part of the training is.

        Args:
            done: Steps done, 0..total.
            what: The part, in a few words for people.
        """

    def loss(self, step: int, name: str, value: float) -> None:
        """Add a point to the plot of losses.

        Args:
            name: Of the curve, e.g. ``training`` or ``held out``.
        """

    def check(self) -> None:
        """Raise where the training should stop; called between steps, often.

        Raises:
            TrainingStopped: It should; what was done so far must be on disk already.
        """


class Quiet:
    """A monitor that nobody watches."""

    def progress(self, done: int, total: int, what: str) -> None:
        """Nothing."""

    def loss(self, step: int, name: str, value: float) -> None:
        """Nothing."""

    def check(self) -> None:
        """Nothing."""
