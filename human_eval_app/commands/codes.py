"""`univg-bench human codes`: a code for everybody who is to take part."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.opening import WHO, opened, study_options
from univg_bench.console import Console
from univg_bench.errors import InputError


@click.command(short_help="Issue codes, one per person; they are shown this once.")
@study_options
@click.argument("count", type=click.IntRange(1, 10_000))
@click.option("--dest", type=click.Path(path_type=Path), help="A new file for them, readable by you only.")
@click.pass_obj
def codes(console: Console, study: Path, database: str | None, count: int, dest: Path | None) -> int:
    """Issue COUNT codes for the study in the folder STUDY, one per line.

    The database keeps keyed hashes only, so a code that is lost cannot be shown again: issue another one.
    """
    from human_eval_app.private_files import create_private

    if dest is not None and dest.exists():
        raise InputError(f"{dest} is there already; give a new file, so that no code is lost")
    with opened(study, database) as (folder, store):
        if store.closed():
            raise InputError(f"{folder.slug} is closed; a code would let nobody rate")
        if dest is not None:
            # before a code exists: a place that cannot be written must not cost the codes
            create_private(dest)
        issued = store.issue_codes(count, who=WHO)
        if dest is None:
            for code in issued:
                console.say(code)
        else:
            dest.write_text("".join(f"{code}\n" for code in issued), encoding="ascii")
            console.say(f"{count} codes are in {dest}; they let people in for {folder.study.code_days} days")
    console.finish({"exit_code": 0, "codes": issued if dest is None else str(dest)})
    return 0
