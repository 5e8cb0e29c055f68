"""What I2VGen-XL has beside its UNet: encoders of the first frame, into channels to concatenate and into tokens.

Source: ali-vilab/VGen, tools/modules/unet/unet_i2vgen.py, commit 4014d1f; names of modules are its own. The image's
channels enter with a factor of 2 there (it adds them twice), and the published weights were trained with it; the port
in diffusers 0.42.1 lacks the factor (docs/findings.md 28).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

LATENT_CHANNELS = 4
GLOBAL_TOKENS = 4  # `num_tokens`
CONCAT_FACTOR = 2.0  # `concat += _ximg`, twice
ENCODER_HEADS = 2  # of local_temporal_encoder


class _Attention(nn.Module):
    """Self-attention over frames, `heads` heads as wide as the input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(dim, 3 * ENCODER_HEADS * dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(ENCODER_HEADS * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, F, dim) -> the same shape."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, ENCODER_HEADS, -1)).permute(2, 0, 3, 1, 4)
        y: Tensor = self.to_out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return y


class _Normalised(nn.Module):
    """Layer norm, then attention, on a residual path."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = _Attention(dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, F, dim) -> the same shape."""
        y: Tensor = x + self.fn(self.norm(x))
        return y


class _Mlp(nn.Module):
    """Two linear maps with a GELU between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        inner = 4 * dim
        self.net = nn.Sequential(nn.Sequential(nn.Linear(dim, inner), nn.GELU()), nn.Identity(), nn.Linear(inner, dim))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, F, dim) -> the same shape."""
        y: Tensor = self.net(x)
        return y


class _Layer(nn.ModuleList):
    """Attention, then the linear maps on a residual path."""

    def forward(self, x: Tensor) -> Tensor:
        """x (N, F, dim) -> the same shape."""
        attention, mlp = self
        x = attention(x)
        y: Tensor = x + mlp(x)
        return y


class _TemporalEncoder(nn.Module):
    """One layer over the frames of every position."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_Layer([_Normalised(dim), _Mlp(dim)])])

    def forward(self, x: Tensor) -> Tensor:
        """x (N, F, dim) -> the same shape."""
        y: Tensor = self.layers[0](x)
        return y


class ImageEncoders(nn.Module):
    """The four encoders; their outputs are the UNet's last four input channels and its last 68 tokens."""

    def __init__(self, embedding_dim: int, context_dim: int) -> None:
        super().__init__()
        C = LATENT_CHANNELS
        self.context_dim = context_dim
        self.context_embedding = nn.Sequential(
            nn.Linear(context_dim, embedding_dim), nn.SiLU(), nn.Linear(embedding_dim, GLOBAL_TOKENS * context_dim)
        )
        self.local_image_concat = nn.Sequential(
            nn.Conv2d(C, 4 * C, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(4 * C, 4 * C, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(4 * C, C, 3, padding=1),
        )
        self.local_temporal_encoder = _TemporalEncoder(C)
        self.local_image_embedding = nn.Sequential(
            nn.Conv2d(C, 8 * C, 3, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d((32, 32)),
            nn.Conv2d(8 * C, 16 * C, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(16 * C, context_dim, 3, stride=2, padding=1),
        )

    def forward(self, image_latent: Tensor, image_embedding: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Return what to concatenate to the latents (B, F, 4, H, W) and what to append to the text (B, 64 + 4, D).

        image_latent: (B, 4, H, W), the first frame. image_embedding: (B, D), CLIP's pooled image.

        Raises ValueError where the shapes are others.
        """
        if image_latent.ndim != 4 or image_latent.shape[1] != LATENT_CHANNELS:
            raise ValueError(f"image_latent is {tuple(image_latent.shape)}; expected (B, {LATENT_CHANNELS}, H, W)")
        B, _, H, W = image_latent.shape
        if image_embedding.shape != (B, self.context_dim):
            raise ValueError(
                f"image_embedding is {tuple(image_embedding.shape)}; expected (B, D) = {(B, self.context_dim)}"
            )
        # frame 0 is the image, frame k the constant k / (F - 1): how far the clip has gone
        ramp = torch.arange(1, num_frames, device=image_latent.device) / max(num_frames - 1, 1)
        later = ramp.to(image_latent.dtype)[None, :, None, None, None].expand(B, -1, LATENT_CHANNELS, H, W)
        frames = torch.cat([image_latent[:, None], later], dim=1)
        local = self.local_image_concat(frames.flatten(0, 1)).unflatten(0, (B, num_frames))
        over_time = self.local_temporal_encoder(local.permute(0, 3, 4, 1, 2).flatten(0, 2))  # (B·H·W, F, 4)
        concat = CONCAT_FACTOR * over_time.unflatten(0, (B, H, W)).permute(0, 3, 4, 1, 2)
        local_tokens = self.local_image_embedding(image_latent).flatten(2).transpose(1, 2)  # (B, 8·8, D)
        global_tokens = self.context_embedding(image_embedding).unflatten(1, (GLOBAL_TOKENS, self.context_dim))
        return concat, torch.cat([local_tokens, global_tokens], dim=1)
