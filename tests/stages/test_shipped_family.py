"""The weights that are shipped are what the code around them takes them for."""

from __future__ import annotations

import pytest
import torch

from reference_models.adapters import SHIPPED
from reference_models.checkpoints import read_card, read_model
from reference_models.stages.loading import load_networks
from reference_models.stages.settings import default_settings

STAGES = {"base": "base", "animation": "animation", "super-resolution": "super_resolution"}
MEGABYTES = 26


@pytest.mark.parametrize("folder", STAGES)
def test_a_shipped_stage_is_sampled_on_the_interval_that_it_was_trained_on(folder: str) -> None:
    networks = load_networks(SHIPPED / folder, stage=STAGES[folder], device="cpu", dtype=torch.float32)  # type: ignore[arg-type]
    diffusion = read_model(SHIPPED / folder).facts["training"]["settings"]["diffusion"]
    sampled = default_settings(networks.preset)
    trained = diffusion["bgn"] or {"t_m": None, "t_n": None}
    assert (sampled.t_m, sampled.t_n) == (trained["t_m"], trained["t_n"])
    assert diffusion["timesteps"][1] == (sampled.t_n or 999)


@pytest.mark.parametrize("folder", STAGES)
def test_a_shipped_stage_has_a_card_that_tells_what_it_was_trained_on(folder: str) -> None:
    card = (SHIPPED / folder / "README.md").read_text()
    assert read_card(SHIPPED / folder / "unet.safetensors").digest in card
    assert all(word in card for word in ("moving-shapes", "CPU-hours", "| step | loss |"))


def test_the_family_shares_its_frozen_networks_and_stays_small() -> None:
    digests = {
        part: {read_card(path).digest for path in SHIPPED.glob(f"*/{part}.safetensors")}
        for part in ("vae", "text", "image")
    }
    assert all(len(found) == 1 for found in digests.values()), digests
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < MEGABYTES * 1e6
