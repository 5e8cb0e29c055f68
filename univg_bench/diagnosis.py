"""What could stop a run on this machine, found out before it starts and without loading a network."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from univg_bench.errors import InputError
from univg_bench.features.weights import find_weights
from univg_bench.protocol import FolderData, MovingShapesData, MsrvttData, Protocol
from univg_bench.protocol_metrics import recipe_of, weights_of
from univg_bench.recipes import ClipsimRecipe, FvdRecipe
from univg_bench.recipes_frames import FidRecipe

GIB = 1 << 30

# Peak resident memory of one worker process on videos of 24 frames 720x1280, rounded up: `make bench` writes it to
# benchmarks/results/worker_memory.json (1,198, 1,945 and 981 MiB; torch alone takes 527).
WORKER_MEMORY = {"i3d": 1.2 * GIB, "clip": 2.0 * GIB, "tiny": 1.1 * GIB}

# Bytes per pixel and frame of a stored lossless sample: 0.67 MB (clean) to 7.7 MB (noisy) were measured for 24 frames
# of 320x576 with libx264rgb, qp 0.
LOSSLESS_BYTES_PER_PIXEL = (0.67e6 / (24 * 320 * 576), 7.7e6 / (24 * 320 * 576))

# Feature files of one video: 512 numbers for each of 24 frames, 400 numbers, and a file system's smallest blocks.
FEATURE_BYTES = 60_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ok: nothing to do; sentence: what was found, and what to do if not."""

    topic: str
    ok: bool
    sentence: str


def diagnose(protocol: Protocol | None, *, dest: Path, weights: Path | None, workers: int) -> list[Finding]:
    """Return the findings for a run of `protocol` into `dest` by `workers` processes; None: of the machine alone."""
    findings = [_versions(), _decoder()]
    if protocol is not None:
        findings += _weights(protocol, weights)
    findings.append(_disk(protocol, dest))
    findings.append(_memory(protocol, workers))
    findings.append(_threads(workers))
    return findings


def _versions() -> Finding:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "open_clip_torch", "av", "numpy", "scipy"))
    return Finding("versions", True, f"Python {platform.python_version()}, {packages}")


def _decoder() -> Finding:
    """Encode a clip lossless and decode it again: it must come back to the bit."""
    from univg_bench.encode import write_lossless
    from univg_bench.video import read_frames

    ramp = np.arange(9 * 3 * 18 * 33, dtype=np.int64)
    frames = ((ramp * 7919) % 251).astype(np.uint8).reshape(9, 3, 18, 33)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_lossless(path, frames, 8)
        exact = bool(np.array_equal(read_frames(path, range(9)), frames))
    from av import library_versions

    libraries = ".".join(str(number) for number in library_versions["libavcodec"])
    if exact:
        return Finding("decoder", True, f"libavcodec {libraries} stores and reads a clip without a changed bit")
    return Finding("decoder", False, f"libavcodec {libraries} changed a clip that it stored lossless; reinstall `av`")


def _weights(protocol: Protocol, folder: Path | None) -> Iterator[Finding]:
    for metric in protocol.metrics:
        wanted = weights_of(metric)
        if wanted is None:
            continue
        try:
            found = find_weights(wanted, folder)
        except InputError as error:
            yield Finding("weights", False, f"{metric.id}: {error}")
        else:
            yield Finding("weights", True, f"{metric.id}: {found.name} in {found.path}, {found.note}")


def num_samples(protocol: Protocol) -> int:
    """Return how many samples the protocol nominally asks for, without reading its data."""
    data = protocol.data
    if isinstance(data, MovingShapesData):
        items = data.count
    elif isinstance(data, FolderData):
        items = data.expect.items
    else:
        items = _num_msrvtt(data)
    return items * protocol.generation.samples_per_item


def _num_msrvtt(data: MsrvttData) -> int:
    select = data.select
    videos = data.expect.videos if select.videos == "all" else select.videos
    if select.captions_per_video == "all":
        captions = data.expect.captions or 20 * data.expect.videos
        count = captions * videos // data.expect.videos
    else:
        count = videos * select.captions_per_video
    return min(count, select.first or count)


def _disk(protocol: Protocol | None, dest: Path) -> Finding:
    place = dest
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        what = "a file" if not place.is_dir() else "a folder that you may not write"
        return Finding("disk", False, f"{place.resolve()} is {what}; name another place with --dest")
    free = shutil.disk_usage(place).free
    if protocol is None:
        return Finding("disk", free > GIB, f"{free / GIB:.1f} GiB free at {place.resolve()}")
    generation, count = protocol.generation, num_samples(protocol)
    needed = features = count * FEATURE_BYTES
    sentence = (
        f"{free / GIB:.1f} GiB free at {place.resolve()}, {features / GIB:.2g} GiB needed for features of {count}"
    )
    if generation.num_frames and generation.height and generation.width:
        pixels = count * generation.num_frames * generation.height * generation.width
        low, high = (int(pixels * bytes_per_pixel) for bytes_per_pixel in LOSSLESS_BYTES_PER_PIXEL)
        sentence += (
            f", {low / GIB:.2g} to {high / GIB:.2g} GiB for lossless samples (an import takes what its files take)"
        )
        needed += low
    if free < needed:
        return Finding("disk", False, f"{sentence}; name a larger disk with --dest")
    return Finding("disk", True, sentence)


def _memory(protocol: Protocol | None, workers: int) -> Finding:
    total, available = _memory_bytes()
    if protocol is None or available is None:
        known = "unknown" if available is None else f"{available / GIB:.1f} GiB available of {(total or 0) / GIB:.1f}"
        return Finding("memory", True, known)
    needed = workers * max(WORKER_MEMORY[_kind(recipe_of(metric))] for metric in protocol.metrics)
    sentence = f"{available / GIB:.1f} GiB available, about {needed / GIB:.1f} GiB needed by {workers} worker(s)"
    if available < needed:
        return Finding("memory", False, f"{sentence}; use fewer --workers")
    return Finding("memory", True, sentence)


def _kind(recipe: object) -> str:
    if isinstance(recipe, FvdRecipe):
        return "i3d" if recipe.network == "i3d" else "tiny"
    if isinstance(recipe, ClipsimRecipe):
        return "tiny" if recipe.model == "tiny-clip" else "clip"
    # Inception was not measured: it is smaller than CLIP. Without a network there are the frames, as with tiny ones.
    return "clip" if isinstance(recipe, FidRecipe) else "tiny"


def _memory_bytes() -> tuple[int | None, int | None]:
    info = Path("/proc/meminfo")
    if not info.is_file():
        return None, None
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines())
    total, available = (int(fields[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    return total, available


def _threads(workers: int) -> Finding:
    cpus = os.cpu_count() or 1
    sentence = f"{workers} worker(s) of one thread each on {cpus} CPU(s)"
    if workers > cpus:
        return Finding("threads", False, f"{sentence}: more workers than CPUs only cost memory; use --workers {cpus}")
    return Finding("threads", True, sentence)
