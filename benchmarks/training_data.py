"""What reading training data costs: python -m benchmarks.training_data writes benchmarks/results/training_data.json.

Clips of 24 frames at 8 a second, cut to 320x576, from random places of one H.264 video of 336x596 (WebVid's size) at 30
frames a second, 10, 60 and 180 seconds long, key frames at most 250 apart; through decord and through PyAV, in turns in
the same run, one thread. CPU seconds of the whole process (decord decodes in a thread of its own), medians over clips.
"""

from __future__ import annotations

import io
import json
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from reference_models.data.cutting import Cut
from reference_models.data.images import ShardImages
from reference_models.data.order import Order
from reference_models.data.readers import READERS, chosen_frames
from reference_models.data.survey import survey
from reference_models.data.video_lists import video_folder
from reference_models.data.videos import Videos
from reference_models.degradation import Degradation, degraded
from univg_bench.encode import write_preview
from univg_bench.environment import describe_environment

RESULTS = Path(__file__).parent / "results" / "training_data.json"
HEIGHT, WIDTH, RATE = 336, 596, 30
SECONDS = (10, 60, 180)
CUT = Cut(320, 576)
CLIPS = 12


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for seconds in SECONDS:
            folder = Path(name) / str(seconds)
            folder.mkdir()
            write_preview(folder / "a.mp4", moving(seconds * RATE), RATE)
            (folder / "a.txt").write_text("a moving texture")
            rows[f"{seconds} s"] = compared(folder)
            print(f"{seconds} s", rows[f"{seconds} s"], flush=True)
        images = shard_images(Path(name))
    order = Order((10_000_000,), (1,), seed=0)
    clip = np.random.default_rng(0).integers(0, 256, (24, 3, 720, 1280), dtype=np.uint8)
    record = {
        "what": "CPU milliseconds, medians; clips of 24 frames at 8 a second, cut to 320x576",
        "environment": describe_environment("cpu"),
        "clip": rows,
        "image of 512x512 from a shard": images,
        "place in an order of 10 million": timed(lambda i: order.at(i * 7919), 200),
        "degradation of 24x720x1280 to 320x576": timed(
            lambda i: degraded(clip, Degradation(320, 576), np.random.default_rng(i)), 6
        ),
    }
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    for what, value in list(record.items())[3:]:
        print(f"{what}: {value} ms")


def moving(frames: int) -> Iterator[NDArray[np.uint8]]:
    """Yield frames (3, H, W) of a smooth texture that drifts, with a new one every five seconds, as films are cut."""
    rng = np.random.default_rng(0)
    for index in range(frames):
        if index % (5 * RATE) == 0:
            coarse = torch.from_numpy(rng.integers(0, 256, (1, 3, 40, 60), dtype=np.uint8)).float()
            large = torch.nn.functional.interpolate(coarse, (HEIGHT + 320, WIDTH + 320), mode="bicubic")
            texture = large[0].round().clamp(0, 255).to(torch.uint8).numpy()
        shift = 2 * (index % (5 * RATE))
        yield texture[:, shift : shift + HEIGHT, shift : shift + WIDTH]


def compared(folder: Path) -> dict[str, float]:
    """Return the CPU milliseconds of a clip by each reader, and of its parts; both must give the same bits."""
    sources = {reader: Videos(video_folder(folder), CUT, reader) for reader in READERS}
    spent: dict[str, list[float]] = {reader: [] for reader in READERS}
    for seed in range(CLIPS):
        made = {}
        for reader, source in sources.items():
            begin = time.process_time()
            made[reader] = source.clip(0, num_frames=24, rng=np.random.default_rng(seed)).pixels
            spent[reader].append(1000 * (time.process_time() - begin))
        assert np.array_equal(made["decord"], made["pyav"])
    path = folder / "a.mp4"
    found = survey(path)
    start = len(found.times) // 2
    indices = [start + round(k * RATE / CUT.fps) for k in range(24)] if CUT.fps else []
    figures = {reader: round(statistics.median(values), 1) for reader, values in spent.items()}
    figures["survey alone"] = timed(lambda _: survey(path), CLIPS)
    for reader in READERS:
        figures[f"{reader}, frames from the middle alone"] = timed(
            lambda _, reader=reader: chosen_frames(path, indices, found=found, reader=reader), 5
        )
    figures["decord / pyav"] = round(figures["decord"] / figures["pyav"], 3)
    return figures


def shard_images(folder: Path) -> float:
    """Return the CPU milliseconds of an image from a random place of a shard of 200 JPEGs."""
    path = folder / "00000.tar"
    pixels = next(moving(1)).repeat(2, axis=1)[:, :512, :512].transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=90)
    with tarfile.open(path, "w") as tar:
        for number in range(200):
            for suffix, content in (("jpg", file.getvalue()), ("txt", b"a texture")):
                info = tarfile.TarInfo(f"{number:09d}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    source = ShardImages([path], CUT, index=folder / "index")
    rng = np.random.default_rng(0)
    return timed(lambda _: source.clip(int(rng.integers(200)), num_frames=1, rng=rng), 20)


def timed(deed: Callable[[int], object], times: int) -> float:
    """Return the median CPU milliseconds of `deed(i)`."""
    spent = []
    for index in range(times):
        begin = time.process_time()
        deed(index)
        spent.append(1000 * (time.process_time() - begin))
    return round(statistics.median(spent), 3)


if __name__ == "__main__":
    main()
