"""`univg-bench human power | simulate | grim`: before a study, without one, and after somebody else's."""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.console import Console
from univg_bench.errors import InputError

FILE = click.Path(path_type=Path)


def numbers(text: str, option: str) -> list[float]:
    """Return the numbers of `0.1,0.2`."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option}: {text!r} is not a number, nor numbers with commas between them") from None


def whole_numbers(text: str, option: str) -> list[int]:
    """Return the numbers of `131,600`."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{option}: {text!r} is not a whole number, nor several with commas between them") from None


@click.command()
@click.option("--win-rate", default="0.1", show_default=True, help="Smallest difference that would matter.")
@click.option("--tie-share", default="0.2", show_default=True)
@click.option("--items", default="131", show_default=True)
@click.option("--annotators", default="6", show_default=True)
@click.option("--ratings-per-item", type=int, help="Annotators per item; all of them if not given.")
@click.option("--sigma-item", default="0.8", show_default=True, help="How much items differ.")
@click.option("--sigma-annotator", default="0.2", show_default=True, help="How much annotators differ.")
@click.option("--alpha", type=float, default=0.05, show_default=True)
@click.option("--power", "wanted", type=float, default=0.8, show_default=True, help="Power for the numbers needed.")
@click.option(
    "--runs", type=click.IntRange(0), default=400, show_default=True, help="Simulated studies; 0 for the formula alone."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.pass_obj
def power(
    console: Console, win_rate: str, tie_share: str, items: str, annotators: str,
    ratings_per_item: int | None, sigma_item: str, sigma_annotator: str, alpha: float, wanted: float,
    runs: int, seed: int,
) -> None:  # fmt: skip
    """Say with what chance a study finds a win rate, by formula and by simulation, and what it would need.

    Several numbers with commas between them make a table: --items 131,600 --annotators 6,12,30. The defaults are the
    design of the UniVG paper. Sigmas are in units of the noise of a single answer.
    """
    from univg_bench.human.gsb_tables import Table
    from univg_bench.human.power import (
        annotators_needed,
        closed_form_power,
        designs,
        items_needed,
        simulated_power,
    )  # fmt: skip

    rows, records = [], []
    for d in designs(
        items=whole_numbers(items, "--items"), annotators=whole_numbers(annotators, "--annotators"),
        ratings_per_item=ratings_per_item, win_rates=numbers(win_rate, "--win-rate"),
        tie_shares=numbers(tie_share, "--tie-share"), sigma_items=numbers(sigma_item, "--sigma-item"),
        sigma_annotators=numbers(sigma_annotator, "--sigma-annotator"),
    ):  # fmt: skip
        rho_item, rho_annotator = d.shared_variance()
        m = d.ratings_per_item
        needed = items_needed(
            d.win_rate, tie_share=d.tie_share, rho=rho_item, rho_annotator=rho_annotator, ratings_per_item=m,
            num_annotators=d.num_annotators, alpha=alpha, power=wanted,
        )  # fmt: skip
        people = annotators_needed(d, alpha=alpha, power=wanted)
        formula = closed_form_power(d, alpha=alpha)
        done = simulated_power(d, alpha=alpha, num_runs=runs, seed=seed) if runs else None
        simulated = "-"
        if done is not None and done.general is not None:
            simulated = f"{done.general:.2f} ± {2 * done.error(done.general):.2f}"
        rows.append((
            f"{d.num_items} x {m} of {d.num_annotators}", f"{d.win_rate:+.1%}", f"{d.tie_share:.0%}",
            f"{d.sigma_item:g} / {d.sigma_annotator:g}", f"{rho_item:.2f} / {rho_annotator:.3f}",
            f"{formula.panel:.2f}", "-" if formula.general is None else f"{formula.general:.2f}", simulated,
            str(needed), "more than 500" if people is None else str(people),
        ))  # fmt: skip
        records.append({
            "items": d.num_items, "annotators": d.num_annotators, "ratings_per_item": m, "win_rate": d.win_rate,
            "tie_share": d.tie_share, "sigma_item": d.sigma_item, "sigma_annotator": d.sigma_annotator,
            "rho_item": rho_item, "rho_annotator": rho_annotator,
            "formula": {"panel": formula.panel, "general": formula.general},
            "simulation": None if done is None else {"panel": done.panel, "general": done.general, "runs": runs},
            "items_needed_fixed_panel": needed, "annotators_needed_general": people,
        })  # fmt: skip
    notes = (
        "Panel: the chance to find what these very annotators prefer. General: the chance to find it so that it also "
        "holds for other annotators; - with fewer than 5, who cannot speak for others. Items needed: with this panel, "
        f"for power {wanted:g}. Annotators needed: in general, with the items and ratings per item of the row.",
    )
    header = ("items x ratings of annotators", "win rate", "ties", "sigma item / annotator", "correlation", "panel",
              "general", f"general, {runs} simulated", "items needed", "annotators needed")  # fmt: skip
    console.say(Table(f"Power at alpha {alpha:g}", header, tuple(rows), notes).markdown())
    console.finish({"alpha": alpha, "designs": records})


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
@click.option("--gold", type=click.IntRange(0), default=0, show_default=True, help="Gold pairs per annotator.")
@click.option("--repeats", type=click.IntRange(0), default=0, show_default=True, help="Swapped repeats per annotator.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.pass_obj
def simulate(
    console: Console, dest: Path, items: int, annotators: int, ratings_per_item: int, truth: str, tie_share: float,
    sigma_item: float, sigma_annotator: float, careless: str, left_bias: float, gold: int, repeats: int, seed: int,
) -> None:  # fmt: skip
    """Write a ratings file of synthetic annotators whose true preferences are known."""
    from univg_bench.human.dimensions import ALIASES, find_dimensions
    from univg_bench.human.rating_files import write_ratings
    from univg_bench.human.simulate import Design, simulate_ratings

    rates: dict[str, float] = {}
    for part in truth.split(","):
        code, _, value = part.partition("=")
        if ALIASES.get(code.strip(), code.strip()) in rates:
            raise InputError(f"--truth: {code.strip()} stands twice in {truth!r}; give each dimension one rate")
        try:
            rates[ALIASES.get(code.strip(), code.strip())] = float(value)
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
@click.option(
    "--stated-n", type=click.IntRange(1), help="The number of ratings that the publication states, to be checked."
)
@click.option("--max-n", type=click.IntRange(2, 1_000_000), default=1000, show_default=True, help="Largest n to try.")
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
        SHARES,
        audit,
        audit_files,
        audit_record,
        audit_table,
        paper_tables,
        read_percent_table,
    )  # fmt: skip
    from univg_bench.human.rating_files import write_atomically

    three: dict[str, dict[str, str]] | None
    if source is None:
        table, three = paper_tables()
        stated_n = PAPER_STATED_N if stated_n is None else stated_n
    else:
        table, three = read_percent_table(source), read_percent_table(shares, SHARES) if shares else None
    rows = audit(table, three, stated_n=stated_n, max_n=max_n)
    console.say(audit_table(rows).markdown())
    if out:
        for name, content in audit_files(rows, stated_n=stated_n).items():
            write_atomically(out / name, content.encode())
        console.say(f"audit.csv and audit.json in {out}")
    console.finish(audit_record(rows, stated_n=stated_n))
