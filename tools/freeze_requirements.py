"""Write requirements.txt: the direct dependencies, then everything they pull in, all pinned.

    python tools/freeze_requirements.py > requirements.txt

Reads the running environment. Edit DIRECT when a dependency comes or goes, and say why it is
there in docs/dependencies.md.
"""

from __future__ import annotations

import re
from importlib.metadata import distribution, requires

from packaging.requirements import Requirement

DIRECT = (
    "torch", "transformers", "peft", "accelerate", "gguf", "safetensors",
    "gradio", "SQLAlchemy", "alembic", "pydantic", "pydantic-settings", "platformdirs",
    "av", "moviepy", "pillow", "faster-whisper", "ctranslate2", "rapidocr", "onnxruntime",
    "opencv-python-headless", "lingua-language-detector", "scikit-learn", "scipy",
    "numpy", "click", "PyYAML", "uvicorn", "fastapi", "httpx", "setuptools", "argon2-cffi",
    "prometheus-client",
)  # fmt: skip


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(names: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    todo = [(name, "") for name in names]
    while todo:
        name, _ = todo.pop()
        if _canonical(name) in found:
            continue
        found.add(_canonical(name))
        for line in requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append((requirement.name, ""))
    return found


def _pin(name: str) -> str:
    found = distribution(name)
    # A local build tag (+cpu) would tie the pin to one index.
    return f"{_canonical(found.metadata['Name'])}=={found.version.split('+')[0]}"


def main() -> None:
    direct = {_canonical(name) for name in DIRECT}
    print("# Made by tools/freeze_requirements.py. Why each is there: docs/dependencies.md")
    print("# torchvision must never be installed here: it breaks transformers beside CPU torch.")
    print("\n".join(sorted(_pin(name) for name in direct)))
    print("\n# Pulled in by the above")
    print("\n".join(sorted(_pin(name) for name in _closure(DIRECT) - direct)))


if __name__ == "__main__":
    main()
