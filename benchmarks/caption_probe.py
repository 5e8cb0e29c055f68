"""What a caption's tokens say of the video, layer by layer of tiny-clip's text tower: why the tiny networks get words.

`python -m benchmarks.caption_probe` writes benchmarks/results/caption_probe.md. A small probe, one query of attention
per attribute as a UNet's cross attention has them, learns to name the attributes from the tokens of 2,500 captions and
is asked about 500 others. One seed; chance stands beside.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, silu, softmax

from reference_models.nn.encoders import TextLayer, text_tokens
from univg_bench.datasets.moving_shapes import caption, scene
from univg_bench.features.tiny.clips import labels
from univg_bench.features.tiny.networks import load
from univg_bench.features.tiny.tokenizer import tokenize

RESULTS = Path(__file__).parent / "results"
LAYERS: tuple[TextLayer, ...] = ("last", "penultimate", "embedding")
TRAINED, ASKED, STEPS, BATCH = 2500, 500, 500, 96
WIDTH = 64


class Probe(nn.Module):
    """Attention with one learned query per attribute over tokens (B, L, D), and a linear layer each."""

    def __init__(self, tokens: int, classes: list[int]) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(classes), WIDTH) * 0.1)
        self.keys, self.values = nn.Linear(tokens, WIDTH), nn.Linear(tokens, WIDTH)
        self.heads = nn.ModuleList([nn.Linear(WIDTH, number) for number in classes])

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Return the logits (B, classes) of every attribute."""
        seen = softmax(self.queries @ self.keys(tokens).transpose(1, 2) / WIDTH**0.5, -1) @ self.values(tokens)
        return [head(silu(seen[:, number])) for number, head in enumerate(self.heads)]


def accuracies(tokens: Tensor, classes: list[Tensor]) -> list[float]:
    """Return for each attribute the share of the last ASKED captions whose class a probe on the others tells."""
    torch.manual_seed(0)
    tokens = tokens / tokens.std()
    probe = Probe(tokens.shape[-1], [int(one.max()) + 1 for one in classes])
    optimiser = torch.optim.Adam(probe.parameters(), 3e-3)
    for _ in range(STEPS):
        chosen = torch.randint(0, TRAINED, (BATCH,))
        told = probe(tokens[chosen])
        loss = torch.stack([cross_entropy(t, one[chosen]) for t, one in zip(told, classes, strict=True)]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        told = probe(tokens[TRAINED:])
    return [float((t.argmax(1) == one[TRAINED:]).float().mean()) for t, one in zip(told, classes, strict=True)]


def main() -> None:
    """Probe every layer, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dest", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clip, scenes = load("tiny-clip"), [scene("train", number) for number in range(TRAINED + ASKED)]
    rows = torch.tensor([tokenize(caption(one)) for one in scenes])
    told = labels(scenes)
    classes = [torch.from_numpy(np.asarray(one)).long() for one in told.values()]
    lines = [
        f"`python -m benchmarks.caption_probe`: share of {ASKED} captions whose attribute an attention probe names from"
        " their tokens.\n",
        "| tokens of tiny-clip | " + " | ".join(told) + " |",
        "|---" * (len(told) + 1) + "|",
    ]
    for layer in LAYERS:
        with torch.no_grad():
            tokens = torch.cat([text_tokens(clip, part, layer=layer, project=True) for part in rows.split(500)])
        lines.append(f"| {layer} | " + " | ".join(f"{one:.2f}" for one in accuracies(tokens, classes)) + " |")
    lines.append("| chance | " + " | ".join(f"{1 / (int(one.max()) + 1):.2f}" for one in classes) + " |")
    print("\n".join(lines))
    arguments.dest.mkdir(parents=True, exist_ok=True)
    (arguments.dest / "caption_probe.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
