"""From models to a table: generate, check, evaluate each, then a table, previews and a page. Repeat it to go on.

Every step resumes by itself: samples that are there are kept, features are cached per video. So the same command after
an interruption does the rest, and its numbers are those of a run that was never disturbed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.datasets import ItemSet
from univg_bench.errors import InputError, SampleError
from univg_bench.evaluate import evaluate_run
from univg_bench.generate import Generated, generate_samples, tell
from univg_bench.made import ModelCall, loaded, unload
from univg_bench.page import write_page
from univg_bench.preview import write_previews
from univg_bench.problems import FAILING
from univg_bench.protocol import Protocol
from univg_bench.records import Record
from univg_bench.tables import build_table, render


@dataclass(frozen=True)
class Place:
    """Where a run's data lie and its results go, and how many processes do the work.

    data: of the protocol. runs: the folder of all runs. images: of given condition images. weights: searched first for
    the metrics' weights. cache: of features. device: where networks run.
    """

    data: Path
    runs: Path
    images: Path | None = None
    weights: Path | None = None
    cache: Path | None = None
    device: str = "cpu"
    workers: int = 1


@dataclass(frozen=True)
class Ran:
    """What a run of models left: per model what was generated and its record, and the files about all of them."""

    generated: tuple[Generated, ...]
    records: tuple[Record, ...]
    table: str
    files: tuple[Path, ...]


def run_models(
    protocol: Protocol,
    items: ItemSet,
    calls: Sequence[ModelCall],
    place: Place,
    *,
    name: str | None = None,
    base_seed: int = 0,
    limit: int | None = None,
    allow_missing: bool = False,
    shown: int = 4,
    console: Console,
) -> Ran:
    """Generate with each model, evaluate each run, and write table, previews and page of all of them.

    Beside the protocol's folder in `place.runs` appear `<protocol>@<version>.md`, `.html` and `-previews/`. shown: how
    many items previews and page show. The other arguments are those of `generate_samples` and `evaluate_run`, and so is
    what is raised; what was committed before stays.
    """
    if name is not None and len(calls) > 1:
        raise InputError(f"found --name {name} for {len(calls)} models, expected one model; leave it out")
    if len(calls) > 1:
        refuse_equal_names(calls)
    done = [
        run_model(
            protocol, items, call, place, name=name, base_seed=base_seed, limit=limit, allow_missing=allow_missing,
            console=console,
        )
        for call in calls
    ]  # fmt: skip
    generated, records = tuple(one for one, _ in done), tuple(record for _, record in done)
    paths = [one.run.folder for one in generated]
    table = render(build_table(protocol, records, []), "markdown")
    home = place.runs / protocol.name
    files = (home.with_name(f"{home.name}.md"), home.with_name(f"{home.name}.html"))
    write_bytes(files[0], table.encode())
    previews = write_previews(paths, home.with_name(f"{home.name}-previews"), items=shown, console=console)
    write_page(paths, files[1], items=shown, console=console)
    return Ran(generated, records, table, (*files, *previews))


def refuse_equal_names(calls: Sequence[ModelCall]) -> None:
    """Raise InputError when two models have one name, and so one folder, or one of them cannot be loaded.

    Each is loaded for it: a mistyped second name is to be said before the first model has worked for hours.
    """
    names: dict[str, str] = {}
    try:
        for call in calls:
            card = loaded(call).card.name
            if card in names:
                raise InputError(
                    f"found {names[card]} and {call.model}, both called {card}, expected models with names of their"
                    " own; run them one by one, each with a --name"
                )
            names[card] = call.model
    finally:
        unload()


def run_model(
    protocol: Protocol,
    items: ItemSet,
    call: ModelCall,
    place: Place,
    *,
    name: str | None = None,
    base_seed: int = 0,
    limit: int | None = None,
    allow_missing: bool = False,
    console: Console,
) -> tuple[Generated, Record]:
    """Generate, check and evaluate one model; return what was generated and the record.

    Raises SampleError when samples cannot be scored, unless allow_missing; what `generate_samples` and `evaluate_run`
    raise.
    """
    done = generate_samples(
        protocol, items, call, data=place.data, runs=place.runs, name=name, images=place.images, base_seed=base_seed,
        workers=place.workers, limit=limit, console=console,
    )  # fmt: skip
    tell(done, console)
    failing = {p.name: f"{p.kind}: {p.reason}" for p in done.problems if p.kind in FAILING}
    if failing and not allow_missing:
        raise SampleError(
            f"found {done.good} of {done.run.facts.expected} samples in {done.run.folder} fit to be scored; run the"
            " same command without --limit to make the rest, or allow it with --allow-missing",
            failing,
        )
    record = evaluate_run(
        done.run.folder, data=place.data, weights=place.weights, workers=place.workers, device=place.device,
        cache=place.cache, allow_missing=allow_missing, console=console, images=place.images,
    )  # fmt: skip
    return done, record
