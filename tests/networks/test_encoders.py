"""The text and image towers: all tokens, which layer, which pixels, what "nothing" is, what is refused."""

from __future__ import annotations

from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor

from reference_models.nn.encoders import (
    UNIVG_ENCODERS,
    VIDEOCRAFTER_ENCODERS,
    EncoderConfig,
    Encoders,
    clip_pixels,
    clip_tokenizer,
    image_tokens,
    text_tokens,
)
from reference_models.nn.resampler import Resampler, ResamplerConfig

MEAN, STD = UNIVG_ENCODERS.mean, UNIVG_ENCODERS.std
LENGTH, VOCABULARY = 12, 50


def make_clip(*, text_width: int = 32) -> Any:
    torch.manual_seed(0)
    clip = open_clip.CLIP(
        embed_dim=32,
        vision_cfg={"image_size": 32, "patch_size": 8, "layers": 3, "width": 48, "head_width": 16},
        text_cfg={
            "context_length": LENGTH,
            "vocab_size": VOCABULARY,
            "width": text_width,
            "heads": 2,
            "layers": 3,
        },
    )
    return clip.eval().requires_grad_(False)


def tokenize(prompt: str) -> tuple[list[int], int]:
    words = [1, *(2 + len(word) for word in prompt.split()), VOCABULARY - 1]
    row = words if len(words) <= LENGTH else [*words[: LENGTH - 1], VOCABULARY - 1]
    return row + [0] * (LENGTH - len(row)), len(words)


@pytest.fixture(scope="module")
def clip() -> Any:
    return make_clip()


@pytest.fixture(scope="module")
def encoders(clip: Any) -> Encoders:
    return Encoders(clip, tokenize)


@pytest.fixture(scope="module")
def asking(clip: Any) -> Encoders:
    torch.manual_seed(0)
    config = ResamplerConfig(dim=16, depth=1, heads=2, head_dim=8, num_queries=2, num_frames=3, in_dim=48, out_dim=32)
    return Encoders(clip, tokenize, VIDEOCRAFTER_ENCODERS, Resampler(config).requires_grad_(False))


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def tower_by_hand(clip: Any, rows: Tensor, blocks: int) -> Tensor:
    """Return the text tower's tokens behind its first `blocks` blocks and the final norm."""
    x = clip.token_embedding(rows) + clip.positional_embedding
    for block in list(clip.transformer.resblocks)[:blocks]:
        x = block(x, attn_mask=clip.attn_mask)
    normed: Tensor = clip.ln_final(x)
    return normed


@pytest.mark.parametrize(("layer", "blocks"), [("last", 3), ("penultimate", 2), ("embedding", 0)])
def test_text_layers_are_counted_from_the_end(clip: Any, layer: Any, blocks: int) -> None:
    rows = torch.tensor([tokenize("a bb ccc")[0], tokenize("")[0]])
    assert torch.equal(text_tokens(clip, rows, layer=layer), tower_by_hand(clip, rows, blocks))


def test_the_projected_end_token_is_clips_embedding_of_the_text(clip: Any) -> None:
    rows = torch.tensor([tokenize("a bb ccc")[0]])
    tokens = text_tokens(clip, rows, project=True)
    assert torch.allclose(tokens[0, rows[0].argmax()], clip.encode_text(rows)[0], rtol=0, atol=1e-6)


def test_the_first_row_of_projected_image_tokens_is_clips_embedding_of_the_image(clip: Any) -> None:
    pixels = pictures(2, 3, 32, 32)
    tokens = image_tokens(clip, pixels)
    assert tokens.shape == (2, 1 + 16, 32)
    assert torch.allclose(tokens[:, 0], clip.encode_image(pixels), rtol=0, atol=1e-6)


def test_raw_image_tokens_become_the_projected_ones_by_norm_and_projection(clip: Any) -> None:
    pixels = pictures(2, 3, 32, 32)
    raw = image_tokens(clip, pixels, kind="raw")
    assert raw.shape == (2, 17, 48)
    assert torch.allclose(clip.visual.ln_post(raw) @ clip.visual.proj, image_tokens(clip, pixels), rtol=0, atol=1e-6)


def test_an_image_does_not_see_the_others_of_its_batch(clip: Any) -> None:
    # what breaks where somebody swaps axes for a tower that keeps the batch first
    pixels = pictures(3, 3, 32, 32)
    alone = image_tokens(clip, pixels[1:2], kind="raw")
    assert torch.allclose(image_tokens(clip, pixels, kind="raw")[1:2], alone, rtol=0, atol=1e-5)


def test_towers_of_full_size_give_77_and_257_tokens_of_one_width() -> None:
    config = open_clip.get_model_config("ViT-H-14")
    with torch.device("meta"):
        clip = open_clip.CLIP(**config)
    encoders = Encoders(clip, clip_tokenizer())
    assert encoders.text(["a dog", ""]).shape == (2, 77, 1024)
    assert encoders.images(torch.zeros(1, 3, 90, 160)).shape == (1, 257, 1024)
    assert image_tokens(clip, torch.empty(1, 3, 224, 224, device="meta"), kind="raw").shape == (1, 257, 1280)
    assert sum(p.numel() for p in clip.visual.parameters()) == 632_076_800


def test_too_long_prompts_are_cut_to_their_first_tokens_and_counted() -> None:
    cut = Encoders(make_clip(), tokenize)
    long = " ".join("a" * (1 + i) for i in range(20))
    assert cut.cut_prompts(["a bb", long, ""]) == {1: 22}
    first = " ".join(long.split()[: LENGTH - 2])
    assert torch.equal(cut.text([long]), cut.text([first]))


def test_the_tokenizer_of_clip_cuts_after_75_words_and_counts_start_and_end() -> None:
    tokenize = clip_tokenizer()
    row, length = tokenize("")
    assert (row[:3], length) == ([49406, 49407, 0], 2)
    assert tokenize("dog " * 75)[1] == 77
    row, length = tokenize("dog " * 76)
    assert (row[-1], len(row), length) == (49407, 77, 78)


def test_no_image_is_zero_tokens_or_the_encoding_of_grey(encoders: Encoders, asking: Encoders) -> None:
    nothing = encoders.null_images(2)
    assert nothing.shape == (2, 17, 32)
    assert not nothing.any()
    grey = asking.null_images(2)
    assert torch.equal(grey, asking.images(torch.zeros(1, 3, 50, 70)).expand(2, -1, -1, -1))
    assert grey.any()


def test_tokens_of_every_frame_keep_their_axis(asking: Encoders) -> None:
    assert asking.images(pictures(2, 3, 40, 40)).shape == (2, 3, 2, 32)


def test_bytes_and_numbers_of_one_image_are_one_image(encoders: Encoders) -> None:
    bytes_ = torch.arange(3 * 32 * 32, dtype=torch.int64).remainder(256).to(torch.uint8).reshape(1, 3, 32, 32)
    assert torch.equal(encoders.images(bytes_), encoders.images(bytes_.float() / 127.5 - 1))


@pytest.mark.parametrize("resize", ["squash", "videocrafter"])
def test_an_image_of_one_colour_stays_it_at_any_size(resize: Any) -> None:
    for height, width in [(320, 576), (32, 500), (8, 8)]:
        pixels = clip_pixels(torch.full((1, 3, height, width), 0.5), size=32, resize=resize, mean=MEAN, std=STD)
        wanted = (0.75 - torch.tensor(MEAN)) / torch.tensor(STD)
        assert torch.allclose(pixels, wanted[:, None, None].expand(1, 3, 32, 32), rtol=0, atol=1e-5)


def test_videocrafters_pixels_are_kornias() -> None:
    # kornia 0.9.0: geometry.resize(x, (16, 16), interpolation="bicubic", align_corners=True, antialias=True)
    x = torch.sin(torch.arange(3 * 40 * 70, dtype=torch.float64) ** 1.3).float().reshape(1, 3, 40, 70)
    got = clip_pixels(x, size=16, resize="videocrafter", mean=(0.5,) * 3, std=(0.5,) * 3)
    wanted = {
        (0, 0): [0.15122535824775696, -0.002680080709978938, -0.007104696240276098, -0.001288725296035409],
        (1, 7): [-0.014786290936172009, 0.006436765193939209, 0.017231101170182228, -0.016239041462540627],
        (2, 15): [-0.069412000477314, 0.010445408523082733, 0.05469115450978279, -0.06715396046638489],
    }
    starts = {(0, 0): 0, (1, 7): 5, (2, 15): 12}
    for (channel, row), values in wanted.items():
        first = starts[channel, row]
        assert got[0, channel, row, first : first + 4].tolist() == pytest.approx(values, abs=1e-6)
    assert got.abs().sum().item() == pytest.approx(98.57862101005048, rel=1e-5)


def test_tokens_of_two_widths_are_refused_unless_text_is_projected() -> None:
    clip = make_clip(text_width=64)
    with pytest.raises(ValueError, match="found text tokens of 64 and image tokens of 32 numbers, expected one width"):
        Encoders(clip, tokenize)
    projected = Encoders(clip, tokenize, EncoderConfig(project_text=True))
    assert projected.text(["a"]).shape == (1, LENGTH, 32)


def test_raw_tokens_without_a_resampler_and_other_towers_are_refused(clip: Any) -> None:
    with pytest.raises(ValueError, match="'raw' without a resampler"):
        Encoders(clip, tokenize, VIDEOCRAFTER_ENCODERS)
    with pytest.raises(ValueError, match=r"found a Linear, expected an open_clip\.CLIP"):
        Encoders(torch.nn.Linear(2, 2), tokenize)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(3, 40, 40), r"found images of shape \(3, 40, 40\), expected \(B, 3, H, W\)"),
        (torch.zeros(1, 1, 40, 40), r"expected \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 40, 40, dtype=torch.int64), "expected uint8 or floating point"),
    ],
)
def test_what_is_no_image_is_refused(encoders: Encoders, images: Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        encoders.images(images)


def test_rows_of_another_length_are_refused(clip: Any) -> None:
    with pytest.raises(ValueError, match=r"found tokens of shape \(1, 5\), expected \(B, 12\)"):
        text_tokens(clip, torch.zeros(1, 5, dtype=torch.int64))
