"""`univg-bench sample`: one video from a prompt, an image or a video, by a reference model."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from univg_bench.commands.options import setting_of
from univg_bench.console import Console
from univg_bench.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from reference_models.stages.sampling import Watch

MODELS = ("univg-hg", "univg-lg", "univg-base", "univg-animation", "univg-super-resolution")


@click.command(short_help="Make one video with a reference model.")
@click.option("--model", type=click.Choice(MODELS), required=True, help="Pipeline or stage (docs/stages.md).")
@click.option("--weights", required=True, help="Folder of `univg-bench convert`; random-tiny: untrained.")
@click.option("--prompt", help="What the video shows.")
@click.option("--image", type=click.Path(path_type=Path), help="Image condition; the first frame of univg-lg.")
@click.option("--video", type=click.Path(path_type=Path), help="Low-resolution video, for univg-super-resolution.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="All randomness comes from it.")
@click.option("--out", "dest", type=click.Path(path_type=Path), required=True, help="mp4, lossless; record beside it.")
@click.option("--frames", type=int, help="Number of frames [of the model].")
@click.option("--size", help="HEIGHTxWIDTH in pixels [of the model].")
@click.option("--fps", type=float, help="Frames per second [8, or the video's].")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A setting: steps=50, w_T=9.5, sampler=...")
@click.option("--device", default="cpu", show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True)
@click.option("--vae-chunk", type=click.IntRange(min=1), default=1, show_default=True, help="Frames decoded at once.")
@click.pass_obj
def sample(
    console: Console,
    model: str,
    weights: str,
    prompt: str | None,
    image: Path | None,
    video: Path | None,
    seed: int,
    dest: Path,
    frames: int | None,
    size: str | None,
    fps: float | None,
    given: tuple[str, ...],
    device: str,
    dtype: Any,
    vae_chunk: int,
) -> int:
    """Make one video and write it losslessly, with a JSON record of everything that decided its pixels.

    UniVG-HG wants folders base/ and super-resolution/ in --weights, UniVG-LG animation/ and super-resolution/; a stage
    alone wants its own folder. The same command gives the same pixels again on the same kind of machine.
    """
    if dest.suffix != ".mp4":
        raise InputError(f"found --out {dest}, expected a name that ends in .mp4")
    height, width = _size(size)
    settings = dict(setting_of(text, option="--set", example="steps=50") for text in given)

    from reference_models.adapters import ReferenceModel
    from univg_bench.atomic import write_bytes
    from univg_bench.encode import write_lossless
    from univg_bench.features.reading import read_image
    from univg_bench.model import Request, load_model
    from univg_bench.video import probe

    # the conditions first: they are cheap, and may be wrong
    pixels = None if image is None else read_image(image)[0]
    low = None if video is None else _read_video(video)
    if video is not None and fps is None:
        fps = float(probe(video).fps)  # enlarged, it is as fast as before
    request = Request(
        dest.stem, seed, prompt, pixels, low, num_frames=frames, fps=fps, height=height, width=width
    )  # fmt: skip
    console.note(f"loading {model} from {weights}")
    loaded = load_model(model, device=device, dtype=dtype, weights=weights, vae_chunk=vae_chunk)
    for note in loaded.card.notes:
        console.note(f"{loaded.card.name}: {note}")
    if isinstance(loaded, ReferenceModel):
        loaded = replace(loaded, watch=_bars(console))
    made = loaded.generate([request], settings)[0]
    if (length := made.made_with.get("prompt_tokens_cut_from")) is not None:
        console.warn(f"the prompt has {length} tokens, more than the text tower reads; its end was cut off")
    record = {
        "video": dest.name,
        "prompt": prompt,
        "image": None if image is None else _file(image),
        "low_resolution": None if video is None else _file(video),
        "fps": made.fps,
        "frames": list(made.frames.shape),
        "made_with": dict(made.made_with),
    }
    write_lossless(dest, made.frames, made.fps)
    write_bytes(dest.with_suffix(".json"), (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    count, _, high, wide = made.frames.shape
    console.say(f"wrote {count} frames of {high}x{wide} by {loaded.card.name} to {dest}")
    console.finish({"exit_code": 0, **record})
    return 0


def _bars(console: Console) -> Watch:
    """Return what shows the steps of each stage on stderr, where that is a terminal."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def watch(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = tqdm(
                total=total, desc=stage, unit="step", file=sys.stderr, leave=False, dynamic_ncols=True,
                disable=True if console.quiet else None,
            )  # fmt: skip
        bars[stage].update()
        if done == total:
            bars[stage].close()

    return watch


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    height, times, width = text.partition("x")
    if not (times and height.isdigit() and width.isdigit()):
        raise InputError(f"found --size {text!r}, expected HEIGHTxWIDTH as 320x576")
    return int(height), int(width)


def _read_video(path: Path) -> NDArray[np.uint8]:
    """Return uint8 (F, 3, H, W), every frame."""
    import numpy as np

    from univg_bench.video import decode

    return np.stack([frame.rgb for frame in decode(path)])


def _file(path: Path) -> dict[str, str]:
    import hashlib

    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
