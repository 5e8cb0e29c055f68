"""Prompts and images to the tokens that attention sees: all of them, of one CLIP, in one width.

Text gives every token of the text tower, behind its final norm. An image gives the class token and all patches, either
in CLIP's joint space (`clip`, no weights beside CLIP's) or raw, for a resampler. Everything goes through open_clip's
public API, which keeps the towers' own order of axes.

Source: UniVG (arXiv 2401.09084), section 3.2; for published weights AILab-CVC/VideoCrafter@11bcd76,
lvdm/modules/encoders/condition.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import open_clip
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from reference_models.nn.resampler import Resampler

TextLayer = Literal["last", "penultimate", "embedding"]
ImageTokens = Literal["clip", "raw", "none"]
Resize = Literal["squash", "videocrafter"]
NullImage = Literal["zeros", "grey"]

# prompt -> its row of token numbers: start, words, end, padding to the context length; and its length uncut
Tokenizer = Callable[[str], tuple[list[int], int]]


@dataclass(frozen=True)
class EncoderConfig:
    """How a model looks at its conditions; the defaults are UniVG's, as far as its paper says.

    text_layer: `penultimate` leaves out the last block, as Stable Diffusion 2 and all video models on it do;
    `embedding` all of them: words and their places (decision 92). Each is followed by the final norm. project_text:
    multiply every token by CLIP's text projection too, for towers whose width is not that of the joint space.
    image_tokens: `clip` is norm and projection of the pooled embedding, on every token; `raw` is neither, `none` a
    model without images. resize: `squash` is antialiased bicubic, `videocrafter` its blur and bicubic with aligned
    corners. null_image: `zeros` are zero tokens, which attention without biases does not see; `grey` is the encoding of
    a grey image, as VideoCrafter and DynamiCrafter have it. mean, std: of pixels in [0, 1],
    per channel.
    """

    text_layer: TextLayer = "last"
    project_text: bool = False
    image_tokens: ImageTokens = "clip"
    resize: Resize = "squash"
    null_image: NullImage = "zeros"
    mean: tuple[float, float, float] = open_clip.OPENAI_DATASET_MEAN
    std: tuple[float, float, float] = open_clip.OPENAI_DATASET_STD


UNIVG_ENCODERS = EncoderConfig()
VIDEOCRAFTER_ENCODERS = EncoderConfig(
    text_layer="penultimate", image_tokens="raw", resize="videocrafter", null_image="grey"
)  # VideoCrafter1 I2V, DynamiCrafter
# VideoCrafter2, ModelScope, zeroscope, VGen SR600; also I2VGen-XL's text
TEXT_TO_VIDEO_ENCODERS = EncoderConfig(text_layer="penultimate", image_tokens="none")


@dataclass(frozen=True, eq=False)
class Encoders:
    """Both towers of one CLIP and, for weights that need it, the resampler behind the image tower.

    clip: `open_clip.CLIP`, in evaluation mode. tokenize: see `Tokenizer`. resampler: raw tokens (B, N, width) to
    (B, L, D), or (B, F, L, D) with tokens of every frame; goes with `image_tokens="raw"`.

    Raises ValueError when text and image tokens would have different widths: the image's keys and values start as
    copies of the text's.
    """

    clip: Any
    tokenize: Tokenizer
    config: EncoderConfig = UNIVG_ENCODERS
    resampler: Resampler | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_towers(self.clip)
        if (self.config.image_tokens == "raw") != (self.resampler is not None):
            raise ValueError(
                f"found image_tokens {self.config.image_tokens!r} {'with' if self.resampler else 'without'} a"
                " resampler, expected raw tokens and a resampler or neither"
            )
        text, image = self.dim, self.image_dim
        if image not in (text, None):
            raise ValueError(
                f"found text tokens of {text} and image tokens of {image} numbers, expected one width; set project_text"
                " where the tower's width is not that of the joint space"
            )

    @property
    def dim(self) -> int:
        """How many numbers a token has."""
        projection = self.clip.text_projection
        return int(projection.shape[1] if self.config.project_text else self.clip.ln_final.weight.shape[0])

    @property
    def image_dim(self) -> int | None:
        """How many numbers an image token has: as many as `dim`, None for a model without images."""
        if self.config.image_tokens == "none":
            return None
        if self.resampler is not None:
            return self.resampler.config.out_dim
        return int(self.clip.visual.proj.shape[1])

    @torch.no_grad()
    def text(self, prompts: Sequence[str]) -> Tensor:
        """Return the tokens (B, 77, D) of prompts; "" is the null prompt.

        A prompt that is too long is cut as CLIP does it, to its first tokens and the end; `cut_prompts` says which.
        """
        rows = torch.tensor(
            [self.tokenize(prompt)[0] for prompt in prompts], device=self.clip.positional_embedding.device
        )
        return text_tokens(self.clip, rows, layer=self.config.text_layer, project=self.config.project_text)

    def cut_prompts(self, prompts: Sequence[str]) -> dict[int, int]:
        """Return index -> number of tokens of prompts that are cut; start and end token are counted."""
        limit = int(self.clip.context_length)
        lengths = {i: self.tokenize(prompt)[1] for i, prompt in enumerate(prompts)}
        return {i: length for i, length in lengths.items() if length > limit}

    @torch.no_grad()
    def images(self, images: Tensor) -> Tensor:
        """Return the tokens (B, L, D), or (B, F, L, D) where each frame has its own, of images.

        images: (B, 3, H, W), floating point in [-1, 1] or uint8. Raises ValueError for anything else, and where the
        model takes no images.
        """
        config = self.config
        if config.image_tokens == "none":
            raise ValueError("found an image for a model that knows text only, expected a prompt alone")
        size = int(self.clip.visual.image_size[0])
        pixels = clip_pixels(images, size=size, resize=config.resize, mean=config.mean, std=config.std)
        weight = self.clip.visual.conv1.weight
        tokens = image_tokens(self.clip, pixels.to(weight.device, weight.dtype), kind=config.image_tokens)
        if self.resampler is None:
            return tokens
        out: Tensor = self.resampler(tokens)
        return out

    def null_images(self, batch: int) -> Tensor:
        """Return what stands for "no image" in guidance, with the axes of `images`."""
        size = int(self.clip.visual.image_size[0])
        grey = self.images(torch.zeros(1, 3, size, size))  # zero is the middle of [-1, 1]; also tells the axes
        if self.config.null_image == "zeros":
            grey = torch.zeros_like(grey)
        return grey.expand(batch, *grey.shape[1:])


def text_tokens(clip: Any, rows: Tensor, *, layer: TextLayer = "last", project: bool = False) -> Tensor:
    """Return every token (B, 77, D) of the text tower behind its final norm.

    rows: token numbers, int64 (B, 77). layer, project: see `EncoderConfig`.

    Raises ValueError for rows of another length.
    """
    if rows.ndim != 2 or rows.shape[1] != clip.context_length:
        raise ValueError(f"found tokens of shape {tuple(rows.shape)}, expected (B, {clip.context_length})")
    tokens: Tensor
    if layer == "embedding":
        tokens = clip.ln_final(clip.token_embedding(rows) + clip.positional_embedding)
    else:
        # intermediates are the last n blocks' outputs, oldest first
        found = clip.forward_intermediates(
            text=rows,
            text_indices=2 if layer == "penultimate" else 1,
            normalize_intermediates=True,
            intermediates_only=True,
        )
        tokens = found["text_intermediates"][0]
    return tokens @ clip.text_projection if project else tokens


def image_tokens(clip: Any, pixels: Tensor, *, kind: ImageTokens = "clip") -> Tensor:
    """Return the class token and all patches: (B, 257, joint width) for `clip`, (B, 257, tower width) for `raw`.

    The first row of `clip` is CLIP's pooled embedding, not normalised. pixels: (B, 3, S, S) from `clip_pixels`.
    """
    found = clip.forward_intermediates(
        image=pixels, image_indices=1, normalize_intermediates=kind == "clip", intermediates_only=True,
        image_output_fmt="NLC", image_output_extra_tokens=True,
    )  # fmt: skip
    tokens = torch.cat([found["image_intermediates_prefix"][0], found["image_intermediates"][0]], dim=1)
    return tokens @ clip.visual.proj if kind == "clip" else tokens


def clip_pixels(images: Tensor, *, size: int, resize: Resize, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return what the image tower takes: the whole image squashed to size x size, minus mean, by std, float32.

    images: (B, 3, H, W), floating point in [-1, 1] or uint8. Raises ValueError for anything else.
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        raise ValueError(f"found images of shape {tuple(images.shape)}, expected (B, 3, H, W)")
    if images.dtype == torch.uint8:
        images = images.float() / 127.5 - 1
    if not images.is_floating_point():
        raise ValueError(f"found images of type {images.dtype}, expected uint8 or floating point in [-1, 1]")
    x = images.float()
    if resize == "videocrafter":
        x = interpolate(_blurred(x, size), (size, size), mode="bicubic", align_corners=True)
    else:
        x = interpolate(x, (size, size), mode="bicubic", antialias=True)
    scale = torch.tensor(std, device=x.device)[:, None, None]
    return ((x + 1) / 2 - torch.tensor(mean, device=x.device)[:, None, None]) / scale


def clip_tokenizer(context_length: int = 77) -> Tokenizer:
    """Return the tokenizer of OpenAI's and LAION's CLIPs: lower case, byte pairs; nothing is fetched."""
    tokenizer = _byte_pairs()

    def tokenize(prompt: str) -> tuple[list[int], int]:
        row: list[int] = tokenizer(prompt, context_length=context_length)[0].tolist()
        return row, len(tokenizer.encode(prompt)) + 2

    return tokenize


@lru_cache(maxsize=1)
def _byte_pairs() -> Any:
    return open_clip.SimpleTokenizer()


def _blurred(x: Tensor, size: int) -> Tensor:
    """Return x blurred as kornia 0.6 and later do before shrinking, if it is to be shrunk.

    Width (factor − 1) / 2 and a kernel of four times that, odd, as in kornia.geometry.transform.resize.
    """
    factors = [side / size for side in x.shape[-2:]]
    if max(factors) <= 1:
        return x
    sigmas = [max((factor - 1) / 2, 0.001) for factor in factors]
    for axis, sigma in zip((-2, -1), sigmas, strict=True):
        length = int(max(4 * sigma, 3)) | 1
        places = torch.arange(length, device=x.device) - length // 2
        weights = torch.softmax(-((places / sigma) ** 2) / 2, dim=0)
        margin = (0, 0, length // 2, length // 2) if axis == -2 else (length // 2, length // 2, 0, 0)
        x = (pad(x, margin, mode="reflect").unfold(axis, length, 1) * weights).sum(-1)
    return x


def _check_towers(clip: Any) -> None:
    visual = getattr(clip, "visual", None)
    usual = (
        isinstance(clip, open_clip.CLIP)
        and isinstance(visual, open_clip.transformer.VisionTransformer)
        and visual.pool_type == "tok"
        and visual.attn_pool is None
        and isinstance(clip.text_projection, Tensor)
    )
    if not usual:
        raise ValueError(
            f"found a {type(clip).__name__}, expected an open_clip.CLIP whose image tower is a vision transformer with"
            " a class token"
        )
