"""LLaMA-Factory 0.9.5: ShareGPT lists with ``dataset_info.json``, and preferences for DPO.

Format: hiyouga/LLaMA-Factory, data/README.md ("OpenAI Format", "Preference Dataset").
"""

from __future__ import annotations

import json
from typing import Any

from coefvq.export.formats.base import Format
from coefvq.export.questions import SYSTEM_PROMPT, Example
from coefvq.export.records import Video
from coefvq.learning.dataset.items import SPLITS

VIDEO = "<video>"
TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user",
        "assistant_tag": "assistant", "system_tag": "system"}  # fmt: skip


class LlamaFactory(Format):
    """``coefvq_SPLIT.json`` for training, ``coefvq_preference_SPLIT.json`` for DPO."""

    name = "llama-factory"
    title = "LLaMA-Factory: ShareGPT lists with dataset_info.json"

    def add(self, video: Video) -> int:
        """One row a label; corrected ones once more among the preferences."""
        examples = list(self.context.asker.examples(video))
        if not examples:
            return 0
        path = self.context.media.video(video)
        for example in examples:
            self.out.item(f"coefvq_{video.split}.json", _row(example, path))
            if example.rejected is not None:
                ranked = _preference(example, path)
                self.out.item(f"coefvq_preference_{video.split}.json", ranked)
        return len(examples)

    def finish(self) -> None:
        """Close the lists and describe them."""
        info = {}
        for split in SPLITS:
            for kind, ranking in (("", False), ("preference_", True)):
                name = f"coefvq_{kind}{split}"
                if self.out.has(f"{name}.json"):
                    self.out.close_list(f"{name}.json")
                    info[name] = describe(f"{name}.json", ranking)
        self.out.text("dataset_info.json", json.dumps(info, indent=2) + "\n")

    def how(self) -> str:
        """The commands of the tool."""
        return (
            "`llamafactory-cli train` with `dataset_dir:` this folder and `dataset: coefvq_train`; "
            "for DPO `dataset: coefvq_preference_train`. Relative paths of videos are found under "
            "`media_dir`, which is `dataset_dir` unless set.\n"
        )


def describe(file_name: str, ranking: bool) -> dict[str, Any]:
    """An entry of ``dataset_info.json``."""
    columns = {"messages": "messages", "videos": "videos"}
    found: dict[str, Any] = {"file_name": file_name, "formatting": "sharegpt"}
    if ranking:
        found["ranking"] = True
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    return found | {"columns": columns, "tags": dict(TAGS)}


def _asked(example: Example) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": VIDEO + example.user},
    ]


def _row(example: Example, path: str) -> dict[str, Any]:
    answer = {"role": "assistant", "content": example.answer}
    return {"messages": [*_asked(example), answer], "videos": [path]} | example.extra()


def _preference(example: Example, path: str) -> dict[str, Any]:
    return {
        "messages": _asked(example),
        "chosen": {"role": "assistant", "content": example.answer},
        "rejected": {"role": "assistant", "content": example.rejected},
        "videos": [path],
    } | example.extra()
