"""What a video file holds, by its packets: when each frame is shown, and whether one may jump into the middle.

Nothing is decoded, so it is cheap: the whole file is read once, as decord does too when it opens it. Frame i of the
times is frame i of `univg_bench.video.decode`. Jumping is safe where a decoder that begins at a key frame shows what a
player shows; decord does not check that, and returns wrong frames without a word (docs/findings.md 10, 31).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from reference_models.data.source import BrokenClip
from univg_bench.atomic import machine_faults
from univg_bench.containers import UnreadableVideo, check_structure, container_of


@dataclass(frozen=True, eq=False)
class Survey:
    """times: (n,) float64, seconds from the first frame, in the order shown. end: when the last frame's time is over.

    no_jumps: why a reader must decode from the beginning, "" where it need not.
    """

    times: NDArray[np.float64]
    end: float
    no_jumps: str


def survey(path: Path) -> Survey:
    """Return what the packets of a video file say.

    Raises BrokenClip for a file that is missing, cut off, empty or no video; UnreadableVideo never leaves here.
    """
    try:
        with machine_faults(f"read {path}"):
            return _surveyed(path)
    except FileNotFoundError as error:
        raise BrokenClip("missing", f"found no file {path}") from error
    except PermissionError as error:
        raise BrokenClip("unreadable", f"{path} may not be read (permission denied)") from error
    except UnreadableVideo as error:
        raise BrokenClip(error.problem, f"{path}: {error.reason}") from error
    except av.error.FFmpegError as error:
        raise BrokenClip("corrupt", f"{path}: FFmpeg cannot read it: {error.strerror}") from error


def _surveyed(path: Path) -> Survey:
    container = container_of(path)
    check_structure(path, container)
    size = path.stat().st_size
    with av.open(str(path.absolute()), format=container, metadata_errors="replace") as file:
        streams = [s for s in file.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise BrokenClip("unreadable", f"{path}: the file has no video stream")
        stream = next((s for s in streams if s.disposition & Disposition.default), streams[0])
        if container == "mov":
            beyond = sum(entry.pos + entry.size > size for entry in stream.index_entries)
            if beyond:
                raise BrokenClip(
                    "truncated", f"{path}: the file is cut off: {beyond} frames of its index lie beyond it"
                )
        base = float(stream.time_base or 0)
        shown, last, key, why = list[int](), 0, None, ""
        for packet in file.demux(stream):
            if not packet.size:
                continue
            when = packet.pts if packet.pts is not None else packet.dts
            if packet.is_discard:
                why = why or "an edit list hides frames of it"
                continue
            if when is None or not base:
                raise BrokenClip("unreadable", f"{path}: its frames have no times")
            if packet.is_keyframe:
                key = when
            elif key is not None and when < key:
                # frames after a key frame in the file, shown before it: they need the group before (open GOP)
                why = why or "its groups of pictures are open: frames are shown before the key frame they come after"
            shown.append(when)
            last = packet.duration or last
    if not shown:
        raise BrokenClip("unreadable", f"{path}: the file has no frame that is shown")
    times = np.sort(np.array(shown, dtype=np.float64)) * base
    step = last * base or float(np.diff(times).mean() if len(times) > 1 else 0)
    return Survey(times - times[0], float(times[-1] - times[0] + step), why)
