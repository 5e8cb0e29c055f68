"""The networks that we know by name: shape of the UNet, what it emits, which process and which conditions it expects.

Plain data; stages read it. `univg-*` is the paper's model where it speaks and its neighbours' where it does not
(docs/networks.md, docs/decisions.md); the others are published weights, which `convert` turns into ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from reference_models.nn.unet3d import UNetConfig

if TYPE_CHECKING:  # presets are read by commands that need no open_clip
    from reference_models.nn.encoders import NullImage, TextLayer

Emits = Literal["eps", "v"]
ScheduleName = Literal["scaled_linear", "cosine", "logsnr_cosine_interp"]  # functions of diffusion/schedule.py
# clip: all 257 tokens through CLIP's own ln_post and projection. resampler: 16 queries, for the clip or for each frame.
# latent: I2VGen-XL's encoders inside the UNet. none: the network takes no image as a condition.
ImageCondition = Literal["none", "clip", "resampler", "resampler-per-frame", "latent"]
Stage = Literal["base", "animation", "super_resolution"]
# What is concatenated to the noised latents, channel-wise
Concat = Literal["none", "first-frame", "low-resolution", "encoded-first-frame"]


@dataclass(frozen=True)
class Preset:
    """One network and what belongs to it.

    stage: whose work it does. network: the UNet. emits: its prediction. schedule, zero_snr, signal_scale: the process;
    signal_scale is where VideoCrafter's shrinking of the signal ends (1: none). text_layer, null_image: see
    `EncoderConfig`. num_frames, height, width: of the video it was made for, in pixels.
    fps: what its fps embedding is fed by default. parameters: of the UNet, asserted by a test. source: of all this.
    """

    name: str
    stage: Stage
    network: UNetConfig
    emits: Emits
    schedule: ScheduleName
    zero_snr: bool
    text_layer: TextLayer
    image_tokens: ImageCondition
    concat: Concat
    num_frames: int
    height: int
    width: int
    fps: int | None
    parameters: int
    source: str
    null_image: NullImage = "zeros"
    signal_scale: float = 1.0


UNIVG = UNetConfig()
TEXT_ONLY = replace(UNIVG, conditions=("text",))
TEXT_ONLY_WITHOUT_FPS = replace(TEXT_ONLY, fps_embedding=False)
TWICE_THE_CHANNELS = replace(UNIVG, in_channels=8)

# Two levels of 64 channels for 24x8x14 latents of 32x56 pixels. A step costs two thirds of what it does with 128
# on the second (docs/training.md). The context is as wide as tiny-clip's joint space
TINY = UNetConfig(
    in_channels=8,
    out_channels=8,
    model_channels=64,
    channel_mult=(1, 1),
    num_res_blocks=1,
    attention_levels=(0, 1),
    head_dim=32,
    init_heads=2,
    context_dim=64,
    fps_embedding=False,
    dropout=0.0,
)

F_B = Preset(
    name="univg-fb",
    stage="base",
    network=UNIVG,
    emits="eps",
    schedule="scaled_linear",
    zero_snr=True,
    text_layer="last",
    image_tokens="clip",
    concat="none",
    num_frames=24,
    height=320,
    width=576,
    fps=8,
    parameters=1_438_843_460,
    source="UniVG 3.2, 3.3, 4.1",
)
F_A = replace(
    F_B,
    name="univg-fa",
    stage="animation",
    network=TWICE_THE_CHANNELS,
    concat="first-frame",
    parameters=1_438_854_980,
    source="UniVG 3.2, 4.1",
)
F_SR = replace(
    F_B,
    name="univg-fsr",
    stage="super_resolution",
    network=TEXT_ONLY,
    emits="v",
    image_tokens="none",
    height=720,
    width=1280,
    parameters=1_413_284_420,
    source="UniVG 3.2, 4.1",
)
F_SR_CONCAT = replace(
    F_SR,
    name="univg-fsr-concat",
    network=replace(TEXT_ONLY, in_channels=8),
    concat="low-resolution",
    parameters=1_413_295_940,
    source="docs/decisions.md 19",
)

TINY_F_B = replace(
    F_B,
    name="tiny-fb",
    network=TINY,
    emits="v",
    text_layer="embedding",
    height=32,
    width=56,
    fps=None,
    parameters=2_899_720,
    source="docs/networks.md",
)
TINY_F_A = replace(
    TINY_F_B,
    name="tiny-fa",
    stage="animation",
    network=replace(TINY, in_channels=16),
    concat="first-frame",
    parameters=2_904_328,
)
TINY_F_SR = replace(
    TINY_F_B,
    name="tiny-fsr",
    stage="super_resolution",
    network=replace(TINY, conditions=("text",)),
    image_tokens="none",
    height=72,
    width=128,
    parameters=2_842_376,
)
TINY_F_SR_CONCAT = replace(
    TINY_F_SR,
    name="tiny-fsr-concat",
    network=replace(TINY, in_channels=16, conditions=("text",)),
    concat="low-resolution",
    parameters=2_846_984,
)

VIDEOCRAFTER2 = replace(
    F_B,
    name="videocrafter2",
    network=TEXT_ONLY,
    zero_snr=False,
    text_layer="penultimate",
    image_tokens="none",
    num_frames=16,
    width=512,
    fps=28,
    signal_scale=0.7,
    parameters=1_413_284_420,
    source="AILab-CVC/VideoCrafter 11bcd76, configs/inference_t2v_512_v2.0.yaml",
)
VIDEOCRAFTER1_I2V_512 = replace(
    VIDEOCRAFTER2,
    name="videocrafter1-i2v-512",
    network=UNIVG,
    image_tokens="resampler",
    fps=8,
    null_image="grey",
    parameters=1_438_843_460,
    source="AILab-CVC/VideoCrafter 11bcd76, configs/inference_i2v_512_v1.0.yaml",
)
DYNAMICRAFTER_512 = replace(
    F_A,
    name="dynamicrafter-512",
    emits="v",
    text_layer="penultimate",
    image_tokens="resampler-per-frame",
    num_frames=16,
    width=512,
    fps=24,
    signal_scale=0.7,
    null_image="grey",
    source="Doubiiu/DynamiCrafter c453369, configs/inference_512_v1.0.yaml",
)
DYNAMICRAFTER_1024 = replace(
    DYNAMICRAFTER_512,
    name="dynamicrafter-1024",
    height=576,
    width=1024,
    fps=10,
    signal_scale=0.3,
    source="Doubiiu/DynamiCrafter c453369, configs/inference_1024_v1.0.yaml",
)
DYNAMICRAFTER_256 = replace(
    DYNAMICRAFTER_512,
    name="dynamicrafter-256",
    network=replace(TWICE_THE_CHANNELS, learnable_image_scale=True),
    emits="eps",
    zero_snr=False,
    height=256,
    width=256,
    fps=3,
    signal_scale=1.0,
    parameters=1_438_854_996,
    source="Doubiiu/DynamiCrafter c453369, configs/inference_256_v1.0.yaml",
)
MODELSCOPE = replace(
    VIDEOCRAFTER2,
    name="modelscope-t2v",
    network=TEXT_ONLY_WITHOUT_FPS,
    height=256,
    width=256,
    fps=None,
    signal_scale=1.0,
    parameters=1_411_233_860,
    source="Wang et al. 2023 (arXiv 2308.06571); damo-vilab/text-to-video-ms-1.7b",
)
ZEROSCOPE = replace(
    MODELSCOPE,
    name="zeroscope",
    num_frames=24,
    height=320,
    width=576,
    source="cerspense/zeroscope_v2_576w",
)
VGEN_T2V = replace(
    MODELSCOPE,
    name="vgen-t2v",
    emits="v",
    schedule="cosine",
    zero_snr=True,
    source="ali-vilab/VGen 4014d1f, configs/t2v_train.yaml",
)
I2VGEN_XL = replace(
    VGEN_T2V,
    name="i2vgen-xl",
    stage="animation",
    network=replace(TEXT_ONLY, in_channels=8, image_encoders=True),
    image_tokens="latent",
    concat="encoded-first-frame",
    height=704,
    width=1280,
    fps=16,
    parameters=1_420_469_224,
    source="ali-vilab/VGen 4014d1f, configs/i2vgen_xl_train.yaml",
)
VGEN_SR600 = replace(
    F_SR,
    name="vgen-sr600",
    network=replace(TEXT_ONLY_WITHOUT_FPS, extra_rows=1, skip_filter=((1.1, 0.6), (1.2, 0.4))),
    schedule="logsnr_cosine_interp",
    zero_snr=False,  # asked for in the file, but its code rescales only where sigma ends more than 1e-4 below 1
    text_layer="penultimate",
    num_frames=32,
    fps=None,
    parameters=1_411_233_860,
    # there the start is found by running the sampler backwards, not by adding noise
    source="ali-vilab/VGen 4014d1f, configs/sr600_infer.yaml, tools/modules/unet/unet_sr600.py",
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        *(F_B, F_A, F_SR, F_SR_CONCAT),
        *(TINY_F_B, TINY_F_A, TINY_F_SR, TINY_F_SR_CONCAT),
        *(VIDEOCRAFTER1_I2V_512, VIDEOCRAFTER2, DYNAMICRAFTER_256, DYNAMICRAFTER_512, DYNAMICRAFTER_1024),
        *(MODELSCOPE, ZEROSCOPE, VGEN_T2V, I2VGEN_XL, VGEN_SR600),
    )
}


def load_preset(name: str) -> Preset:
    """Return the preset of this name.

    Raises ValueError naming those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"found no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
