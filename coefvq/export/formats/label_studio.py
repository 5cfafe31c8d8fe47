"""Label Studio: a labelling config, and tasks with predictions and annotations.

Every moderation task is one ``Choices`` control: the violated policies, or ``ok`` where none is. A
marked range is a ``TimelineLabels`` region in frames, counted from 1. What Label Studio has no
place for (reviewer, reasons, times) lies in the task's ``data``, which it keeps as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from coefvq.export.formats.base import Format
from coefvq.export.records import Answer, Video
from coefvq.export.wanted import NONE
from coefvq.store.decisions import OK, VIOLATION
from coefvq.taxonomy import Taxonomy

TASKS, CONFIG = "tasks.json", "config.xml"
WHEN, COMMENT, SOURCE = "when", "comment", "video"
FPS = 25.0
"""Of a video whose rate is not known."""
ANNOTATOR = 1
"""Id of a Label Studio user who is always there: the import refuses ids that it does not know."""
_LOCAL = "/data/local-files/?d="


class LabelStudio(Format):
    """``config.xml`` and ``tasks.json``."""

    name = "label-studio"
    title = "Label Studio: config and tasks; what is annotated there can be imported"
    texts = False

    def add(self, video: Video) -> int:
        """One task with an annotation a decision."""
        if not video.answers:
            return 0
        fps = fps_of(video)
        made = {
            "data": self._data(video, fps),
            "predictions": list(_predictions(video.answers)),
            "annotations": [annotation(answer, fps) for answer in video.answers],
        }
        self.out.item(TASKS, made)
        return 1

    def finish(self) -> None:
        """Close the list and write the config."""
        if self.out.has(TASKS):
            self.out.close_list(TASKS)
            self.out.text(CONFIG, config(self.context.rules))

    def _data(self, video: Video, fps: float) -> dict[str, Any]:
        path = self.context.media.video(video)
        place = path.lstrip("/") if self.context.media.mode == NONE else path
        return {
            SOURCE: _LOCAL + quote(place), "title": video.title or "",
            "caption": video.caption or "", "fps": fps, "video_id": video.video_id,
            "video_sha256": video.sha256, "split": video.split,
            "decisions": [_decision(answer) for answer in video.answers],
        }  # fmt: skip

    def how(self) -> str:
        """Where the files go."""
        root = "`/`" if self.context.media.mode == NONE else "this folder"
        return (
            "Paste `config.xml` as the labelling config and import `tasks.json`. Videos are "
            "served by Label Studio itself: `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true` and "
            f"`LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`={root}. Annotations belong to user "
            f"{ANNOTATOR}; who decided is in `data.decisions`. What is exported there as JSON, "
            "`coefvq import --format label-studio` takes in.\n"
        )


def config(rules: Taxonomy) -> str:
    """The labelling config: a control a task, a range, a comment."""
    parts = ['<View>\n  <Header value="$title"/>\n  <Text name="about" value="$caption"/>\n',
             f'  <Video name="{SOURCE}" value="${SOURCE}" frameRate="$fps"/>\n']  # fmt: skip
    for task in rules.tasks.values():
        parts.append(f"  <Header value={quoteattr(task.name)}/>\n")
        parts.append(f'  <Choices name={quoteattr(task.id)} toName="{SOURCE}" choice="multiple">\n')
        parts += [f"    <Choice value={quoteattr(each.id)} hint={quoteattr(each.question)}/>\n"
                  for each in task.policies]  # fmt: skip
        parts.append(f'    <Choice value="{OK}"/>\n  </Choices>\n')
    parts.append(f'  <TimelineLabels name="{WHEN}" toName="{SOURCE}">\n')
    parts += [f"    <Label value={quoteattr(policy)}/>\n" for policy in rules.policies]
    parts.append(f'    <Label value="{OK}"/>\n  </TimelineLabels>\n')
    parts.append(f'  <TextArea name="{COMMENT}" toName="{SOURCE}"/>\n</View>\n')
    return "".join(parts)


def annotation(answer: Answer, fps: float) -> dict[str, Any]:
    """A decision as an annotation; its regions carry the decision's id."""
    chosen = list(answer.violated) or [OK]
    result = [_region(answer, answer.task, "choices", {"choices": chosen})]
    if answer.start_s is not None and answer.end_s is not None:
        ranges = [{"start": frame(answer.start_s, fps), "end": frame(answer.end_s, fps)}]
        value = {"ranges": ranges, "timelinelabels": chosen}
        result.append(_region(answer, WHEN, "timelinelabels", value))
    if answer.comment:
        result.append(_region(answer, COMMENT, "textarea", {"text": [answer.comment]}))
    return {
        "completed_by": ANNOTATOR, "was_cancelled": False, "ground_truth": False,
        "lead_time": 0.0, "result": result,
    }  # fmt: skip


def frame(second: float, fps: float) -> int:
    """The frame at a second, counted from 1."""
    return max(1, round(second * fps) + 1)


def fps_of(video: Video) -> float:
    """Frames a second; ``FPS`` where nobody knows."""
    return round(video.info.fps, 4) if video.info is not None and video.info.fps > 0 else FPS


def _region(answer: Answer, control: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{answer.decision_id}.{control}", "from_name": control, "to_name": SOURCE,
            "type": kind, "value": value}  # fmt: skip


def _decision(answer: Answer) -> dict[str, Any]:
    return {
        "id": answer.decision_id, "task": answer.task, "reviewer": answer.reviewer,
        "role": answer.role, "labels": dict(answer.labels), "reasons": dict(answer.reasons),
        "comment": answer.comment, "start_s": answer.start_s, "end_s": answer.end_s,
        "decided_at": answer.decided_at.isoformat(), "propensity": answer.propensity,
        "audit": answer.audit, "taxonomy_version": answer.taxonomy_version,
    }  # fmt: skip


def _predictions(answers: Iterable[Answer]) -> Iterable[dict[str, Any]]:
    """What the machine had said, of each task once: beside the last decision."""
    for answer in {each.task: each for each in answers}.values():
        covered = {policy: said for policy, said in answer.machine.items()
                   if said.probability is not None}  # fmt: skip
        if not covered:
            continue
        chosen = [policy for policy, said in covered.items() if said.label == VIOLATION] or [OK]
        versions = [str(name) for name in answer.models.values() if name]
        yield {
            "model_version": "+".join(versions) or "machine",
            "score": max(said.probability or 0.0 for said in covered.values()),
            "result": [{"id": f"m{answer.decision_id}.{answer.task}", "from_name": answer.task,
                        "to_name": SOURCE, "type": "choices", "value": {"choices": chosen}}],
        }  # fmt: skip
