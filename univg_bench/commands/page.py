"""`univg-bench page`: one HTML page about evaluated runs."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dest", type=click.Path(path_type=Path), default=Path("page.html"), show_default=True)
@click.option("--title", default="", help="Of the page.  [default: the protocols' titles]")
@click.option("--held-out", metavar="NAME", help="The run whose videos are real ones again: the floor of FVD.")
@click.option("--items", type=click.IntRange(min=1), default=4, show_default=True, help="Shown, from the first on.")
@click.pass_obj
def page(console: Console, runs: tuple[Path, ...], dest: Path, title: str, held_out: str | None, items: int) -> None:
    """Write one HTML page about RUN..., folders of evaluated runs: numbers with intervals, figures, moving samples.

    The page needs no network and runs no script. Runs under several protocols stand in sections of their own.
    """
    from univg_bench.page import write_page

    sections = write_page(runs, dest, title=title, held_out=held_out, items=items, console=console)
    console.say(f"{dest}: {len(runs)} runs under {len(sections)} protocols, {dest.stat().st_size / 1e6:.1f} MB")
    console.finish({"exit_code": 0, "page": str(dest), "bytes": dest.stat().st_size})
