"""`univg-bench human admin`: the researcher's page of a study, apart from what annotators can reach."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.listening import address_options, allowed_names, naming_options
from univg_bench.console import Console


@click.command(short_help="The researcher's page: progress, results, exports.")
@click.argument("study", type=click.Path(path_type=Path))
@address_options(port=8502)
@naming_options
@click.option("--database", help="URL or file of the database [study.db, or $UNIVG_STUDY_DATABASE].")
@click.option("--set-password", "change", is_flag=True, help="Ask for a new password, store its hash, and end.")
@click.pass_obj
def admin(
    console: Console,
    study: Path,
    host: str,
    port: int,
    behind_proxy: bool,
    hosts: tuple[str, ...],
    database: str | None,
    change: bool,
) -> int:
    """Serve the admin page of the study in the folder STUDY until Ctrl-C.

    It asks for the password that --set-password stored (a hash, for the owner's eyes only), or for an account of the
    provider that .streamlit/secrets.toml in STUDY configures. The pages for annotators are another process (`serve`),
    which knows nothing of this one.
    """
    import logging
    from contextlib import suppress

    from human_eval_app.admin.passwords import set_password
    from human_eval_app.study_folder import StudyFolder

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    folder = StudyFolder.open(study, database)
    if change:
        # asked for, not given as an option: an option would stand in the shell's history and in the list of processes
        path = set_password(study, click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
        console.say(f"the hash is in {path}; whoever is logged in stays so until the admin page is started again")
        console.finish({"exit_code": 0, "study": folder.slug, "file": str(path)})
        return 0

    from human_eval_app.admin.server import open_desk
    from human_eval_app.admin.server import serve as run

    names = allowed_names(host, hosts, behind_proxy=behind_proxy)
    desk = open_desk(folder)

    def started(address: str) -> None:
        console.say(f"the admin page of {folder.slug} is at {address}; stop it with Ctrl-C")

    try:
        with suppress(KeyboardInterrupt):  # the way to stop it
            run(desk, host=host, port=port, hosts=names, behind_proxy=behind_proxy, started=started)
    finally:
        desk.store.database.close()
    console.finish({"exit_code": 0, "study": folder.slug})
    return 0
