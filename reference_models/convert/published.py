"""Which published files there are to convert: their preset, how their UNet is written, terms, and what is refused.

Files that differ in nothing that their keys show (DynamiCrafter 512 and 1024, say) have to be named by their user.

Sources: docs/networks.md for the networks. The licence notes say where to read; only the authors' own pages count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from reference_models.convert.unet import Family, detect_family
from univg_bench.errors import InputError


@dataclass(frozen=True)
class Published:
    """One published model. preset: its name here. families: how files of it write their UNet. file: how it is found."""

    preset: str
    families: tuple[Family, ...]
    file: str
    licence: str


_CARD = "read the model card of the file"
# Seen in the file License of AILab-CVC/VideoCrafter at commit 623d46a: a tenth clause behind those of Apache 2.0
_VIDEOCRAFTER = f"{_CARD}; the repository's License adds to Apache-2.0 a clause that allows research only"

PUBLISHED: tuple[Published, ...] = (
    Published("videocrafter1-i2v-512", ("videocrafter",), "VideoCrafter/Image2Video-512: model.ckpt", _VIDEOCRAFTER),
    Published("videocrafter2", ("videocrafter",), "VideoCrafter/VideoCrafter2: model.ckpt", _VIDEOCRAFTER),
    Published("dynamicrafter-256", ("videocrafter",), "Doubiiu/DynamiCrafter: model.ckpt", _CARD),
    Published("dynamicrafter-512", ("videocrafter",), "Doubiiu/DynamiCrafter_512: model.ckpt", _CARD),
    Published("dynamicrafter-1024", ("videocrafter",), "Doubiiu/DynamiCrafter_1024: model.ckpt", _CARD),
    Published(
        "modelscope-t2v", ("vgen", "diffusers"),
        "ali-vilab/text-to-video-ms-1.7b: unet/, or text2video_pytorch_model.pth of its first release",
        _CARD,
    ),
    Published("zeroscope", ("diffusers",), "cerspense/zeroscope_v2_576w: unet/", _CARD),
    Published("vgen-t2v", ("vgen",), "ali-vilab/VGen, text-to-video .pth", _CARD),
    Published("i2vgen-xl", ("vgen", "diffusers"), "ali-vilab/i2vgen-xl: i2vgen_xl_00854500.pth, or unet/",
              _CARD),
    Published("vgen-sr600", ("vgen",), "ali-vilab/VGen: sr_step_110000_ema.pth", _CARD),
)  # fmt: skip

# pattern of keys -> what it is and why it is refused; the first that fits counts
_REFUSED: tuple[tuple[str, str], ...] = (
    (
        r"time_mixer\.mix_factor|spatial_res_block|time_stack",
        "a UNet of Stable Video Diffusion, whose temporal layers are blended by a learnt factor and know the frame's"
        " place: another network; run it through diffusers and import its videos",
    ),
    (
        r"motion_modules?\.",
        "motion modules of AnimateDiff, which sit at other places of another image network and count frames by"
        " position: another network; run it through diffusers and import its videos",
    ),
    (
        r"(^|\.)(text_model|vision_model)\.",
        "a CLIP in Hugging Face's names, which we do not read; take OpenCLIP's own file of the same tower"
        " (open_clip_pytorch_model.bin or open_clip_model.safetensors)",
    ),
    (r"lora_(down|up|A|B|unet|te)", "an adapter (LoRA) and no whole network; merge it where it was trained"),
)
_IMAGE_UNET = re.compile(
    r"^(input_blocks\.1\.0\.in_layers|down_blocks\.0\.resnets\.0\.norm1|down_blocks\.0\.attentions)"
)
_TEMPORAL = re.compile(r"temopral_conv|init_attn|temp_convs|temp_attentions|^input_blocks\.0\.1\.|relative_position")


def unet_family(keys: Collection[str]) -> Family:
    """Return how a UNet's keys (without wrappers) are written.

    Raises InputError for networks that are not ours, with the reason in one sentence.
    """
    for pattern, what in _REFUSED:
        if any(re.search(pattern, key) for key in keys):
            raise InputError(f"found {what}")
    if any(map(_IMAGE_UNET.search, keys)) and not any(map(_TEMPORAL.search, keys)):
        raise InputError(
            "found a UNet for images, without temporal layers (Stable Diffusion and its kin): it can start the training"
            " of a video model, but is none; of such a file only `--part vae` can be used"
        )
    return detect_family(keys)


def licence_of(preset: str) -> str:
    """Return what is known of the terms of a published preset."""
    return next((p.licence for p in PUBLISHED if p.preset == preset), _CARD)


def named(presets: Iterable[str]) -> str:
    """Return presets with the files they are, for a sentence."""
    return "; ".join(f"{p.preset} ({p.file})" for p in PUBLISHED if p.preset in set(presets))
