"""`univg-bench human import`: take the videos of a study in, and say what is missing before anybody rates."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.commands.options import workers_option
from univg_bench.console import Console
from univg_bench.errors import InputError

PATH = click.Path(path_type=Path)


@click.command(name="import", short_help="Take videos in: check them, make the copies that people see.")
@click.argument("study", type=PATH)
@click.option("--method", "methods", multiple=True, metavar="ID=PATH", help="A sample run, or a folder of videos.")
@click.option("--images", type=PATH, help="Folder of condition images, named by item.")
@click.option("--layout", type=click.Choice(["vbench", "evalcrafter"]), help="{prompt}-{k}.mp4, or 0000.mp4 ...")
@click.option("--pattern", help='Where the file of an item lies, e.g. "{item_id}/0.mp4".  [default: {item_id}.*]')
@click.option("--map", "table", type=PATH, help="A CSV file with the columns item_id and path.")
@click.option("--allow-missing", is_flag=True, help="Leave out the pairs of missing or unplayable videos.")
@click.option("--database", help="URL or file of the database [study.db, or $UNIVG_STUDY_DATABASE].")
@workers_option
@click.pass_obj
def import_(
    console: Console,
    study: Path,
    methods: tuple[str, ...],
    images: Path | None,
    layout: str | None,
    pattern: str | None,
    table: Path | None,
    allow_missing: bool,
    database: str | None,
    workers: int,
) -> int:
    """Take the videos of every method into the study in the folder STUDY.

    Every video is decoded to its end and encoded again by one encoder, as `presentation:` of the study file says; the
    copies carry no trace of where they came from. Missing and unplayable videos are listed before anything is written,
    and make the exit code 3. Run the same command again after a repair or an interruption: it does the rest. Methods
    that are not named keep the folder of the last time. --layout, --pattern and --map are for the folders named now.
    """
    import time

    from human_eval_app.importing import import_videos
    from human_eval_app.sources import Folder
    from human_eval_app.study_folder import StudyFolder

    folder = StudyFolder.open(study, database)
    sources = {}
    for text in methods:
        name, equals, path = text.partition("=")
        if not equals or not path or name in sources:
            raise InputError(f"found --method {text}, expected ID=PATH, each method once")
        sources[name] = Folder(Path(path), layout, pattern, table)  # type: ignore[arg-type]  # click has checked it
    done = import_videos(
        folder, sources, images=images, workers=workers, allow_missing=allow_missing,
        now_ms=int(time.time() * 1000), console=console,
    )  # fmt: skip
    survey, differing = done.survey, done.survey.differing()
    left_out = len(survey.pairs) - len(survey.kept)
    console.say(f"{folder.slug}: {len(survey.kept)} pairs can be shown; {done.encoded} copies were made now")
    if left_out:
        console.warn(f"{left_out} pairs are left out, because videos are missing or unplayable")
    for what, count in differing.items():
        if count and what != "aspect":
            console.warn(
                f"in {count} of {len(survey.kept)} pairs the two videos differ in {what}, which can tell the method;"
                " `presentation:` of the study file can make them equal"
            )
    if differing["aspect"]:
        console.warn(f"in {differing['aspect']} pairs the two videos came with different shapes (width : height)")
    if not done.changed:
        console.note("nothing had changed since the last import")
    console.finish({
        "exit_code": 0, "study": folder.slug, "pairs": len(survey.kept), "left_out": left_out,
        "problems": survey.problems, "encoded": done.encoded, "changed": done.changed, "differing": differing,
    })  # fmt: skip
    return 0
