"""From a planned batch to latents and tokens: clips are read, encoded by the frozen networks, and stacked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_models.data.ahead import made_ahead
from reference_models.data.reading import Reading, Wanted
from reference_models.degradation import Degradation, degraded
from reference_models.stages.networks import Networks
from reference_models.stages.pixels import enlarged, to_unit
from reference_models.training.latents import Latents
from reference_models.training.objective import Batch
from reference_models.training.plan import Planned
from reference_models.training.recipe import Kind
from univg_bench.errors import InputError

CAPTIONS = 4096  # whose tokens are kept
# what a clip's seed is used for beside its noise; `data.reading` has 3
_CUT, _DAMAGE = 1, 4


@dataclass(frozen=True, eq=False)
class Taken:
    """Clips of a batch before any network has seen them.

    pixels: uint8 (F, 3, H, W) each. low: the same damaged and small, where the stage enlarges videos.
    """

    pixels: tuple[NDArray[np.uint8], ...]
    captions: tuple[str, ...]
    low: tuple[NDArray[np.uint8], ...]
    broken: Counter[str]


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads a planned batch; picklable, so that worker processes can. damage: how F_SR's input is made of a clip."""

    readings: Mapping[Kind, Reading]
    damage: Degradation | None = None

    def __call__(self, planned: Planned) -> Taken:
        """Return the clips of a batch. Raises BrokenClip for a broken one, unless they are skipped."""
        found = self.of(planned.kind).read(Wanted(planned.num_frames, planned.numbers, planned.seeds))
        pixels = tuple(clip.pixels for clip in found.clips)
        captions = tuple(clip.caption for clip in found.clips)
        return Taken(pixels, captions, self.damaged(pixels, planned.seeds), found.broken)

    def of(self, kind: Kind) -> Reading:
        """Return where clips of a kind come from. Raises InputError where there is no such place."""
        if kind not in self.readings:
            raise InputError(f"found no source of {kind}, which the recipe learns from; give one")
        return self.readings[kind]

    def damaged(self, pixels: Sequence[NDArray[np.uint8]], seeds: Sequence[int]) -> tuple[NDArray[np.uint8], ...]:
        """Return the damaged clips, each by its own seed; none where the stage does not want them."""
        if self.damage is None:
            return ()
        return tuple(
            degraded(clip, self.damage, np.random.default_rng([seed, _DAMAGE]))
            for clip, seed in zip(pixels, seeds, strict=True)
        )


@dataclass(eq=False)
class Examples:
    """Batches for a stage. latents: of sources whose clips are encoded whole, once. broken: fault -> clips skipped.

    workers: processes that read ahead; they change no bit, and are no use where all is in a cache.
    """

    networks: Networks
    reader: Reader
    latents: Mapping[Kind, Latents] = field(default_factory=dict)
    workers: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    _tokens: dict[str, Tensor] = field(default_factory=dict)

    def batches(self, wanted: Iterable[Planned]) -> Iterator[Batch]:
        """Yield the batches wanted, in order. Raises BrokenClip as `Reader` does."""
        if self.latents:
            yield from map(self.batch, wanted)
            return
        for taken in made_ahead(self.reader, wanted, workers=self.workers):
            self.broken.update(taken.broken)
            yield self._encoded(taken, None)

    def batch(self, planned: Planned) -> Batch:
        """Return one planned batch, read and encoded here and now."""
        cache = self.latents.get(planned.kind)
        if cache is None:
            taken = self.reader(planned)
            self.broken.update(taken.broken)
            return self._encoded(taken, None)
        order = self.reader.of(planned.kind).order
        pixels, captions, latents = [], [], []
        for number, seed in zip(planned.numbers, planned.seeds, strict=True):
            _, index = order.at(number)
            spare = cache.shape[0] - planned.num_frames
            first = int(np.random.default_rng([seed, _CUT]).integers(spare + 1))
            cut = slice(first, first + planned.num_frames)
            pixels.append(cache.source.whole(index)[cut])
            captions.append(cache.source.caption(index))
            latents.append(cache[index][cut])
        low = self.reader.damaged(pixels, planned.seeds)
        return self._encoded(Taken(tuple(pixels), tuple(captions), low, Counter()), torch.stack(latents))

    @torch.no_grad()
    def _encoded(self, taken: Taken, latents: Tensor | None) -> Batch:
        networks, preset, size = self.networks, self.networks.preset, len(taken.captions)
        device = networks.device
        x_target = (self._latents(taken.pixels) if latents is None else latents).to(device)
        image = null_image = x_cond = None
        if networks.takes_image:  # the first frame, as `stages.guided.tokens` encodes the image that it is given
            first = to_unit(torch.from_numpy(np.stack([pixels[0] for pixels in taken.pixels])))
            image = networks.encoders.images(first).float()
            if preset.null_image == "grey":
                null_image = networks.encoders.null_images(1).float()
        if preset.stage == "animation":  # v^C: the first frame, repeated (decision 18)
            x_cond = x_target[:, :1].expand_as(x_target)
        elif preset.stage == "super_resolution":  # v^C: the small video, enlarged (decision 17)
            height, width = taken.pixels[0].shape[-2:]
            low = torch.from_numpy(np.stack(taken.low))
            x_cond = self._encode(enlarged(low, height=height, width=width)).to(device)
        told = preset.fps if networks.unet.config.fps_embedding else None
        return Batch(
            x_target=x_target,
            text=self._text(taken.captions),
            null_text=self._text([""]),
            image=image,
            null_image=null_image,
            x_cond=x_cond,
            concat=None if preset.concat == "none" else x_cond,
            fps=None if told is None else torch.full((size,), told, device=device),
        )

    def _latents(self, pixels: Sequence[NDArray[np.uint8]]) -> Tensor:
        return self._encode(to_unit(torch.from_numpy(np.stack(pixels))))

    def _encode(self, videos: Tensor) -> Tensor:
        """Return latents (B, F, C, h, w), float32, the posterior's mode, of videos in [-1, 1], clip by clip."""
        networks = self.networks
        videos = videos.to(networks.device, networks.vae_dtype)
        return torch.stack([networks.vae.encode(video, chunk=len(video)) for video in videos]).float()

    def _text(self, captions: Sequence[str]) -> Tensor:
        """Return the tokens (B, L, D) of captions, each encoded once as long as it is remembered."""
        if len(self._tokens) > CAPTIONS:
            self._tokens.clear()
        for caption in captions:
            if caption not in self._tokens:
                # one by one: a caption's bits must not depend on what stands beside it
                self._tokens[caption] = self.networks.encoders.text([caption])[0].float()
        return torch.stack([self._tokens[caption] for caption in captions])
