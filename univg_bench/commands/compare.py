"""`univg-bench compare`: two runs on the same items, metric by metric, with paired tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from univg_bench.console import Console

if TYPE_CHECKING:
    from univg_bench.compare import Compared

ARROWS = {"lower": "lower is better", "higher": "higher is better", "neither": "near the real videos' is better"}


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("run_b", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--metric", "metrics", multiple=True, metavar="ID", help="Compare this metric only; may repeat.")
@click.option("--permutations", type=click.IntRange(min=19), default=999, show_default=True, help="Of every test.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the permutations.")
@click.option(
    "--alpha",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Share of false alarms allowed, over all metrics together.",
)
@click.option("--common", is_flag=True, help="Compare the samples that both runs have, where one is incomplete.")
@click.pass_obj
def compare(
    console: Console, run_a: Path, run_b: Path, metrics: tuple[str, ...], permutations: int, seed: int, alpha: float,
    common: bool,
) -> None:  # fmt: skip
    """Say, for every metric, whether RUN_B differs from RUN_A: both evaluated, under one protocol, on the same items.

    Videos of one item are exchanged between the runs at random, whole clusters at a time; a difference that is larger
    than nearly all of those so made is no chance. Exit code 0 whatever is found.
    """
    from dataclasses import asdict

    from univg_bench.compare import compare_runs

    found = compare_runs(
        run_a, run_b, metrics=metrics, permutations=permutations, seed=seed, alpha=alpha, common=common,
        console=console,
    )  # fmt: skip
    console.say(f"A: {found.model_a} ({found.path_a})")
    console.say(f"B: {found.model_b} ({found.path_b})")
    console.say(f"{found.protocol}, digest {found.protocol_digest[:12]}; 95 % intervals, alpha = {alpha:g}")
    for note in found.notes:
        console.warn(note)
    for one in found.metrics:
        _say(console, one)
    console.finish({"exit_code": 0, "comparison": asdict(found)})


def _say(console: Console, one: Compared) -> None:
    from univg_bench.compare import in_words

    clusters = f", {one.test.num_clusters} clusters" if one.test else ""
    console.say(f"{one.id} ({ARROWS[one.direction]}), n = {one.n}/{one.n_reference}{clusters}")
    real = "" if one.real is None else f", real videos {one.real:.6g}"
    console.say(f"  A {one.a:.6g}, B {one.b:.6g}{real}: {one.verdict}")
    if one.beyond is not None and one.beyond_interval is not None:
        low, high = in_words(one.beyond_interval.low), in_words(one.beyond_interval.high)
        console.say(f"  at 1/N -> 0 B minus A is {in_words(one.beyond)} [{low}, {high}]")
    names = ("falls", "rises") if one.direction == "neither" else ("losses of B", "gains of B")
    for name, changed in zip(names, (one.changed[: one.num_losses], one.changed[one.num_losses :]), strict=True):
        if changed:
            changes = (f"{change.name} {change.a:.3g} to {change.b:.3g}" for change in changed)
            console.say(f"  largest {name}: {'; '.join(changes)}")
    for warning in one.warnings:
        console.note(f"  note: {warning}")
