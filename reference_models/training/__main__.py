"""`python -m reference_models.training`: train the stages, also under torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from univg_bench.errors import UnivgError

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def training() -> None:
    """Train the tiny autoencoder and the three stages."""


@training.command()
@click.argument("recipe")
@click.option("--work", type=FOLDER, required=True, help="Checkpoints, milestones and logs; goes on from them.")
@click.option(
    "--frozen", type=click.Path(path_type=Path), required=True, help="Folder with vae, text, image; or a vae."
)
@click.option("--init", type=FOLDER, help="Weights that the recipe starts from.")
@click.option("--cache", type=FOLDER, default=Path(".cache/tiny"), show_default=True, help="Clips and latents.")
@click.option("--clips", type=click.IntRange(1), default=8000, show_default=True, help="Of Moving Shapes.")
@click.option("--skip-broken", is_flag=True, help="Count broken clips instead of stopping.")
@click.option("-q", "--quiet", is_flag=True)
def train(
    recipe: str, work: Path, frozen: Path, init: Path | None, cache: Path, clips: int, skip_broken: bool, quiet: bool
) -> None:
    """Train by RECIPE, a shipped name or a file; a killed training goes on from its last checkpoint."""
    from reference_models.training.recipe_files import load_recipe
    from reference_models.training.starting import run_of

    run = run_of(
        load_recipe(recipe), work=work, frozen=frozen, init=init, cache=cache, clips=clips, skip_broken=skip_broken,
        quiet=quiet,
    )  # fmt: skip
    from reference_models.training.loop import train as train_loop

    done = train_loop(run)
    click.echo(f"{work}: {done.steps} of {run.recipe.steps} steps in {done.cpu_s / 60:.1f} CPU-minutes")
    if done.interrupted:
        sys.exit(130)


def main() -> None:
    """Run the command; errors are one sentence on stderr."""
    try:
        training(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except UnivgError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
