"""`univg-bench human init`: a study folder to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console


@click.command(short_help="Write a commented study file and a key for codes into a new folder.")
@click.argument("dest", type=click.Path(path_type=Path))
@click.option(
    "--method", "methods", multiple=True, default=("ours", "other"), show_default=True,
    help="Name of a method, ours first; repeatable.",
)  # fmt: skip
@click.option(
    "--items-from", type=click.Path(path_type=Path),
    help="Take the items from a sample run, a .jsonl, or a .csv with item_id and prompt.",
)  # fmt: skip
@click.option("--title", help="Title of the study.")
@click.pass_obj
def init(console: Console, dest: Path, methods: tuple[str, ...], items_from: Path | None, title: str | None) -> int:
    """Write a study into the folder DEST: study.yaml, valid and commented, and the key of its codes."""
    import shlex

    from human_eval_app.new_study import new_study

    path = new_study(dest, methods=methods, items_from=items_from, title=title)
    console.say(f"{path} is written; edit it, then take the videos in:")
    named = " ".join(f"--method {name}=FOLDER" for name in methods)
    console.say(f"  univg-bench human import {shlex.quote(str(dest))} {named}")
    console.finish({"exit_code": 0, "study": str(path)})
    return 0
