"""`univg-bench human demo`: the annotation app on a study that is made on the spot."""

from __future__ import annotations

from pathlib import Path

import click

from human_eval_app.commands.listening import address_options, allowed_names
from univg_bench.console import Console


@click.command(short_help="Try the app: make a study of Moving Shapes, print a code, let you in.")
@click.option(
    "--dest", type=click.Path(path_type=Path), default=Path("app-demo"), show_default=True,
    help="Where the study lies; what is there is used again.",
)  # fmt: skip
@address_options(port=8501)
@click.pass_obj
def demo(console: Console, dest: Path, host: str, port: int) -> int:
    """Make a study of rendered, blurred and stuttering Moving Shapes, and serve it until Ctrl-C.

    Nothing is downloaded. Ratings stay in the folder; the next start goes on with them and prints another code, the old
    ones let in as before.
    """
    import logging
    from contextlib import suppress

    from human_eval_app.demo_study import make_demo_study

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    console.note("making the study (some seconds, once)")
    folder = make_demo_study(dest, console=console)

    from human_eval_app.server import serve as run

    def started(address: str) -> None:
        # not earlier: a start that finds its port taken makes nobody up
        store = folder.store()
        (code,) = store.issue_codes(1, who="demo")
        store.database.close()
        console.say(f"open   {address}")
        console.say(f"code   {code}")
        console.say()
        console.say("the researcher's page, in another terminal:")
        console.say(f"  univg-bench human admin {dest} --set-password    # once")
        console.say(f"  univg-bench human admin {dest}                   # http://127.0.0.1:8502")
        console.say("stop with Ctrl-C; ratings are kept")

    with suppress(KeyboardInterrupt):  # the way to stop it
        run(folder, host=host, port=port, hosts=allowed_names(host), started=started)
    console.finish({"exit_code": 0, "study": folder.slug, "dest": str(dest)})
    return 0
