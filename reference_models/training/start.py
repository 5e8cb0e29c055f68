"""What a training starts from: the networks that stay as they are, and the UNet, new or grown from another stage's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reference_models.checkpoints import Part, config_of, load_into, read_card, read_model, tensor_digest
from reference_models.convert.encoders import load_clip, tower_parts
from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.encoders import Encoders
from reference_models.nn.growth import add_condition, drop_condition, grow_input
from reference_models.nn.unet3d import UNet3D, UNetConfig
from reference_models.presets import Preset
from reference_models.stages.loading import encoder_config, tokenizer_of
from reference_models.stages.networks import Networks
from reference_models.training.recipe import Recipe
from univg_bench.errors import InputError
from univg_bench.features.tiny.architectures import TINY_CLIP

_TOWERS: tuple[Part, ...] = ("text", "image")


@dataclass(frozen=True, eq=False)
class Frozen:
    """Autoencoder and CLIP. digests: part -> digest of its tensors, to know them again. towers: part -> settings."""

    vae: Autoencoder
    clip: Any
    digests: dict[str, str]
    towers: dict[str, dict[str, Any]]


def load_frozen(path: Path) -> Frozen:
    """Return what `path` holds: a folder of `univg-bench convert` or of a trained stage, or a tiny autoencoder's file,
    which goes with the tiny CLIP that the benchmark ships."""
    if path.is_file():
        from univg_bench.features.tiny.networks import load

        vae_path, clip = path, load("tiny-clip")
        joint = {"embed_dim": TINY_CLIP["embed_dim"]}
        towers = {
            "text": {**joint, "text_cfg": dict(TINY_CLIP["text_cfg"])},
            "image": {**joint, "vision_cfg": dict(TINY_CLIP["vision_cfg"])},
        }
    else:
        model = read_model(path)
        vae_path, clip = model.weights("vae"), load_clip(model)
        towers = {part: dict(read_card(model.weights(part)).settings) for part in _TOWERS if part in model.parts}
    card = read_card(vae_path)
    if card.part != "vae":
        raise InputError(f"found the {card.part} of {card.preset} in {vae_path}, expected an autoencoder")
    vae = Autoencoder(config_of(AutoencoderConfig, card.settings))
    load_into(vae, vae_path, part="vae")
    clip = clip.float().eval().requires_grad_(False)
    vae = vae.eval().requires_grad_(False)
    digests = {"vae": tensor_digest(vae.state_dict())}
    for part, keys in zip(_TOWERS, tower_parts(clip.state_dict()), strict=True):
        if part in towers:
            digests[part] = tensor_digest({key: clip.state_dict()[key] for key in keys})
    return Frozen(vae, clip, digests, towers)


def start_networks(
    recipe: Recipe, frozen: Frozen, *, init: Path | None, device: torch.device
) -> tuple[Networks, dict[str, str]]:
    """Return the networks of a recipe's stage, the UNet ready to be trained, and the facts that tell this start.

    init: a folder with weights of `recipe.init_from`. Raises InputError when it is missing, or not asked for.
    """
    preset = recipe.trained
    if (init is None) != (recipe.init_from is None):
        found, wanted = ("no --init", f"a folder of {recipe.init_from}") if init is None else (f"--init {init}", "none")
        raise InputError(f"found {found}, expected {wanted}: that is what the recipe {recipe.name} starts from")
    began = "random"
    if init is None:
        unet = _random(preset, seed=recipe.seed)
    else:
        model = read_model(init)
        if model.preset != recipe.init_from:
            raise InputError(
                f"found {model.preset} in {init}, expected {recipe.init_from}, which the recipe starts from"
            )
        card = read_card(model.weights("unet"))
        unet = UNet3D(config_of(UNetConfig, card.settings))
        load_into(unet, model.weights("unet"), part="unet")
        unet, began = grown(unet, preset), card.digest
    encoders = Encoders(frozen.clip.to(device), tokenizer_of(frozen.clip), encoder_config(preset))
    networks = Networks(preset, unet.to(device), frozen.vae.to(device), encoders, frozen.digests)
    return networks, {"init": began, **frozen.digests}


def grown(unet: UNet3D, preset: Preset) -> UNet3D:
    """Return the UNet with the input and the conditions of a preset, computing what it did until it is trained on.

    Raises InputError when something else differs. Source: UniVG 3.2, 3.3.
    """
    wanted = preset.network
    for name in [name for name in unet.config.conditions if name not in wanted.conditions]:
        unet = drop_condition(unet, name)
    for name in [name for name in wanted.conditions if name not in unet.config.conditions]:
        unet = add_condition(unet, name)
    if unet.config.in_channels < wanted.in_channels:
        unet = grow_input(unet, wanted.in_channels)
    if unet.config != wanted:
        raise InputError(f"found weights of {unet.config}, which do not grow into {preset.name}, {wanted}")
    return unet


def _random(preset: Preset, *, seed: int) -> UNet3D:
    # built with the global generator put back as it was, so that nobody else's numbers move
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet3D(preset.network)
