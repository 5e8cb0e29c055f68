"""Read videos exactly, or say why not: whole stream, presentation order, one thread, equal bytes every time.

What a frame is: what a player shows. Edit lists are honoured (frames they hide do not exist), a variable frame rate
keeps every frame with its own time, rotation and mirroring in the metadata are applied, odd sizes stay odd, sound is
ignored, of several video streams the one marked default is taken, else the first. Non-square pixels are not resampled.
What is transparent (GIF) lies on white.

RGB is FFmpeg's own default conversion, `frame.to_ndarray(format="rgb24")` in PyAV: 8 bits, the matrix and range that
the file declares (BT.601, limited, where it declares none), swscale's bicubic chroma. decord, torchcodec, OpenCV and
imageio-ffmpeg give the same bytes (SUITE.md 4b), so it is a convention and no choice of ours.

A file that is cut off, damaged or no video raises UnreadableVideo. What can be seen is seen in four ways: the file's
structure (`containers.py`), the sample table against the size, frames against packets, the decoder's own corrupt flag.
Damage that still decodes cannot be seen in a foreign file; our own samples have their hashes in the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from univg_bench.atomic import machine_faults
from univg_bench.containers import Container, UnreadableVideo, check_structure, container_of
from univg_bench.frames import FramePolicy

# one packet is one shown frame in these; VP8 has hidden frames in packets, MPEG-4 in AVI packs two in one
_FRAME_PER_PACKET = {"h264", "hevc", "vp9", "av1", "ffv1", "gif", "mjpeg", "prores", "png", "qtrle", "rawvideo"}

# 8K UHD has 33.2 million; a damaged header asks for thousands of times more, and would take the machine's memory
_MAX_PIXELS = 1 << 25


@dataclass(frozen=True)
class Frame:
    """One shown frame. rgb: (3, H, W) uint8. time, duration: seconds; the duration may be 0 where a file says none."""

    time: Fraction
    duration: Fraction
    rgb: NDArray[np.uint8]


@dataclass(frozen=True)
class VideoFacts:
    """What one pass over a video tells, in constant memory.

    rgb_sha256: of all frames, rows of RGB bytes, then the text "FxHxW"; equal for equal pixels in any container.
    fps: frames per second over the whole length. seconds: from the first frame's begin to the last one's end.
    brightest: the largest value of any channel. contrast: the largest difference between two pixels of one frame in one
    channel. motion: the largest difference of any pixel from the first frame. (0 .. 255 each.)
    """

    frames: int
    height: int
    width: int
    seconds: Fraction
    rgb_sha256: str
    brightest: int
    contrast: int
    motion: int

    @property
    def fps(self) -> Fraction:
        """Frames per second over the whole length; 0 when the length is unknown."""
        return self.frames / self.seconds if self.seconds else Fraction(0)


def decode(path: Path) -> Iterator[Frame]:
    """Yield every shown frame in presentation order; memory holds a few frames, whatever the length.

    Raises UnreadableVideo as soon as it is known: what was yielded before an error must not be used.
    """
    with _reading(path):
        container = container_of(path)
        stored = check_structure(path, container)
        with av.open(str(path.absolute()), format=container, metadata_errors="replace") as file:
            stream = _stream(file)
            _refuse_missing_samples(stream, container, path.stat().st_size)
            yield from _frames(file, stream, _packets_stored(stored, file, stream))


def probe(path: Path) -> VideoFacts:
    """Decode the whole file once and return what it holds.

    Raises UnreadableVideo.
    """
    digest = hashlib.sha256()
    first: NDArray[np.uint8] | None = None
    frames = brightest = contrast = motion = 0
    begin = end = Fraction(0)
    for frame in decode(path):
        if first is None:
            first, begin = frame.rgb, frame.time
        digest.update(frame.rgb.transpose(1, 2, 0).tobytes())
        high, low = frame.rgb.max(axis=(1, 2)), frame.rgb.min(axis=(1, 2))
        brightest = max(brightest, int(high.max()))
        contrast = max(contrast, int((high - low).max()))
        # in uint8 the larger minus the smaller never wraps, and needs no wider copy of the frame
        motion = max(motion, int((np.maximum(frame.rgb, first) - np.minimum(frame.rgb, first)).max()))
        end = frame.time + frame.duration
        frames += 1
    assert first is not None, "decode yields a frame or raises"
    height, width = first.shape[1:]
    digest.update(f"{frames}x{height}x{width}".encode())
    return VideoFacts(frames, height, width, end - begin, digest.hexdigest(), brightest, contrast, motion)


def read_frames(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """Return (len(indices), 3, H, W) uint8, the frames with these indices in the order asked; repeats are allowed.

    One pass that keeps only what is wanted and stops after the last of it, so use it on files that `probe` has passed.

    Raises UnreadableVideo, also when the file has fewer frames than the indices need.
    """
    wanted = set(indices)
    last = max(indices)
    kept: dict[int, NDArray[np.uint8]] = {}
    for index, frame in enumerate(decode(path)):
        if index in wanted:
            kept[index] = frame.rgb
        if index == last:
            return np.stack([kept[i] for i in indices])
    raise UnreadableVideo("truncated", f"frame {last} was asked for, but {path.name} ends after {index + 1} frames")


def read_chosen(path: Path, policy: FramePolicy, *, video_id: str, num_frames: int) -> NDArray[np.uint8] | None:
    """Return the frames that `policy` takes of this video, (n, 3, H, W) uint8, or None when it drops a short one.

    num_frames: the probed count, so that most policies need one partial pass; `fps_matched` needs a pass for the times.

    Raises UnreadableVideo; SampleError for a short video under `short: error`.
    """
    times: list[Fraction] | None = None
    seconds: Fraction | None = None
    if policy.fps is not None:
        moments = [(frame.time, frame.time + frame.duration) for frame in decode(path)]
        times = [begin for begin, _ in moments]
        seconds = moments[-1][1] - moments[0][0]
    indices = policy.indices(num_frames=num_frames, video_id=video_id, times=times, seconds=seconds)
    return None if indices is None else read_frames(path, indices)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    with machine_faults(f"read {path}"):
        try:
            yield
        except FileNotFoundError as error:
            raise UnreadableVideo("unreadable", "there is no such file") from error
        except PermissionError as error:
            raise UnreadableVideo("unreadable", "the file may not be read (permission denied)") from error
        except av.error.FFmpegError as error:
            # FFmpeg says "input/output error" and "out of memory" of damaged files too; a disk that fails, or a process
            # without file handles, fails here as well
            _read_through(path)
            raise UnreadableVideo("corrupt", f"FFmpeg cannot decode it: {error.strerror}") from error


def _read_through(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def _stream(file: InputContainer) -> VideoStream:
    pictures = av.stream.Disposition.attached_pic
    streams = [stream for stream in file.streams.video if not stream.disposition & pictures]
    if not streams:
        raise UnreadableVideo("unreadable", "the file has no video stream")
    chosen = next((s for s in streams if s.disposition & av.stream.Disposition.default), streams[0])
    if chosen.codec_context is None:
        raise UnreadableVideo("unreadable", "the codec of its video stream is not known to this build of FFmpeg")
    # one thread: several cost 1.2-1.5x the CPU on a short clip, and videos are many (SUITE.md 4c)
    chosen.codec_context.thread_count = 1
    if chosen.codec_context.width * chosen.codec_context.height > _MAX_PIXELS:
        size = f"{chosen.codec_context.width}x{chosen.codec_context.height}"
        raise UnreadableVideo("unreadable", f"it claims to be {size}, which is more than {_MAX_PIXELS} pixels")
    chosen.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
    return chosen


def _refuse_missing_samples(stream: VideoStream, container: Container, size: int) -> None:
    if container != "mov":
        return
    beyond = sum(entry.pos + entry.size > size for entry in stream.index_entries)
    if beyond:
        raise UnreadableVideo(
            "truncated",
            f"the file is cut off: {beyond} of the {len(stream.index_entries)} frames in its index lie beyond its end",
        )


def _packets_stored(stored: Mapping[int, int], file: InputContainer, stream: VideoStream) -> int | None:
    """Return how many packets of `stream` the structure of the file holds, or None where it does not say."""
    if len(stored) > len(file.streams):
        raise UnreadableVideo("corrupt", f"it holds frames of {len(stored)} tracks, but describes {len(file.streams)}")
    # FFmpeg does not tell track numbers, but streams are in their order; a track without a block leaves it open
    return stored[sorted(stored)[stream.index]] if len(stored) == len(file.streams) else None


def _frames(file: InputContainer, stream: VideoStream, stored: int | None) -> Iterator[Frame]:
    """stored: how many packets there are by the structure of the file, None when it does not say."""
    convert = _Rgb()
    shape: tuple[int, ...] | None = None
    shown = packets = hidden = 0
    previous: Frame | None = None
    interlaced = False
    for packet in file.demux(stream):
        packets += bool(packet.size)
        hidden += bool(packet.size) and packet.is_discard
        for picture in packet.decode():
            if picture.is_corrupt:
                raise UnreadableVideo("corrupt", f"frame {shown} is damaged")
            interlaced = interlaced or bool(picture.interlaced_frame)
            frame = Frame(*_moment(picture, stream, previous), convert(picture))
            if previous is not None:
                if frame.time < previous.time:
                    raise UnreadableVideo("corrupt", f"frame {shown} is dated before the frame that it follows")
                # the last frame's duration ends the video; those before it end where the next begins
                yield Frame(previous.time, frame.time - previous.time, previous.rgb)
            shape = shape or frame.rgb.shape
            if frame.rgb.shape != shape:
                sizes = f"{shape[2]}x{shape[1]} to {frame.rgb.shape[2]}x{frame.rgb.shape[1]}"
                raise UnreadableVideo("unreadable", f"the size changes from {sizes} at frame {shown}")
            previous = frame
            shown += 1
    if previous is None:
        raise UnreadableVideo("unreadable", "the file has no frame that is shown")
    if stored is None:
        stored = sum(entry.size > 0 for entry in stream.index_entries)
    if packets < stored:
        raise UnreadableVideo("corrupt", f"only {packets} of its frames can be found, but it holds more")
    if shown < packets - hidden and stream.codec_context.name in _FRAME_PER_PACKET and not interlaced:
        raise UnreadableVideo("corrupt", f"only {shown} of {packets - hidden} frames can be decoded")
    yield previous


def _moment(picture: av.VideoFrame, stream: VideoStream, previous: Frame | None) -> tuple[Fraction, Fraction]:
    """Return (time, duration) in seconds; a frame without a date (AVI has none) follows at the stream's own rate."""
    step = 1 / stream.average_rate if stream.average_rate else Fraction(0)
    base = picture.time_base or stream.time_base
    if picture.pts is None or base is None:
        return (previous.time + step if previous is not None else Fraction(0)), step
    return picture.pts * base, (picture.duration * base if picture.duration else step)


class _Rgb:
    """From decoded pictures to (3, H, W) RGB as shown; keeps the scaler between frames, which makes it cheaper."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()

    def __call__(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        if any(component.is_alpha for component in picture.format.components):
            rgba = self.reformatter.reformat(picture, format="rgba").to_ndarray().astype(np.uint16)
            alpha = rgba[..., 3:]
            rgb = ((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
        else:
            rgb = self.reformatter.reformat(picture, format="rgb24").to_ndarray().astype(np.uint8, copy=False)
        return _turned(rgb, picture).transpose(2, 0, 1)  # (3, H, W)


def _turned(rgb: NDArray[np.uint8], picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Apply the display matrix (ISO/IEC 14496-12, 8.3.2: x' = a x + c y, y' = b x + d y, y downwards)."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return rgb
    a, b, _, c, d = np.frombuffer(cast(bytes, matrix), dtype=np.int32)[:5].tolist()
    if (a, d) == (0, 0) and b and c:
        rgb, flip_x, flip_y = rgb.transpose(1, 0, 2), c < 0, b < 0
    elif (b, c) == (0, 0) and a and d:
        flip_x, flip_y = a < 0, d < 0
    else:
        raise UnreadableVideo("unreadable", f"its display matrix ({a}, {b}, {c}, {d}) is no quarter turn or mirroring")
    return rgb[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
