"""`univg-bench human close`: take no more answers, and show results."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.opening import WHO, opened, study_options
from univg_bench.console import Console


@click.command(short_help="Take no more answers; results may be seen from then on.")
@study_options
@click.pass_obj
def close(console: Console, study: Path, database: str | None) -> int:
    """Close the study in the folder STUDY. It cannot be opened again: who has seen results must not go on asking."""
    with opened(study, database) as (folder, store):
        already = store.closed()
        if not already:
            store.close(who=WHO)
    console.say(f"{folder.slug} {'was closed already' if already else 'is closed'}")
    console.finish({"exit_code": 0, "study": folder.slug, "closed": True})
    return 0
