"""`univg-bench prepare`: say what of a data set is here and what is missing, or render Moving Shapes."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol import MovingShapesData, MsrvttData
from univg_bench.protocol_files import load_protocol


@click.group()
def prepare() -> None:
    """Check a data set that you have, or render Moving Shapes. Nothing is downloaded."""


@prepare.command()
@click.option("--data", "root", required=True, type=click.Path(path_type=Path), help="The folder that holds MSR-VTT.")
@click.option("--protocol", "name", default="msrvtt-t2v-2990", show_default=True, help="What it is to be good for.")
@click.pass_obj
def msrvtt(console: Console, root: Path, name: str) -> int:
    """Say what a folder holds of MSR-VTT, what is missing, and where people get it.

    Annotations and videos may lie anywhere below the folder. Exit 0 when the protocol can be evaluated, 2 when the
    annotations are missing or not what they should be, 3 when videos are missing.
    """
    from univg_bench.datasets import load_items
    from univg_bench.datasets.msrvtt import WHERE_TO_GET

    loaded = load_protocol(name)
    if not isinstance(loaded.data, MsrvttData):
        raise InputError(f"found protocol {loaded.id}, whose data are '{loaded.data.source}'; expected one on msrvtt")
    items = load_items(loaded, root, references=False)
    missing: dict[str, str] = {}
    try:
        items = load_items(loaded, root)
    except SampleError as error:
        missing = error.items
    for file, digest in items.sources.items():
        console.say(f"{file}: sha256 {digest}")
    for fact, count in items.facts.items():
        console.say(f"{fact.replace('_', ' ')}: {count}")
    for note in items.notes:
        console.say(f"note: {note}")
    wanted = len({item.reference_id for item in items.items})
    if missing:
        shown = sorted(missing, key=lambda video: int(video.removeprefix("video")))[:10]
        more = f" and {len(missing) - len(shown)} more (all of them with --json)" if len(missing) > len(shown) else ""
        console.say(f"videos: {wanted - len(missing)} of {wanted}; missing: {', '.join(shown)}{more}")
        console.say(WHERE_TO_GET)
    else:
        console.say(f"videos: {wanted} of {wanted}; {loaded.name} can be evaluated with --data {root}")
    code = 3 if missing else 0
    console.finish(
        {
            "exit_code": code,
            "protocol": loaded.name,
            "data": str(root),
            "sources": dict(items.sources),
            "facts": dict(items.facts),
            "items_digest": items.digest,
            "notes": list(items.notes),
            "missing": missing,
        }
    )
    return code


@prepare.command(name="moving-shapes")
@click.argument("name", metavar="PROTOCOL")
@click.option(
    "--dest", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to put the videos."
)
@click.option(
    "--rendering",
    type=click.IntRange(min=0),
    help="Another rendering than the reference: the same captions with other pixels, as if by a perfect model.",
)
@click.pass_obj
def moving_shapes(console: Console, name: str, dest: Path, rendering: int | None) -> None:
    """Render the videos of a Moving Shapes protocol into lossless files, named by item.

    Without --rendering these are the real videos that --data DEST then provides. Videos that are there stay; an
    interrupted call goes on where it was.
    """
    from univg_bench.datasets.rendered import render_videos

    loaded = load_protocol(name)
    data = loaded.data
    if not isinstance(data, MovingShapesData):
        raise InputError(f"found protocol {loaded.id}, whose data are '{data.source}'; expected one on moving-shapes")
    number = data.rendering if rendering is None else rendering
    folder, rendered = render_videos(
        data,
        dest,
        rendering=number,
        progress=lambda todo, total: console.progress(todo, total=total, title="rendering", unit="video"),
    )
    role = "the real videos" if number == data.rendering else "held-out renderings, to be imported like a model's"
    console.say(f"{folder}: {data.count} videos of {loaded.name} ({role}); {rendered} new")
    console.finish(
        {
            "exit_code": 0,
            "protocol": loaded.name,
            "folder": str(folder),
            "rendering": number,
            "is_reference": number == data.rendering,
            "videos": data.count,
            "rendered": rendered,
        }
    )
