"""What one denoising step costs beside diffusers' UNet3DConditionModel: the same weights, input and process.

`python -m benchmarks.unet` writes benchmarks/results/unet.json and unet.md. One thread, CPU seconds; the two take turns
and the least of each counts, because other work on a machine can only add. 58 M parameters: channels 64, 128, 256, 256,
heads of 32, context of 256.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from reference_models.convert.unet import convert_unet
from reference_models.nn.attention import Condition
from reference_models.nn.unet3d import UNet3D, UNetConfig
from univg_bench.environment import describe_environment

RESULTS = Path(__file__).parent / "results"
CONFIG = UNetConfig(
    model_channels=64, head_dim=32, context_dim=256, conditions=("text",), fps_embedding=False, dropout=0.0
)
SHAPES = ((8, 20, 36), (24, 20, 36))  # frames, height, width of the latents
GOALS = {"float32": 0.85, "bfloat16": 0.9}  # of the peer's time
TOLERANCE = 5e-6  # of the greatest output, in float32


def main() -> None:
    """Measure, print the table, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="turns of each, after one to warm up")
    parser.add_argument("--dest", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(shape, dtype, arguments.repeats) for dtype in (torch.float32, torch.bfloat16) for shape in SHAPES]
    record = {
        "what": "CPU seconds of one denoising step, 1 clip, 1 thread, least of the turns",
        "environment": describe_environment("cpu"),
        "repeats": arguments.repeats,
        "load_average": round(os.getloadavg()[0], 1),
        "rows": rows,
    }
    table = [
        "| latents | dtype | ours | diffusers | ratio | goal | output differs by |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {row['latents']} | {row['dtype']} | {row['ours']:.2f} | {row['diffusers']:.2f} | {row['ratio']:.2f} "
            f"| {row['goal']:.2f} | {row['difference']:.1e} |"
            for row in rows
        ),
    ]
    print("\n".join(table))
    arguments.dest.mkdir(parents=True, exist_ok=True)
    (arguments.dest / "unet.json").write_text(json.dumps(record, indent=1) + "\n")
    heading = f"`python -m benchmarks.unet`: {record['what']}; load average {record['load_average']} at the end.\n"
    (arguments.dest / "unet.md").write_text("\n".join([heading, *table, ""]))


@torch.inference_mode()
def measure(shape: tuple[int, int, int], dtype: torch.dtype, repeats: int) -> dict[str, Any]:
    """Return one row: least CPU seconds of either, their ratio, and how far the outputs are apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import UNet3DConditionModel

    torch.manual_seed(0)
    peer = UNet3DConditionModel(
        sample_size=16, block_out_channels=(64, 128, 256, 256), cross_attention_dim=256, attention_head_dim=32
    ).eval()
    for parameter in peer.parameters():
        if not parameter.any():  # what is zero at the start of training would hide a difference
            torch.nn.init.normal_(parameter, std=0.02)
    unet = UNet3D(CONFIG).eval()
    unet.load_state_dict(convert_unet(peer.state_dict(), "diffusers"))
    peer, unet = peer.to(dtype), unet.to(dtype)
    frames, height, width = shape
    x = torch.randn(1, frames, 4, height, width).to(dtype)
    tokens, t = torch.randn(1, 77, 256).to(dtype), torch.tensor([501])
    x_peer = x.movedim(1, 2).contiguous()

    def ours() -> torch.Tensor:
        y: torch.Tensor = unet(x, t, [Condition("text", tokens)])
        return y

    def theirs() -> torch.Tensor:
        y: torch.Tensor = peer(x_peer, t, tokens).sample.movedim(2, 1)
        return y

    expected = theirs()
    difference = float((ours() - expected).abs().max() / expected.abs().max())
    assert dtype != torch.float32 or difference < TOLERANCE, f"outputs differ by {difference}"
    turns = [(cpu_seconds(ours), cpu_seconds(theirs)) for _ in range(repeats)]
    least, least_of_peer = (min(times) for times in zip(*turns, strict=True))
    name = str(dtype).removeprefix("torch.")
    return {
        "latents": f"{frames}x{height}x{width}",
        "dtype": name,
        "ours": round(least, 3),
        "diffusers": round(least_of_peer, 3),
        "ratio": round(least / least_of_peer, 3),
        "goal": GOALS[name],
        "difference": difference,
        "turns": [[round(seconds, 3) for seconds in turn] for turn in turns],
    }


def cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU seconds of this process for one call."""
    before = time.process_time()
    function()
    return time.process_time() - before


if __name__ == "__main__":
    main()
