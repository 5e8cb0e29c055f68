"""The UNet with conditions and guidance bound: (x_t, t) -> V, section 4.3.

    V = F(0) + w_T (F(T) - F(0)) + w_I (F(I) - F(0))

Each F is a branch: one call of the network. A branch whose weight in V is 0 is not run, and a condition that is not
there has none: without an image F(I) is F(0), bit for bit, so nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reference_models.diffusion.guidance import guide, rescale_guidance
from reference_models.diffusion.parameterization import Network
from reference_models.nn.attention import Condition
from reference_models.stages.networks import Conditions, Networks, Shape
from reference_models.stages.pixels import fitted
from reference_models.stages.settings import Joint, Sampling


@dataclass(frozen=True)
class Branch:
    """One F: whether it sees the text and the image, and its weight in V."""

    text: bool
    image: bool
    weight: float


@dataclass(frozen=True, eq=False)
class Tokens:
    """Of a batch (B, L, D) or, frame by frame, (B, F, L, D); None where there is no such condition to attend to.

    null_image is None where zero tokens stand for it: they give exactly 0 in attention, so the term is left out.
    """

    text: Tensor | None
    null_text: Tensor
    image: Tensor | None
    null_image: Tensor | None

    def of(self, branch: Branch) -> list[Condition]:
        """Return what the network is to heed in a branch."""
        text = self.text if branch.text else self.null_text
        image = self.image if branch.image else self.null_image
        assert text is not None, "a branch with text is made where there is text only"
        return [Condition("text", text), *([] if image is None else [Condition("image", image)])]


def branches(settings: Sampling, *, text: bool, image: bool) -> tuple[Branch, ...]:
    """Return the branches that V needs, F(0) last; text, image: which conditions there are.

    Raises ValueError for guidance_rescale with two conditions apart, where no branch has the spread to return to.
    """
    guidance = settings.guidance
    if isinstance(guidance, Joint):
        terms = [Branch(text, image, guidance.w)] if text or image else []
    else:
        terms = [Branch(True, False, guidance.w_T)] if text else []
        terms += [Branch(False, True, guidance.w_I)] if image else []
    if settings.guidance_rescale > 0 and len(terms) > 1:
        raise ValueError(
            "found guidance_rescale with the two weights w_T and w_I, expected one weight w: the spread is that of the"
            " network under all conditions, which they never ask for"
        )
    null = Branch(False, False, 1 - sum(term.weight for term in terms))
    wanted = [branch for branch in (*terms, null) if branch.weight != 0]
    if settings.guidance_rescale > 0 and terms and terms[0] not in wanted:
        wanted.insert(0, terms[0])
    return tuple(wanted)


def tokens(networks: Networks, conditions: Conditions, settings: Sampling, shape: Shape, *, size: int) -> Tokens:
    """Return the tokens of a batch of `size` clips and of what stands for no condition, in the UNet's type."""
    encoders = networks.encoders

    def ready(found: Tensor) -> Tensor:
        return found.to(networks.device, networks.dtype)

    null = ready(encoders.text([settings.negative_prompt]))  # (1, L, D)
    text = None if conditions.prompts is None else ready(encoders.text(conditions.prompts))
    image = null_image = None
    if networks.takes_image:
        if conditions.images is not None:
            fits = [fitted(image, height=shape.height, width=shape.width) for image in conditions.images]
            image = ready(encoders.images(torch.stack(fits)))
        if networks.preset.null_image == "grey":
            null_image = ready(encoders.null_images(size))
    return Tokens(text, null.expand(size, -1, -1), image, null_image)


def guided(
    networks: Networks,
    seen: Tokens,
    settings: Sampling,
    *,
    concat: Tensor | None,
    fps: float,
    branches_at_once: bool = False,
) -> Network:
    """Return V as a function of x_t (B, F, C, H, W) and t, in x_t's type.

    seen: from `tokens`; its keys and values are computed here, once for all steps. concat: latents of x_t's shape that
    every branch sees beside x_t (decision 66). fps: of the video, told to a network that asks. branches_at_once: one
    call with all branches in the batch; more memory, the same to rounding.
    """
    unet = networks.unet
    wanted = branches(settings, text=seen.text is not None, image=seen.image is not None)
    told = settings.fps_embedding if settings.fps_embedding is not None else round(fps)
    groups = [wanted] if branches_at_once else [(branch,) for branch in wanted]
    caches = [unet.cache(_side_by_side([seen.of(branch) for branch in group])) for group in groups]

    def network(x_t: Tensor, t: int) -> Tensor:
        x = (x_t if concat is None else torch.cat([x_t, concat.to(x_t)], dim=2)).to(networks.dtype)
        predictions: list[Tensor] = []
        for group, cache in zip(groups, caches, strict=True):
            clips = len(x) * len(group)
            times = torch.full((clips,), t, device=x.device)
            rate = torch.full((clips,), told, device=x.device) if unet.config.fps_embedding else None
            emitted = unet(x.repeat(len(group), 1, 1, 1, 1), times, cache, rate)
            predictions += emitted.to(x_t.dtype).chunk(len(group))
        return _combined(predictions, wanted, settings.guidance_rescale)

    return network


def _combined(predictions: Sequence[Tensor], wanted: Sequence[Branch], rescale: float) -> Tensor:
    """Return V from the predictions of the branches, F(0) last if it is among them."""
    terms = [(f, b.weight) for f, b in zip(predictions, wanted, strict=True) if b.text or b.image]
    if len(terms) < len(wanted):
        guided_prediction = guide(predictions[-1], terms)
    else:  # the weights sum to 1, F(0) falls out
        guided_prediction = sum((w * f for f, w in terms[1:]), terms[0][1] * terms[0][0])
    if rescale > 0 and terms:
        return rescale_guidance(guided_prediction, terms[0][0], phi=rescale)
    return guided_prediction


def _side_by_side(groups: Sequence[Sequence[Condition]]) -> list[Condition]:
    """Return the conditions of several branches as one batch, zero tokens where a branch has none."""
    by_name: dict[str, Tensor] = {c.name: c.tokens for conditions in groups for c in conditions}
    made = []
    for name, like in by_name.items():
        parts = [
            next((c.tokens for c in conditions if c.name == name), torch.zeros_like(like)) for conditions in groups
        ]
        made.append(Condition(name, torch.cat(parts)))
    return made
