"""Clips out of a list of videos."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np

from reference_models.data.cutting import Cut, chosen_indices, framed
from reference_models.data.readers import Reader, check_reader, chosen_frames
from reference_models.data.source import BrokenClip, Clip
from reference_models.data.survey import survey
from reference_models.data.texts import is_text
from reference_models.data.video_lists import VideoList
from univg_bench.canonical import canonical_json
from univg_bench.errors import InputError


@dataclass(frozen=True, eq=False)
class Videos:
    """A source of clips. reader: both read the same bits; `pyav` decodes from the beginning, `decord` jumps.

    Raises InputError when the reader cannot be imported.
    """

    listed: VideoList
    cut: Cut
    reader: Reader = "decord"

    def __post_init__(self) -> None:
        check_reader(self.reader)

    @cached_property
    def identity(self) -> str:
        """See `Source`; the reader does not count, because it changes no bit."""
        facts = canonical_json({"videos": self.listed.digest, "cut": asdict(self.cut)})
        return hashlib.sha256(facts).hexdigest()

    def __len__(self) -> int:
        return len(self.listed)

    def clip(self, index: int, *, num_frames: int, rng: np.random.Generator) -> Clip:
        """Return frames from a random place of a video. See `Source`."""
        if num_frames < 1:
            raise InputError(f"found a wish for {num_frames} frames, expected 1 or more")
        name, caption = self.listed.files[index], self.listed.captions[index]
        path = self.listed.root / name
        check_caption(caption, str(path))
        found = survey(path)
        indices = chosen_indices(self.cut, found, num_frames=num_frames, rng=rng, name=str(path))
        frames = chosen_frames(path, indices, found=found, reader=self.reader)
        return Clip(framed(frames, self.cut), caption, name)


def check_caption(caption: str, where: str) -> None:
    """Raise BrokenClip for a caption that is empty or was not UTF-8."""
    if not caption:
        raise BrokenClip("no caption", f"found no caption for {where}")
    if not is_text(caption):
        raise BrokenClip("not UTF-8", f"the caption of {where} is not UTF-8 text; save it as UTF-8")
