"""Which keys of a checkpoint belong to which network in it, and which to none, with the reason."""

from __future__ import annotations

import re
from collections.abc import Collection

from reference_models.checkpoints import Part
from reference_models.convert.autoencoder import vae_dropped
from reference_models.convert.encoders import tower_dropped

# Where latent video models keep their parts (VideoCrafter@11bcd76, lvdm/models/ddpm3d.py)
_PLACES: dict[str, Part] = {
    "model.diffusion_model.": "unet",
    "first_stage_model.": "vae",
    "cond_stage_model.model.": "text",
    "embedder.model.": "image",
    "image_proj_model.": "resampler",
}
# What else they hold: pattern -> why it is dropped
_DROPPED: tuple[tuple[str, str], ...] = (
    (r"^(betas|alphas_cumprod(_prev)?|sqrt_\w+|log_one_minus_\w+|posterior_\w+|lvlb_weights|logvar|ddim_\w+)$",
     "a table of the noise schedule, which is computed"),
    (r"^scale_arr(_prev)?$", "the table that shrinks the signal, which is computed"),
    (r"^scale_factor$", "the scale of latents, which stands in the settings of the vae"),
    (r"(^|\.)position_ids$", "0, 1, 2, ..."),
    (r"^(embedder|cond_stage_model)\.(mean|std)$", "the mean and deviation of pixels, which are constants"),
    (r"^model_ema\.", "the moving average of the same weights in training"),
)  # fmt: skip


def places_of(keys: Collection[str]) -> tuple[dict[Part, dict[str, str]], list[str], dict[str, str]]:
    """Return part -> its keys without prefix -> the file's keys; keys of no part; and those dropped, with reasons."""
    places: dict[Part, dict[str, str]] = {}
    dropped = {key: why for key in keys for pattern, why in _DROPPED if re.search(pattern, key)}
    rest = [key for key in keys if key not in dropped]
    whole = any(key.startswith(prefix) for key in rest for prefix in _PLACES)
    unknown = []
    for key in rest:
        if whole:
            prefix = next((prefix for prefix in _PLACES if key.startswith(prefix)), None)
            if prefix is None:
                unknown.append(key)
            else:
                places.setdefault(_PLACES[prefix], {})[key.removeprefix(prefix)] = key
        else:
            places.setdefault(_part_of(key, rest), {})[key] = key
    # the image tower may stand in the text tower's place, in a whole CLIP
    text = places.get("text", {})
    if "image" not in places and (visual := {bare: key for bare, key in text.items() if bare.startswith("visual.")}):
        places["image"] = visual
        places["text"] = {bare: key for bare, key in text.items() if bare not in visual}
    return places, unknown, dropped


def _part_of(key: str, keys: Collection[str]) -> Part:
    """Return the part of a key in a file of one network, or of a whole CLIP."""
    if any(k.startswith(("visual.", "token_embedding.")) for k in keys):
        return "image" if key.startswith("visual.") else "text"
    if "latents" in keys and "proj_in.weight" in keys:
        return "resampler"
    if any(k.startswith("encoder.") for k in keys) and any(k.startswith("decoder.") for k in keys):
        return "vae"
    return "unet"


def ignored_in(part: Part, keys: Collection[str]) -> dict[str, str]:
    if part == "vae":
        return vae_dropped(keys)
    if part in ("text", "image"):
        return tower_dropped(keys, part)
    return {}
