"""`univg-bench human power | simulate | grim`: before a study, without one, and after somebody else's."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console
from univg_bench.errors import InputError

FILE = click.Path(path_type=Path)


@click.command()
@click.option("--win-rate", type=float, default=0.1, show_default=True, help="Smallest difference that would matter.")
@click.option("--tie-share", type=float, default=0.2, show_default=True)
@click.option("--items", type=int, default=131, show_default=True)
@click.option("--annotators", type=int, default=6, show_default=True)
@click.option("--ratings-per-item", type=int, help="Annotators per item; all of them if not given.")
@click.option("--sigma-item", type=float, default=0.8, show_default=True, help="How much items differ.")
@click.option("--sigma-annotator", type=float, default=0.2, show_default=True, help="How much annotators differ.")
@click.option("--alpha", type=float, default=0.05, show_default=True)
@click.option("--power", "wanted", type=float, default=0.8, show_default=True, help="Power for `items needed`.")
@click.option("--runs", type=int, default=400, show_default=True, help="Simulated studies; 0 for the formula alone.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.pass_obj
def power(
    console: Console, win_rate: float, tie_share: float, items: int, annotators: int, ratings_per_item: int | None,
    sigma_item: float, sigma_annotator: float, alpha: float, wanted: float, runs: int, seed: int,
) -> None:  # fmt: skip
    """Say with what chance a study finds a win rate, by formula and by simulation, and what it would need.

    The defaults are the design of the UniVG paper. Sigmas are in units of the noise of a single answer.
    """
    from univg_bench.human.power import annotators_needed, closed_form_power, items_needed, simulated_power
    from univg_bench.human.simulate import Design

    m = annotators if ratings_per_item is None else ratings_per_item
    design = Design(items, annotators, m, win_rate, tie_share, sigma_item, sigma_annotator)
    rho_item, rho_annotator = design.shared_variance()
    needed = items_needed(win_rate, tie_share=tie_share, rho=rho_item, ratings_per_item=m, alpha=alpha, power=wanted)
    formula = closed_form_power(design, alpha=alpha)
    people = annotators_needed(design, alpha=alpha, power=wanted)
    console.say(
        f"{items} items x {m} of {annotators} annotators, true win rate {win_rate:+.1%}, ties {tie_share:.0%}, "
        f"votes on one item correlate {rho_item:.2f}, votes of one annotator {rho_annotator:.3f}"
    )
    general = (
        "none: fewer than 5 annotators cannot speak for others" if formula.general is None else f"{formula.general:.2f}"
    )
    console.say(f"power by formula: {formula.panel:.2f} for these annotators, for annotators in general {general}")
    simulated = None
    if runs:
        done = simulated_power(design, alpha=alpha, num_runs=runs, seed=seed)
        simulated = {"panel": done.panel, "general": done.general, "runs": runs}
        value = "none" if done.general is None else f"{done.general:.2f} +- {2 * done.error(done.general):.2f}"
        console.say(f"power by simulation of {runs} studies, for annotators in general: {value}")
        console.say(f"(the item test alone rejects in {done.panel:.2f}, in part for what only the drawn panel prefers)")
    console.say(f"items needed for power {wanted:g} with a fixed panel: {needed}")
    console.say(
        f"annotators needed for power {wanted:g} in general, with {items} items x {m}: "
        f"{people if people is not None else 'more than 500; more items are needed'}"
    )
    console.finish({
        "rho_item": rho_item, "rho_annotator": rho_annotator,
        "formula": {"panel": formula.panel, "general": formula.general}, "simulation": simulated,
        "items_needed_fixed_panel": needed, "annotators_needed_general": people,
    })  # fmt: skip


@click.command()
@click.argument("dest", type=FILE)
@click.option("--items", type=int, default=60, show_default=True)
@click.option("--annotators", type=int, default=8, show_default=True)
@click.option("--ratings-per-item", type=int, default=4, show_default=True)
@click.option(
    "--truth", default="OL=0.2", show_default=True, metavar="CODE=RATE,...", help="True win rate by dimension."
)
@click.option("--tie-share", type=float, default=0.2, show_default=True)
@click.option("--sigma-item", type=float, default=0.8, show_default=True)
@click.option("--sigma-annotator", type=float, default=0.2, show_default=True)
@click.option("--careless", default="", metavar="HOW,...", help="Careless annotators: left, same, random, straight.")
@click.option("--left-bias", type=float, default=0.0, show_default=True)
@click.option("--gold", type=int, default=0, show_default=True, help="Gold pairs per annotator.")
@click.option("--repeats", type=int, default=0, show_default=True, help="Swapped repeats per annotator.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.pass_obj
def simulate(
    console: Console, dest: Path, items: int, annotators: int, ratings_per_item: int, truth: str, tie_share: float,
    sigma_item: float, sigma_annotator: float, careless: str, left_bias: float, gold: int, repeats: int, seed: int,
) -> None:  # fmt: skip
    """Write a ratings file of synthetic annotators whose true preferences are known."""
    from univg_bench.human.dimensions import find_dimensions
    from univg_bench.human.rating_files import write_ratings
    from univg_bench.human.simulate import Design, simulate_ratings

    rates: dict[str, float] = {}
    for part in truth.split(","):
        code, _, value = part.partition("=")
        try:
            rates[code.strip()] = float(value)
        except ValueError as error:
            raise InputError(f"--truth: {part!r} is not CODE=RATE, such as OL=0.2") from error
    find_dimensions(rates)
    design = Design(
        items, annotators, ratings_per_item, next(iter(rates.values())), tie_share, sigma_item, sigma_annotator
    )
    ratings = simulate_ratings(
        rates, design=design, careless=[c for c in careless.split(",") if c], left_bias=left_bias, num_gold=gold,
        num_repeats=repeats, seed=seed,
    )  # fmt: skip
    write_ratings(ratings, dest)
    console.say(f"{len(ratings)} ratings of {annotators} synthetic annotators -> {dest}")
    console.finish({"ratings": len(ratings), "dest": str(dest), "truth": rates, "seed": seed})


@click.command()
@click.argument("source", type=FILE, required=False)
@click.option("--shares", type=FILE, help="CSV method,better,same,worse in percent: counts are recovered too.")
@click.option("--stated-n", type=int, help="The number of ratings that the publication states, to be checked.")
@click.option("--max-n", type=int, default=1000, show_default=True, help="Largest n to try.")
@click.option("--out", type=FILE, help="Folder for audit.csv and audit.json.")
@click.pass_obj
def grim(
    console: Console, source: Path | None, shares: Path | None, stated_n: int | None, max_n: int, out: Path | None
) -> None:
    """Recover which n fits each row of a CSV of percentages (method,PS,...); without SOURCE, the UniVG paper's Table 2.

    A fit is no proof: multiples of an n fit as well, and a cell that fits none may be a misprint.
    """
    from univg_bench.human.grim_audit import (
        PAPER_STATED_N,
        audit,
        audit_files,
        audit_record,
        audit_table,
        paper_folder,
        read_percent_table,
    )  # fmt: skip
    from univg_bench.human.rating_files import write_atomically

    if source is None:
        folder = paper_folder()
        source, shares = folder / "table2.csv", shares or folder / "figure4.csv"
        stated_n = PAPER_STATED_N if stated_n is None else stated_n
    rows = audit(
        read_percent_table(source), read_percent_table(shares) if shares else None, stated_n=stated_n, max_n=max_n
    )
    console.say(audit_table(rows).markdown())
    if out:
        for name, content in audit_files(rows, stated_n=stated_n).items():
            write_atomically(out / name, content.encode())
        console.say(f"audit.csv and audit.json in {out}")
    console.finish(audit_record(rows, stated_n=stated_n))
