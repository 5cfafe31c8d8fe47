"""Where the model files that install as wheels lie on this machine."""

from __future__ import annotations

from coefvq.towers.wheels import INSTALL, wheel_file

__all__ = ["INSTALL", "wheel_file"]
