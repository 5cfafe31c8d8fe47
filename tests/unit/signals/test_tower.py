"""The frame encoder against real photographs and against its own contracts."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from coefvq.errors import ModelError
from coefvq.signals import tower

ASSETS = Path(find_spec("gradio").origin).parent / "media_assets"


def photograph(name: str) -> np.ndarray:
    return np.array(Image.open(ASSETS / "images" / name).convert("RGB"))[None]


@pytest.fixture(scope="module")
def exact() -> tower.FrameEncoder:
    return tower.FrameEncoder(torch.float32)


@pytest.mark.parametrize(
    ("name", "label"),
    [("cheetah.jpg", "cheetah"), ("cheetah1.jpg", "cheetah"), ("lion.jpg", "lion")],
)
def test_recognises_real_photographs(exact, name, label):
    labels = json.loads((ASSETS / "data" / "imagenet_labels.json").read_text())
    with torch.inference_mode():
        scores = exact.network.classes(exact.network(tower.prepare(photograph(name))))
    shares = scores.softmax(-1)[0]
    assert labels[int(shares.argmax())] == label
    assert shares.max() > 0.6


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 64, 40), (8, 252, 448), (2, 224, 224)])
def test_gives_1280_finite_features_a_frame(exact, shape):
    frames = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    features = exact(frames)
    assert features.shape == (shape[0], tower.WIDTH)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert (features >= 0).all()  # pooled after ReLU6


def test_same_frames_give_same_features(exact):
    frames = photograph("lion.jpg")
    assert np.array_equal(exact(frames), exact(frames))


def test_a_frame_does_not_depend_on_its_neighbours(exact):
    cat, lion = photograph("cheetah.jpg"), photograph("lion.jpg")
    size = cat.shape[1:3]
    lion = np.array(Image.fromarray(lion[0]).resize(size[::-1]))[None]
    both = exact(np.concatenate([cat, lion]))
    np.testing.assert_allclose(both[0], exact(cat)[0], atol=1e-4)


def test_half_precision_points_the_same_way(exact):
    frames = photograph("cheetah.jpg")
    fast = tower.FrameEncoder(torch.bfloat16)(frames)[0]
    full = exact(frames)[0]
    cosine = fast @ full / np.linalg.norm(fast) / np.linalg.norm(full)
    assert cosine > 0.995


def test_folding_keeps_what_the_network_computes():
    published = torch.load(tower.weights_path(), weights_only=True)
    pictures = tower.prepare(photograph("cheetah1.jpg"))
    stem = torch.nn.functional.conv2d(
        torch.nn.functional.pad(pictures, (0, 1, 0, 1)), published["_conv_stem.weight"], stride=2
    )
    names = ("running_mean", "running_var", "weight", "bias")
    expected = torch.nn.functional.batch_norm(
        stem, *(published[f"_bn0.{name}"] for name in names), eps=1e-3
    )
    with torch.inference_mode():
        found = tower.load_network().stem(pictures)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_prepare_squeezes_the_whole_picture_and_normalises():
    frame = np.zeros((1, 100, 300, 3), np.uint8)
    frame[:, :, -20:] = 255  # the right border must survive
    ready = tower.prepare(frame)
    assert ready.shape == (1, 3, tower.SIDE, tower.SIDE)
    assert ready[0, 0, 0, 0] == pytest.approx(-127 / 128)
    assert ready[0, 0, 112, -1] == pytest.approx(1.0)


def test_foreign_weights_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(2)}, other)
    monkeypatch.setattr(tower, "weights_path", lambda: other)
    with pytest.raises(ModelError, match="EfficientNet-Lite0"):
        tower.load_network()


def test_pickled_code_is_not_run(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    other = tmp_path / "trap.pth"
    torch.save({"weight": Trap()}, other)
    monkeypatch.setattr(tower, "weights_path", lambda: other)
    with pytest.raises(ModelError):
        tower.load_network()
    assert not (tmp_path / "sprung").exists()


def test_the_shared_encoder_is_loaded_once():
    assert tower.frame_encoder() is tower.frame_encoder()
