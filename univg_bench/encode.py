"""Write videos: lossless for metrics, a browser preview for people. Equal frames give equal files, byte for byte.

Two things make x264 repeat itself. One thread, asked for as an option of the encoder (with `thread_count` alone,
repeated encodes differed: SUITE.md 4e). And a constant quantiser: with `crf`, macroblock-tree rate control reads memory
that nobody wrote, and one thread gave up to 19 different files in 40 encodes of the same 24 frames of 298x238 (libx264
of PyAV 18.1, x86-64; none with `qp`, `mbtree=0` or without assembler). The hash of a file is still no identity, because
another version of the encoder may write other bytes; hash the RGB (`video.probe`).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from univg_bench.atomic import atomic
from univg_bench.errors import InputError
from univg_bench.frames import exact_rate

Frames = Iterable[NDArray[np.uint8]]


def write_lossless(path: Path, frames: Frames, fps: float | Fraction) -> None:
    """Write an mp4 (libx264rgb, qp 0) that decodes to exactly these frames; the file appears complete or not at all.

    frames: (F, 3, H, W) uint8 RGB, or an iterable of (3, H, W), of any size, odd ones too; read one at a time.

    Raises InputError for no frames, another shape or dtype; InfrastructureError when the disk is full.
    """
    _write(path, frames, fps, codec="libx264rgb", pixels="rgb24", options={"qp": "0"}, even=False)


def write_preview(path: Path, frames: Frames, fps: float | Fraction) -> None:
    """Write an mp4 for browsers (H.264, yuv420p, index first); not neutral, so no metric ever reads it.

    frames: as in `write_lossless`. yuv420p needs even sides, so an odd side is made even by repeating its last row or
    column. qp 20 makes files as large as the usual crf 18 (50 KB for 24 frames of 320x240), and always the same file.
    """
    _write(path, frames, fps, codec="libx264", pixels="yuv420p", options={"qp": "20"}, even=True)


def _write(
    path: Path, frames: Frames, fps: float | Fraction, *, codec: str, pixels: str, options: dict[str, str], even: bool
) -> None:
    rate = fps if isinstance(fps, Fraction) else exact_rate(fps)
    if rate <= 0:
        raise InputError(f"found fps {fps} for {path}, expected more than 0")
    # bitexact: no version of the muxer in the file; faststart: the index before the frames
    muxer = {"fflags": "+bitexact", "movflags": "+faststart"}
    with atomic(path) as temporary, av.open(str(temporary), "w", format="mp4", options=muxer) as out:
        stream: VideoStream | None = None
        for index, chw in enumerate(frames):
            rgb = _padded(_checked(chw, index)) if even else _checked(chw, index)
            if stream is None:
                stream = cast(VideoStream, out.add_stream(codec, rate=rate, options={"threads": "1", **options}))
                stream.height, stream.width, stream.pix_fmt = rgb.shape[0], rgb.shape[1], pixels
                stream.codec_context.time_base = 1 / rate
            if rgb.shape[:2] != (stream.height, stream.width):
                raise InputError(
                    f"frame {index} for {path.name} is {rgb.shape[1]}x{rgb.shape[0]},"
                    f" the first was {stream.width}x{stream.height}"
                )
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts = index
            frame.time_base = 1 / rate
            out.mux(stream.encode(frame))
        if stream is None:
            raise InputError(f"there are no frames to write to {path}")
        out.mux(stream.encode(None))


def _checked(chw: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    if chw.ndim != 3 or chw.shape[0] != 3 or chw.dtype != np.uint8 or 0 in chw.shape:
        raise InputError(f"frame {index} is {chw.dtype} {chw.shape}, expected uint8 (3, H, W)")
    return np.ascontiguousarray(chw.transpose(1, 2, 0))  # (H, W, 3)


def _padded(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
