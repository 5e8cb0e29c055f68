"""`python -m univg_bench.features.tiny`: train the tiny extractors, and print what they can tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from univg_bench.datasets.moving_shapes import SIZES

if TYPE_CHECKING:
    from univg_bench.features.tiny.accuracy import Accuracy

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def tiny() -> None:
    """Train the tiny extractors on Moving Shapes, or measure the shipped ones."""


def _training(name: str) -> None:
    """Add the verb that trains `name`."""

    @tiny.command(f"train-{name}", help=f"Train tiny-{name}; a killed training goes on from its last checkpoint.")
    @click.option(
        "--work", type=FOLDER, default=Path(f".cache/tiny/{name}"), help="Checkpoint and log.", show_default=True
    )
    @click.option("--cache", type=FOLDER, default=Path(".cache/tiny/clips"), help="Rendered clips.", show_default=True)
    @click.option("--dest", type=FILE, default=None, help="Weights file.  [default: the shipped one's place]")
    @click.option("--threads", type=click.IntRange(1), default=1, help="Of torch; part of the bits.", show_default=True)
    @click.option("-q", "--quiet", is_flag=True)
    def command(work: Path, cache: Path, dest: Path | None, threads: int, quiet: bool) -> None:
        import torch

        from univg_bench.features.tiny import weights_path
        from univg_bench.features.tiny.train_clip import train_clip
        from univg_bench.features.tiny.train_i3d import train_i3d

        torch.set_num_threads(threads)
        if name == "i3d":
            dest = dest or weights_path("tiny-i3d")
            seconds = train_i3d(work=work, cache=cache, dest=dest, quiet=quiet)
        else:
            dest = dest or weights_path("tiny-clip")
            seconds = train_clip(work=work, cache=cache, dest=dest, quiet=quiet)
        click.echo(f"{dest}: trained in {seconds / 60:.1f} CPU-minutes")


_training("i3d")
_training("clip")


@tiny.command()
@click.option("--count", type=click.IntRange(2), default=512, help="Scenes.", show_default=True)
@click.option("--split", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option("--i3d", type=FILE, default=None, help="Weights of tiny-i3d.  [default: the shipped ones]")
@click.option("--clip", type=FILE, default=None, help="Weights of tiny-clip.  [default: the shipped ones]")
@click.option("-q", "--quiet", is_flag=True)
def accuracy(count: int, split: str, i3d: Path | None, clip: Path | None, quiet: bool) -> None:
    """Print the held-out accuracies, with the chance levels."""
    import torch
    from tqdm import tqdm

    from univg_bench.features.tiny.accuracy import clip_scores, i3d_accuracies

    torch.set_num_threads(1)

    def track(indices: Sequence[int]) -> Iterable[int]:
        return tqdm(indices, leave=False, disable=True if quiet else None)

    click.echo(f"Scenes 0 to {count - 1} of the split `{split}`; in brackets, the 95 % interval of each share.\n")
    click.echo("tiny-i3d              right                    chance")
    for height, width in SIZES:
        click.echo(f"  {height}x{width}")
        for row in i3d_accuracies(count=count, split=split, height=height, width=width, weights=i3d, track=track):
            click.echo(_line(row))
    click.echo("\ntiny-clip             right                    chance")
    for height, width in SIZES:
        scores = clip_scores(count=count, split=split, height=height, width=width, weights=clip, track=track)
        click.echo(
            f"  {height}x{width}  cosine with the own caption {scores.matched:.3f}, with others {scores.mismatched:.3f}"
        )
        for row in (scores.recall_at_1, scores.recall_at_10, scores.appearance_recall_at_1, *scores.choices):
            click.echo(_line(row))


def _line(row: Accuracy) -> str:
    low, high = row.interval
    return f"    {row.name:16}  {row.value:.3f} [{low:.3f}, {high:.3f}]   {row.chance:.3f}"


if __name__ == "__main__":
    tiny()
