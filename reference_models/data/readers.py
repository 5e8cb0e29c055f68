"""Chosen frames of a video file: through decord, which jumps to them, or PyAV, which decodes from the beginning.

Both give the same bits or say why not. decord has no build for every machine; where it cannot be imported, that is
said, and `pyav` is a choice that somebody makes, never a replacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from reference_models.data.source import BrokenClip
from reference_models.data.survey import Survey
from univg_bench.containers import UnreadableVideo
from univg_bench.errors import InputError
from univg_bench.video import read_frames

Reader = Literal["decord", "pyav"]
READERS: tuple[Reader, ...] = get_args(Reader)


def check_reader(reader: str) -> None:
    """Raise InputError for a reader that is unknown or cannot be imported here."""
    if reader not in READERS:
        raise InputError(f"found the reader {reader!r}, expected one of {', '.join(READERS)}")
    if reader == "decord":
        _decord()


def chosen_frames(path: Path, indices: Sequence[int], *, found: Survey, reader: Reader) -> NDArray[np.uint8]:
    """Return frames (len(indices), 3, H, W), uint8 RGB, in the order asked.

    found: from `survey(path)`; indices count in its times.

    Raises BrokenClip for a damaged file, and for one whose frames decord would get wrong.
    """
    if reader == "decord":
        return _by_decord(path, indices, found)
    try:
        return read_frames(path, indices)
    except UnreadableVideo as error:
        raise BrokenClip(error.problem, f"{path}: {error.reason}") from error


def _by_decord(path: Path, indices: Sequence[int], found: Survey) -> NDArray[np.uint8]:
    decord = _decord()
    instead = "read it with `--reader pyav`, or encode it again"
    if found.no_jumps:
        raise BrokenClip("unreadable", f"{path}: decord would return other frames than are shown, {found.no_jumps};"
                         f" {instead}")  # fmt: skip
    try:
        # any frame that decord would replace by a copy of another is an error: by default it says nothing
        video = decord.VideoReader(str(path), num_threads=1, fault_tol=1e-9)
        if len(video) != len(found.times):
            raise BrokenClip("unreadable", f"{path}: decord counts {len(video)} frames, a player shows"
                             f" {len(found.times)}; {instead}")  # fmt: skip
        frames: NDArray[np.uint8] = video.get_batch(list(indices)).asnumpy()  # (n, H, W, 3)
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError) as error:
        raise BrokenClip("corrupt", f"{path}: decord cannot read it ({_reason(error)}); {instead}") from error
    return frames.transpose(0, 3, 1, 2)  # (n, 3, H, W)


def _decord() -> Any:
    import torch  # noqa: F401 - decord before torch hung on some machines (its issue 263)

    try:
        import decord
    except (ImportError, OSError) as error:
        raise InputError(
            f"decord cannot be imported here ({str(error).splitlines()[0]}); it is built for Linux on x86-64. Choose"
            " `--reader pyav`, which decodes every clip from its beginning, or train on such a machine"
        ) from error
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def _reason(error: Exception) -> str:
    # decord puts its own source line and a stack trace around FFmpeg's words
    return (str(error).splitlines() or ["no reason given"])[0].split("Check failed:")[-1].strip()[:120]
