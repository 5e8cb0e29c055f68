"""What features cost per clip, beside other packages on the same clips: decode, I3D, CLIP ViT-B/32, in CPU seconds.

`make peers`, then `python -m benchmarks.features`, writes benchmarks/results/features.json and features.md. One thread.
The weights are random (time does not depend on their values), so nothing has to be downloaded. CPU seconds hardly
notice a busy machine, wall-clock seconds do; each figure is the median over clips, with the least and the most.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from univg_bench.encode import write_preview
from univg_bench.environment import describe_environment
from univg_bench.features.clip import load_image_text_features
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_input import i3d_input
from univg_bench.features.video_features import load_video_features
from univg_bench.features.weights import Weights
from univg_bench.recipes import CLIPSIM_RECIPES, FVD_RECIPES
from univg_bench.video import read_frames

RESULTS = Path(__file__).parent / "results"
FRAMES, HEIGHT, WIDTH, SEEN = 24, 320, 576, 16  # UniVG's base stage, at which peers were measured too
CAPTION = "a man in a red shirt is talking about cars and playing the guitar on a stage"
FVD, CLIPSIM = FVD_RECIPES["univg"], CLIPSIM_RECIPES["vit-b32"]

PEERS = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"


def main() -> None:
    """Measure, print the table, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=6, help="clips to measure after one to warm up")
    parser.add_argument("--dest", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(Path(folder), arguments.clips)
        peers = measure_peers(Path(folder), arguments.clips)
    record = {
        "what": f"CPU seconds per clip: {FRAMES} frames {HEIGHT}x{WIDTH} H.264, {SEEN} of them seen, 1 thread, float32",
        "environment": describe_environment("cpu"),
        "clips": arguments.clips,
        "load_average": round(os.getloadavg()[0], 1),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cpu_seconds": seconds,
        "peers_cpu_seconds": peers,
    }
    arguments.dest.mkdir(parents=True, exist_ok=True)
    (arguments.dest / "features.json").write_text(json.dumps(record, indent=2) + "\n")
    (arguments.dest / "features.md").write_text(table(record))
    print(table(record))


def measure(folder: Path, num_clips: int) -> dict[str, dict[str, float]]:
    """Return part -> {median, least, most} CPU seconds per clip."""
    torch.manual_seed(0)
    plain = I3D().eval()
    i3d = load_video_features(FVD, random_weights(plain, folder / "i3d.safetensors"))
    torch.save(plain.state_dict(), folder / "i3d.pt")  # for the peers
    towers = random_weights(open_clip.CLIP(**open_clip.get_model_config(CLIPSIM.model)), folder / "clip.safetensors")
    clip = load_image_text_features(CLIPSIM, towers)
    spent: dict[str, list[float]] = {}

    def timed(part: str, work: Callable[..., Any], *arguments: Any) -> Any:
        begin = time.process_time()
        result = work(*arguments)
        spent.setdefault(part, []).append(time.process_time() - begin)
        return result

    for index in range(num_clips + 1):
        path = folder / f"{index}.mp4"
        write_preview(path, moving_texture(index), Fraction(8))
        video = timed("decode", read_frames, path, range(SEEN))
        timed("I3D: resize", i3d_input, video, FVD)
        timed("I3D: resize and network", i3d, video)
        with torch.inference_mode():
            timed("the same I3D, not rearranged", plain, i3d_input(video, FVD).permute(1, 0, 2, 3)[None].contiguous())
        images = [Image.fromarray(frame.transpose(1, 2, 0)) for frame in video]
        timed("CLIP: preprocess (PIL)", lambda images: [clip.preprocess(image) for image in images], images)
        timed("CLIP: preprocess and network", clip.images, video)
        timed("CLIP: one caption", clip.text, CAPTION)
    sums = {
        "FVD: decode and I3D": ["decode", "I3D: resize and network"],
        "CLIPSIM: decode, CLIP, one caption": ["decode", "CLIP: preprocess and network", "CLIP: one caption"],
        "both, decoded once": [
            "decode", "I3D: resize and network", "CLIP: preprocess and network", "CLIP: one caption",
        ],
    }  # fmt: skip
    for name, parts in sums.items():
        spent[name] = [sum(row) for row in zip(*(spent[part] for part in parts), strict=True)]
    return {part: middle(values[1:]) for part, values in spent.items()}


def measure_peers(folder: Path, num_clips: int) -> dict[str, dict[str, float]]:
    """Return peer -> {median, least, most} CPU seconds per clip, decoding left out, in the environment of the peers."""
    if not PEERS.is_file():
        sys.exit(f"found no {PEERS}; run `make peers` first: a figure without its peer in the same run says little")
    clips = [moving_texture(index)[:SEEN].transpose(0, 2, 3, 1) for index in range(num_clips + 1)]
    np.save(folder / "clips.npy", np.stack(clips))
    child = Path(__file__).with_name("peer_features.py")
    done = subprocess.run([PEERS, child, folder], check=True, capture_output=True, text=True)
    return {peer: middle(values) for peer, values in json.loads(done.stdout).items()}


def middle(values: list[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def moving_texture(seed: int) -> np.ndarray:
    """Return (FRAMES, 3, HEIGHT, WIDTH) uint8: a smooth random texture that drifts, so that the codec has work."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 20, 36), dtype=np.uint8)
    large = Image.fromarray(small.transpose(1, 2, 0)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    picture = np.asarray(large).transpose(2, 0, 1)
    return np.stack([np.roll(picture, (2 * t, 3 * t), axis=(1, 2)) for t in range(FRAMES)])


def random_weights(net: torch.nn.Module, path: Path) -> Weights:
    """Write the random weights of `net`, with convolutions that keep the signal alive: denormals would cost time."""
    for module in net.modules():
        if isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    save_file(net.state_dict(), path)
    return Weights("random", path, "0" * 64, "safetensors", "random, for timing", None)


def table(record: dict[str, Any]) -> str:
    """Return the record as Markdown."""
    environment = record["environment"]
    packages = environment["packages"]
    lines = [
        "# What features cost",
        "",
        f"{record['what']}. Medians over {record['clips']} clips after one to warm up; random weights.",
        f"Machine: {environment['cpu']}, {environment['cpus']} CPUs, {environment['platform']};"
        f" torch {packages['torch']}, open_clip {packages['open_clip_torch']}.",
        f"Load average at the end: {record['load_average']} (a busy machine costs some CPU seconds too, by its caches)."
        f" Peak memory of the process, both networks made and loaded: {record['peak_rss_mib']} MiB.",
        "",
        "| part | CPU s/clip | least | most |",
        "|---|---|---|---|",
        *(row(part, seconds) for part, seconds in record["cpu_seconds"].items()),
        *(row(f"{peer} (not decoded)", seconds) for peer, seconds in record["peers_cpu_seconds"].items()),
        "",
        *(f"- {line}" for line in ratios(record)),
        "",
    ]
    return "\n".join(lines)


def row(part: str, seconds: dict[str, float]) -> str:
    """Return a line of the table."""
    return f"| {part} | {seconds['median']:.3f} | {seconds['least']:.3f} | {seconds['most']:.3f} |"


def ratios(record: dict[str, Any]) -> list[str]:
    """Return what we take of each peer's time, pixels to features on both sides."""
    ours = {part: seconds["median"] for part, seconds in record["cpu_seconds"].items()}
    lines = []
    for peer, seconds in record["peers_cpu_seconds"].items():
        part = "CLIP: preprocess and network" if "CLIP" in peer else "I3D: resize and network"
        lines.append(f"{part}: {ours[part] / seconds['median']:.2f} of {peer}")
    return lines


if __name__ == "__main__":
    main()
