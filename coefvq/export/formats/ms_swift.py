"""ms-swift 4.6: JSON lines with ``messages``, ``videos`` and ``rejected_response``.

Format: swift.readthedocs.io, "Custom Dataset", standard dataset format.
"""

from __future__ import annotations

from typing import Any

from coefvq.export.formats.base import Format
from coefvq.export.output import to_json
from coefvq.export.questions import SYSTEM_PROMPT, Example, class_rows, video_text
from coefvq.export.records import Video

VIDEO = "<video>"


class MsSwift(Format):
    """``SPLIT.jsonl`` for training, ``preference_SPLIT.jsonl`` for DPO, ``classes_SPLIT.jsonl``."""

    name = "ms-swift"
    title = "ms-swift: JSON lines, with the machine's answer as rejected_response"

    def add(self, video: Video) -> int:
        """One row a label; corrected ones once more among the preferences."""
        examples = list(self.context.asker.examples(video))
        if not examples:
            return 0
        path = self.context.media.video(video)
        for example in examples:
            line = to_json(row_of(example, path)) + b"\n"
            self.out.write(f"{video.split}.jsonl", line)
            if example.rejected is not None:
                self.out.write(f"preference_{video.split}.jsonl", line)
        if self.context.wanted.classes:
            self._add_classes(video, path)
        return len(examples)

    def _add_classes(self, video: Video, path: str) -> None:
        text = VIDEO + video_text(video)
        for indices in class_rows(self.context.rules, video.settled).values():
            row = {"messages": [{"role": "user", "content": text}], "label": indices,
                   "videos": [path]}  # fmt: skip
            self.out.line(f"classes_{video.split}.jsonl", row)

    def how(self) -> str:
        """The commands of the tool."""
        number = len(self.context.rules.policies)
        return (
            "`swift sft --dataset train.jsonl --val_dataset validation.jsonl`; "
            "`swift rlhf --rlhf_type dpo --dataset preference_train.jsonl`; with classes also "
            "`swift sft --task_type seq_cls --problem_type multi_label_classification "
            f"--num_labels {number} --dataset classes_train.jsonl`. Run it in this folder where "
            "videos are linked or copied: their paths are relative then. "
            "`USE_AUDIO_IN_VIDEO=True` lets omni models hear the sound.\n"
        )


def row_of(example: Example, path: str) -> dict[str, Any]:
    """One example as the tool reads it."""
    row: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": VIDEO + example.user},
            {"role": "assistant", "content": example.answer},
        ],
        "videos": [path],
    }
    if example.rejected is not None:
        row["rejected_response"] = example.rejected
    return row | example.extra()
