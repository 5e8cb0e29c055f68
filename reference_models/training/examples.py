"""From a planned batch to latents and tokens: clips are chosen, encoded by the frozen networks, and stacked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_models.data.source import BrokenClip, Source
from reference_models.stages.networks import Networks
from reference_models.stages.pixels import to_unit
from reference_models.training.latents import Latents
from reference_models.training.objective import Batch
from reference_models.training.plan import Planned
from reference_models.training.recipe import Kind
from univg_bench.errors import InputError

# so many broken clips in a row are no accident
MAX_BROKEN = 100
CAPTIONS = 4096  # whose tokens are kept
# what a clip's seed is used for beside its noise
_CHOICE = 1

V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class Example:
    """One clip. latents: (F, C, h, w), float32; image: its first frame, uint8 (3, H, W); x_cond: of latents' shape."""

    latents: Tensor
    image: NDArray[np.uint8]
    caption: str
    x_cond: Tensor | None = None


@dataclass(eq=False)
class Examples:
    """Batches out of sources, by the frozen networks of a stage.

    sources: of each kind of batches. latents: a cache for a source whose clips are encoded whole. skip_broken: take
    another clip where one is broken, and count it in `broken` (fault -> number); else it is an error.
    """

    networks: Networks
    sources: Mapping[Kind, Source]
    latents: Mapping[Kind, Latents] = field(default_factory=dict)
    skip_broken: bool = False
    broken: Counter[str] = field(default_factory=Counter)
    _tokens: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def batch(self, planned: Planned) -> Batch:
        """Return the clips of a planned batch. Raises BrokenClip for a broken one, unless they are skipped."""
        networks, preset = self.networks, self.networks.preset
        examples = [self._example(planned, seed) for seed in planned.seeds]
        device = networks.device
        x_target = torch.stack([example.latents for example in examples]).to(device)
        image = null_image = x_cond = None
        if networks.takes_image:
            pixels = to_unit(torch.from_numpy(np.stack([example.image for example in examples])))
            image = networks.encoders.images(pixels).float()
            if preset.null_image == "grey":
                null_image = networks.encoders.null_images(1).float()
        if preset.stage == "animation":  # v^C: the first frame, repeated (decision 18)
            x_cond = x_target[:, :1].expand_as(x_target)
        elif preset.stage == "super_resolution":
            x_cond = torch.stack([_there(example.x_cond) for example in examples]).to(device)
        told = preset.fps if networks.unet.config.fps_embedding else None
        return Batch(
            x_target=x_target,
            text=self._text([example.caption for example in examples]),
            null_text=self._text([""]),
            image=image,
            null_image=null_image,
            x_cond=x_cond,
            concat=None if preset.concat == "none" else x_cond,
            fps=None if told is None else torch.full((len(examples),), told, device=device),
        )

    def _example(self, planned: Planned, seed: int) -> Example:
        """Return the clip that a seed chooses; where it is broken and may be skipped, the next one it chooses."""
        random = np.random.default_rng([seed, _CHOICE])
        source = self.sources.get(planned.kind)
        if source is None:
            raise InputError(f"found no source of {planned.kind}, which the recipe learns from; give one")
        for _ in range(MAX_BROKEN):
            index = int(random.integers(len(source)))
            try:
                return self._read(planned.kind, source, index, planned.num_frames, random)
            except BrokenClip as error:
                if not self.skip_broken:
                    raise
                self.broken[error.fault] += 1
        raise InputError(f"found {MAX_BROKEN} broken {planned.kind} one after the other; see what is wrong with them")

    def _read(self, kind: Kind, source: Source, index: int, num_frames: int, random: np.random.Generator) -> Example:
        if (cache := self.latents.get(kind)) is not None:
            first = int(random.integers(cache.shape[0] - num_frames + 1))
            whole = cache.source
            latents = cache[index][first : first + num_frames]
            return Example(latents, whole.whole(index)[first], whole.caption(index))
        clip = source.clip(index, num_frames=num_frames, rng=random)
        pixels = to_unit(torch.from_numpy(clip.pixels.copy())).to(self.networks.device, self.networks.vae_dtype)
        latents = self.networks.vae.encode(pixels, chunk=len(pixels)).float().cpu()
        return Example(latents, clip.pixels[0], clip.caption)

    def _text(self, captions: Sequence[str]) -> Tensor:
        """Return the tokens (B, L, D) of captions, each encoded once as long as it is remembered."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._tokens]
        if new:
            if len(self._tokens) + len(new) > CAPTIONS:
                self._tokens.clear()
                new = list(dict.fromkeys(captions))
            # one by one: a caption's bits must not depend on what stands beside it
            for caption in new:
                self._tokens[caption] = self.networks.encoders.text([caption])[0].float()
        return torch.stack([self._tokens[caption] for caption in captions])


def _there(value: V | None) -> V:
    assert value is not None, "an example of this stage has a condition"
    return value
