"""Peak memory of one worker process per extractor, for `univg-bench doctor` and for choosing --workers.

`python -m benchmarks.worker_memory` writes benchmarks/results/worker_memory.json. Each extractor runs in a process of
its own over four clips of 24 frames 720x1280 (what UniVG generates), with random weights of the published sizes. As
the shipped protocols have it, FVD sees 16 frames of a clip and CLIPSIM all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

KINDS = ("torch alone", "i3d", "clip", "tiny")
RESULTS = Path(__file__).parent / "results" / "worker_memory.json"


def main() -> None:
    """Run every kind in a fresh process, print and write the peaks."""
    from univg_bench.environment import describe_environment

    with tempfile.TemporaryDirectory() as folder:
        child("prepare", folder)
        peaks = {kind: int(child(kind, folder)) for kind in KINDS}
    record = {
        "what": "peak resident MiB of one worker process, 4 clips of 24 frames 720x1280, 1 thread, float32",
        "environment": describe_environment("cpu"),
        "peak_mib": peaks,
    }
    RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    for kind, peak in peaks.items():
        print(f"{kind:<12} {peak:>6} MiB")


def child(deed: str, folder: str) -> str:
    """Return what a fresh process prints that prepares, or does the work of one kind."""
    command = [sys.executable, "-m", "benchmarks.worker_memory", deed, folder]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def prepare(folder: Path) -> None:
    """Write random weights and four clips, in a process that is not measured."""
    import numpy as np
    import open_clip

    from benchmarks.features import CLIPSIM, random_weights
    from univg_bench.encode import write_preview
    from univg_bench.features.i3d import I3D

    random_weights(I3D(), folder / "i3d.safetensors")
    random_weights(open_clip.CLIP(**open_clip.get_model_config(CLIPSIM.model)), folder / "clip.safetensors")
    rng = np.random.default_rng(0)
    for clip in range(4):
        coarse = rng.integers(0, 256, (24, 3, 18, 32), dtype=np.uint8)
        write_preview(folder / f"{clip}.mp4", coarse.repeat(40, axis=2).repeat(40, axis=3), 8)


def work(kind: str, folder: Path) -> None:
    """Do what a worker does for one extractor, then print the peak of this process in MiB."""
    import torch

    torch.set_num_threads(1)
    if kind != "torch alone":
        extractors = load(kind, folder)
        from univg_bench.features.reading import one_ahead
        from univg_bench.video import read_frames

        seen = list(range(24 if kind == "clip" else 16))
        # as the evaluation does: one clip ahead, and each metric's frames are a copy of those that were decoded
        reads = ((e, read_frames(folder / f"{clip}.mp4", seen)[seen]) for clip in range(4) for e in extractors)
        with one_ahead(reads) as ready:
            for extract, frames in ready:
                extract(frames)
                del frames
    # not ru_maxrss: on Linux that of a new process starts at the size of the process that made it
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)


def load(kind: str, folder: Path):  # type: ignore[no-untyped-def]  # extractors of two kinds, called alike
    from univg_bench.features.clip import load_image_text_features
    from univg_bench.features.video_features import load_video_features
    from univg_bench.features.weights import Weights, find_weights
    from univg_bench.recipes import CLIPSIM_RECIPES, FVD_RECIPES

    if kind == "tiny":
        clip = load_image_text_features(CLIPSIM_RECIPES["tiny"], find_weights("tiny-clip"))
        return [load_video_features(FVD_RECIPES["tiny"], find_weights("tiny-i3d")), clip.images]
    weights = Weights("random", folder / f"{kind}.safetensors", "0" * 64, "safetensors", "random, for measuring", None)
    if kind == "i3d":
        return [load_video_features(FVD_RECIPES["univg"], weights)]
    return [load_image_text_features(CLIPSIM_RECIPES["vit-b32"], weights).images]


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]))
    else:
        work(sys.argv[1], Path(sys.argv[2]))
