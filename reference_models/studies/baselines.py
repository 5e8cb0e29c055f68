"""What stands beside the models: frozen first frame, bicubic, the autoencoder's ceiling; and F_SR's input.

Folders of `<item>.mp4`, lossless, each video a function of its real video and name alone; what is there is not made
again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reference_models.degradation import Degradation, degraded
from reference_models.nn.autoencoder import Autoencoder
from reference_models.presets import load_preset
from reference_models.stages.pixels import enlarged, to_uint8, to_unit
from reference_models.studies.bench import Bench, Scene
from reference_models.training.starting import damage_of
from univg_bench.atomic import write_bytes
from univg_bench.datasets.rendered import FPS
from univg_bench.encode import write_lossless
from univg_bench.errors import InputError
from univg_bench.video import decode

Video = NDArray[np.uint8]  # (F, 3, H, W)


def frozen(bench: Bench, scene: Scene) -> Path:
    """Return a folder with the first frame of each real video, repeated."""
    return _made(bench, scene, "frozen", lambda video, _: np.repeat(video[:1], len(video), axis=0))


def through_autoencoder(bench: Bench, scene: Scene, vae: Autoencoder, digest: str) -> Path:
    """Return a folder with the real videos, encoded and decoded: no stage can be expected to do better."""

    def made(video: Video, _: str) -> Video:
        with torch.inference_mode():
            return to_uint8(vae.decode(vae.encode(to_unit(torch.from_numpy(video)), chunk=1), chunk=1)).numpy()

    return _made(bench, scene, f"vae-{digest[:12]}", made)


def low_quality(bench: Bench, scene: Scene) -> Path:
    """Return a folder with what F_SR is given: the real videos, damaged as in training and small (decisions 76, 91).

    Damage and size are drawn from the item's name, so all rows and bicubic get the same video.
    """
    (height, width), large = _size(scene), load_preset("tiny-fsr")
    trained = damage_of(large)
    assert trained is not None, "F_SR's"
    low = (height * trained.height // large.height, width * trained.width // large.width)
    settings = Degradation(*low, trained.rounds)

    def made(video: Video, item: str) -> Video:
        word = hashlib.sha256(f"studies|low|{item}".encode()).digest()
        return degraded(video, settings, np.random.Generator(np.random.PCG64(int.from_bytes(word[:16], "big"))))

    folder = _made(bench, scene, "low", made)
    facts = json.dumps({"degradation": asdict(settings), "world": scene.items.digest})
    write_bytes(folder / "low.json", facts.encode())
    return folder


def bicubic(bench: Bench, scene: Scene, low: Path) -> Path:
    """Return a folder with the low-quality videos, enlarged as F_SR's own condition is (decision 17)."""
    height, width = _size(scene)

    def made(video: Video, _: str) -> Video:
        return to_uint8(enlarged(torch.from_numpy(video)[None], height=height, width=width)[0]).numpy()

    return _made(bench, scene, "bicubic", made, source=low)


def _size(scene: Scene) -> tuple[int, int]:
    generation, preset = scene.protocol.generation, load_preset("tiny-fsr")
    return generation.height or preset.height, generation.width or preset.width


def _made(
    bench: Bench, scene: Scene, name: str, make: Callable[[Video, str], Video], *, source: Path | None = None
) -> Path:
    folder = bench.work / "baselines" / scene.protocol.name / name
    todo = [item for item in scene.items.items if not (folder / f"{item.item_id}.mp4").is_file()]
    for item in bench.console.progress(todo, total=len(todo), title=name, unit="video"):
        path = item.reference if source is None else source / f"{item.item_id}.mp4"
        if path is None:
            raise InputError(f"found no real video of {item.item_id}; run the same command again to render it")
        video = np.stack([frame.rgb for frame in decode(path)])
        write_lossless(folder / f"{item.item_id}.mp4", make(video, item.item_id), FPS)
    return folder
