"""What kind of file this is, and whether its end is there, from the file's own structure; no decoder takes part.

FFmpeg reads a file that was cut off and says nothing: 175 of 300 frames come out, and no error (SUITE.md 4d). But every
container accepted here states its own extent, so a missing end can be seen. Containers that do not (MPEG-TS, raw H.264)
are refused for that reason. Naming the container ourselves also means that a playlist or a script in a file called
`.mp4` is never followed to other files or addresses.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Literal

from univg_bench.errors import SampleError

Container = Literal["mov", "matroska", "gif", "avi"]
Problem = Literal["unreadable", "truncated", "corrupt"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".gif")
_BOXES = {b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"mfra", b"sidx", b"styp", b"uuid", b"meta"}
# what people rename to .mp4: magic bytes and the name to use in the sentence
_OTHERS = [
    (b"\x89PNG", "a PNG image"), (b"\xff\xd8\xff", "a JPEG image"), (b"PK\x03\x04", "a zip archive"),
    (b"BM", "a BMP image"), (b"\x1f\x8b", "a gzip archive"), (b"%PDF", "a PDF document"), (b"<", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer (run `git lfs pull`)"), (b"OggS", "an Ogg file"),
    (b"FLV", "an FLV file"), (b"ID3", "an MP3 file"), (b"\x00\x00\x01\xba", "an MPEG program stream"),
]  # fmt: skip
_STILLS = {b"avif", b"heic", b"heix", b"mif1"}


class UnreadableVideo(SampleError):  # noqa: N818 - the name says what it is about, as the callers' except lines read
    """One file is not a whole, undamaged video; `problem` is the class under which it is counted."""

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem: Problem = problem
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadableVideo], tuple[Problem, str]]:
        # an exception that took other arguments than its base cannot cross to the parent process without this
        return UnreadableVideo, (self.problem, self.reason)


def container_of(path: Path) -> Container:
    """Return the container that the first bytes announce, whatever the suffix says.

    Raises UnreadableVideo for an empty file, a still image, or anything else, by name where it is known.
    """
    if path.exists() and not path.is_file():
        # opening a pipe would wait for ever
        raise UnreadableVideo("unreadable", "this is no file (a folder, a pipe or a device)")
    with path.open("rb") as file:
        head = file.read(32)
    if not head:
        raise UnreadableVideo("unreadable", "the file is empty (0 bytes)")
    if head[4:8] in _BOXES and head[8:12] not in _STILLS:
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    found = next((name for magic, name in _OTHERS if head.startswith(magic)), None)
    if head[8:12] in _STILLS or head[8:12] == b"WEBP":
        found = f"a {'WebP' if head[8:12] == b'WEBP' else 'HEIF/AVIF'} image"
    what = f"the file is {found}" if found else "the file does not begin as any video does"
    raise UnreadableVideo("unreadable", f"{what}; expected MP4, MOV, Matroska, WebM, GIF or AVI")


def check_structure(path: Path, container: Container) -> Mapping[int, int]:
    """Return how many frames the structure of the file holds per track number, where it says so (Matroska, GIF).

    For `mov` without fragments the sample table decides, not this: `video.py` compares it with the size of the file. A
    file cut exactly between two fragments, or between two clusters of a Matroska stream of unknown size, is a whole
    shorter file and cannot be told from one.

    Raises UnreadableVideo: "truncated" when the structure reaches beyond the end of the file, or its end is missing,
    "corrupt" when its parts do not fit into each other.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        return _WALKS[container](file, size)


def _cut(reason: str) -> UnreadableVideo:
    return UnreadableVideo("truncated", f"the file is cut off: {reason}")


def _walk_mov(file: BinaryIO, size: int) -> Mapping[int, int]:
    at, kinds, over = 0, set[bytes](), ""
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length, kind = struct.unpack(">I4s", header[:8])
        if kind not in _BOXES:
            break  # something after the last box; players ignore it, and so does FFmpeg
        if length == 1 and len(header) == 16:
            length = struct.unpack(">Q", header[8:])[0]
        elif length == 0:
            length = size - at
        kinds.add(kind)
        if at + length > size:
            over = f"its {kind.decode()} part should end at byte {at + length}, the file has {size}"
            break
        at += max(length, 8)
    if b"moov" not in kinds or over.startswith("its moov"):
        raise _cut(over or "it has no index (no moov part), as when the program that wrote it was stopped")
    if over and b"moof" in kinds:
        raise _cut(over)
    return {}


def _walk_gif(file: BinaryIO, size: int) -> Mapping[int, int]:
    pictures = 0
    head = file.read(13)
    if len(head) < 13:
        raise _cut("it ends within its header")
    at = 13 + (3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0)
    while True:
        file.seek(at)
        kind = file.read(1)
        if kind == b"\x3b":
            return {0: pictures}
        if kind == b"\x21":  # an extension: its label, then blocks
            at = _after_gif_blocks(file, at + 2)
        elif kind == b"\x2c":  # a picture: its place and size, a palette perhaps, the code size, then blocks
            place = file.read(9)
            if len(place) < 9:
                raise _cut("it ends within a frame")
            pictures += 1
            at = _after_gif_blocks(file, at + 11 + (3 << ((place[8] & 7) + 1) if place[8] & 0x80 else 0))
        elif kind == b"\x00":
            at += 1  # some writers leave a stray zero between parts, and every decoder steps over it
        elif not kind:
            raise _cut("the end mark of a GIF is missing")
        else:
            raise UnreadableVideo("corrupt", f"byte {at} of the GIF is {kind.hex()}, which begins nothing")


def _after_gif_blocks(file: BinaryIO, at: int) -> int:
    while True:
        file.seek(at)
        length = file.read(1)
        if not length:
            raise _cut("it ends within a frame")
        at += 1 + length[0]
        if length[0] == 0:
            return at


def _walk_avi(file: BinaryIO, size: int) -> Mapping[int, int]:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF":
            break
        if length == 0:
            raise _cut("its length was never filled in, as when the program that wrote it was stopped")
        if at + 8 + length > size:
            raise _cut(f"it should end at byte {at + 8 + length}, the file has {size}")
        at += 8 + length + length % 2
    return {}


# Matroska element ids (RFC 9559, section 5.1)
_SEGMENT, _CLUSTER, _BLOCK_GROUP, _BLOCK, _SIMPLE_BLOCK = 0x18538067, 0x1F43B675, 0xA0, 0xA1, 0xA3
# what a cluster may hold besides: Timestamp, SilentTracks, Position, PrevSize, EncryptedBlock, CRC-32, Void
_IN_CLUSTER = {_BLOCK_GROUP, _SIMPLE_BLOCK, 0xE7, 0x5854, 0xA7, 0xAB, 0xAF, 0xBF, 0xEC}


def _walk_matroska(file: BinaryIO, size: int) -> Mapping[int, int]:
    """Walk every cluster: FFmpeg steps over a damaged one without a word, and its frames are gone."""
    blocks: Counter[int] = Counter()
    at, segment_end = 0, size
    while at < segment_end:
        kind, length, body = _ebml_element(file, at, segment_end)
        if kind == _SEGMENT:
            segment_end = size if length is None else body + length
            if segment_end > size:
                raise _cut(f"it should end at byte {segment_end}, the file has {size}")
            at = body
        elif kind == _CLUSTER:
            at = _walk_cluster(file, body, None if length is None else body + length, segment_end, blocks)
        elif length is None or body + length > segment_end:
            raise _cut(f"the part that begins at byte {at} should reach beyond the end, at {segment_end}")
        else:
            at = body + length
    return blocks


def _walk_cluster(file: BinaryIO, at: int, end: int | None, segment_end: int, blocks: Counter[int]) -> int:
    """Add the frames of a cluster to `blocks`; return where it ends. Of unknown length (end None): at the next id."""
    if end is not None and end > segment_end:
        raise _cut(f"a cluster should end at byte {end}, the file ends at {segment_end}")
    while at < (segment_end if end is None else end):
        kind, length, body = _ebml_element(file, at, segment_end)
        if kind not in _IN_CLUSTER:
            if end is None:
                return at
            raise UnreadableVideo("corrupt", f"the cluster at byte {at} holds a part of no known kind")
        if length is None or body + length > (segment_end if end is None else end):
            if end is None:
                raise _cut(f"the block at byte {at} should reach beyond the end, at {segment_end}")
            raise UnreadableVideo("corrupt", f"the block at byte {at} reaches beyond its cluster")
        if kind in (_SIMPLE_BLOCK, _BLOCK_GROUP):
            track, frames = _block_head(file, body if kind == _SIMPLE_BLOCK else _block_of(file, body, body + length))
            blocks[track] += frames
        at = body + length
    return at


def _block_of(file: BinaryIO, at: int, end: int) -> int:
    """Return where the body of the block in a block group begins."""
    while at < end:
        kind, length, body = _ebml_element(file, at, end)
        if kind == _BLOCK:
            return body
        if length is None:
            break
        at = body + length
    raise UnreadableVideo("corrupt", f"the block group that ends at byte {end} holds no block")


def _block_head(file: BinaryIO, at: int) -> tuple[int, int]:
    """Return (track number, how many frames the block holds: several only with lacing)."""
    file.seek(at)
    head = file.read(12).ljust(12, b"\0")
    width = 9 - head[0].bit_length()
    track = int.from_bytes(head[:width], "big") & ((1 << 7 * width) - 1)
    flags = head[min(width + 2, 10)]
    return track, 1 + (head[min(width + 3, 11)] if flags & 0x06 else 0)


def _ebml_element(file: BinaryIO, at: int, size: int) -> tuple[int, int | None, int]:
    """Return (id, length or None when unknown, where the body begins)."""
    file.seek(at)
    head = file.read(12)
    if head:
        id_bytes = 9 - head[0].bit_length()
        if id_bytes <= 4 and len(head) > id_bytes:
            size_bytes = 9 - head[id_bytes].bit_length()
            if size_bytes <= 8 and len(head) >= id_bytes + size_bytes:
                length = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
                unknown = length == (1 << 7 * size_bytes) - 1
                return int.from_bytes(head[:id_bytes], "big"), None if unknown else length, at + id_bytes + size_bytes
    if at + 12 > size:
        raise _cut("it ends within the head of a part")
    raise UnreadableVideo("corrupt", f"byte {at} begins no part of a Matroska file")


_WALKS: dict[Container, Callable[[BinaryIO, int], Mapping[int, int]]] = {
    "mov": _walk_mov,
    "gif": _walk_gif,
    "avi": _walk_avi,
    "matroska": _walk_matroska,
}
