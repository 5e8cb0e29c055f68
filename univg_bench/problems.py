"""What is wrong with the videos of an index, by class: failing ones are never scored, suspicious ones are only named.

A video fails when it is not there, cannot be read to its end, or is not what the protocol fixes. A black, frozen or
doubled video may be what the model really makes, so it stays in the numbers, and the record names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from univg_bench.frames import FramePolicy
from univg_bench.samples import Index, Row

if TYPE_CHECKING:
    from univg_bench import protocol as protocols

FAILING = {
    "missing": "there is no file",
    "unreadable": "the file is no video, or cannot be opened",
    "truncated": "the file is cut off",
    "corrupt": "the file is damaged",
    "short": "fewer frames than a metric takes",
    "wrong-size": "another height or width than the protocol fixes",
    "wrong-frames": "another number of frames than the protocol fixes",
    "wrong-fps": "another frame rate than the protocol fixes",
    "changed": "the stored file is no longer the one that was imported",
}
SUSPICIOUS = {
    "duplicated": "equal pixels under several names",
    "black": "every frame is black",
    "constant": "every frame is of one colour",
    "frozen": "all frames are equal",
}

# What a lossy codec leaves of exactly equal pixels: one step of the quantiser rounds to at most this in 8 bits.
TOLERANCE = 4
# limited-range black (16, 16, 16) is 0 in RGB; a video whose range was declared wrongly shows it as 16
BLACK = 16
# time stamps in milliseconds, as Matroska has them, move the rate of a second of video by up to 0.3 %
FPS_TOLERANCE = 0.005


@dataclass(frozen=True)
class Needs:
    """What videos have to be. policies: every one takes its frames from every video. None: as the model likes."""

    policies: tuple[FramePolicy, ...] = ()
    num_frames: int | None = None
    fps: float | None = None
    height: int | None = None
    width: int | None = None

    @classmethod
    def of_samples(cls, protocol: protocols.Protocol) -> Needs:
        """Return what `protocol` asks of samples: frames for its metrics, and what `generation.fixed` names."""
        generation, fixed = protocol.generation, protocol.generation.fixed
        return cls(
            policies=tuple(dict.fromkeys(metric.frames for metric in protocol.metrics)),
            num_frames=generation.num_frames if "num_frames" in fixed else None,
            fps=generation.fps if "fps" in fixed else None,
            height=generation.height if "height" in fixed else None,
            width=generation.width if "width" in fixed else None,
        )

    @classmethod
    def of_references(cls, protocol: protocols.Protocol) -> Needs:
        """Return what `protocol` asks of real videos: frames for its metrics."""
        from univg_bench.protocol_metrics import reference_frames_of

        found = (reference_frames_of(metric) for metric in protocol.metrics)
        return cls(policies=tuple(dict.fromkeys(policy for policy in found if policy is not None)))


@dataclass(frozen=True)
class Problem:
    """One thing about one video: its class, the name of the video, and the reason in words."""

    kind: str
    name: str
    reason: str


def find_problems(rows: Iterable[Row], needs: Needs) -> Iterator[Problem]:
    """Yield every problem of every video, in the order of the manifest; duplicates at the end.

    A video has at most one failing class, the first that applies, and any number of suspicious ones.
    """
    first: dict[bytes, str] = {}
    doubled: dict[str, list[str]] = {}
    for row in rows:
        if not row.ok:
            yield Problem(row.status, row.name, row.error)
            continue
        yield from _misfit(row, needs)
        yield from _looks(row)
        original = first.setdefault(bytes.fromhex(row.rgb_sha256), row.name)
        if original != row.name:
            doubled.setdefault(original, [original]).append(row.name)
    for names in doubled.values():
        for name in names:
            # of thousands of equal videos only the first few are worth a word
            others = [other for other in names[:4] if other != name][:3]
            more = len(names) - 1 - len(others)
            reason = f"the same pixels as {', '.join(others)}" + (f" and {more} more" if more else "")
            yield Problem("duplicated", name, reason)


def problems(rows: Iterable[Row], needs: Needs) -> dict[str, list[str]]:
    """Return class -> names of the videos in it; classes without any are left out."""
    found: dict[str, list[str]] = {}
    for problem in find_problems(rows, needs):
        found.setdefault(problem.kind, []).append(problem.name)
    return {kind: found[kind] for kind in (*FAILING, *SUSPICIOUS) if kind in found}


def failing(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return only the classes whose videos are never scored."""
    return {kind: names for kind, names in found.items() if kind in FAILING}


def suspicious(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return only the classes that are named and scored."""
    return {kind: names for kind, names in found.items() if kind in SUSPICIOUS}


def find_changed(index: Index) -> Iterator[Problem]:
    """Read every stored file again and yield those that are not what the manifest says."""
    facts = index.facts
    base = Path(facts.root) if facts.place == "in-place" else index.folder
    for row in index.rows():
        if not row.ok:
            continue
        try:
            with index.resolve(row, base, facts.place).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() == row.file_sha256:
                    continue
            reason = "its bytes are not those that were imported"
        except OSError as error:
            reason = f"it cannot be read any more ({error.strerror})"
        yield Problem("changed", row.name, reason)


def _misfit(row: Row, needs: Needs) -> Iterator[Problem]:
    size = (needs.height or row.height, needs.width or row.width)
    # a policy that drops or repeats short videos has decided about them already
    refusing = [policy for policy in needs.policies if policy.short == "error"]
    short = [policy for policy in refusing if policy.is_short(row.frames, row.duration)]
    if needs.num_frames is not None and row.frames != needs.num_frames:
        kind = "short" if short else "wrong-frames"
        yield Problem(kind, row.name, f"has {row.frames} frames, the protocol fixes {needs.num_frames}")
    elif short:
        rate = f" at {short[0].fps:g} fps" if short[0].fps else ""
        reason = f"has {row.frames} frames in {float(row.duration):g} s, a metric takes {short[0].frames}{rate}"
        yield Problem("short", row.name, reason)
    elif (row.height, row.width) != size:
        reason = f"is {row.width}x{row.height}, the protocol fixes {size[1]}x{size[0]}"
        yield Problem("wrong-size", row.name, reason)
    elif needs.fps is not None and abs(row.fps - needs.fps) > FPS_TOLERANCE * needs.fps:
        yield Problem("wrong-fps", row.name, f"has {row.fps:g} frames per second, the protocol fixes {needs.fps:g}")


def _looks(row: Row) -> Iterator[Problem]:
    if row.contrast <= TOLERANCE and row.brightest <= BLACK:
        yield Problem("black", row.name, "every frame is black")
    elif row.contrast <= TOLERANCE:
        yield Problem("constant", row.name, "every frame is of one colour")
    elif row.frames > 1 and row.motion <= TOLERANCE:
        yield Problem("frozen", row.name, f"all {row.frames} frames are equal")
