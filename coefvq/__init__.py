"""COEF-VQ Review: a cascaded video-understanding system with a review app.

Public names load on first use, so that ``import coefvq.routing`` loads no torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

# Idle OpenMP threads must sleep, not spin: beside a second process spinning costs five times the
# CPU. It only counts before torch is first imported, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from coefvq.cascade import Cascade
    from coefvq.domain import CascadeResult
    from coefvq.settings import Settings, load_settings

_HOMES = {
    "Cascade": "coefvq.cascade",
    "CascadeResult": "coefvq.domain",
    "Settings": "coefvq.settings",
    "load_settings": "coefvq.settings",
}

__all__ = ["Cascade", "CascadeResult", "Settings", "__version__", "load_settings"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'coefvq' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
