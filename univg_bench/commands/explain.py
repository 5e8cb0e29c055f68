"""`univg-bench explain`: one FVD under every published recipe, and which choice moves it by how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from univg_bench.commands.options import data_option, weights_option, workers_option
from univg_bench.console import Console

if TYPE_CHECKING:
    from univg_bench.explain_sets import VideoSets

# `loop` and `drop` decide about short videos; fps_matched is left to protocols, which say why they need it
_SAMPLINGS = ("first", "centre", "uniform", "random_consecutive", "random_sorted", "all")
_OF_FOLDERS = ("i3d", "frames", "sampling", "seed", "short")
_HOME = Path("~/.cache/univg-bench/explain")


@click.command()
@click.argument("folders", metavar="RUN | SAMPLES REFERENCES", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--recipes", multiple=True, help="Only these, by name or cd-fvd-<resolution>; commas, or may repeat.")
@click.option("--metric", help="Of a run: which FVD, if its protocol has several.")
@data_option
@click.option("--allow-missing", is_flag=True, help="Of a run: compare what is there.")
@click.option("--i3d", help="Of folders: weights by name or sha256:<hex>; tiny-i3d is shipped.  [i3d-kinetics400]")
@click.option("--frames", type=int, help="Of folders: frames taken of every video.  [16]")
@click.option("--sampling", type=click.Choice(_SAMPLINGS), help="Of folders: which frames.  [first]")
@click.option("--seed", type=click.IntRange(min=0), help="Of folders: of a random sampling.  [0]")
@click.option("--short", type=click.Choice(["error", "drop", "loop"]), help="Of folders: videos too short.  [error]")
@weights_option
@workers_option
@click.option("--device", default="cpu", show_default=True, help="Where networks run: cpu, cuda, cuda:1.")
@click.option("--cache", type=click.Path(path_type=Path), help=f"Folder of features [RUNS/.features; {_HOME}].")
@click.option("--format", "form", type=click.Choice(["text", "csv"]), default="text", show_default=True)
@click.option("--dest", type=click.Path(path_type=Path), help="Write the table to this file instead of the terminal.")
@click.pass_obj
def explain(
    console: Console, /, folders: tuple[Path, ...], recipes: tuple[str, ...], weights: Path | None, workers: int,
    device: str, cache: Path | None, form: str, dest: Path | None, **options: Any,
) -> None:  # fmt: skip
    """Print the FVD of a RUN, or of two plain folders of videos, as every published implementation computes it.

    One decoding, one table: the number under each recipe, its difference to the number's own, and what each choice
    (geometry, batch-norm epsilon, covariance) does alone. An interrupted call goes on where it was.
    """
    from univg_bench.atomic import write_bytes
    from univg_bench.evaluate import check_device
    from univg_bench.explain import explain as explained
    from univg_bench.explain import recipes_of, record
    from univg_bench.explain_report import csv_table, text_table

    names = [name.strip() for listed in recipes for name in listed.split(",") if name.strip()]
    check_device(device)
    compared, home = _compared(console, folders, names, weights, workers, device, cache, options)
    made = explained(
        compared, recipes_of(compared.recipe, names), cache=home, workers=workers, device=device, console=console
    )
    table = csv_table(made) if form == "csv" else text_table(made) + "\n"
    if dest is None:
        console.say(table.rstrip("\n"))
    else:
        write_bytes(dest, table.encode())
        console.note(f"wrote {dest}")
    notes = [*compared.notes, *made.warnings]
    if compared.dropped:
        notes.append(f"{len(compared.dropped)} videos were too short and were left out")
    if compared.recipe.network == "tiny-i3d":
        notes.append("made with the I3D trained on Moving Shapes, every recipe in small: compares with nothing else")
    for note in notes:
        console.note(f"note: {note}")
    console.finish({"exit_code": 0, **record(made)})


def _compared(
    console: Console, folders: tuple[Path, ...], names: list[str], weights: Path | None, workers: int, device: str,
    cache: Path | None, options: dict[str, Any],
) -> tuple[VideoSets, Path]:  # fmt: skip
    """Return what is compared, and the folder of features."""
    from univg_bench.errors import InputError
    from univg_bench.explain import recipes_of
    from univg_bench.explain_sets import sets_of_folders, sets_of_run
    from univg_bench.features.weights import find_weights
    from univg_bench.frames import FramePolicy, Sampling
    from univg_bench.recipes import FVD_RECIPES

    given = {name for name, value in options.items() if value not in (None, False)}
    if len(folders) == 1:
        _refuse(
            given & set(_OF_FOLDERS), "only go with two folders: the frames and weights of a run are its protocol's"
        )
        (path,) = folders
        compared = sets_of_run(
            path, metric_id=options["metric"], data=options["data"], weights=weights, workers=workers, device=device,
            allow_missing=options["allow_missing"], console=console,
        )  # fmt: skip
        return compared, cache or path.parent.parent / ".features"
    if len(folders) != 2:
        raise InputError(f"found {len(folders)} folders, expected a RUN, or SAMPLES and REFERENCES")
    # not --data: it may come from the environment, meant for others
    _refuse(given & {"metric", "allow_missing"}, "only go with a run: two folders of videos have no protocol")
    name = options["i3d"] or "i3d-kinetics400"
    recipe = FVD_RECIPES["tiny" if name == "tiny-i3d" else "univg"]
    recipes_of(recipe, names)  # a mistake in a name is cheap to find now
    sampling: Sampling = options["sampling"] or "first"
    frames = options["frames"] if sampling == "all" else options["frames"] or 16
    policy = FramePolicy(sampling=sampling, frames=frames, seed=options["seed"] or 0, short=options["short"] or "error")
    home = cache or _HOME.expanduser()
    compared = sets_of_folders(
        *folders, policy=policy, recipe=recipe, weights=find_weights(name, weights), home=home / "videos",
        workers=workers, console=console,
    )  # fmt: skip
    return compared, home / "features"


def _refuse(options: set[str], why: str) -> None:
    from univg_bench.errors import InputError

    if options:
        found = ", ".join("--" + name.replace("_", "-") for name in sorted(options))
        raise InputError(f"found {found}; such options {why}")
