"""A trained stage as the folder that `univg-bench sample --weights` takes, with a card for people to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reference_models.checkpoints import WeightsCard, config_of, load_weights, save_weights, write_model
from reference_models.convert.encoders import tower_parts
from reference_models.nn.unet3d import UNetConfig
from reference_models.presets import load_preset
from reference_models.training.milestones import milestone_path, milestone_steps, read_facts
from reference_models.training.start import Frozen
from univg_bench.atomic import write_bytes
from univg_bench.errors import InputError

TELLS = 4  # so many lines of the log go into the card


def export(work: Path, dest: Path, frozen: Frozen, *, step: int | None = None) -> dict[str, Any]:
    """Write the averaged weights after `step` steps (None: the last milestone) and the frozen networks to `dest`.

    Returns the facts in `model.json`. The UNet is float16; a frozen part too where that loses nothing. Raises
    InputError when there are no such weights, or when the stage was trained with other frozen networks.
    """
    steps = milestone_steps(work)
    if not steps or (step is not None and step not in steps):
        have = f"those after {', '.join(map(str, steps))} steps" if steps else "none"
        raise InputError(f"found {have} in {work / 'milestones'}, expected weights after {step or 'some'} steps")
    chosen = steps[-1] if step is None else step
    unet, card = load_weights(milestone_path(work, chosen))
    facts = read_facts(work, chosen)
    differ = [part for part, digest in frozen.digests.items() if facts.get(part) != digest]
    if differ:
        raise InputError(
            f"found another {', '.join(differ)} than {work} was trained with; give what it was trained with"
        )
    preset = load_preset(card.preset)
    config_of(UNetConfig, card.settings)
    cards = {"unet": _save(dest, "unet", unet, card.preset, card.source, card.settings)}
    source = f"as in the training of {card.preset}"
    tensors = frozen.clip.state_dict()
    text, image = tower_parts(tensors)
    cards["vae"] = _save(dest, "vae", frozen.vae.state_dict(), card.preset, source, asdict(frozen.vae.config))
    towers = {"text": text} if preset.image_tokens == "none" else {"text": text, "image": image}
    for part, keys in towers.items():
        own = {key: tensors[key] for key in keys}
        cards[part] = _save(dest, part, own, card.preset, source, frozen.towers[part])
    made = {
        "preset": card.preset,
        "parts": {
            part: {"digest": one.digest, "source": one.source, "settings": dict(one.settings)}
            for part, one in cards.items()
        },
        "training": {**facts, "losses": _losses(work, chosen)},
    }
    write_model(dest, made)
    write_bytes(dest / "README.md", _card(made).encode())
    return made


def _save(
    dest: Path, part: Any, tensors: Mapping[str, Tensor], preset: str, source: str, settings: Mapping[str, Any]
) -> WeightsCard:
    half = {key: value.to(torch.float16) for key, value in tensors.items()}
    exact = all(torch.equal(half[key].to(value.dtype), value) for key, value in tensors.items())
    kept = half if exact else tensors
    return save_weights(
        dest / f"{part}.safetensors", kept, preset=preset, part=part, source=source, settings=settings
    )  # fmt: skip


def _losses(work: Path, step: int) -> list[dict[str, float]]:
    """Return what the log says of losses at a few steps up to `step`, evenly spaced."""
    path = work / "log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    before = [line for line in lines if line["step"] <= step]
    shown = [before[(i + 1) * len(before) // TELLS - 1] for i in range(TELLS)] if len(before) >= TELLS else before
    return [{key: line[key] for key in line if key == "step" or key.startswith("loss")} for line in shown]


def _card(made: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    told = made["training"]
    names = [name for name in (told["losses"][-1] if told["losses"] else {}) if name != "step"]
    rows = [
        "| " + " | ".join([str(line["step"]), *(f"{line.get(name, float('nan')):.4f}" for name in names)]) + " |"
        for line in told["losses"]
    ]
    parts = [f"| {part} | `{facts['digest']}` |" for part, facts in made["parts"].items()]
    return "\n".join(
        [
            f"# {made['preset']}",
            "",
            f"Averaged weights after {told['steps']} of {told['steps_of_recipe']} steps of the recipe"
            f" `{told['recipe']}` (digest `{told['recipe_digest']}`).",
            "",
            f"- data: {told['data']} (identity `{told['sources']}`)",
            f"- began from: {told['init']}",
            f"- time: {told['cpu_hours']:.2f} CPU-hours on {told['machine']['cpu']} ({told['machine']['cpus']} cores),"
            f" torch {told['torch']}",
            "- every setting of the recipe stands in `model.json`, under `training`",
            "",
            "| part | SHA-256 of its tensors |",
            "|---|---|",
            *parts,
            "",
            "Losses, means of the steps since the line of the log before:",
            "",
            "| step | " + " | ".join(names) + " |",
            "|---" * (len(names) + 1) + "|",
            *rows,
            "",
        ]
    )
