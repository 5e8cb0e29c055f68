"""A published checkpoint, taken apart into the networks that it holds, each converted and accounted for key by key.

Nothing is left over in silence: every key gave a parameter, is dropped for a reason that stands here, or is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reference_models.checkpoints import (
    MODEL_FILE,
    PARTS,
    Part,
    check_finite,
    check_types,
    read_model,
    save_weights,
    write_model,
)
from reference_models.convert.autoencoder import convert_vae, vae_config, vae_dialect, vae_key_map
from reference_models.convert.encoders import (
    image_settings,
    resampler_config,
    text_settings,
    tower_shapes,
)
from reference_models.convert.files import Source, sha256
from reference_models.convert.places import ignored_in, places_of
from reference_models.convert.published import PUBLISHED, licence_of, unet_family
from reference_models.convert.report import KeyReport, key_report
from reference_models.convert.unet import convert_unet, unet_report
from reference_models.convert.unet_settings import choose_preset, unet_config, with_traceless
from reference_models.nn.autoencoder import Autoencoder
from reference_models.nn.resampler import VIDEOCRAFTER_RESAMPLER, Resampler
from reference_models.nn.unet3d import UNet3D
from reference_models.presets import PRESETS
from univg_bench.errors import InputError

_WITHOUT_UNET: dict[Part, str] = {
    "vae": "autoencoder",
    "text": "open-clip",
    "image": "open-clip",
    "resampler": "resampler",
}
# What reading a network's shape trips over where a file has tensors of other axes, or layers without numbers
_MISSHAPEN = (LookupError, ValueError, ArithmeticError, RuntimeError)
_H14_EMBED_DIM = 1024  # of ViT-H/14, which LAION trained with GELU


@dataclass(frozen=True, eq=False)
class Conversion:
    """One part of a checkpoint under our names. settings: of its network. report: with the keys that the file has."""

    part: Part
    settings: Mapping[str, Any]
    report: KeyReport
    tensors: Mapping[str, Tensor] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a checkpoint holds. preset: of its UNet, or what it is without one. dropped: key -> reason.

    unknown: keys that belong to no part. left: keys of parts that were not asked for.
    """

    preset: str
    parts: Mapping[Part, Conversion]
    dropped: Mapping[str, str]
    unknown: tuple[str, ...]
    left: int
    notes: tuple[str, ...]

    def problem(self) -> str:
        """Return what keeps this from being used, as a sentence, or nothing."""
        found = [f"{part}: {c.report.sentence()}" for part, c in self.parts.items() if not c.report.complete]
        if self.unknown:
            more = f" and {len(self.unknown) - 5} more" if len(self.unknown) > 5 else ""
            found.append(f"{len(self.unknown)} keys of no known network: {', '.join(self.unknown[:5])}{more}")
        return "; ".join(found)


def take_apart(source: Source, *, asked: str | None = None, only: Part | None = None) -> Bundle:
    """Return the parts of a checkpoint; on meta tensors, a rehearsal.

    asked: preset of the UNet, needed where keys fit several. only: take this part alone.

    Raises InputError when a part is another network than ours, a preset is missing or wrong, or `only` is not there.
    """
    known = [published.preset for published in PUBLISHED]
    if asked is not None and asked not in known:
        raise InputError(f"found --family {asked!r}, expected one of {', '.join(known)}")
    places, unknown, dropped = places_of(source.tensors)
    if only is not None:
        if not places.get(only):
            there = ", ".join(part for part in PARTS if places.get(part)) or "none of our parts"
            raise InputError(f"found no {only} in {source.path}, which holds {there}")
        left = len(source.tensors) - len(places[only])
        places, unknown, dropped = {only: places[only]}, [], {}
    else:
        left = 0
    preset, parts, notes = asked, {}, []
    for part in (part for part in PARTS if places.get(part)):
        keys = places[part]
        tensors = {bare: source.tensors[key] for bare, key in keys.items()}
        ignored = ignored_in(part, tensors)
        dropped |= {keys[bare]: reason for bare, reason in ignored.items()}
        for bare in ignored:
            del tensors[bare]
        if empty := [keys[bare] for bare, tensor in tensors.items() if not tensor.numel()]:
            raise InputError(f"found no numbers in {empty[0]} of {source.path}; the {part} is damaged")
        check_types({keys[bare]: tensor for bare, tensor in tensors.items()}, source=str(source.path))
        try:
            if part == "unet":
                preset, conversion = _unet(tensors, asked)
            elif part == "vae":
                conversion = _vae(tensors, source.tensors.get("scale_factor"))
            elif part == "resampler":
                conversion = _resampler(tensors, preset)
            else:
                conversion = _tower(part, tensors)
        except _MISSHAPEN as error:
            raise InputError(
                f"found a {part} in {source.path} whose keys or shapes no network of ours has ({type(error).__name__}:"
                f" {error}); the file is damaged, or of another family"
            ) from error
        if part == "unet" and preset is not None and conversion.settings != asdict(PRESETS[preset].network):
            notes.append(f"the UNet is not as wide or deep as {preset} was published")
        if part in ("text", "image") and conversion.settings["embed_dim"] != _H14_EMBED_DIM:
            notes.append(f"the {part} tower is taken to have GELU; no key tells, and OpenAI's towers have QuickGELU")
        parts[part] = _named_as_in_file(conversion, keys)
    if not parts:
        raise InputError(f"none of {len(source.tensors)} keys of {source.path} belongs to a network that we know")
    name = preset or _WITHOUT_UNET[next(iter(parts))]
    return Bundle(name, parts, dropped, tuple(sorted(unknown)), left, tuple(notes))


def save_bundle(bundle: Bundle, source: Source, dest: Path, *, dtype: torch.dtype | None = None) -> dict[str, Any]:
    """Write the parts and `model.json` into the folder `dest` and return what `model.json` says.

    dtype: of the written tensors, None for the file's own. Parts that other sources gave stay, so a model can be put
    together from several files.

    Raises InputError for an incomplete bundle, weights that are no numbers, and a folder that holds other weights.
    """
    if problem := bundle.problem():
        raise InputError(f"{source.path} does not fit: {problem}; nothing was written")
    before = read_model(dest) if (dest / MODEL_FILE).is_file() else None
    if before and "unet" in before.parts and "unet" in bundle.parts and before.preset != bundle.preset:
        raise InputError(f"found the model {before.preset} in {dest}, expected an empty folder for {bundle.preset}")
    for conversion in bundle.parts.values():
        check_finite({key: source.tensors[key] for key in conversion.report.used}, source=str(source.path))
        # before the first part is written, not when the last one is
        if dtype is not None and (key := _too_large(conversion.tensors, dtype)):
            raise InputError(
                f"found numbers in {key} of the {conversion.part} that {dtype} cannot hold; nothing was written, take"
                " --dtype bfloat16 or float32"
            )
    files = {path.name: sha256(path) for path in source.files}
    origin = ", ".join(f"{name} sha256:{digest}" for name, digest in files.items())
    facts: dict[str, Any] = dict(before.facts) if before else {"parts": {}}
    parts = dict(facts["parts"])
    for part, conversion in bundle.parts.items():
        tensors = {key: tensor if dtype is None else tensor.to(dtype) for key, tensor in conversion.tensors.items()}
        card = save_weights(
            dest / f"{part}.safetensors", tensors, preset=bundle.preset, part=part, source=origin,
            settings=conversion.settings,
        )  # fmt: skip
        if part not in parts:
            parts[part] = {
                "digest": card.digest,
                "preset": bundle.preset,
                "source": files,
                "licence": licence_of(bundle.preset),
                "converted": datetime.now(UTC).date().isoformat(),
                "dropped": len(bundle.dropped),
            }
    whose = bundle.preset if "unet" in bundle.parts or before is None else before.preset
    after = {**facts, "preset": whose, "parts": {part: parts[part] for part in PARTS if part in parts}}
    if before is None or after != dict(before.facts):
        write_model(dest, after)
    return after


def _too_large(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> str | None:
    """Return the first of finite tensors that would be infinite in another type."""
    return next((key for key, tensor in tensors.items() if not tensor.to(dtype).isfinite().all()), None)


def _unet(tensors: Mapping[str, Tensor], asked: str | None) -> tuple[str, Conversion]:
    family = unet_family(tensors)
    converted = convert_unet(tensors, family)
    config = unet_config(converted)
    preset = choose_preset(config, family, asked=asked)
    config = with_traceless(config, preset)
    report = unet_report(tensors, family, _shapes(lambda: UNet3D(config)))
    return preset, Conversion("unet", asdict(config), report, converted)


def _vae(tensors: Mapping[str, Tensor], scale: Tensor | None) -> Conversion:
    dialect = vae_dialect(tensors)
    converted = convert_vae(tensors, dialect)
    config = vae_config(converted)
    if scale is not None and not scale.is_meta:
        config = vae_config(converted, scale_factor=float(scale))
    report = _report(tensors, vae_key_map(tensors, dialect), converted, _shapes(lambda: Autoencoder(config)))
    return Conversion("vae", asdict(config), report, converted)


def _resampler(tensors: Mapping[str, Tensor], preset: str | None) -> Conversion:
    # 16 frames with queries of their own: DynamiCrafter, configs/inference_512_v1.0.yaml, `video_length`
    if preset is None and tensors["latents"].shape[1] > VIDEOCRAFTER_RESAMPLER.num_queries:
        raise InputError(
            f"found a resampler of {tensors['latents'].shape[1]} queries, which may be those of one frame or of 16; say"
            " with --family to which model it belongs"
        )
    per_frame = preset is not None and PRESETS[preset].image_tokens == "resampler-per-frame"
    config = resampler_config(tensors, num_frames=PRESETS[preset].num_frames if preset and per_frame else None)
    report = _report(tensors, {key: key for key in tensors}, tensors, _shapes(lambda: Resampler(config)))
    return Conversion("resampler", asdict(config), report, tensors)


def _tower(part: Part, tensors: Mapping[str, Tensor]) -> Conversion:
    settings = text_settings(tensors) if part == "text" else image_settings(tensors)
    report = _report(tensors, {key: key for key in tensors}, tensors, tower_shapes(settings))
    return Conversion(part, settings, report, tensors)


def _shapes(build: Callable[[], nn.Module]) -> dict[str, Tensor]:
    with torch.device("meta"):
        return build().state_dict()


def _report(
    tensors: Mapping[str, Tensor],
    key_map: Mapping[str, str],
    converted: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
) -> KeyReport:
    return key_report(
        source={key: tensor.shape for key, tensor in tensors.items()},
        key_map=key_map,
        converted={key: tensor.shape for key, tensor in converted.items()},
        expected={key: tensor.shape for key, tensor in expected.items()},
    )


def _named_as_in_file(conversion: Conversion, keys: Mapping[str, str]) -> Conversion:
    """Return the conversion with the file's own keys among those used and unused."""
    report = conversion.report
    used, unused = (tuple(sorted(keys[bare] for bare in part)) for part in (report.used, report.unused))
    return replace(conversion, report=replace(report, used=used, unused=unused))
