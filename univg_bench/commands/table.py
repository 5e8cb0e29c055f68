"""`univg-bench table`: measured rows, and published rows beside them, as Markdown, CSV or LaTeX."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--published", multiple=True, help="Name of a shipped published table, e.g. univg_table1; may repeat.")
@click.option("--protocol", "protocol_name", help="Protocol whose columns to show when there are no RUNS.")
@click.option(
    "--format", "form", type=click.Choice(["markdown", "csv", "latex"]), default="markdown", show_default=True
)
@click.option("--wide", is_flag=True, help="Show every metric, with the columns of the protocol's `wide`.")
@click.option("--dest", type=click.Path(path_type=Path), help="Write to this file instead of the terminal.")
@click.pass_obj
def table(
    console: Console, runs: tuple[Path, ...], published: tuple[str, ...], protocol_name: str | None, form: str,
    wide: bool, dest: Path | None,
) -> None:  # fmt: skip
    """Print a table of RUNS (folders of evaluated runs), grouped by protocol digest.

    Published rows stand below the measured ones, marked on every row, with their source. The whole Table 1 of the
    paper: `univg-bench table --protocol msrvtt-t2v-59800 --published univg_table1`.
    """
    from univg_bench.atomic import write_bytes
    from univg_bench.errors import InputError
    from univg_bench.protocol_files import load_protocol
    from univg_bench.published import load_published, published_names
    from univg_bench.records import load_record
    from univg_bench.samples import Run
    from univg_bench.tables import build_table, render

    if not runs and not (published and protocol_name):
        raise InputError(
            "found nothing to show; name the folders of evaluated runs, or --protocol and --published, one of "
            + ", ".join(published_names())
        )
    if runs and protocol_name:
        raise InputError("found RUNS and --protocol; a table of runs has the columns of their own protocol")
    rows = [row for name in published for row in load_published(name)]
    by_digest: dict[str, list[Path]] = {}
    for path in runs:
        record, run = load_record(path), Run.open(path)
        if run.index.digest != record.status.manifest_digest:
            raise InputError(
                f"the samples in {path} are not those its results.json was made from; run `univg-bench evaluate {path}`"
            )
        by_digest.setdefault(record.protocol.digest, []).append(path)
    tables = [
        build_table(Run.open(paths[0]).protocol(), [load_record(path) for path in paths], rows, wide=wide)
        for paths in by_digest.values()
    ]
    if not runs:
        assert protocol_name is not None
        tables = [build_table(load_protocol(protocol_name), [], rows, wide=wide)]
    if len(tables) > 1:
        console.note(f"{len(tables)} protocols: their numbers are not comparable, so each has a table of its own")
    text = "\n".join(render(one, form) for one in tables)  # type: ignore[arg-type]  # click checked the choice
    if dest is None:
        console.say(text.rstrip("\n"))
    else:
        write_bytes(dest, text.encode())
        console.note(f"wrote {dest}")
    console.finish({"exit_code": 0, "table": text, "dest": str(dest) if dest else None})
