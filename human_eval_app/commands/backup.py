"""`univg-bench human backup`: a checked copy of the database, also while people rate."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.opening import study_options
from univg_bench.console import Console
from univg_bench.errors import InputError


@click.command(short_help="Copy the database, whole and checked, also while people rate.")
@study_options
@click.option("--dest", type=click.Path(path_type=Path), help="A new file [backups/study-TIME.db].")
@click.pass_obj
def backup(console: Console, study: Path, database: str | None, dest: Path | None) -> int:
    """Copy the database of the study in the folder STUDY into its backups/.

    The copy has gone through SQLite's integrity check before it gets its name. The pepper is not in it, and codes are
    nothing without: keep that file somewhere else, too.
    """
    from human_eval_app.backup import back_up, new_name
    from human_eval_app.study_folder import StudyFolder

    folder = StudyFolder.open(study, database)
    path = dest or folder.backups / new_name("study", "")
    if path.exists():
        raise InputError(f"{path} is there already; give a new file")
    back_up(folder.database, path)
    console.say(f"{path}: {path.stat().st_size} bytes, checked; the pepper is not in it")
    console.finish({"exit_code": 0, "backup": str(path), "bytes": path.stat().st_size})
    return 0
