"""What motion, flicker, spectral distance, PSNR and SSIM notice on Moving Shapes, where the true motion is known.

`python -m benchmarks.frame_metrics` writes benchmarks/results/frame_metrics.json and frame_metrics.md. One thread; the
same numbers on every run on one kind of machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from univg_bench.datasets.moving_shapes import SIZES, Scene, render, scene
from univg_bench.datasets.moving_shapes.motion import HEIGHT, WIDTH, path
from univg_bench.datasets.moving_shapes.shapes import signed_distance
from univg_bench.environment import describe_environment
from univg_bench.features.pixels import flicker_features, motion_features, pair_fidelity, spectrum_features
from univg_bench.metrics.spectral import spectral_distance
from univg_bench.recipes_frames import FIDELITY_RECIPES, FLICKER_RECIPES, MOTION_RECIPES, SPECTRUM_RECIPES

RESULTS = Path(__file__).parent / "results"
FPS = 24.0
Frames = NDArray[np.uint8]
Damage = Callable[[Frames, np.random.Generator], Frames]
MOTION, FLICKER, VBENCH = MOTION_RECIPES["motion"], FLICKER_RECIPES["flicker"], FLICKER_RECIPES["vbench-flicker"]
SPECTRUM, FIDELITY = SPECTRUM_RECIPES["spectrum"], FIDELITY_RECIPES["fidelity"]


def _rounded(frames: NDArray[np.floating]) -> Frames:
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def noise(deviation: float) -> Damage:
    """Return a damage that adds Gaussian noise, new in every frame."""
    return lambda frames, rng: _rounded(frames + deviation * rng.standard_normal(frames.shape))


def lamp(deviation: float) -> Damage:
    """Return a damage that makes each whole frame brighter or darker by a random amount."""
    return lambda frames, rng: _rounded(frames + deviation * rng.standard_normal(len(frames))[:, None, None, None])


def blur(sigma: float) -> Damage:
    """Return a damage that blurs each frame."""
    return lambda frames, rng: _rounded(
        gaussian_filter(frames.astype(np.float64), (0, 0, sigma, sigma), mode="nearest")
    )


def still(then: Damage = lambda frames, rng: frames) -> Damage:
    """Return a damage that freezes the video and then does another."""
    return lambda frames, rng: then(np.repeat(frames[:1], len(frames), axis=0), rng)


DAMAGES: dict[str, Damage] = {
    "none": lambda frames, rng: frames,
    "every 2nd frame": lambda frames, rng: frames[::2],
    "frozen": still(),
    "frozen, noise 8": still(noise(8)),
    "frozen, noise 40": still(noise(40)),
    "frozen, brightness 10": still(lamp(10)),
    "noise 8": noise(8),
    "noise 20": noise(20),
    "noise 40": noise(40),
    "brightness 10": lamp(10),
    "blur 1": blur(1),
    "blur 2": blur(2),
    "shuffled": lambda frames, rng: frames[rng.permutation(len(frames))],
    "reversed": lambda frames, rng: frames[::-1],
}

COMPARED = ("none", "noise 8", "noise 20", "brightness 10", "blur 1")  # motion of these is held against the truth


def true_speed(s: Scene) -> float:
    """Return the mean over pixels and pairs of frames of the true displacement, in picture heights per second."""
    track, ys, xs = path(s), *np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    lengths = []
    for t in range(len(track.x) - 1):
        zoom = track.zoom[t + 1] / track.zoom[t]
        dy = (zoom - 1) * (ys - HEIGHT / 2)
        dx = (zoom - 1) * (xs - WIDTH / 2) - (track.pan[t + 1] - track.pan[t])
        u, v = (
            (a / track.radius[t])
            for a in (
                (xs - track.x[t]) * track.cos[t] + (ys - track.y[t]) * track.sin[t],
                (ys - track.y[t]) * track.cos[t] - (xs - track.x[t]) * track.sin[t],
            )
        )
        inside = signed_distance(s.shape, u, v) <= 0
        r, c, i = track.radius[t + 1], track.cos[t + 1], track.sin[t + 1]
        dx = np.where(inside, track.x[t + 1] + r * (u * c - v * i) - xs, dx)
        dy = np.where(inside, track.y[t + 1] + r * (u * i + v * c) - ys, dy)
        lengths.append(np.hypot(dx, dy).mean())
    return float(np.mean(lengths)) / HEIGHT * FPS


def measure(count: int) -> dict[str, Any]:
    """Return everything that the tables show, over the first `count` scenes of the split `validation`."""
    scenes = [scene("validation", i) for i in range(count)]
    truth = np.array([true_speed(s) for s in scenes])
    clusters = [str(i) for i in range(count)]
    result: dict[str, Any] = {"truth_mean": truth.mean(), "agreement": {}, "damages": {}, "seconds": {}}
    for height, width in SIZES:
        clean = [render(s, height=height, width=width) for s in scenes]
        spectra = np.array([spectrum_features(v, SPECTRUM) for v in clean])
        for name, damage in DAMAGES.items():
            if (height, width) != SIZES[-1] and name not in COMPARED:
                continue
            videos = [damage(v, np.random.default_rng(i)) for i, v in enumerate(clean)]
            begin = time.process_time()
            speeds = np.array([motion_features(v, fps=FPS, recipe=MOTION) for v in videos])
            spent = time.process_time() - begin
            if name == "none":
                result["seconds"][f"motion {height}x{width}"] = spent / count
            if name in COMPARED:
                change = [np.abs(np.diff(v.astype(np.float64).mean(axis=1), axis=0)).mean() for v in videos]
                result["agreement"][f"{height}x{width} {name}"] = {
                    "pearson": np.corrcoef(truth, speeds[:, 0])[0, 1],
                    "spearman": spearmanr(truth, speeds[:, 0]).statistic,
                    "ratio": speeds[:, 0].mean() / truth.mean(),
                    "difference_spearman": spearmanr(truth, change).statistic,
                }
            if (height, width) != SIZES[-1]:
                continue
            found = np.array([spectrum_features(v, SPECTRUM) for v in videos])
            apart = spectral_distance(
                found, spectra, recipe=SPECTRUM, clusters=clusters, reference_clusters=clusters, replicates=0, seed=0
            )
            pairs = [
                pair_fidelity(v, c, FIDELITY).mean(axis=0)
                for v, c in zip(videos, clean, strict=True)
                if len(v) == len(c)
            ]
            psnr, ssim = np.mean(pairs, axis=0) if pairs else (None, None)
            result["damages"][name] = {
                "speed": speeds[:, 0].mean(),
                "moving": speeds[:, 1].mean(),
                "flicker": np.mean([flicker_features(v, FLICKER)[0] for v in videos]),
                "vbench_flicker": np.mean([flicker_features(v, VBENCH)[0] for v in videos]),
                "spectral_distance": apart.value,
                "high_band": apart.high,
                "psnr": psnr,
                "ssim": ssim,
            }
    again = np.array(
        [spectrum_features(render(scene("validation", i, 1), height=72, width=128), SPECTRUM) for i in range(count)]
    )
    floor = spectral_distance(
        again, spectra, recipe=SPECTRUM, clusters=clusters, reference_clusters=clusters, replicates=200, seed=0
    )
    result["spectral_floor"] = {"other_renderings": floor.value, "floor": floor.floor}
    return result


def table(record: dict[str, Any]) -> str:
    """Return the record as Markdown."""
    result = record["result"]
    floor = result["spectral_floor"]
    lines = [
        "# What metrics of frames notice",
        "",
        f"{record['what']}. Machine: {record['environment']['cpu']}.",
        "",
        "## Motion against the truth",
        f"True mean speed {result['truth_mean']:.3f} picture heights per second. ratio: found / true mean."
        " Last column: rank correlation of the mean absolute difference of frames, for comparison.",
        "",
        "| video | Pearson | Spearman | ratio | difference of frames |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {a['pearson']:.3f} | {a['spearman']:.3f} | {a['ratio']:.2f} | {a['difference_spearman']:.3f} |"
            for name, a in result["agreement"].items()
        ),
        "",
        "## Every metric under every damage (72x128)",
        "speed: heights/s. flicker: grey levels. spectral distance and high band: dB, to the undamaged videos."
        f" Other renderings of the same captions: {floor['other_renderings']:.2f} dB, of which the bootstrap expects"
        f" {floor['floor']:.2f}.",
        "",
        "| damage | speed | moving | flicker | VBench flicker | spectral | high band | PSNR | SSIM |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, d in result["damages"].items():
        pair = "– | –" if d["psnr"] is None else f"{d['psnr']:.2f} | {d['ssim']:.3f}"
        lines.append(
            f"| {name} | {d['speed']:.3f} | {d['moving']:.3f} | {d['flicker']:.2f} | {d['vbench_flicker']:.3f} |"
            f" {d['spectral_distance']:.2f} | {d['high_band']:+.2f} | {pair} |"
        )
    seconds = ", ".join(f"{name} {s:.2f}" for name, s in result["seconds"].items())
    return "\n".join([*lines, "", f"CPU seconds per video of 24 frames: {seconds}.", ""])


def main() -> None:
    """Measure, print the tables, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--dest", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    record = {
        "what": f"The first {arguments.scenes} scenes of Moving Shapes' split `validation`, 24 frames at {FPS:.0f} Hz",
        "environment": describe_environment("cpu"),
        "result": measure(arguments.scenes),
    }
    arguments.dest.mkdir(parents=True, exist_ok=True)
    (arguments.dest / "frame_metrics.json").write_text(json.dumps(record, indent=2) + "\n")
    (arguments.dest / "frame_metrics.md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
