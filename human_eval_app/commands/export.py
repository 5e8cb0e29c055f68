"""`univg-bench human export` and `human results`: what was answered, under aliases, and the report about it."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.opening import WHO, opened, study_options
from univg_bench.console import Console

PATH = click.Path(path_type=Path)


@click.command(short_help="Write ratings, submissions, events, people and facts as files, under aliases.")
@study_options
@click.argument("dest", type=PATH)
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "jsonl"]), default="csv", show_default=True,
    help="Of the ratings, when DEST is a folder.",
)  # fmt: skip
@click.pass_obj
def export(console: Console, study: Path, database: str | None, dest: Path, form: str) -> int:
    """Write the answers of the study in the folder STUDY to DEST: a folder, or a ratings file (.csv, .parquet, .jsonl).

    Refused while the study is open, unless its file says `peek: true`; every export is noted in its log.
    `univg-bench human report RATINGS --study STUDY/study.yaml` reads the ratings.
    """
    from human_eval_app.export import export_ratings
    from human_eval_app.export_folder import FORMATS, export_folder

    with opened(study, database) as (folder, store):
        if dest.suffix.lower().lstrip(".") in FORMATS:
            export_ratings(store, dest, who=WHO)
            files = [dest]
        else:
            files = export_folder(store, dest, who=WHO, ratings_format=form)
    for path in files:
        console.say(str(path))
    console.finish({"exit_code": 0, "study": folder.slug, "files": [str(path) for path in files]})
    return 0


@click.command(short_help="Write the report of a study: the same as `human report` of its ratings.")
@study_options
@click.option("--out", type=PATH, required=True, help="Folder for report.html, its tables, figures and ratings.csv.")
@click.pass_obj
def results(console: Console, study: Path, database: str | None, out: Path) -> int:
    """Export the ratings of the study in the folder STUDY and write their report, by the rules of its study file."""
    from human_eval_app.export import export_ratings
    from univg_bench.human.analysis import analyse
    from univg_bench.human.gsb_report import write_report

    with opened(study, database) as (folder, store):
        ratings = export_ratings(store, out / "ratings.csv", who=WHO)
        analysis = analyse(ratings, store.study.plan)
        files = write_report(analysis, out, title=store.study.title)
    for sentence in analysis.sentences():
        console.say(sentence)
    console.say(f"{len(files)} files in {out}; open {out / 'report.html'}")
    console.finish({"exit_code": 0, "study": folder.slug, "files": [str(path) for path in files]})
    return 0
