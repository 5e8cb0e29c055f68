"""The resampler: parity with VideoCrafter's, sizes of the published ones, queries per frame, errors."""

from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reference_models.nn.resampler import DYNAMICRAFTER_RESAMPLER, VIDEOCRAFTER_RESAMPLER, Resampler, ResamplerConfig

ORACLES = Path(__file__).parents[3] / "shared" / "data" / "oracles"
SMALL = ResamplerConfig(dim=32, depth=2, heads=3, head_dim=8, num_queries=5, in_dim=40, out_dim=24)

needs_oracles = pytest.mark.skipif(
    not ORACLES.is_dir(), reason=f"there is no {ORACLES}; lay the project's shared/ beside the checkout to enable this"
)


@needs_oracles
@pytest.mark.parametrize(
    ("dtype", "key", "tolerance"), [(torch.float32, "y_fp32", 5e-6), (torch.float64, "y_fp64", 1e-6)]
)
def test_tokens_are_those_of_videocrafter(dtype: torch.dtype, key: str, tolerance: float) -> None:
    recipe = runpy.run_path(str(ORACLES / "recipe.py"))
    keys = json.loads((ORACLES / "vc_resampler.keys.json").read_text())
    oracle = load_file(ORACLES / "vc_resampler.safetensors")
    net = Resampler(SMALL)
    net.load_state_dict({key: recipe["param"](key, shape, "vc_resampler") for key, shape in keys.items()})
    net.to(dtype).requires_grad_(False)
    # the original takes its softmax in float32 even in float64, hence 1e-6
    assert (net(oracle["x"].to(dtype)) - oracle[key]).abs().max() <= tolerance * oracle[key].abs().max()


@pytest.mark.parametrize(
    ("config", "count", "shape"),
    [
        (VIDEOCRAFTER_RESAMPLER, 48_541_696, (1, 16, 1024)),
        (DYNAMICRAFTER_RESAMPLER, 48_541_696 + 15 * 16 * 1024, (1, 16, 16, 1024)),
    ],
)
def test_sizes_are_those_of_the_published_checkpoints(
    config: ResamplerConfig, count: int, shape: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        net = Resampler(config)
    assert sum(p.numel() for p in net.parameters()) == count
    assert net(torch.empty(1, 257, 1280, device="meta")).shape == shape


def test_queries_of_frames_lie_one_frame_after_the_other() -> None:
    torch.manual_seed(0)
    flat = Resampler(dataclasses.replace(SMALL, num_queries=6)).requires_grad_(False)
    per_frame = Resampler(dataclasses.replace(SMALL, num_queries=2, num_frames=3)).requires_grad_(False)
    per_frame.load_state_dict(flat.state_dict())
    tokens = torch.randn(2, 7, 40)
    assert torch.equal(per_frame(tokens).flatten(1, 2), flat(tokens))


def test_the_order_of_image_tokens_does_not_matter() -> None:
    # their places stand in the tokens; the queries add none
    torch.manual_seed(0)
    net = Resampler(SMALL).double().requires_grad_(False)
    tokens = torch.randn(1, 7, 40, dtype=torch.float64)
    assert torch.allclose(net(tokens), net(tokens.flip(1)), rtol=0, atol=1e-12)


def test_projected_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(B, N, 40\): raw tokens of the image tower, not projected"):
        Resampler(SMALL)(torch.zeros(1, 7, 24))
