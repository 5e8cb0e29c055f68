"""What bfloat16 does to FVD and to time: the recipe univg-bf16 beside univg, and other geometries likewise.

`python -m benchmarks.half_precision` writes benchmarks/results/half_precision.json and prints it; about 2 CPU minutes.
Two sets of procedural clips and random weights whose batch norms were calibrated on them, as on real weights: without
that, activations die out over 57 layers and nothing can be seen. Shifts are relative to the same recipe in float32.
"""

from __future__ import annotations

import argparse
import json
import runpy
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from univg_bench.environment import describe_environment
from univg_bench.features.i3d import I3D
from univg_bench.features.i3d_folded import FoldedI3D
from univg_bench.features.i3d_input import i3d_input
from univg_bench.metrics.frechet import frechet_distance
from univg_bench.recipes import FVD_RECIPES, FvdRecipe
from univg_bench.statistics import moments_of

RESULTS = Path(__file__).parent / "results"
RECIPES = ("univg", "videogpt", "cd-fvd-256")
FRAMES, HEIGHT, WIDTH = 16, 96, 160


def main() -> None:
    """Measure, write the file and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=12, help="clips of each of the two sets")
    parser.add_argument("--oracle", type=Path, help="folder fvd_oracles, as of tests/parity: its clips and weights")
    parser.add_argument("--dest", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds = ("real", "fake")
    if arguments.oracle:
        sets, state = oracle(arguments.oracle)
    else:
        sets = {kind: [clip(kind, index) for index in range(arguments.clips)] for kind in kinds}
        state = calibrated(sets["real"][:4])
    numbers = " + ".join(str(len(sets[kind])) for kind in kinds)
    record = {
        "what": f"{numbers} procedural clips of {FRAMES} frames {HEIGHT}x{WIDTH}, random"
        " calibrated I3D, 1 thread; shifts of bfloat16 relative to float32",
        "environment": describe_environment("cpu"),
        "recipes": {name: compare(FVD_RECIPES[name], state, sets) for name in RECIPES},
    }
    arguments.dest.mkdir(parents=True, exist_ok=True)
    (arguments.dest / "half_precision.json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


def clip(kind: str, index: int) -> np.ndarray:
    """Return (FRAMES, 3, HEIGHT, WIDTH) uint8: drifting waves; the generated ones are slower and noisy."""
    rng = np.random.default_rng([index, kind == "fake"])
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    phase, down, along = rng.uniform(0, 6, 3), rng.uniform(2, 25, 3), rng.uniform(2, 25, 3)
    speed, noise = (0.2, 12) if kind == "fake" else (0.5, 0)
    waves = [[np.sin(down[c] * y + along[c] * x + phase[c] + speed * t) for c in range(3)] for t in range(FRAMES)]
    return np.clip(127 + 90 * np.array(waves) + noise * rng.standard_normal((FRAMES, 3, 1, 1)), 0, 255).astype(np.uint8)


def oracle(folder: Path) -> tuple[dict[str, list[np.ndarray]], dict[str, torch.Tensor]]:
    """Return the clips and the weights of the oracle set that tests/parity compares with."""
    made = runpy.run_path(str(folder / "clips.py"))["clips"]
    salt = json.loads((folder / "dev" / "expected.json").read_text())["salt"]
    state = runpy.run_path(str(folder / "i3d_recipe.py"))["state_dict"](salt, folder / "dev" / "bn_stats.npz")
    sets = {kind: list(made("dev", kind).transpose(0, 1, 4, 2, 3)) for kind in ("real", "fake")}  # F 3 H W each
    return sets, {key: torch.from_numpy(value) for key, value in state.items()}


def calibrated(clips: list[np.ndarray]) -> dict[str, torch.Tensor]:
    """Return random weights whose batch norms have the statistics of `clips` under the default recipe."""
    torch.manual_seed(0)
    net = I3D()
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm3d):
            module.momentum = None  # the plain mean over all clips
    with torch.no_grad():
        for one in clips:
            net.train()(i3d_input(one, FVD_RECIPES["univg"]).permute(1, 0, 2, 3)[None])
    return net.state_dict()


def compare(recipe: FvdRecipe, state: dict[str, torch.Tensor], sets: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    """Return both distances, the shift, the largest relative difference of a feature, CPU seconds of the network."""
    net = I3D(bn_eps=recipe.bn_eps)
    net.load_state_dict(state, strict=False)  # the oracle's has no num_batches_tracked
    full, half = (FoldedI3D(net.eval(), dtype) for dtype in (torch.float32, torch.bfloat16))
    inputs = {
        kind: [i3d_input(one, replace(recipe, dtype="float32")).permute(1, 0, 2, 3)[None] for one in clips]
        for kind, clips in sets.items()
    }
    made, seconds = {}, {}
    for name, network in (("float32", full), ("bfloat16", half)):
        network(inputs["real"][0])  # to warm up
        begin = time.process_time()
        with torch.inference_mode():
            made[name] = {k: np.concatenate([network(x).numpy() for x in clips]) for k, clips in inputs.items()}
        seconds[name] = (time.process_time() - begin) / sum(map(len, inputs.values()))
    distances = {
        name: frechet_distance(*(moments_of(rows[kind]).gaussian(ddof=recipe.ddof) for kind in ("fake", "real")))
        for name, rows in made.items()
    }
    apart = [
        np.linalg.norm(made["bfloat16"][kind] - rows, axis=1) / np.linalg.norm(rows, axis=1)
        for kind, rows in made["float32"].items()
    ]
    return {
        "fvd": distances,
        "shift": distances["bfloat16"] / distances["float32"] - 1,
        "largest_feature_difference": float(np.concatenate(apart).max()),
        "network_cpu_seconds_per_clip": seconds,
    }


if __name__ == "__main__":
    main()
