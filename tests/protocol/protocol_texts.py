"""A small valid protocol as text, to be broken or varied line by line."""

from pathlib import Path

VALID = """\
schema: univg-bench/protocol/1
id: mine
version: 1
title: A protocol of my own
sources: [a paper]
task: t2v
freedom: high
data:
  source: msrvtt
  split: test
  select: {captions_per_video: 1, rule: hash_min, salt: mine-v1}
  expect: {videos: 2990, captions: 59800}
conditions: {text: true, image: null}
generation: {num_frames: 24, fps: 8, height: 720, width: 1280, fixed: [fps], params: {steps: 50, w_T: 9.5}}
metrics:
  - id: fvd
    kind: fvd
    recipe: univg
    weights: i3d-kinetics400
    frames: {sampling: random_sorted, frames: 16, seed: 0}
    reference_frames: {sampling: random_sorted, frames: 16, seed: 0}
  - id: clipsim
    kind: clipsim
    recipe: vit-b32
    weights: openai-vit-b32
    frames: {sampling: all}
table:
  - {label: FVD, metric: fvd, direction: lower, digits: 0}
  - {label: CLIPSIM, metric: clipsim, direction: higher, digits: 4}
"""


def written(folder: Path, text: str = VALID, *changes: tuple[str, str], name: str = "mine.yaml") -> Path:
    """Write `text` with each (old, new) replaced, and return the file; every `old` must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
