"""Networks of a stage from a folder of weights, or random ones; what fits no stage is said before it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from reference_models.checkpoints import check_finite, config_of, load_into, read_card, read_model
from reference_models.convert.encoders import build_clip, load_clip
from reference_models.nn.autoencoder import TINY_AUTOENCODER, Autoencoder, AutoencoderConfig
from reference_models.nn.encoders import EncoderConfig, Encoders, Tokenizer, clip_tokenizer
from reference_models.nn.resampler import Resampler, ResamplerConfig
from reference_models.nn.unet3d import UNet3D, UNetConfig
from reference_models.presets import Preset, Stage, load_preset
from reference_models.stages.networks import Networks
from univg_bench.errors import InputError
from univg_bench.features.tiny.architectures import TINY_CLIP
from univg_bench.features.tiny.tokenizer import CONTEXT_LENGTH, VOCABULARY_SIZE
from univg_bench.features.tiny.tokenizer import tokenize as tiny_tokens

N = TypeVar("N")
BYTE_PAIRS = 49408  # tokens of OpenAI's and LAION's CLIPs


def load_networks(folder: Path, *, stage: Stage, device: str, dtype: torch.dtype) -> Networks:
    """Return the networks of a folder written by `univg-bench convert` or by training, ready to sample with.

    dtype: of the UNet and the autoencoder; the encoders, which run once per video, stay float32.

    Raises InputError when the folder is another stage's, lacks a part, or holds damaged or infinite weights.
    """
    model = read_model(folder)
    try:
        named = load_preset(model.preset)
    except ValueError as error:
        raise InputError(f"{folder} is no model that a stage runs: {error}") from error
    if named.stage != stage:
        raise InputError(
            f"found {named.name} in {folder}, which is made for the stage {named.stage}, expected weights for {stage}"
        )
    needed = ["unet", "vae", "text", *({"clip": ["image"]}.get(named.image_tokens, []))]
    if named.image_tokens in ("resampler", "resampler-per-frame"):
        needed += ["image", "resampler"]
    paths = {part: model.weights(part) for part in needed}  # type: ignore[arg-type]
    cards = {part: read_card(path) for part, path in paths.items()}
    unet = _understood(lambda: UNet3D(config_of(UNetConfig, cards["unet"].settings)))
    vae = _understood(lambda: Autoencoder(config_of(AutoencoderConfig, cards["vae"].settings)))
    resampler = None
    load_into(unet, paths["unet"], part="unet")
    load_into(vae, paths["vae"], part="vae")
    if "resampler" in paths:
        resampler = Resampler(config_of(ResamplerConfig, cards["resampler"].settings))
        load_into(resampler, paths["resampler"], part="resampler")
        resampler = resampler.to(device).eval().requires_grad_(False)
    clip = load_clip(model).float().to(device)
    for part, net in (("unet", unet), ("vae", vae), ("text", clip), ("resampler", resampler)):
        if net is not None:
            check_finite(net.state_dict(), source=f"{part} of {folder}")
    preset = replace(named, network=unet.config)
    encoders = _understood(lambda: Encoders(clip, tokenizer_of(clip), encoder_config(preset), resampler))
    digests = {part: card.digest for part, card in cards.items()}
    return _ready(preset, unet, vae, encoders, digests, device=device, dtype=dtype, trained=True)


def random_networks(preset: Preset, *, seed: int, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Networks:
    """Return untrained networks of a tiny preset: they show that everything runs, and make videos of nothing.

    Layers that begin at zero are filled too, so that nothing can be mixed up unseen. Raises InputError for a preset
    that is not tiny.
    """
    if not preset.name.startswith("tiny"):
        raise InputError(
            f"found no weights for {preset.name}, expected a folder of them; random ones are for tiny presets"
        )
    # built with the global generator put back as it was, so that nobody else's numbers move
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet, vae, clip = UNet3D(preset.network), Autoencoder(TINY_AUTOENCODER), build_clip(TINY_CLIP, TINY_CLIP)
        for parameter in unet.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
    clip = clip.eval().requires_grad_(False).to(device)
    encoders = Encoders(clip, tokenizer_of(clip), encoder_config(preset))
    return _ready(preset, unet, vae, encoders, {"all": f"random-{seed}"}, device=device, dtype=dtype, trained=False)


def encoder_config(preset: Preset) -> EncoderConfig:
    """Return how a model of this preset looks at its conditions."""
    if preset.name.startswith("tiny"):  # mean and deviation: univg_bench/features/tiny/architectures.py
        half = (0.5, 0.5, 0.5)
        tokens = "clip" if preset.image_tokens == "clip" else "none"
        return EncoderConfig(text_layer=preset.text_layer, project_text=True, image_tokens=tokens, mean=half, std=half)  # type: ignore[arg-type]
    per_query = preset.image_tokens in ("resampler", "resampler-per-frame")
    return EncoderConfig(
        text_layer=preset.text_layer,
        image_tokens="raw" if per_query else "clip" if preset.image_tokens == "clip" else "none",
        resize="videocrafter" if per_query else "squash",
        null_image=preset.null_image,
    )


def tokenizer_of(clip: torch.nn.Module) -> Tokenizer:
    """Return the tokenizer that a text tower was trained with, known by the size of its vocabulary.

    Raises InputError for a vocabulary that is neither CLIP's nor the tiny one.
    """
    vocabulary = len(clip.get_parameter("token_embedding.weight"))
    length = len(clip.get_parameter("positional_embedding"))
    if vocabulary == BYTE_PAIRS:
        return clip_tokenizer(length)
    if (vocabulary, length) != (VOCABULARY_SIZE, CONTEXT_LENGTH):
        raise InputError(
            f"found a text tower of {vocabulary} tokens, expected {BYTE_PAIRS} (CLIP) or {VOCABULARY_SIZE} (tiny):"
            " its tokenizer is not known"
        )
    return lambda prompt: (tiny_tokens(prompt), len(re.findall(r"\w+", prompt)) + 2)  # words, start and end


def _ready(
    preset: Preset,
    unet: UNet3D,
    vae: Autoencoder,
    encoders: Encoders,
    weights: dict[str, str],
    *,
    device: str,
    dtype: torch.dtype,
    trained: bool,
) -> Networks:
    unet = unet.to(device, dtype).eval().requires_grad_(False)
    vae = vae.to(device, dtype).eval().requires_grad_(False)
    return _understood(lambda: Networks(preset, unet, vae, encoders, weights, trained))


def _understood(make: Callable[[], N]) -> N:
    """Return what `make` makes; what it refuses is the user's error."""
    try:
        return make()
    except ValueError as error:
        raise InputError(str(error)) from error
