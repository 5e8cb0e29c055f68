"""Transformers of the UNet: spatial with Multi-condition Cross Attention, temporal with self-attention alone.

    F_out = Softmax(Q K_Tᵀ / √d) V_T + s · Softmax(Q K_Iᵀ / √d) V_I        (UniVG, section 3.3)

Q and the output projection are shared, every condition has its own W_K and W_V. These carry no bias, so the tokens of
a null condition, which are zeros, give exactly 0: leaving the condition out is the same to the last bit, and free.

Activations are (B, F, H, W, C). Tokens of a frame, sequences over time and pixels of a convolution are then views of
one memory. Names of modules are those of VideoCrafter (lvdm/modules/attention.py, commit 11bcd76), so that its state
dicts fit; the attention of further conditions is called to_k_<name>, to_v_<name>, with "ip" for the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

from reference_models.nn.norms import spatial_norm, temporal_norm

NORM_GROUPS = 32
TRANSFORMER_NORM_EPS = 1e-6  # lvdm `Normalize`; res blocks have 1e-5
FEED_FORWARD_MULT = 4  # lvdm, VGen, diffusers: FeedForward(mult=4)
CACHED_NUMBERS = 2**19  # 2 MiB of float32, the L2 cache of a current server core (benchmarks/unet.py)


@dataclass(frozen=True)
class Condition:
    """What the network is to heed, as tokens of the context's width.

    name: one of the config's conditions. tokens: (B, L, D) for the whole clip, or (B, F, L, D) frame by frame.
    scale: weight s of this condition's term. A condition that is absent is null; within a batch, zero tokens are.
    """

    name: str
    tokens: Tensor
    scale: float = 1.0


@dataclass(frozen=True)
class KeyValue:
    """Keys and values of one condition in one attention: (B, L, C), or (B, F, L, C) frame by frame."""

    name: str
    key: Tensor
    value: Tensor
    scale: float


def branch_suffix(name: str) -> str:
    """Return what the layers of a condition's keys and values are called: to_k<suffix>, to_v<suffix>."""
    return {"text": "", "image": "_ip"}.get(name, f"_{name}")


def _heads(x: Tensor, head_dim: int) -> Tensor:
    """x (N, L, C) -> (N, C / head_dim, L, head_dim), a view."""
    return torch.unflatten(x, -1, (-1, head_dim)).transpose(1, 2)


def _attend(q: Tensor, k: Tensor, v: Tensor, head_dim: int) -> Tensor:
    """q (N, L, C), k and v (N, M, C) -> (N, L, C)."""
    out = scaled_dot_product_attention(_heads(q, head_dim), _heads(k, head_dim), _heads(v, head_dim))
    return out.transpose(1, 2).flatten(2)


def in_pieces(function: Callable[[Tensor], Tensor], x: Tensor, width: int) -> Tensor:
    """Return function(x), computed in pieces along the first axis where that saves memory and time.

    width: numbers that the function holds at a time for one entry of x along that axis. A CPU is bound by memory there
    and quicker with what stays in its cache (docs/networks.md); a GPU is not, and training needs the whole anyway.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return function(x)
    per_piece = max(1, CACHED_NUMBERS // width)
    if len(x) <= per_piece:
        return function(x)
    return torch.cat([function(piece) for piece in torch.split(x, per_piece)])


class SelfAttention(nn.Module):
    """Attention of tokens to one another, over the pixels of a frame or over the frames of a pixel."""

    def __init__(self, channels: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(channels, channels, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C) -> the same shape; each of the N sequences by itself, without positional encoding."""
        y: Tensor = self.to_out(_attend(self.to_q(x), self.to_k(x), self.to_v(x), self.head_dim))
        return y


class MultiConditionAttention(nn.Module):
    """Attention of all positions to several conditions; see the head of this file."""

    def __init__(
        self, channels: int, context_dim: int, head_dim: int, conditions: Sequence[str], *, learnable_scale: bool
    ) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.conditions = tuple(conditions)
        self.to_q = nn.Linear(channels, channels, bias=False)
        for name in conditions:
            self.add_module(f"to_k{branch_suffix(name)}", nn.Linear(context_dim, channels, bias=False))
            self.add_module(f"to_v{branch_suffix(name)}", nn.Linear(context_dim, channels, bias=False))
        self.to_out = nn.Sequential(nn.Linear(channels, channels))
        # DynamiCrafter's 256 model weighs its image by tanh(alpha) + 1 (lvdm/modules/attention.py, commit c453369)
        self.alpha = nn.Parameter(torch.zeros(())) if learnable_scale else None

    def keys_values(self, conditions: Sequence[Condition]) -> tuple[KeyValue, ...]:
        """Return the keys and values of these conditions, in their order."""
        return tuple(
            KeyValue(
                c.name,
                self.get_submodule(f"to_k{branch_suffix(c.name)}")(c.tokens),
                self.get_submodule(f"to_v{branch_suffix(c.name)}")(c.tokens),
                c.scale,
            )
            for c in conditions
        )

    def forward(self, x: Tensor, keys_values: Sequence[KeyValue]) -> Tensor:
        """x (B, F, P, C) -> the same shape."""
        q = self.to_q(x)
        total: Tensor | None = None
        for kv in keys_values:
            if kv.key.ndim == 3:  # the same tokens for all frames: frames are just more queries
                out = _attend(q.flatten(1, 2), kv.key, kv.value, self.head_dim).reshape(x.shape)
            else:
                k, v = kv.key.flatten(0, 1), kv.value.flatten(0, 1)
                out = _attend(q.flatten(0, 1), k, v, self.head_dim).reshape(x.shape)
            if kv.scale != 1.0:
                out = out * kv.scale
            if self.alpha is not None and kv.name == "image":
                out = out * (self.alpha.tanh() + 1)
            total = out if total is None else total + out
        assert total is not None, "the UNet refuses to run without its text"
        y: Tensor = self.to_out(total)
        return y


class GatedLinear(nn.Module):
    """GEGLU: a linear map times the exact GELU of another. Both lie in one weight, [value, gate]."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., channels) -> (..., inner)."""
        # Two products instead of one that is cut in two: GELU of every other half row is slow on CPUs
        (w_value, w_gate), (b_value, b_gate) = self.proj.weight.chunk(2), self.proj.bias.chunk(2)
        return gelu(linear(x, w_gate, b_gate)).mul_(linear(x, w_value, b_value))


class FeedForward(nn.Module):
    """Gated linear map to four times the channels and back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = inner = FEED_FORWARD_MULT * channels
        # the Identity is where published code has a dropout of 0: it keeps the number of the last layer
        self.net = nn.Sequential(GatedLinear(channels, inner), nn.Identity(), nn.Linear(inner, channels))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C) -> the same shape."""
        return in_pieces(self.net, x, x.shape[1] * self.inner)


class SpatialBlock(nn.Module):
    """Self-attention within a frame, attention to the conditions, feed-forward; each on a residual path."""

    def __init__(
        self, channels: int, context_dim: int, head_dim: int, conditions: Sequence[str], *, learnable_scale: bool
    ) -> None:
        super().__init__()
        self.attn1 = SelfAttention(channels, head_dim)
        self.attn2 = MultiConditionAttention(
            channels, context_dim, head_dim, conditions, learnable_scale=learnable_scale
        )
        self.ff = FeedForward(channels)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Tensor, keys_values: Sequence[KeyValue]) -> Tensor:
        """x (B, F, P, C) -> the same shape."""
        frames = x.shape[:2]
        x = x.flatten(0, 1)
        x = self.attn1(self.norm1(x)).add_(x)
        x = self.attn2(torch.unflatten(self.norm2(x), 0, frames), keys_values).flatten(0, 1).add_(x)
        y: Tensor = self.ff(self.norm3(x)).add_(x)
        return torch.unflatten(y, 0, frames)


class TemporalBlock(nn.Module):
    """Self-attention over the frames, twice, then feed-forward; each on a residual path."""

    def __init__(self, channels: int, head_dim: int) -> None:
        super().__init__()
        self.attn1 = SelfAttention(channels, head_dim)
        self.attn2 = SelfAttention(channels, head_dim)
        self.ff = FeedForward(channels)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, F, C), one sequence per position -> the same shape."""
        x = self.attn1(self.norm1(x)).add_(x)
        x = self.attn2(self.norm2(x)).add_(x)
        y: Tensor = self.ff(self.norm3(x)).add_(x)
        return y


class SpatialTransformer(nn.Module):
    """Per frame: normalise, project, one block, project back (zero at the start of training), add."""

    def __init__(
        self, channels: int, context_dim: int, head_dim: int, conditions: Sequence[str], *, learnable_scale: bool
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(NORM_GROUPS, channels, eps=TRANSFORMER_NORM_EPS)
        self.proj_in = nn.Linear(channels, channels)
        block = SpatialBlock(channels, context_dim, head_dim, conditions, learnable_scale=learnable_scale)
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, keys_values: Sequence[KeyValue]) -> Tensor:
        """x (B, F, H, W, C) -> the same shape."""
        tokens = self.proj_in(spatial_norm(self.norm, x).flatten(2, 3))  # (B, F, H·W, C)
        tokens = self.transformer_blocks[0](tokens, keys_values)
        y: Tensor = self.proj_out(tokens).reshape(x.shape).add_(x)
        return y


class TemporalTransformer(nn.Module):
    """Per position: the same over the frames. `inner` is what the block is wide; `init_attn` has another than C.

    as_conv: proj_in and proj_out have the (out, in, 1) weights of a Conv1d, as `init_attn` has in VideoCrafter.
    """

    def __init__(self, channels: int, inner: int, head_dim: int, *, as_conv: bool) -> None:
        super().__init__()
        self.inner = inner
        self.norm = nn.GroupNorm(NORM_GROUPS, channels, eps=TRANSFORMER_NORM_EPS)
        self.proj_in = nn.Conv1d(channels, inner, 1) if as_conv else nn.Linear(channels, inner)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(inner, head_dim)])
        self.proj_out = nn.Conv1d(inner, channels, 1) if as_conv else nn.Linear(inner, channels)
        self.left_out = False  # see UNet3D.leave_out_time

    def forward(self, x: Tensor) -> Tensor:
        """x (B, F, H, W, C) -> the same shape."""
        if self.left_out:
            return x
        B, F, H, W, C = x.shape
        tokens = temporal_norm(self.norm, x).flatten(2, 3).transpose(1, 2)  # (B, H·W, F, C)
        tokens = in_pieces(self._over_time, tokens.reshape(B * H * W, F, C), F * FEED_FORWARD_MULT * self.inner)
        return x + tokens.view(B, H * W, F, C).transpose(1, 2).reshape(x.shape)

    def _over_time(self, tokens: Tensor) -> Tensor:
        """tokens (N, F, C) -> the same shape."""
        tokens = linear(tokens, self.proj_in.weight.flatten(1), self.proj_in.bias)
        tokens = self.transformer_blocks[0](tokens)
        y: Tensor = linear(tokens, self.proj_out.weight.flatten(1), self.proj_out.bias)
        return y
