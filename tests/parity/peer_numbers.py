"""What other packages compute, as arrays: runs in the environment of `make peers`, which does not have ours.

    .venv-peers/bin/python tests/parity/peer_numbers.py GIVEN.npz WEIGHTS.pt OUT.npz

GIVEN: real, fake (N, F, H, W, 3) uint8 clips; resolution of cd-fvd's loader; x, y (N, D), (M, D) float64 features.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def main(given_path: str, weights: str, dest: str) -> None:
    given = dict(np.load(given_path))
    np.savez(dest, **of_cd_fvd(given, weights), **of_features(given["x"], given["y"]))


def of_cd_fvd(given: dict, weights: str) -> dict:
    import torch
    from cdfvd.fvd import cdfvd
    from cdfvd.third_party.i3d.utils import frechet_distance, preprocess_i3d
    from cdfvd.utils.data_utils import preprocess
    from einops import rearrange

    resolution = int(given["resolution"])
    made = {}

    def fresh() -> cdfvd:
        return cdfvd("i3d", n_real="full", n_fake="full", ckpt_path=weights, compute_feats=True, device="cpu")

    # the loader's path, fed arrays in place of decoded files
    peer, loaders = fresh(), {}
    for kind in ("real", "fake"):
        clips = [preprocess(torch.from_numpy(clip), resolution)["video"] for clip in given[kind]]
        loaders[kind] = [{"video": torch.stack(clips)}]
    as_bytes = rearrange(loaders["real"][0]["video"] * 255, "b c t h w -> b t h w c").byte().numpy()
    made["input"] = preprocess_i3d(as_bytes).numpy()
    peer.compute_real_stats(loaders["real"])
    peer.compute_fake_stats(loaders["fake"])
    made["loader_fvd"] = float(peer.compute_fvd_from_stats())
    made["loader_real"], made["loader_fake"] = peer.real_stats.get_all(), peer.fake_stats.get_all()
    # the path of arrays, which has no step through `resolution`
    peer = fresh()
    made["arrays_fvd"] = float(peer.compute_fvd(given["real"], given["fake"]))
    made["arrays_real"], made["arrays_fake"] = peer.real_stats.get_all(), peer.fake_stats.get_all()
    # the statistics of VideoGPT and TATS, which this package carries too
    x, y = torch.from_numpy(given["x"]), torch.from_numpy(given["y"])
    made["videogpt_float64"] = float(frechet_distance(x, y))
    made["videogpt_float32"] = float(frechet_distance(x.float(), y.float()))
    return made


def of_features(x: np.ndarray, y: np.ndarray) -> dict:
    import torch
    from cleanfid.fid import frechet_distance
    from pytorch_fid.fid_score import calculate_frechet_distance
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torchmetrics.image.fid import FrechetInceptionDistance

    stats = (x.mean(axis=0), np.cov(x, rowvar=False), y.mean(axis=0), np.cov(y, rowvar=False))
    identity = torch.nn.Identity()
    identity.num_features = x.shape[1]
    metric = FrechetInceptionDistance(feature=identity).set_dtype(torch.float64)
    metric.update(torch.from_numpy(x), real=True)
    metric.update(torch.from_numpy(y), real=False)
    fidelity = fid_statistics_to_metric({"mu": stats[0], "sigma": stats[1]}, {"mu": stats[2], "sigma": stats[3]}, False)
    return {
        "pytorch_fid": float(calculate_frechet_distance(*stats)),
        "clean_fid": float(frechet_distance(*stats)),
        "torch_fidelity": float(next(iter(fidelity.values()))),
        "torchmetrics": float(metric.compute()),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
