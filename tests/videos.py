"""Small test videos, made with PyAV: every frame carries its own index as a bar code in its pixels.

So a test can say which frames came out, whatever the codec, and needs no file from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from univg_bench.atomic import atomic

DARK, BRIGHT = 32, 224
BITS_ACROSS, BITS_DOWN = 5, 2  # ten bits: indices below 1024


def bar_code(index: int, *, width: int = 80, height: int = 48) -> NDArray[np.uint8]:
    """Return an (H, W, 3) frame with `index` in ten blocks, bright for 1, and a colour that changes with it."""
    rgb = np.full((height, width, 3), DARK, np.uint8)
    for bit in range(BITS_ACROSS * BITS_DOWN):
        if index >> bit & 1:
            down, across = divmod(bit, BITS_ACROSS)
            rows = slice(down * height // BITS_DOWN, (down + 1) * height // BITS_DOWN)
            columns = slice(across * width // BITS_ACROSS, (across + 1) * width // BITS_ACROSS)
            rgb[rows, columns] = BRIGHT
    return rgb


def read_bar_code(rgb: NDArray[np.uint8]) -> int:
    """Return the index in an (H, W, 3) frame."""
    height, width = rgb.shape[:2]
    index = 0
    for bit in range(BITS_ACROSS * BITS_DOWN):
        down, across = divmod(bit, BITS_ACROSS)
        row = (2 * down + 1) * height // (2 * BITS_DOWN)
        column = (2 * across + 1) * width // (2 * BITS_ACROSS)
        index |= int(rgb[row, column].mean() > (DARK + BRIGHT) / 2) << bit
    return index


def read_bar_codes(frames: Iterable[NDArray[np.uint8]]) -> list[int]:
    """Return the index of every (3, H, W) frame."""
    return [read_bar_code(frame.transpose(1, 2, 0)) for frame in frames]


def make_video(
    path: Path,
    frames: int | Sequence[NDArray[np.uint8]] = 24,
    *,
    fps: Fraction | int = 10,
    size: tuple[int, int] = (80, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    times: Sequence[Fraction] | None = None,
    rotation: int = 0,
    audio: bool = False,
) -> Path:
    """Write a video of bar codes (or of given (H, W, 3) frames); the suffix of `path` names the container.

    times: of each frame in seconds, for a variable frame rate. rotation: display matrix, degrees counter-clockwise.
    muxer: options of the container, e.g. {"movflags": "+faststart"}. Atomic, so that a process may be killed while it
    makes inputs.
    """
    width, height = size
    pictures = [bar_code(i, width=width, height=height) for i in range(frames)] if isinstance(frames, int) else frames
    time_base = Fraction(1, 12800) if times else 1 / Fraction(fps)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, av.open(str(temporary), "w", options=muxer or {}) as out:
        # a constant quantiser: with x264's default rate control the same frames give several files
        quantiser = {"qp": "22"} if codec == "libx264" else {}
        settings = {"threads": "1", **quantiser, **(options or {})}
        stream = cast(VideoStream, out.add_stream(codec, rate=Fraction(fps), options=settings))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        sound = out.add_stream("aac", rate=16000) if audio else None
        for index, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.time_base = time_base
            frame.pts = round(times[index] / time_base) if times else index
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 16000
            silence.pts = 0
            out.mux(sound.encode(silence))
            out.mux(sound.encode(None))
    return path


def cut_copy(source: Path, dest: Path, *, start: Fraction, end: Fraction | None = None) -> Path:
    """Cut without encoding, as `ffmpeg -ss START -to END -c copy` does: an edit list hides what lies before START."""
    with av.open(str(source)) as inp, av.open(str(dest), "w") as out:
        stream = inp.streams.video[0]
        copy = out.add_stream_from_template(stream)
        assert stream.time_base is not None
        shift = int(start / stream.time_base)
        inp.seek(shift, stream=stream, backward=True)
        for packet in inp.demux(stream):
            if packet.dts is None or packet.pts is None:
                continue
            if end is not None and packet.pts * stream.time_base >= end:
                continue
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copy
            out.mux(packet)
    return dest


def make_gif(path: Path, frames: Sequence[Image.Image], *, duration: int | list[int] = 100, disposal: int = 2) -> Path:
    """Write a GIF by Pillow; `duration` in milliseconds, per frame if a list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(
        path,
        save_all=True,
        append_images=list(frames[1:]),
        duration=duration,
        disposal=disposal,
        loop=0,
        optimize=False,
    )
    return path


def truncated(source: Path, dest: Path, *, keep: float = 0.6) -> Path:
    """Write the first `keep` of the bytes of `source`, as a broken download leaves them."""
    content = source.read_bytes()
    dest.write_bytes(content[: int(len(content) * keep)])
    return dest


def damaged(source: Path, dest: Path, *, at: float = 0.5, length: int = 64) -> Path:
    """Overwrite `length` bytes in the middle of `source` with noise."""
    content = bytearray(source.read_bytes())
    start = int(len(content) * at)
    content[start : start + length] = np.random.default_rng(0).bytes(length)
    dest.write_bytes(bytes(content))
    return dest


# Prints the peak memory of the process in KiB. Not getrusage: on Linux that also counts the process it was forked from.
PRINT_PEAK_KIB = """
import resource
from pathlib import Path
status = Path("/proc/self/status")
if status.exists():
    print(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
