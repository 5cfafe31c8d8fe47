"""Hugging Face datasets: Parquet with questions and labels, and a ``videofolder``.

Rows are first written as JSON lines, which can be gone on with after a crash, and become Parquet
at the end, some thousand at a time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from coefvq.export.formats.base import Format
from coefvq.export.questions import SYSTEM_PROMPT, Example
from coefvq.export.records import Video
from coefvq.export.wanted import LINK, NONE
from coefvq.learning.dataset.items import SPLITS

LABELS = ("ok", "violation")
UNLABELLED = -1
_BLOCK = 2 << 20
_TEXTS = ("id", "video_id", "sha256", "task", "policy", "title", "caption")
_NUMBERS = ("machine_probability", "propensity", "label_weight")


class HuggingFace(Format):
    """``data/SPLIT.parquet`` and ``videofolder/SPLIT/metadata.jsonl``."""

    name = "hf"
    title = "Hugging Face datasets: Parquet and videofolder"
    media = LINK
    packages: ClassVar[tuple[str, ...]] = ("pyarrow",)

    def add(self, video: Video) -> int:
        """One row a label, and the video with all its labels in the folder."""
        examples = list(self.context.asker.examples(video))
        path = self._place(video)
        for example in examples:
            self.out.line(_rows_of(video.split), _row(example, path))
        return len(examples)

    def _place(self, video: Video) -> str:
        folder = f"videofolder/{video.split}"
        path = self.context.media.video(video, folder)
        if self.context.media.mode != NONE:
            row = _metadata(video, Path(path).name, list(self.context.rules.policies))
            self.out.line(f"{folder}/metadata.jsonl", row)
        return path

    def finish(self) -> None:
        """Turn rows into Parquet, and describe the files for the Hub."""
        made: list[str] = [split for split in SPLITS if self.out.has(_rows_of(split))]
        for split in made:
            self._to_parquet(split)
        self.out.text("README.md", _readme(made))

    def _to_parquet(self, split: str) -> None:
        import pyarrow.json as pj
        import pyarrow.parquet as pq

        target = self.out.folder / "data" / f"{split}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(target, schema(), compression="zstd") as writer:
            rows = pj.open_json(
                self.out.path(_rows_of(split)),
                pj.ReadOptions(use_threads=False, block_size=_BLOCK),
                pj.ParseOptions(explicit_schema=schema(), unexpected_field_behavior="error"),
            )
            for batch in rows:
                writer.write_batch(batch)
        self.out.drop(_rows_of(split))

    def how(self) -> str:
        """The calls of the library."""
        folder = (
            "`load_dataset('videofolder', data_dir='videofolder')`"
            if self.context.media.mode != NONE
            else "Without linked or copied videos there is no `videofolder`."
        )
        return (
            "`load_dataset('parquet', data_files={'train': 'data/train.parquet'})`: `label` is a "
            "ClassLabel (ok, violation), `video` is not decoded. "
            f"{folder} In it a label is 1 (violation), 0 (ok) or {UNLABELLED} (nobody said).\n"
        )


def features() -> dict[str, Any]:
    """The columns as the library writes them into a Parquet file's metadata."""
    plain: dict[str, Any] = {name: {"dtype": "string", "_type": "Value"} for name in _TEXTS}
    plain |= {name: {"dtype": "float64", "_type": "Value"} for name in _NUMBERS}
    text = {"dtype": "string", "_type": "Value"}
    part = {"type": text, "text": text}
    return plain | {
        "corrected": {"dtype": "bool", "_type": "Value"},
        "label": {"names": list(LABELS), "_type": "ClassLabel"},
        "video": {"decode": False, "_type": "Video"},
        "messages": {"feature": {"role": text, "content": {"feature": part, "_type": "List"}},
                     "_type": "List"},
    }  # fmt: skip


def schema() -> Any:
    """The Arrow schema, with the library's features in its metadata."""
    import pyarrow as pa

    text = pa.string()
    part = pa.struct([("type", text), ("text", text)])
    message = pa.struct([("role", text), ("content", pa.list_(part))])
    fields = [pa.field(name, text) for name in _TEXTS]
    fields += [pa.field(name, pa.float64()) for name in _NUMBERS]
    fields += [
        pa.field("corrected", pa.bool_()),
        pa.field("label", pa.int64()),
        pa.field("video", pa.struct([("bytes", pa.binary()), ("path", text)])),
        pa.field("messages", pa.list_(message)),
    ]
    about = json.dumps({"info": {"features": features()}})
    return pa.schema(fields, metadata={"huggingface": about})


def _row(example: Example, path: str) -> dict[str, Any]:
    video, settled = example.video, example.settled
    talk = (("system", SYSTEM_PROMPT), ("user", example.user), ("assistant", example.answer))
    return {
        "video_id": video.video_id, "sha256": video.sha256, "title": video.title,
        "caption": video.caption, "label": settled.label, "corrected": settled.corrected,
        "machine_probability": settled.machine.probability, "video": {"path": path, "bytes": None},
        "messages": [{"role": role, "content": _content(role, text)} for role, text in talk],
    } | example.extra()  # fmt: skip


def _content(role: str, text: str) -> list[dict[str, str | None]]:
    parts: list[dict[str, str | None]] = [{"type": "text", "text": text}]
    return [{"type": "video", "text": None}, *parts] if role == "user" else parts


def _metadata(video: Video, name: str, policies: list[str]) -> dict[str, Any]:
    labels = {settled.policy: settled.label for settled in video.settled}
    weights = min((settled.propensity for settled in video.settled), default=1.0)
    return {
        "file_name": name, "video_id": video.video_id, "title": video.title or "",
        "caption": video.caption or "", "propensity": weights,
    } | {f"label_{policy}": labels.get(policy, UNLABELLED) for policy in policies}  # fmt: skip


def _rows_of(split: str) -> str:
    return f"rows/{split}.jsonl"


def _readme(splits: list[str]) -> str:
    files = "".join(f"  - split: {name}\n    path: data/{name}.parquet\n" for name in splits)
    head = f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}---\n" if splits else ""
    return (
        f"{head}\nWhat is in here, how it came about and what it cannot say: `dataset_card.md`.\n"
    )
