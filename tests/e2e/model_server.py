"""A model server as a process of its own, on a free port of loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PATIENCE_S = 120.0
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "2"}


@dataclass
class ModelServer:
    """A running server; ``url`` ends in ``/v1``."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def serving_model(command: Sequence[str], folder: Path, ready: str) -> Iterator[ModelServer]:
    """Run a server until the block ends.

    Args:
        command: What to run; ``{port}`` in it is replaced.
        folder: Where its log and its caches go.
        ready: Path that answers 200 once it serves, for example ``/health``.
    """
    port, log = free_port(), folder / "server.log"
    environment = os.environ | OFFLINE | {"HF_HOME": str(folder / "hf")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
    server = ModelServer(f"http://127.0.0.1:{port}/v1", process, log)
    try:
        _wait(server, f"http://127.0.0.1:{port}{ready}")
        yield server
    finally:
        server.kill()


def _wait(server: ModelServer, address: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.process.poll() is None:
        try:
            if httpx.get(address, timeout=5.0, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{server.log.read_text()[-3000:]}")
