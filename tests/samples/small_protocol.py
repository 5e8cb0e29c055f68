"""A protocol of a few prompts in a folder, and folders of small videos for it."""

import json
from pathlib import Path

from tests.videos import make_video
from univg_bench.cli import run

TEXT = """\
schema: univg-bench/protocol/1
id: small
version: 1
title: A few prompts
task: t2v
data: {{source: folder, prompts: prompts.csv, expect: {{items: {items}}}}}
conditions: {{text: true}}
generation: {{samples_per_item: {samples}{generation}}}
metrics:
  - {{id: clipsim, kind: clipsim, recipe: tiny, weights: tiny-clip, frames: {frames}}}
table:
  - {{label: CLIPSIM, metric: clipsim, direction: higher, digits: 3}}
"""


def write_protocol(
    folder: Path,
    items: int = 4,
    *,
    samples: int = 1,
    generation: str = "",
    frames: str = "{sampling: random_sorted, frames: 9}",
    prompts: list[str] | None = None,
) -> Path:
    """Write small.yaml and its data below `folder`; return the file. The items are v000, v001, ..."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    texts = prompts or [f"prompt number {i}" for i in range(items)]
    rows = "".join(f'v{i:03d},"{text}"\n' for i, text in enumerate(texts))
    (data / "prompts.csv").write_text(f"item_id,prompt\n{rows}")
    path = folder / "small.yaml"
    text = TEXT.format(items=len(texts), samples=samples, generation=generation, frames=frames)
    path.write_text(text)
    return path


def write_videos(folder: Path, items: int = 4, *, frames: int = 10) -> Path:
    """Write v000.mp4 ... with different pictures; return the folder."""
    for i in range(items):
        make_video(folder / f"v{i:03d}.mp4", frames, size=(80 + 2 * i, 48), options={"preset": "ultrafast"})
    return folder


def import_videos(folder: Path, source: Path, *options: str, model: str = "ours") -> int:
    """Run `univg-bench import` on the protocol in `folder`; return the exit code."""
    given = [] if "--workers" in options else ["--workers", "1"]
    command = ["import", str(folder / "small.yaml"), "--model", model, "--from", str(source)]
    return run([*command, "--data", str(folder / "data"), "--dest", str(folder / "runs"), *given, *options])


def run_path(folder: Path, model: str = "ours") -> Path:
    """Return the folder of the run."""
    return folder / "runs" / "small@1" / model


def manifest(run_folder: Path) -> bytes:
    """Return all parts of the manifest."""
    return b"".join(path.read_bytes() for path in sorted((run_folder / "manifest").glob("*")))


def everything(run_folder: Path) -> dict[str, bytes]:
    """Return every file of a run by name, but for the lock."""
    paths = [path for path in sorted(run_folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {path.relative_to(run_folder).as_posix(): path.read_bytes() for path in paths}


def rows(run_folder: Path) -> dict[str, dict[str, object]]:
    """Return the rows of the manifest by name."""
    return {row["name"]: row for row in map(json.loads, manifest(run_folder).splitlines())}
