"""Studies that take seconds: narrow networks filled at random, two small videos, one step."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import torch

from reference_models.checkpoints import Part, save_weights, write_model
from reference_models.convert.encoders import tower_parts
from reference_models.nn.autoencoder import Autoencoder, AutoencoderConfig
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import load_preset
from univg_bench.features.tiny.architectures import TINY_CLIP
from univg_bench.features.tiny.networks import load

ITEMS = 2
PROTOCOLS = {
    "t2v": ("moving-shapes-fb-t2v-tiny", "steps: 1", ""),
    "i2v": ("moving-shapes-fb-i2v-tiny", "steps: 1", ""),
    "ti2v": ("moving-shapes-fb-ti2v-tiny", "steps: 1", ""),
    "grid": ("moving-shapes-fb-ti2v-tiny-grid", "steps: 1", ""),
    "fa": ("moving-shapes-fa-tiny", "steps: 1", ""),
    "fsr": ("moving-shapes-fsr-tiny", "", "height: 32, width: 56"),
}


def write_protocols(folder: Path) -> dict[str, str]:
    """Write the studies' protocols with few items and steps, F_SR's at F_B's size; return kind -> file."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for kind, (extends, params, size) in PROTOCOLS.items():
        path = folder / f"small-{kind}.yaml"
        comma = ", " if size else ""
        path.write_text(
            f"schema: univg-bench/protocol/1\nextends: {extends}\nid: small-{kind}\nversion: 1\ntitle: Small {kind}\n"
            f"data: {{count: {ITEMS}{comma}{size}}}\ngeneration: {{{size}{comma}params: {{{params}}}}}\n"
            "intervals: {replicates: 20}\n"
        )
        made[kind] = str(path)
    return made


def write_weights(dest: Path, preset_name: str, *, seed: int = 0) -> Path:
    """Write a stage of narrow random networks, as training's export would; return the folder."""
    preset, clip = load_preset(preset_name), load("tiny-clip")
    config = replace(
        preset.network, model_channels=32, channel_mult=(1,), num_res_blocks=1, attention_levels=(0,), init_heads=1
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = UNet3D(config)
        for parameter in unet.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
        torch.manual_seed(0)  # one autoencoder for all
        vae = Autoencoder(
            AutoencoderConfig(3, config.out_channels, channels=8, channel_mult=(1, 1, 1), num_res_blocks=1, groups=4)
        )
    text, image = tower_parts(clip.state_dict())
    joint, tensors = {"embed_dim": TINY_CLIP["embed_dim"]}, clip.state_dict()
    parts: dict[Part, tuple[dict[str, torch.Tensor], dict[str, object]]] = {
        "unet": (unet.state_dict(), asdict(config)),
        "vae": (vae.state_dict(), asdict(vae.config)),
        "text": ({key: tensors[key] for key in text}, {**joint, "text_cfg": dict(TINY_CLIP["text_cfg"])}),
        "image": ({key: tensors[key] for key in image}, {**joint, "vision_cfg": dict(TINY_CLIP["vision_cfg"])}),
    }
    if preset.image_tokens == "none":
        del parts["image"]
    for part, (values, settings) in parts.items():
        save_weights(
            dest / f"{part}.safetensors", values, preset=preset_name, part=part, source="a test", settings=settings
        )  # fmt: skip
    write_model(dest, {"preset": preset_name, "parts": {part: {} for part in parts}})
    return dest
