"""The errors that users see: each says what failed, for which video, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CoefVQError(Exception):
    """Base of every error this project raises on purpose.

    Attributes:
        code: Stable machine-readable name, printed by ``coefvq score --json``.
    """

    code = "error"


class MediaError(CoefVQError):
    """A file that cannot be scored."""

    code = "unreadable_media"

    def __init__(self, message: str, *, code: str | None = None):
        super().__init__(message)
        if code is not None:
            self.code = code


class SettingsError(CoefVQError):
    """A setting, option or name that does not exist or does not fit."""

    code = "bad_setting"


class ModelError(CoefVQError):
    """Weights that are missing, damaged or of another version."""

    code = "model_unavailable"


class FingerprintError(CoefVQError):
    """A fingerprint of a video that is damaged or of another version."""

    code = "bad_fingerprint"


class TrainingError(CoefVQError):
    """A training or promotion that cannot go on, with the reason and what would help."""

    code = "training"


class TrainingStopped(TrainingError):
    """Somebody asked a training to stop; its work is kept and can be taken up again."""

    code = "training_stopped"


class ExportError(CoefVQError):
    """An export or import that cannot go on, with the reason and what would help."""

    code = "export"


class StoreError(CoefVQError):
    """A record that is missing or cannot be written."""

    code = "store"


class LeaseLost(StoreError):
    """Somebody else holds the case or job now; the late answer was not stored."""

    code = "lease_lost"


class RoutingError(CoefVQError):
    """A routing request that cannot be met, or predictions that it cannot be met with."""

    code = "routing"


class NotAllowed(CoefVQError):
    """The person asking may not do this."""

    code = "not_allowed"


class DecisionRefused(CoefVQError):
    """A decision that lacks something it must have."""

    code = "decision_refused"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, else the list of names."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f" Did you mean '{near[0]}'?"
    return f" Known: {', '.join(names)}."
