"""Many programs at once on the HTTP API: how long calls take, and whether any fails.

    python -m benchmarks.api_load HOME --clients 50 --seconds 60 --videos 1000

HOME is a scratch folder; it is filled once with made-up scored cases. The app runs in a process of
its own and each client has a key. Clients read lists, videos, cases and verdicts; now and then one
submits signals, which no worker scores here. What is timed is a call from the request to its
whole answer. Exit status 1 where anything but 2xx or 429 came.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import socket
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import httpx
import numpy as np
import uvicorn

from benchmarks.review_store import fill
from coefvq.review import api_keys, queue
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import open_store

GOAL_MS = 100.0
READING = ("videos", "video", "cases", "case", "verdicts")
Times = dict[str, list[float]]


def main() -> int:
    """Read the command line, fill, serve, call, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api_load", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two calls")
    given = parser.parse_args()
    keys = _prepared(given.home, given.videos, given.clients)
    port = _free_port()
    app = multiprocessing.get_context("spawn").Process(target=_serve, args=(given.home, port))
    app.start()
    try:
        url = f"http://127.0.0.1:{port}"
        _ready(url)
        times, codes = _call(url, keys, given.seconds, given.pause)
    finally:
        app.terminate()
        app.join()
    return _print(times, codes)


def _prepared(home: Path, videos: int, clients: int) -> list[str]:
    with open_store(Settings(home=home).url) as store:
        if not sum(queue.counts(store, LOCAL).waiting.values()):
            fill(store, videos)
        mark = time.time_ns() % 10**9
        scopes = ["read", "submit"]
        return [api_keys.create(store, LOCAL, f"load-{n}-{mark}", scopes) for n in range(clients)]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _serve(home: Path, port: int) -> None:
    from reviewer_ui.build import build_app

    settings = Settings(home=home)
    with open_store(settings.url) as store:
        uvicorn.run(build_app(settings, store), host="127.0.0.1", port=port, log_level="warning")


def _ready(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz", timeout=30).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("the app did not start")


def _call(
    url: str, keys: list[str], seconds: float, pause: float
) -> tuple[Times, Counter[tuple[str, int]]]:
    times: Times = defaultdict(list)
    codes: Counter[tuple[str, int]] = Counter()
    lock, ends = threading.Lock(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=_one, args=(url, key, ends, pause, times, codes, lock))
        for key in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, codes


def _one(
    url: str,
    key: str,
    ends: float,
    pause: float,
    times: Times,
    codes: Counter[tuple[str, int]],
    lock: threading.Lock,
) -> None:
    headers = {"authorization": f"Bearer {key}"}
    time.sleep(pause * random.random())
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60) as api:
        known = api.get("/cases").json().get("items") or [{"id": "x", "video_id": "x"}]
        while time.monotonic() < ends:
            case = random.choice(known)
            kind = random.choice((*READING, *READING, *READING, "metadata", "signals"))
            started = time.perf_counter()
            try:
                status = _send(api, kind, case).status_code
            except httpx.TransportError:
                status = 0
            took = time.perf_counter() - started
            with lock:
                times[kind].append(took)
                codes[kind, status] += 1
            time.sleep(pause * (0.5 + random.random()))


def _send(api: httpx.Client, kind: str, case: dict[str, str]) -> httpx.Response:
    if kind == "signals":
        return api.post("/signals", json={"id": "load", "title": "a walk by the river"})
    paths = {"videos": "/videos?limit=20", "cases": "/cases?state=queued&limit=20",
             "verdicts": "/verdicts?limit=20", "video": f"/videos/{case['video_id']}",
             "case": f"/cases/{case['id']}", "metadata": "/openapi.json"}  # fmt: skip
    return api.get(paths[kind])


def _print(times: Times, codes: Counter[tuple[str, int]]) -> int:
    for kind, values in sorted(times.items()):
        p50, p95 = np.quantile(np.array(values) * 1000, [0.5, 0.95])
        came = {status: n for (name, status), n in codes.items() if name == kind}
        print(f"{kind:10s} n {len(values):5d}  p50 {p50:6.0f} ms  p95 {p95:6.0f} ms  {came}")
    reading = [each for kind in READING for each in times[kind]]
    if reading:
        p95 = float(np.quantile(reading, 0.95)) * 1000
        print(f"all reading calls: p95 {p95:.0f} ms (goal {GOAL_MS:.0f} ms on two quiet cores)")
    bad = sum(n for (_, status), n in codes.items() if not (200 <= status < 300 or status == 429))
    print(f"{sum(codes.values())} calls, {bad} neither answered nor told to slow down")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
