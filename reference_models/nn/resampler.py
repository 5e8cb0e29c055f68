"""The resampler of published image-to-video models: 257 image tokens in, a few context tokens out.

VideoCrafter1 and DynamiCrafter do not project CLIP's image tokens, they ask them: learnt queries attend to the tokens
four times (a Perceiver). Only their weights need it: UniVG's default is CLIP's own projection (`encoders.py`).
The names of the modules are those of the published checkpoints.

Source: AILab-CVC/VideoCrafter@11bcd76, lvdm/modules/encoders/ip_resampler.py, after Alayrac et al. 2022 (Flamingo);
one set of queries per frame as in Doubiiu/DynamiCrafter@c453369, lvdm/modules/encoders/resampler.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class ResamplerConfig:
    """The shape of a resampler; the defaults are VideoCrafter1's.

    dim: of the queries inside. num_queries: context tokens that come out, per frame if `num_frames` is given.
    num_frames: None for tokens that all frames share; DynamiCrafter has 16 times `num_queries` of its own queries.
    in_dim: of the image tokens (ViT-H/14: 1280); out_dim: of the text tokens that the result stands beside.
    """

    dim: int = 1024
    depth: int = 4
    heads: int = 12
    head_dim: int = 64
    num_queries: int = 16
    num_frames: int | None = None
    in_dim: int = 1280
    out_dim: int = 1024
    ff_mult: int = 4


VIDEOCRAFTER_RESAMPLER = ResamplerConfig()  # 48.54 M weights
DYNAMICRAFTER_RESAMPLER = ResamplerConfig(num_frames=16)  # 48.79 M weights


class Resampler(nn.Module):
    """Image tokens, before CLIP's last norm, to context tokens."""

    def __init__(self, config: ResamplerConfig) -> None:
        super().__init__()
        self.config = config
        queries = config.num_queries * (config.num_frames or 1)
        self.latents = nn.Parameter(torch.randn(1, queries, config.dim) / config.dim**0.5)
        self.proj_in = nn.Linear(config.in_dim, config.dim)
        self.proj_out = nn.Linear(config.dim, config.out_dim)
        self.norm_out = nn.LayerNorm(config.out_dim)
        self.layers = nn.ModuleList(
            nn.ModuleList([QueryAttention(config), _feed_forward(config.dim, config.ff_mult)])
            for _ in range(config.depth)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return context tokens (B, L, out_dim), or (B, F, L, out_dim) where each frame has its own.

        tokens: (B, N, in_dim), floating point, all of them with the class token and without CLIP's last norm.

        Raises ValueError for other axes.
        """
        config = self.config
        if tokens.ndim != 3 or tokens.shape[-1] != config.in_dim:
            raise ValueError(
                f"found image tokens of shape {tuple(tokens.shape)}, expected (B, N, {config.in_dim}): raw tokens of"
                " the image tower, not projected ones"
            )
        x = self.proj_in(tokens)
        latents: Tensor = self.latents.expand(len(tokens), -1, -1)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            latents = attention(x, latents) + latents
            latents = feed_forward(latents) + latents
        out: Tensor = self.norm_out(self.proj_out(latents))  # (B, F·L, out_dim), frames outside
        if config.num_frames is None:
            return out
        return out.reshape(len(out), config.num_frames, config.num_queries, config.out_dim)


class QueryAttention(nn.Module):
    """Queries look at the image tokens and at themselves."""

    def __init__(self, config: ResamplerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        inner = config.heads * config.head_dim
        self.norm1 = nn.LayerNorm(config.dim)
        self.norm2 = nn.LayerNorm(config.dim)
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.dim, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, config.dim, bias=False)

    def forward(self, x: Tensor, latents: Tensor) -> Tensor:
        x, latents = self.norm1(x), self.norm2(latents)
        k, v = self.to_kv(torch.cat([x, latents], dim=1)).chunk(2, dim=-1)
        # the original takes its softmax in float32; so does torch's for half precision, and for float64 it is exacter
        h = scaled_dot_product_attention(self._split(self.to_q(latents)), self._split(k), self._split(v))
        out: Tensor = self.to_out(h.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, heads, N, head_dim)


def _feed_forward(dim: int, mult: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, dim * mult, bias=False),
        nn.GELU(),
        nn.Linear(dim * mult, dim, bias=False),
    )
