"""Towers and resamplers of checkpoints: shapes tell what they are, or they are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import open_clip
import pytest
import torch

from reference_models.convert.encoders import (
    build_clip,
    image_settings,
    resampler_config,
    text_settings,
    tower_dropped,
    tower_parts,
    tower_shapes,
)
from reference_models.nn.resampler import DYNAMICRAFTER_RESAMPLER, VIDEOCRAFTER_RESAMPLER, Resampler, ResamplerConfig
from tests.convert.published_like import CLIP
from univg_bench.errors import InputError


def towers(config: dict[str, Any]) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        state: dict[str, torch.Tensor] = open_clip.CLIP(**config).state_dict()
    return state


@pytest.mark.parametrize("name", ["ViT-H-14", "ViT-L-14", "ViT-B-32", "small"])
def test_the_shapes_of_a_tower_tell_its_architecture(name: str) -> None:
    config = CLIP if name == "small" else open_clip.get_model_config(name)
    state = towers(config)
    text, image = text_settings(state), image_settings(state)
    assert text["embed_dim"] == image["embed_dim"] == config["embed_dim"]
    assert text["text_cfg"] == config["text_cfg"]
    assert image["vision_cfg"] == {"head_width": 64, **config["vision_cfg"]}


def test_both_parts_together_are_the_whole_clip() -> None:
    state = towers(CLIP)
    text, image = tower_parts(state)
    assert sorted([*text, *image]) == sorted(state)
    assert sorted(tower_shapes(text_settings(state))) == sorted(text)
    assert sorted(tower_shapes(image_settings(state))) == sorted(image)
    clip = build_clip(text_settings(state), image_settings(state))
    assert {key: value.shape for key, value in clip.state_dict().items()} == {k: v.shape for k, v in state.items()}


def test_remains_of_the_text_tower_are_dropped_in_the_image_towers_place_alone() -> None:
    keys = ["visual.proj", "ln_final.bias", "attn_mask"]
    assert tower_dropped(keys, "image").keys() == {"ln_final.bias", "attn_mask"}
    assert tower_dropped(keys, "text").keys() == {"attn_mask"}


def test_towers_of_two_joint_spaces_are_refused() -> None:
    state = towers(CLIP)
    with pytest.raises(InputError, match="a text tower of 32 and an image tower of 64 joint dimensions"):
        build_clip(text_settings(state), {**image_settings(state), "embed_dim": 64})


def test_widths_whose_heads_nobody_knows_are_refused() -> None:
    state = towers({**CLIP, "text_cfg": {**CLIP["text_cfg"], "width": 48}})
    with pytest.raises(InputError, match="found a text tower of width 48, expected a multiple of 64"):
        text_settings(state)


@pytest.mark.parametrize("key", ["token_embedding.weight", "text_projection", "positional_embedding"])
def test_an_incomplete_tower_is_refused(key: str) -> None:
    state = towers(CLIP)
    del state[key]
    with pytest.raises(InputError, match=f"the text tower has no {key}; the checkpoint is incomplete"):
        text_settings(state)


@pytest.mark.parametrize("config", [VIDEOCRAFTER_RESAMPLER, DYNAMICRAFTER_RESAMPLER])
def test_the_shapes_of_a_resampler_tell_all_but_its_frames(config: ResamplerConfig) -> None:
    with torch.device("meta"):
        state = Resampler(config).state_dict()
    assert resampler_config(state, num_frames=config.num_frames) == config


def test_a_resampler_that_does_not_fit_is_refused() -> None:
    with torch.device("meta"):
        state = Resampler(dataclasses.replace(VIDEOCRAFTER_RESAMPLER, heads=3, head_dim=8)).state_dict()
        other = Resampler(VIDEOCRAFTER_RESAMPLER).state_dict()
    with pytest.raises(InputError, match="found a resampler of width 24"):
        resampler_config(state, num_frames=None)
    with pytest.raises(InputError, match="found 16 queries in the resampler, expected a multiple of 5 frames"):
        resampler_config(other, num_frames=5)
    del other["proj_out.weight"]
    with pytest.raises(InputError, match=r"the resampler has no proj_out\.weight"):
        resampler_config(other, num_frames=None)
