"""One row a video and task: the fields of ``coefvq score --json``, flattened with dots."""

from __future__ import annotations

from typing import Any

from coefvq import taxonomy
from coefvq.domain import CascadeResult
from coefvq.errors import CoefVQError
from coefvq.results import result_json
from coefvq.work.backlog.items import BacklogItem

_LISTS = ("warnings",)
_LEFT_OUT = ("rationale", "copies", "tasks", "path")


def result_rows(item: BacklogItem, result: CascadeResult) -> list[dict[str, Any]]:
    """A row a task; columns of other tasks' policies are absent."""
    whole = result_json(result)
    head = {"key": item.key, "path": item.path, "video_id": item.video_id}
    common = head | _flat({k: v for k, v in whole.items() if k not in _LEFT_OUT})
    return [common | {"task": name} | _flat(task) for name, task in whole["tasks"].items()]


def error_row(item: BacklogItem, error: CoefVQError) -> dict[str, Any]:
    """Why a file could not be scored."""
    return {
        "key": item.key, "path": item.path, "video_id": item.video_id,
        "code": error.code, "message": str(error),
    }  # fmt: skip


def result_fields() -> dict[str, str]:
    """Column to type name of pyarrow, for the taxonomy in force: the same in every part."""
    fields = dict.fromkeys(
        ("key", "path", "video_id", "sha256", "task", "verdict", "route", "routing.rule",
         "routing.version", "routing.reason", "models.prefilter", "models.mllm"),
        "string",
    )  # fmt: skip
    fields |= dict.fromkeys(
        ("duration_s", "probability", "routing.score", "routing.threshold", "routing.propensity",
         "routing.after_mllm.score", "routing.after_mllm.threshold"),
        "double",
    )  # fmt: skip
    fields |= {"warnings": "list<string>", "routing.escalated": "bool", "routing.audit": "bool"}
    costs = ("media_ms", "prefilter_ms", "copies_ms", "expensive_signals_ms", "mllm_ms")
    fields |= {f"cost.{name}": "double" for name in costs}
    fields |= {f"cost.{name}": "int64" for name in ("tokens_in", "tokens_out")}
    for policy in taxonomy.policies():
        start = f"policies.{policy}"
        fields |= {f"{start}.{name}": "double" for name in ("prefilter", "mllm", "final")}
        fields |= {f"{start}.covered": "bool", f"{start}.why_not": "string"}
    return fields


ERROR_FIELDS = dict.fromkeys(("key", "path", "video_id", "code", "message"), "string")


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            flat |= _flat(each, f"{prefix}{name}.")
        else:
            flat[prefix + name] = each
    return flat
