"""TRL 1.16: folders that ``imagefolder`` reads, with frames as images and ``messages``."""

from __future__ import annotations

from typing import Any

from coefvq.errors import MediaError
from coefvq.export.formats.base import NO_FILE, Format
from coefvq.export.questions import SYSTEM_PROMPT, Example
from coefvq.export.records import Video


class Trl(Format):
    """``SPLIT/metadata.jsonl`` for SFT, ``preference/SPLIT/metadata.jsonl`` for DPO."""

    name = "trl"
    title = "TRL: frames as images, messages, and pairs for DPO"

    def add(self, video: Video) -> int:
        """One row a label; corrected ones once more as prompt, chosen and rejected."""
        if not self.context.asker.asks(video):
            return 0
        try:
            names, times_s = self.context.media.frames(video, video.split)
        except MediaError:
            self.context.left_out[NO_FILE] += 1
            return 0
        count = 0
        for example in self.context.asker.examples(video, times_s):
            count += 1
            row = {"images_file_names": names, "messages": _messages(example)} | example.extra()
            self.out.line(f"{video.split}/metadata.jsonl", row)
            if example.rejected is not None:
                self._add_pair(example)
        return count

    def _add_pair(self, example: Example) -> None:
        video = example.video
        names, _ = self.context.media.frames(video, f"preference/{video.split}")
        row = {
            "images_file_names": names,
            "prompt": _messages(example)[:2],
            "chosen": [{"role": "assistant", "content": example.answer}],
            "rejected": [{"role": "assistant", "content": example.rejected}],
        }
        self.out.line(f"preference/{video.split}/metadata.jsonl", row | example.extra())

    def how(self) -> str:
        """The calls of the library."""
        return (
            "`load_dataset('imagefolder', data_dir='train', split='train')` gives `images` and "
            "`messages` for `SFTTrainer`; `data_dir='preference/train'` gives `prompt`, `chosen`, "
            "`rejected` and `images` for `DPOTrainer`. The library reads a folder as one split, "
            "named `train` whatever is in it.\n"
        )


def _messages(example: Example) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": example.user},
        {"role": "assistant", "content": example.answer},
    ]
