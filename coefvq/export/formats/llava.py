"""LLaVA: one JSON list of conversations between ``human`` and ``gpt``, a file a split."""

from __future__ import annotations

from coefvq.export.formats.base import Format
from coefvq.export.questions import SYSTEM_PROMPT
from coefvq.export.records import Video
from coefvq.learning.dataset.items import SPLITS

VIDEO = "<video>\n"


class Llava(Format):
    """``SPLIT.json``."""

    name = "llava"
    title = "LLaVA: a list of conversations"

    def add(self, video: Video) -> int:
        """One conversation a label. The format has no system prompt: it begins the question."""
        examples = list(self.context.asker.examples(video))
        if not examples:
            return 0
        path = self.context.media.video(video)
        for example in examples:
            asked = f"{VIDEO}{SYSTEM_PROMPT}\n\n{example.user}"
            talk = [{"from": "human", "value": asked}, {"from": "gpt", "value": example.answer}]
            row = {"video": path, "conversations": talk} | example.extra()
            self.out.item(f"{video.split}.json", row)
        return len(examples)

    def finish(self) -> None:
        """Close the lists."""
        for split in SPLITS:
            if self.out.has(f"{split}.json"):
                self.out.close_list(f"{split}.json")

    def how(self) -> str:
        """The options of the tool."""
        return (
            "`--data_path train.json --video_folder` this folder; with absolute paths any folder "
            "does.\n"
        )
