"""Read what Label Studio exports as JSON: one decision an annotation and moderation task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from coefvq import taxonomy
from coefvq.errors import ExportError
from coefvq.export.formats.label_studio import COMMENT, FPS, SOURCE, WHEN
from coefvq.export.imports import Refused, Result, Told
from coefvq.export.wanted import IMPORTED
from coefvq.store.decisions import OK, VIOLATION
from coefvq.store.tables import utcnow

LARGEST = 512 * 1024**2
Region = dict[str, Any]


def read_label_studio(path: Path, result: Result) -> Iterator[Told]:
    """Yield the decisions of a file; what cannot be read goes to ``result`` by the task's number.

    Raises:
        ExportError: The file is missing, too large, or no list of tasks.
    """
    for number, task in enumerate(_tasks(path), 1):
        try:
            yield from _of_task(number, task)
        except Refused as error:
            result.refuse([number], str(error))


def _tasks(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise ExportError(f"{path.name} is larger than {LARGEST >> 20} MB. Export fewer tasks.")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ExportError(f"No such file: {path}") from None
    except (ValueError, RecursionError) as error:
        raise ExportError(
            f"{path.name} is no JSON: {error}. In Label Studio choose Export, JSON (not JSON-MIN)."
        ) from error
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not isinstance(found, list):
        raise ExportError(f"{path.name} is no list of tasks. Choose Export, JSON.")
    return found


def _of_task(number: int, task: Any) -> Iterator[Told]:
    data = task.get("data") if isinstance(task, dict) else None
    annotations = task.get("annotations") if isinstance(task, dict) else None
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise Refused("It has no data or no annotations. Choose Export, JSON.")
    video = _video(data)
    for annotation in annotations:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            raise Refused("An annotation has no result.")
        if not annotation.get("was_cancelled"):
            yield from _decisions(number, video, data, annotation)


def _video(data: dict[str, Any]) -> dict[str, str]:
    named = {name: data[name] for name in ("video_id", "video_sha256")
             if isinstance(data.get(name), str) and data[name]}  # fmt: skip
    if named:
        return named
    place = data.get(SOURCE)
    if not isinstance(place, str) or not place:
        raise Refused("Its data name no video_id, video_sha256 or video.")
    return {"path": unquote(place.rpartition("?d=")[2])}


def _decisions(
    number: int, video: dict[str, str], data: dict[str, Any], annotation: dict[str, Any]
) -> Iterator[Told]:
    by_control: dict[str, list[Region]] = {}
    mine: dict[str, list[Region]] = {}
    for region in annotation["result"]:
        if isinstance(region, dict) and region.get("type") == "choices":
            mine.setdefault(_task_of(region, data), []).append(region)
        elif isinstance(region, dict):
            by_control.setdefault(str(region.get("from_name")), []).append(region)
    start_s, end_s = _span(by_control.get(WHEN, []), data)
    for name, regions in mine.items():
        known = _known(regions[-1], name, data)
        yield Told(
            (number,), video, name, _labels(name, regions), _who(annotation, known),
            known.get("role") or IMPORTED, _reasons(known, name, regions),
            _comment(by_control.get(COMMENT, [])), start_s, end_s, _moment(annotation),
            known_id=known.get("id"),
        )  # fmt: skip


def _task_of(region: Region, data: dict[str, Any]) -> str:
    """The moderation task that a choice answers: the control's name, or its policies' task."""
    known = taxonomy.tasks()
    control = str(region.get("from_name"))
    chosen = (str(choice) for choice in _value(region, "choices"))
    policies = (taxonomy.policies().get(choice) for choice in chosen)
    found = control if control in known else next((p.task for p in policies if p), data.get("task"))
    if found not in known:
        raise Refused(f"'{control[:60]}' is no task, and nothing chosen in it is a policy.")
    return str(found)


def _labels(task: str, regions: list[Region]) -> dict[str, str]:
    chosen = {str(choice) for region in regions for choice in _value(region, "choices")}
    policies = [policy.id for policy in taxonomy.task(task).policies]
    strange = chosen - {*policies, OK}
    if strange:
        raise Refused(f"'{min(strange)[:60]}' is no policy of the task '{task}'.")
    if OK in chosen and len(chosen) > 1:
        raise Refused(f"The task '{task}' is marked ok and violated at once.")
    if not chosen:
        raise Refused(f"Nothing is chosen for the task '{task}'.")
    return {policy: VIOLATION if policy in chosen else OK for policy in policies}


def _span(regions: list[Region], data: dict[str, Any]) -> tuple[float | None, float | None]:
    ranges = [each for region in regions for each in _value(region, "ranges")]
    if not ranges:
        return None, None
    fps = data.get("fps")
    rate = float(fps) if isinstance(fps, int | float) and fps > 0 else FPS
    try:
        start = min(int(each["start"]) for each in ranges)
        end = max(int(each["end"]) for each in ranges)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("A range has no start or end.") from error
    return round(max(0, start - 1) / rate, 3), round(max(0, end - 1) / rate, 3)


def _comment(regions: list[Region]) -> str:
    return "\n".join(str(line) for region in regions for line in _value(region, "text"))


def _value(region: Region, name: str) -> list[Any]:
    value = region.get("value")
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, str):
        return [found]
    if not isinstance(found, list):
        raise Refused(f"A region has no {name}.")
    return found


def _known(region: Region, task: str, data: dict[str, Any]) -> dict[str, Any]:
    """What was exported with the task, of the decision that a region came from."""
    decision = str(region.get("id", "")).removesuffix(f".{task}")
    told = data.get("decisions")
    rows = told if isinstance(told, list) else []
    found = (row for row in rows if isinstance(row, dict) and row.get("id") == decision)
    row = next(found, {})
    return {name: value for name, value in row.items()
            if isinstance(value, str) or name == "reasons"}  # fmt: skip


def _reasons(known: dict[str, Any], task: str, regions: list[Region]) -> dict[str, str]:
    """Label Studio asks for none: what was exported stays where the policy is still violated."""
    told = known.get("reasons")
    labels = _labels(task, regions)
    pairs = told.items() if isinstance(told, dict) else ()
    return {str(policy): str(why) for policy, why in pairs if labels.get(policy) == VIOLATION}


def _who(annotation: dict[str, Any], known: dict[str, Any]) -> str:
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("username")
    return by if isinstance(by, str) and by else IMPORTED


def _moment(annotation: dict[str, Any]) -> datetime | None:
    text = annotation.get("updated_at") or annotation.get("created_at")
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return min(moment, utcnow()) if moment.tzinfo else None
