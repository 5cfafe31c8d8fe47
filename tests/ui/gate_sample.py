"""A gate's report as the gate writes it, for tests of the page that shows it."""

from __future__ import annotations

from typing import Any

HOSTILE_REASON = "<img src=x onerror=window.pwned=1> scam_spam: worse than its margin allows."


def figure(value: float, by: float = 0.05) -> dict[str, float]:
    """A figure and its interval."""
    return {"value": value, "low": value - by, "high": value + by}


def document(passed: bool) -> dict[str, Any]:
    """Two policies, one that changes; refused for one reason where it did not pass."""
    gain = 0.12 if passed else -0.08
    return {
        "reasons": [] if passed else [HOSTILE_REASON],
        "notes": ["12 videos were left out: their files are gone."],
        "snapshot": {"id": "x", "number": 1},
        "videos": {"n": 96, "unreadable": 12, "of": 108, "test": 70, "golden": 20, "audits": 6},
        "overall": {"gain": figure(gain), "calibration": figure(-0.01, 0.004)},
        "policies": [_row("scam_spam", "better" if passed else "worse", gain),
                     _row("violence", "unchanged", 0.0)],
        "tasks": [{"task": "icd", "routing": "settings", "n": 96, "violations": 30,
                   "mllm_missing": 0, "old": {"miss_rate": figure(0.4)},
                   "new": {"miss_rate": figure(0.2)}, "difference": {"miss_rate": figure(-0.2)}}],
        "slices": [{"slice": "language en", "n": 80, "policies": ["scam_spam"],
                    "gain": figure(gain), "reason": ""},
                   {"slice": "golden cases", "n": 20, "policies": [], "gain": None, "reason": ""}],
        "cost": {"old_ms": 1.2, "new_ms": 1.3},
    }  # fmt: skip


def _row(policy: str, status: str, gain: float) -> dict[str, Any]:
    return {
        "policy": policy, "status": status, "n": 96, "violations": 30, "margin": 0.03,
        "words": status, "reasons": [], "more": {},
        "old": {"auc": figure(0.7), "miss_rate": figure(0.4), "brier": figure(0.2)},
        "new": {"auc": figure(0.7 + gain), "miss_rate": figure(0.2), "brier": figure(0.19)},
        "difference": {"auc": figure(gain), "miss_rate": figure(-0.2), "brier": figure(-0.01)},
    }  # fmt: skip
