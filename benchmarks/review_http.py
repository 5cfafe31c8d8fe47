"""Submit to the next case over HTTP, many reviewers at once, on a store with many cases.

    python -m benchmarks.review_http HOME --cases 100000 --reviewers 20 --each 20

HOME is a scratch folder; it is filled once (``benchmarks.review_load``) and used again. The app
runs in a process of its own; every reviewer signs in and decides case after case with the calls
that the page makes. What is timed is the call from the request to its whole answer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import socket
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import uvicorn

from benchmarks.review_store import fill
from coefvq.review import queue, sign_in, users
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import open_store

PASSWORD = "a long enough password"
COOKIE = "coefvq_sign_in"


def main() -> None:
    """Read the command line, fill, serve, decide, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review_http")
    parser.add_argument("home", type=Path)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--reviewers", type=int, default=20)
    parser.add_argument("--think", type=float, default=5.0, help="seconds between decisions")
    parser.add_argument("--each", type=int, default=20, help="decisions of each reviewer")
    given = parser.parse_args()
    settings = Settings(home=given.home)
    with open_store(settings.url) as store:
        if not sum(queue.counts(store, LOCAL).waiting.values()):
            fill(store, given.cases)
        tokens = _signed_in(settings, given.reviewers)
    port = _free_port()
    app = multiprocessing.get_context("spawn").Process(target=_serve, args=(given.home, port))
    app.start()
    try:
        url = f"http://127.0.0.1:{port}"
        component = _ready(url, tokens[0])
        times = _decide(url, component, tokens, given.each, given.think)
    finally:
        app.terminate()
        app.join()
    for name, values in times.items():
        milliseconds = np.array(values) * 1000
        p50, p95 = np.quantile(milliseconds, [0.5, 0.95])
        print(f"{name:10s} n {len(values):5d}  p50 {p50:6.0f} ms  p95 {p95:6.0f} ms")


def _signed_in(settings: Settings, reviewers: int) -> list[str]:
    with open_store(settings.url) as store:
        tokens, first = [], not users.any_user(store)
        for number in range(reviewers):
            name = f"bench-{number}-{time.time_ns() % 10**9}"
            users.add(
                store, LOCAL, name, PASSWORD, ("admin", "reviewer") if first else ("reviewer",)
            )
            first = False
            tokens.append(sign_in.sign_in(store, settings, name, PASSWORD))
        return tokens


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _serve(home: Path, port: int) -> None:
    from reviewer_ui.build import build_app

    settings = Settings(home=home)
    with open_store(settings.url) as store:
        uvicorn.run(build_app(settings, store), host="127.0.0.1", port=port, log_level="warning")


def _ready(url: str, token: str) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            config = httpx.get(f"{url}/config", cookies={COOKIE: token}, timeout=30).json()
            found = (c for c in config["components"] if c["props"].get("elem_id") == "review-page")
            return int(next(found)["id"])
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("the app did not start")


def _decide(
    url: str, component: int, tokens: list[str], each: int, think: float
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"open_case": [], "submit": []}
    failures: list[str] = []
    threads = [
        threading.Thread(target=_one, args=(url, component, token, each, think, times, failures))
        for token in tokens
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{len(failures)} reviewers failed: {failures[0]}")
    return times


def _one(
    url: str,
    component: int,
    token: str,
    each: int,
    think: float,
    times: dict[str, list[float]],
    failures: list[str],
) -> None:
    headers = {"origin": url}
    with httpx.Client(base_url=url, cookies={COOKIE: token}, headers=headers, timeout=60) as page:

        def call(name: str, args: dict[str, object]) -> dict[str, object]:
            body = {"component_id": component, "fn_name": name, "session_hash": "b", "data": args}
            started = time.perf_counter()
            answer = page.post("/gradio_api/component_server", json=body).json()
            times[name].append(time.perf_counter() - started)
            if "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']}")
            return dict(answer)

        try:
            time.sleep(think * random.random())
            shown = call("open_case", {})
            for _ in range(each):
                time.sleep(think * (0.5 + random.random()))
                form = str(shown["regions"]["decision-form"])  # type: ignore[index]
                held = re.search(r'data-token="(\d+)"', form)
                if held is None:
                    raise RuntimeError("the case is not held")
                shown = call(
                    "submit",
                    {"case": shown["case"], "token": int(held[1]), "labels": {}, "action": "keep"},
                )
        except (RuntimeError, httpx.HTTPError) as error:
            failures.append(str(error))


if __name__ == "__main__":
    main()
