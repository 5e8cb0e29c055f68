"""Looking at a source, and writing its presentation copy: one encoder, one setting, no word about where it came from.

H.264 High, yuv420p, BT.709 and tagged so (docs/findings.md 33: Chromium guesses untagged files by their size, so two
methods would be shown in different colours), constant rate factor 12 (x264's own default is 23), a keyframe every 12
frames for quick steps, no B-frames, so that time begins at 0 without an edit list, index first, no sound. No tags, no
name of an encoder (not in the stream either), and the same time of change for all.

Equal frames give equal files: one thread, and no macroblock tree (docs/findings.md 13 and 34).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from human_eval_app.presentation import TICKS, Copy, SourceFacts
from univg_bench.atomic import atomic
from univg_bench.containers import UnreadableVideo
from univg_bench.video import decode

CRF = 12
KEYFRAME_EVERY = 12
X264 = f"mbtree=0:bframes=0:keyint={KEYFRAME_EVERY}:min-keyint={KEYFRAME_EVERY}:scenecut=0"
ENCODER = {"threads": "1", "preset": "medium", "crf": str(CRF), "profile": "high", "x264-params": X264}
MUXER = {"fflags": "+bitexact", "movflags": "+faststart", "video_track_timescale": str(TICKS)}
# what a copy's bytes depend on besides its plan; another value is another file name
RECIPE = {"encoder": ENCODER, "muxer": MUXER, "colour": "bt709", "scaler": "lanczos", "sei": "removed"}
# FFmpeg's AV_CODEC_FLAG_BITEXACT, AVCOL_*_BT709 and AVCOL_RANGE_MPEG
_BITEXACT, _BT709, _LIMITED = 1 << 23, 1, 1
# 2000-01-01, for all: a time of change would tell which method was imported together with which
MODIFIED = 946_684_800
_GREY = 128  # what lies around the players


@dataclass(frozen=True)
class Job:
    """One copy to make; all that a worker process needs."""

    source: Path
    dest: Path
    plan: Copy


@dataclass(frozen=True)
class Looked:
    """What a source is, or why it cannot be shown."""

    facts: SourceFacts | None
    problem: str = ""


def look(path: Path) -> Looked:
    """Decode a source to its end and return its facts, or the reason why nobody could watch it."""
    try:
        begins: list[Fraction] = []
        height = width = 0
        end = Fraction(0)
        for frame in decode(path):
            height, width = frame.rgb.shape[1:]
            begins.append(frame.time)
            end = frame.time + frame.duration
    except UnreadableVideo as error:
        return Looked(None, error.reason)
    if len(begins) < 2:
        return Looked(None, "it has 1 frame, expected at least 2: a still picture cannot be compared with a video")
    if begins[-1] == begins[0]:
        return Looked(None, "all its frames have the same time, so nobody knows how fast it runs")
    times = tuple(begin - begins[0] for begin in begins)
    return Looked(SourceFacts(digest_of_file(path), width, height, times, max(end - begins[0], times[-1])))


def make_copy(job: Job) -> tuple[str, int]:
    """Write the presentation copy and return its SHA-256 and size; it appears whole or not at all.

    Raises UnreadableVideo where the source is not what it was; InfrastructureError when the disk is full.
    """
    with atomic(job.dest) as temporary:
        with av.open(str(temporary), "w", format="mp4", options=MUXER) as out:
            _encode(out, job)
        os.utime(temporary, (MODIFIED, MODIFIED))
    return digest_of_file(job.dest), job.dest.stat().st_size


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _encode(out: OutputContainer, job: Job) -> None:
    plan, tick = job.plan, Fraction(1, TICKS)
    stream = out.add_stream("libx264", rate=plan.fps.limit_denominator(1001), options=ENCODER)
    stream.width, stream.height, stream.pix_fmt = plan.width, plan.height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = tick
    coder = stream.codec_context
    coder.flags |= _BITEXACT
    coder.color_primaries = coder.color_trc = coder.colorspace = _BT709
    coder.color_range = _LIMITED
    # x264 writes its name and settings into the stream as SEI, which is what this takes out again
    quiet = BitStreamFilterContext("filter_units=remove_types=6", stream)
    durations = dict(zip(plan.starts, plan.durations, strict=True))

    def send(packets: list[av.Packet[Any]]) -> None:
        for packet in packets:
            assert packet.pts is not None
            packet.duration = durations[packet.pts]
            for cleaned in quiet.filter(packet):
                cleaned.stream = stream
                out.mux(cleaned)

    for start, picture in zip(plan.starts, _pictures(job), strict=True):
        picture.pts, picture.time_base = start, tick
        send(stream.encode(picture))
    send(stream.encode(None))


def _pictures(job: Job) -> Iterator[av.VideoFrame]:
    """Yield the frames of the copy in yuv420p; a frame that is shown several times is converted once."""
    plan, scaler = job.plan, VideoReformatter()
    wanted = iter(plan.indices)
    due = next(wanted, None)
    for index, frame in enumerate(decode(job.source)):
        if index != due:
            continue
        while index == due:
            yield _converted(frame.rgb, plan, scaler)
            due = next(wanted, None)
        if due is None:
            return
    raise UnreadableVideo("unreadable", f"{job.source} changed while it was imported; run the same import again")


def _converted(chw: NDArray[np.uint8], plan: Copy, scaler: VideoReformatter) -> av.VideoFrame:
    rgb = np.ascontiguousarray(chw.transpose(1, 2, 0))  # (H, W, 3)
    if plan.scaled != (rgb.shape[1], rgb.shape[0]):
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        scaled = scaler.reformat(
            picture, width=plan.scaled[0], height=plan.scaled[1], interpolation=Interpolation.LANCZOS
        )
        rgb = scaled.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    if plan.grown != "no":
        down, right = plan.height - rgb.shape[0], plan.width - rgb.shape[1]
        if plan.grown == "edge":
            rgb = np.pad(rgb, ((0, down), (0, right), (0, 0)), mode="edge")
        else:
            above, left = down // 2, right // 2
            rgb = np.pad(rgb, ((above, down - above), (left, right - left), (0, 0)), constant_values=_GREY)
    return VideoReformatter().reformat(
        av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
        format="yuv420p", dst_colorspace=Colorspace.ITU709, src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )  # fmt: skip
