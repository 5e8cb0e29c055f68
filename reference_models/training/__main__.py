"""`python -m reference_models.training`: train the stages, also under torchrun."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from univg_bench.cli import run

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
@click.option("--source", "sources", multiple=True, required=True, metavar="KIND=WHERE", help="See docs/training.md.")
@click.option("--data", type=FOLDER, help="Of the protocols by which the recipe has milestones evaluated.")
@click.option(
    "--parallel", type=click.Choice(["ddp", "fsdp"]), default="ddp", show_default=True, help="Under torchrun."
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--reader",
    type=click.Choice(["decord", "pyav"]),
    default="decord",
    show_default=True,
    help="Of videos; equal bits.",
)
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that read ahead.")
@click.option("--skip-broken", is_flag=True, help="Count broken clips instead of stopping.")
@click.option("-q", "--quiet", is_flag=True)
def train(
    recipe: str, work: Path, frozen: Path, init: Path | None, cache: Path, sources: tuple[str, ...], parallel: Any,
    data: Path | None, device: str, reader: Any, workers: int, skip_broken: bool, quiet: bool,
) -> None:  # fmt: skip
    """Train by RECIPE, a shipped name or a file; a killed training goes on from its last checkpoint."""
    from reference_models.training.recipe_files import load_recipe

    wanted = load_recipe(recipe)

    from reference_models.training.distributed import joined
    from reference_models.training.loop import train as train_loop
    from reference_models.training.starting import Places, run_of

    with joined(parallel, device) as world:
        places = Places(work, frozen, sources, init, cache, reader, data)
        run = run_of(wanted, places, world=world, workers=workers, skip_broken=skip_broken, quiet=quiet)
        done = train_loop(run)
    if world.is_first:
        click.echo(f"{work}: {done.steps} of {wanted.steps} steps in {done.cpu_s / 60:.1f} CPU-minutes")
    if done.interrupted:
        click.get_current_context().exit(130)


@training.command()
@click.argument("work", type=FOLDER)
@click.argument("dest", type=FOLDER)
@click.option("--frozen", type=click.Path(path_type=Path), required=True, help="What the stage was trained with.")
@click.option("--step", type=click.IntRange(1), help="Of a milestone.  [default: the last]")
def export(work: Path, dest: Path, frozen: Path, step: int | None) -> None:
    """Write the stage trained in WORK to DEST: what `univg-bench sample --weights` takes, with a model card."""
    from reference_models.training.export import export as write
    from reference_models.training.start import load_frozen

    made = write(work, dest, load_frozen(frozen), step=step)
    click.echo(f"{dest}: {made['preset']} after {made['training']['steps']} steps, {made['parts']['unet']['digest']}")


@training.command()
@click.argument("work", type=FOLDER)
@click.option("--frozen", type=click.Path(path_type=Path), required=True, help="What the stage was trained with.")
@click.option("--protocol", "protocols", multiple=True, required=True, help="Id or file; may be given several times.")
@click.option("--data", type=FOLDER, required=True, help="Data of the protocols (`univg-bench prepare`).")
@click.option("--step", "steps", type=click.IntRange(1), multiple=True, help="Of milestones.  [default: all]")
@click.option("--cache", type=FOLDER, help="Features of videos.")
@click.option("-q", "--quiet", is_flag=True)
def evaluate(
    work: Path, frozen: Path, protocols: tuple[str, ...], data: Path, steps: tuple[int, ...], cache: Path | None,
    quiet: bool,
) -> None:  # fmt: skip
    """Sample and score milestones of WORK under protocols, as it is done during training: Figure 5."""
    import json

    from reference_models.training.evaluation import evaluate_milestone
    from reference_models.training.milestones import milestone_steps
    from reference_models.training.start import load_frozen
    from univg_bench.console import Console

    fixed, console = load_frozen(frozen), Console(quiet=quiet)
    for step in steps or milestone_steps(work):
        for line in evaluate_milestone(
            work, fixed, step=step, protocols=protocols, data=data, cache=cache, console=console
        ):
            click.echo(json.dumps(line))


@training.command()
@click.option("--work", type=FOLDER, required=True, help="Checkpoint and log; goes on from them.")
@click.option("--cache", type=FOLDER, default=Path(".cache/tiny"), show_default=True, help="Rendered clips.")
@click.option("--dest", type=click.Path(dir_okay=False, path_type=Path), required=True, help="vae.safetensors")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of torch; part of the bits.")
@click.option("-q", "--quiet", is_flag=True)
def autoencoder(work: Path, cache: Path, dest: Path, threads: int, quiet: bool) -> None:
    """Train the tiny autoencoder; a killed training goes on from its last checkpoint."""
    from dataclasses import asdict

    import torch

    from reference_models.checkpoints import save_weights
    from reference_models.training.autoencoder import train_autoencoder

    torch.set_num_threads(threads)
    network, seconds = train_autoencoder(work=work, cache=cache / "clips", quiet=quiet)
    tensors = {key: value.to(torch.float16) for key, value in network.state_dict().items()}
    source = f"Moving Shapes, {seconds / 60:.0f} CPU-minutes"
    save_weights(dest, tensors, preset="tiny", part="vae", source=source, settings=asdict(network.config))
    click.echo(f"{dest}: trained in {seconds / 60:.1f} CPU-minutes")


def main() -> None:
    """Run the command; errors are one sentence on stderr, exit codes those of `univg-bench`."""
    sys.exit(run(sys.argv[1:], training, name="python -m reference_models.training"))


if __name__ == "__main__":
    main()
