"""`univg-bench human forget`: remove what ties an alias to a person."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.opening import WHO, opened, study_options
from univg_bench.console import Console
from univg_bench.errors import InputError


@click.command(short_help="Remove what ties an alias to a person, and leave out their ratings.")
@study_options
@click.argument("alias", required=False)
@click.option("--prolific", metavar="ID", help="The person with this id at Prolific.")
@click.option("--due", "all_due", is_flag=True, help="Everybody whose `retention_days` are over; ratings count on.")
@click.option("--keep-ratings", is_flag=True, help="Let the ratings count on, under an alias that is nobody's.")
@click.pass_obj
def forget(
    console: Console, study: Path, database: str | None, alias: str | None, prolific: str | None, all_due: bool,
    keep_ratings: bool,
) -> int:  # fmt: skip
    """Remove code, id at Prolific, device, comment and playback events of ALIAS (see `human status`).

    Ratings stay in the database, in no export and no count, unless --keep-ratings. There is no way back.
    """
    from human_eval_app.forgetting import due, find_annotator
    from human_eval_app.forgetting import forget as remove

    if sum((alias is not None, prolific is not None, all_due)) != 1:
        raise InputError("say who: ALIAS, --prolific ID, or --due")
    with opened(study, database) as (folder, store):
        if all_due:
            people = [person.id for person in due(store)]
        else:
            people = [find_annotator(store, alias=alias, prolific=prolific, pepper=folder.pepper)]
        events = remove(store, people, who=WHO, keep_ratings=keep_ratings or all_due) if people else 0
        copies = sorted(folder.backups.glob("*.db"))
    console.say(f"{len(people)} {'person' if len(people) == 1 else 'people'} forgotten, {events} events removed")
    if people and copies:
        console.warn(f"backups in {folder.backups} were taken before and still know them ({len(copies)}); remove those")
    console.finish({"exit_code": 0, "forgotten": len(people), "events": events, "backups": [str(c) for c in copies]})
    return 0
