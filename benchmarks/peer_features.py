"""What the same clips cost in other packages; run by benchmarks/features.py inside the environment of `make peers`.

`python peer_features.py FOLDER`: FOLDER holds clips.npy (N, F, H, W, 3) uint8 and i3d.pt (keys of the PyTorch ports).
Prints one line of JSON: peer -> CPU seconds per clip, the first one (which warms up) left out. Decoding is not in it.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

CAPTION = "a man in a red shirt is talking about cars and playing the guitar on a stage"


def main(folder: Path) -> None:
    """Measure every peer and print."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    clips = np.load(folder / "clips.npy")
    with contextlib.redirect_stdout(sys.stderr):  # peers print their progress
        spent = {
            "cd-fvd 0.1.1: I3D": per_clip(cd_fvd(folder / "i3d.pt"), clips),
            "torchmetrics 1.9.0: FID with an I3D": per_clip(torchmetrics_fid(folder / "i3d.pt"), clips),
            "torchmetrics 1.9.0: CLIPScore, ViT-B/32": per_clip(torchmetrics_clip(folder / "clip"), clips),
        }
    print(json.dumps(spent))


def per_clip(work: Callable[[np.ndarray], None], clips: np.ndarray) -> list[float]:
    """Return CPU seconds of each clip but the first."""
    seconds = []
    for clip in clips:
        begin = time.process_time()
        with torch.no_grad():
            work(clip)
        seconds.append(time.process_time() - begin)
    return seconds[1:]


def cd_fvd(weights: Path) -> Callable[[np.ndarray], None]:
    """Return cd-fvd's own way from pixels to statistics, `compute_fvd` on arrays."""
    from cdfvd.fvd import get_i3d_logits
    from cdfvd.third_party.i3d.utils import load_i3d_model
    from cdfvd.utils.metric_utils import FeatureStats

    net = load_i3d_model(torch.device("cpu"), str(weights))
    statistics = FeatureStats(capture_mean_cov=True)

    def work(clip: np.ndarray) -> None:
        get_i3d_logits(statistics, net, clip[None], device="cpu")

    return work


def torchmetrics_fid(weights: Path) -> Callable[[np.ndarray], None]:
    """Return torchmetrics' FID with the I3D of the ports as its network, which is how its users compute an FVD."""
    from cdfvd.third_party.i3d.utils import load_i3d_model, preprocess_i3d
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Features(torch.nn.Module):
        num_features = 400

        def __init__(self) -> None:
            super().__init__()
            self.net = load_i3d_model(torch.device("cpu"), str(weights))

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            return self.net(preprocess_i3d(clips.numpy()))

    metric = FrechetInceptionDistance(feature=Features(), input_img_size=(3, 224, 224))

    def work(clip: np.ndarray) -> None:
        metric.update(torch.from_numpy(clip[None]), real=False)

    return work


def torchmetrics_clip(folder: Path) -> Callable[[np.ndarray], None]:
    """Return torchmetrics' CLIPScore with random weights of ViT-B/32 and a tokenizer made here."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder.mkdir()
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    processor, model = CLIPProcessor(CLIPImageProcessor(), tokenizer), CLIPModel(CLIPConfig()).eval()

    from torchmetrics.multimodal.clip_score import CLIPScore

    metric = CLIPScore(model_name_or_path=lambda: (model, processor))

    def work(clip: np.ndarray) -> None:
        frames = list(torch.from_numpy(clip).permute(0, 3, 1, 2))
        metric.update(frames, [CAPTION[:70]] * len(frames))

    return work


if __name__ == "__main__":
    main(Path(sys.argv[1]))
