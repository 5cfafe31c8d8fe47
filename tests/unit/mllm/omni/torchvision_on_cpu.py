"""Lets the CUDA build of torchvision be imported beside a CPU build of torch, for tests only.

Loaded before anything imports transformers::

    python -m pytest -p tests.unit.mllm.omni.torchvision_on_cpu tests/unit/mllm/omni

torchvision describes the shapes of its compiled operators at import and fails where they are
missing. Declaring them without code is enough: resizing and normalising do not use them. Without
torchvision, or beside a CUDA build of torch, this does nothing.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

_LIBRARY: torch.library.Library | None = None


def declare_operators() -> None:
    """Declare the operators that torchvision describes."""
    global _LIBRARY
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or torch.version.cuda or _LIBRARY is not None:
        return
    source = (Path(spec.origin).parent / "_meta_registrations.py").read_text("utf-8")
    names = set(re.findall(r'register_meta\("(\w+)"', source))
    names |= set(re.findall(r'register_fake\("torchvision::(\w+)"', source))
    _LIBRARY = torch.library.Library("torchvision", "DEF")
    for name in sorted(names):
        _LIBRARY.define(f"{name}(Tensor x) -> Tensor")


declare_operators()
