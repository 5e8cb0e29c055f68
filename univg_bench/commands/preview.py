"""`univg-bench preview`: contact sheets and browser videos of runs, side by side with the real ones."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dest", type=click.Path(path_type=Path), default=Path("previews"), show_default=True)
@click.option("--items", type=click.IntRange(min=1), default=8, show_default=True, help="How many, from the first on.")
@click.pass_obj
def preview(console: Console, runs: tuple[Path, ...], dest: Path, items: int) -> None:
    """Write contact sheets and browser videos of RUN..., with prompts, condition images and the real videos.

    Each sample gets a browser video in its run's folder previews/; DEST gets a sheet per run, and per item a sheet and
    a video with all runs side by side. No metric reads any of these.
    """
    from univg_bench.preview import write_previews

    written = write_previews(runs, dest, items=items, console=console)
    console.say(f"{dest}: {sum(path.is_relative_to(dest) for path in written)} previews of {len(runs)} runs")
    console.finish({"exit_code": 0, "files": [str(path) for path in written]})
