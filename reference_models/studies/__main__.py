"""`python -m reference_models.studies`: the paper's Table 3, Figures 5 and 6 in small, and the family's acceptance."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from univg_bench.cli import run

if TYPE_CHECKING:
    from reference_models.studies.bench import Bench

FOLDER = click.Path(file_okay=False, path_type=Path)
RESULTS = Path("results") / "tiny"
work_option = click.option(
    "--work", type=FOLDER, default=Path("studies"), show_default=True, help="Weights, videos, features; resumed."
)  # fmt: skip
workers_option = click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Of sampling.")
quiet_option = click.option("-q", "--quiet", is_flag=True)
dest_option = click.option("--dest", type=FOLDER, help="Of the page.  [default: results/tiny/...]")
weights_option = click.option(
    "--weights", type=FOLDER, help="Folder with base, animation, super-resolution.  [default: the shipped ones]"
)


@click.group()
def studies() -> None:
    """Ask the paper's questions of the tiny family; every command goes on where it was stopped."""


@studies.command()
@click.argument("stage", type=click.Choice(["fa", "fsr"]))
@click.option("--base", type=FOLDER, required=True, help="Weights of F_B, which all trainings begin with.")
@click.option("--cache", type=FOLDER, default=Path(".cache/tiny"), show_default=True, help="Clips and latents.")
@work_option
@workers_option
@dest_option
@quiet_option
def table3(stage: str, base: Path, cache: Path, work: Path, workers: int, dest: Path | None, quiet: bool) -> None:
    """Table 3 for F_A or F_SR: weights with BGN or without, sampler plain or consistent, and what stands beside."""
    from reference_models.studies import table3 as study
    from reference_models.studies.table3_rows import STUDIES

    bench, chosen = _bench(work / f"table3-{stage}", workers, quiet), STUDIES[stage]
    weights = study.train_arms(bench, chosen, base=base, cache=cache)
    made = study.score(bench, chosen, weights)
    _tell(study.write(bench, chosen, made, weights, dest or RESULTS / f"table3-{stage}"))


@studies.command()
@click.argument("training", type=FOLDER)
@click.option("--frozen", type=click.Path(path_type=Path), required=True, help="What F_B was trained with.")
@click.option("--step", "steps", type=click.IntRange(1), multiple=True, help="Of milestones.  [default: all]")
@click.option("--protocol", "protocols", multiple=True, metavar="GIVEN=PROTOCOL", help="For a trial: T=mine.yaml")
@work_option
@workers_option
@dest_option
@quiet_option
def figure5(
    training: Path, frozen: Path, steps: tuple[int, ...], protocols: tuple[str, ...], work: Path, workers: int,
    dest: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Figure 5: FVD and CLIPSIM over the milestones of TRAINING, from text, image, and both."""
    from reference_models.studies import figure5 as study

    bench = _bench(work / "figure5", workers, quiet)
    given = dict(text.partition("=")[::2] for text in protocols) or study.GIVEN
    points, floor = study.evaluate(bench, training, frozen, protocols=given, steps=steps)
    _tell(study.write(bench, points, floor, dest or RESULTS / "figure5", training=study.told_of(training)))


@studies.command()
@weights_option
@work_option
@workers_option
@dest_option
@quiet_option
def figure6(weights: Path | None, work: Path, workers: int, dest: Path | None, quiet: bool) -> None:
    """Figure 6: the grid of guidance weights w_T and w_I, with what of text and image is seen."""
    from reference_models.studies import figure6 as study

    bench = _bench(work / "figure6", workers, quiet)
    cells, real = study.evaluate(bench, _family(weights) / "base")
    _tell(study.write(bench, cells, real, dest or RESULTS / "figure6"))


@studies.command()
@weights_option
@work_option
@workers_option
@dest_option
@quiet_option
def acceptance(weights: Path | None, work: Path, workers: int, dest: Path | None, quiet: bool) -> None:
    """Whether the tiny family reaches its targets on 256 held-out captions."""
    from reference_models.studies import acceptance as study

    bench = _bench(work / "acceptance", workers, quiet)
    made = study.accept(bench, _family(weights))
    files = study.write(bench, made, dest or RESULTS)
    click.echo(study.targets_table(made))
    click.echo(study.accuracies_table(made))
    _tell(files)


def _bench(work: Path, workers: int, quiet: bool) -> Bench:
    from reference_models.studies.bench import Bench
    from univg_bench.console import Console

    return Bench(work, workers, Console(quiet=quiet))


def _family(weights: Path | None) -> Path:
    from reference_models.adapters import SHIPPED
    from univg_bench.errors import InputError

    chosen = SHIPPED if weights is None else weights
    if not (chosen / "base").is_dir():
        raise InputError(f"found no {chosen / 'base'}, expected a folder of weights; train them (docs/training.md)")
    return chosen


def _tell(files: Iterable[Path]) -> None:
    for file in files:
        click.echo(os.fspath(file))


def main() -> None:
    """Run the command; errors are one sentence on stderr, exit codes those of `univg-bench`."""
    sys.exit(run(sys.argv[1:], studies, name="python -m reference_models.studies"))


if __name__ == "__main__":
    main()
