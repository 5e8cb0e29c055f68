"""`univg-bench human check`: is everything of a study there, and as it was."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.opening import study_options
from univg_bench.console import Console
from univg_bench.errors import SampleError

SHOWN = 10


@click.command(short_help="Check study file, database and video files; no result is looked at.")
@study_options
@click.pass_obj
def check(console: Console, study: Path, database: str | None) -> int:
    """Check the study in the folder STUDY: the study file, the database, and every video against its SHA-256.

    Exit code 3 when something is wrong. Before the first import only the study file is checked.
    """
    from human_eval_app.checking import check_study
    from human_eval_app.creation import pairs_of
    from human_eval_app.forgetting import due
    from human_eval_app.study_folder import StudyFolder

    folder = StudyFolder.open(study, database)
    pairs = pairs_of(folder.study)
    if "://" not in folder.database and not Path(folder.database).is_file():
        console.say(f"{folder.slug}: the study file is valid, {len(pairs)} pairs; no videos were imported yet")
        console.finish({"exit_code": 0, "study": folder.slug, "imported": False, "problems": []})
        return 0
    store = folder.store()
    try:
        problems = check_study(folder, store, console)
        overdue = due(store)
    finally:
        store.database.close()
    if overdue:
        console.warn(
            f"the time to keep personal data is over for {len(overdue)}: `univg-bench human forget {study} --due`"
        )
    if problems:
        shown = problems[:SHOWN] + ([f"{len(problems) - SHOWN} more"] if len(problems) > SHOWN else [])
        raise SampleError(
            f"{folder.slug} has {len(problems)} {'fault' if len(problems) == 1 else 'faults'}: {'; '.join(shown)}."
            " Videos come back with the same `human import`, a database from a backup",
            {str(n): problem for n, problem in enumerate(problems)},
        )
    console.say(f"{folder.slug}: database, videos and images are whole")
    console.finish({
        "exit_code": 0, "study": folder.slug, "imported": True, "problems": [],
        "due": [person.alias for person in overdue],
    })  # fmt: skip
    return 0
