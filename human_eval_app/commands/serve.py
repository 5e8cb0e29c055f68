"""`univg-bench human serve`: the pages of a study, for annotators."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.listening import address_options, allowed_names, naming_options
from univg_bench.console import Console


@click.command(short_help="Let annotators in: the pages of a study on one port.")
@click.argument("study", type=click.Path(path_type=Path))
@address_options(port=8501)
@naming_options
@click.option("--database", help="URL or file of the database [study.db, or $UNIVG_STUDY_DATABASE].")
@click.pass_obj
def serve(
    console: Console,
    study: Path,
    host: str,
    port: int,
    behind_proxy: bool,
    hosts: tuple[str, ...],
    database: str | None,
) -> int:
    """Serve the study in the folder STUDY until Ctrl-C.

    Answers are on the disk when a browser is told that they are saved, so it may be stopped and started at any time.
    Without --allow-host it answers to any name, except when it listens on this machine alone and no proxy stands in
    front of it.
    """
    import logging
    from contextlib import suppress

    from human_eval_app.study_folder import StudyFolder

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    folder = StudyFolder.open(study, database)

    from human_eval_app.server import serve as run

    names = allowed_names(host, hosts, behind_proxy=behind_proxy)

    def started(address: str) -> None:
        console.say(f"{folder.slug} is at {address}; stop it with Ctrl-C")

    with suppress(KeyboardInterrupt):  # the way to stop it
        run(folder, host=host, port=port, hosts=names, behind_proxy=behind_proxy, started=started)
    console.note("stopped; what was acknowledged is saved")
    console.finish({"exit_code": 0, "study": folder.slug})
    return 0
