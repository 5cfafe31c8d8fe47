"""Every export is read by the tool that it is for, in the version that is pinned."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coefvq import taxonomy
from coefvq.settings import Settings
from coefvq.store.session import Store
from tests.unit.export import tiny_vlm
from tests.unit.export.library import every_line, export

os.environ.setdefault("HF_HUB_OFFLINE", "1")
datasets = pytest.importorskip("datasets")
Library = tuple[Store, Settings]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library keeps of its files lies in the test's folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def loaded(builder: str, **how: Any) -> Any:
    return datasets.load_dataset(builder, split="train", **how)


def test_datasets_reads_the_parquet(library: Library, tmp_path: Path) -> None:
    export(*library, tmp_path / "out", "hf")
    files = {path.stem: str(path) for path in (tmp_path / "out" / "data").glob("*.parquet")}
    found = datasets.load_dataset("parquet", data_files=files)
    rows = [row for split in found.values() for row in split]
    assert len(rows) == 21
    kinds = next(iter(found.values())).features
    assert kinds["label"].names == ["ok", "violation"] and kinds["video"].decode is False
    hate = [row for row in rows if row["policy"] == "hate_harassment" and row["label"] == 1]
    assert len(hate) == 1 and hate[0]["title"] == "first"
    assert [turn["role"] for turn in hate[0]["messages"]] == ["system", "user", "assistant"]
    assert hate[0]["messages"][1]["content"][0]["type"] == "video"
    assert hate[0]["messages"][2]["content"][0]["text"] == "Yes"
    assert hate[0]["machine_probability"] == pytest.approx(0.87) and not hate[0]["corrected"]
    assert (tmp_path / "out" / hate[0]["video"]["path"]).is_file()


@pytest.mark.parametrize("media", ["link", "copy"])
def test_datasets_reads_the_videofolder(library: Library, tmp_path: Path, media: str) -> None:
    export(*library, tmp_path / "out", "hf", media=media)
    found = datasets.load_dataset("videofolder", data_dir=str(tmp_path / "out" / "videofolder"))
    rows = [row for split in found.values()
            for row in split.cast_column("video", datasets.Video(decode=False))]  # fmt: skip
    assert len(rows) == 4
    assert {f"label_{policy}" for policy in taxonomy.policies()} <= rows[0].keys()
    assert sum(row["label_static_slideshow"] == 1 for row in rows) == 1
    assert sum(row["label_violence"] == -1 for row in rows) == 1
    assert all(Path(row["video"]["path"]).is_file() for row in rows)
    copied = [path for path in (tmp_path / "out").rglob("*.mp4") if not path.is_symlink()]
    assert len(copied) == (4 if media == "copy" else 0)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("ms-swift", "*.jsonl"), ("llama-factory", "coefvq_*.json"), ("llava", "[tvg]*.json")],
)
def test_datasets_reads_the_json_of_the_others(
    library: Library, tmp_path: Path, name: str, pattern: str
) -> None:
    """ms-swift and LLaMA-Factory read their files with this loader."""
    export(*library, tmp_path / "out", name)
    files = sorted((tmp_path / "out").glob(pattern))
    for path in files:
        rows = loaded("json", data_files=str(path))
        assert len(rows) > 0
        if "messages" in rows.column_names:
            assert rows[0]["messages"][0]["role"] == "system"
    assert files


@pytest.fixture
def folders(library: Library, tmp_path: Path) -> Iterator[Path]:
    export(*library, tmp_path / "out", "trl", seed=0)
    yield tmp_path / "out"


def test_one_step_of_sft_with_frames(folders: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    splits = sorted(path.parent for path in folders.glob("*/metadata.jsonl"))
    rows = loaded("imagefolder", data_dir=str(splits[-1]))
    assert rows.column_names[:2] == ["images", "messages"] and len(rows[0]["images"]) == 8
    read = tiny_vlm.processor()
    asked = trl.SFTConfig(
        output_dir=str(tmp_path / "run"), max_steps=1, per_device_train_batch_size=2,
        report_to=[], use_cpu=True, bf16=False, max_length=None, save_strategy="no",
        disable_tqdm=True,
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        tiny_vlm.model(read), args=asked, train_dataset=rows, processing_class=read
    )
    done = trainer.train()
    assert done.global_step == 1 and 0.0 < done.training_loss < 20.0


def test_pairs_for_dpo_have_what_it_wants(folders: Path) -> None:
    found = [row for path in folders.glob("preference/*/metadata.jsonl")
             for row in loaded("imagefolder", data_dir=str(path.parent))]  # fmt: skip
    assert len(found) == 3
    for row in found:
        assert row.keys() >= {"images", "prompt", "chosen", "rejected"}
        assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
        assert row["chosen"][0]["content"] != row["rejected"][0]["content"]
    assert len(every_line(folders, "preference/*/metadata.jsonl")) == 3


def test_label_studio_takes_config_and_tasks(library: Library, tmp_path: Path) -> None:
    pytest.importorskip("label_studio_sdk")
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.label_interface.objects import TaskValue

    export(*library, tmp_path, "label-studio")
    interface = LabelInterface((tmp_path / "config.xml").read_text("utf-8"))
    interface.validate()
    assert {"icd", "ucc", "when", "comment"} <= {tag for tag in interface._controls}
    for task in json.loads((tmp_path / "tasks.json").read_text("utf-8")):
        TaskValue(**task)
        assert interface.validate_task({"data": task["data"]})
        for prediction in task["predictions"]:
            assert interface.validate_prediction(prediction, return_errors=True) == []
        for annotation in task["annotations"]:
            assert interface._validate_object(annotation, return_errors=True) == []
