"""`univg-bench human convert | screen | winrate | table | agreement | report`: from ratings to results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

import click

from univg_bench.commands.human import APP_VERBS
from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.human.dimensions import PRIMARY, UNIVG
from univg_bench.human.plan import Plan, load_plan
from univg_bench.human.rating_files import read_ratings, write_atomically, write_ratings
from univg_bench.human.ratings import Ratings

FILE = click.Path(path_type=Path)
Verb = TypeVar("Verb", bound=Callable[..., Any])


def ratings_options(verb: Verb) -> Verb:
    """Add what every verb that reads ratings understands."""
    for option in (
        click.argument("source", type=FILE),
        click.option("--study", type=FILE, help="Study file: its `analysis:` fixes dimensions, level, rules."),
        click.option(
            "--from", "kind", type=click.Choice(["ratings", "scores", "vbench"]), default="ratings", show_default=True,
            help="What SOURCE holds: G/S/B ratings, scores per video (compared afterwards), VBench labels.",
        ),
        click.option("--leave-out", multiple=True, metavar="METHOD", help="With --from scores: a method to ignore."),
    ):  # fmt: skip
        verb = option(verb)
    return verb


def load(source: Path, study: Path | None, kind: str, leave_out: tuple[str, ...]) -> tuple[Ratings, Plan]:
    """Return the ratings of `source` and the plan that they are analysed under."""
    plan = load_plan(study) if study else None
    if leave_out and kind != "scores":
        raise InputError("--leave-out belongs to --from scores; remove those rows from a ratings file instead")
    if kind == "ratings":
        plan = plan or Plan()
        return read_ratings(source, dimensions=plan.dimensions), plan
    if kind == "scores":
        from univg_bench.human.induced import read_scores

        ratings = read_scores(source, leave_out=leave_out)
    else:
        from univg_bench.human.vbench import read_vbench

        ratings = read_vbench(source)
    # such files bring dimensions of their own; a study file must then speak of the same ones
    if plan is None:
        primary = PRIMARY if PRIMARY in {d.code for d in ratings.dimensions} else None
        return ratings, Plan(dimensions=ratings.dimensions, primary=primary)
    codes = {d.code for d in plan.dimensions}
    strange = [d.code for d in ratings.dimensions if d.code not in codes]
    if strange:
        raise InputError(f"{source} has the dimension {', '.join(strange)}, which {study} does not declare")
    wording = {d.code: d for d in plan.dimensions}
    return replace(ratings, dimensions=tuple(wording[d.code] for d in ratings.dimensions)), plan


@click.command()
@ratings_options
@click.argument("dest", type=FILE)
@click.option("--dimension", help="The dimension to write, for a VBench file (DEST ends in .json).")
@click.pass_obj
def convert(
    console: Console, source: Path, dest: Path, study: Path | None, kind: str, leave_out: tuple[str, ...],
    dimension: str | None,
) -> None:  # fmt: skip
    """Read SOURCE, validate it, and write it to DEST: .csv, .parquet, .jsonl, or .json for VBench's format."""
    ratings, _ = load(source, study, kind, leave_out)
    if dest.suffix == ".json":
        from univg_bench.human.vbench import vbench_entries

        if dimension is None:
            raise InputError("a VBench file holds one dimension; say which with --dimension CODE")
        write_atomically(dest, json.dumps(vbench_entries(ratings, dimension), indent=1, ensure_ascii=False).encode())
    else:
        write_ratings(ratings, dest)
    console.say(f"{len(ratings)} ratings -> {dest}")
    own = [d.code for d in ratings.dimensions if d not in UNIVG]
    if own and kind != "ratings" and dest.suffix != ".json" and study is None:
        console.note(f"to read {dest} later, declare its dimensions ({', '.join(own)}) in a study file")
    dimensions = [d.code for d in ratings.dimensions]
    console.finish({"ratings": len(ratings), "dest": str(dest), "dimensions": dimensions})


@click.command()
@ratings_options
@click.pass_obj
def screen(console: Console, source: Path, study: Path | None, kind: str, leave_out: tuple[str, ...]) -> None:
    """Check each annotator by the study's rules, blind to methods; excludes nobody itself, `report` does."""
    from univg_bench.human.gsb_tables import annotator_table
    from univg_bench.human.screening import screen as check
    from univg_bench.human.screening import summary
    from univg_bench.human.side import side_bias

    ratings, plan = load(source, study, kind, leave_out)
    screened = check(ratings, plan.screening)
    sentences = [summary(ratings, screened, plan), side_bias(ratings, level=plan.level).sentence(plan.level)]
    console.say(annotator_table(screened).markdown())
    for sentence in sentences:
        console.say(sentence)
    console.finish({
        "annotators": [
            {"annotator": s.annotator, "ratings": s.num_ratings, "excluded": s.excluded, "reasons": s.reasons(),
             "measures": {m: asdict(v) for m, v in s.measures.items()}}
            for s in screened
        ],
        "sentences": sentences, "plan": plan.digest,
    })  # fmt: skip


@click.command()
@ratings_options
@click.option("--out", type=FILE, help="Also write every field as CSV.")
@click.option("--everybody", is_flag=True, help="Do not apply the screening rules.")
@click.pass_obj
def winrate(
    console: Console, source: Path, study: Path | None, kind: str, leave_out: tuple[str, ...], out: Path | None,
    everybody: bool,
) -> None:  # fmt: skip
    """Print counts, win rates, three kinds of interval and tests, for the annotators who pass the rules."""
    from univg_bench.human.analysis import analyse
    from univg_bench.human.gsb_tables import counts_table, rates_csv, strength_table

    ratings, plan = load(source, study, kind, leave_out)
    analysis = analyse(ratings, replace(plan, screening=()) if everybody else plan)
    console.say(counts_table(analysis.rates, level=plan.level).markdown())
    console.say(strength_table(analysis.strengths).markdown())
    for sentence in analysis.sentences():
        console.say(sentence)
    if out:
        write_atomically(out, rates_csv(analysis.rates, level=plan.level, induced=ratings.induced).encode())
    rates = [
        {**asdict(r), "win_rate": r.win_rate, "win_ratio": r.win_ratio, "mark": r.mark(plan.level)}
        for r in analysis.rates
    ]
    console.finish({"rates": rates, "sentences": analysis.sentences(), "plan": plan.digest})


@click.command()
@ratings_options
@click.option("--format", "form", type=click.Choice(["md", "csv", "latex"]), default="md", show_default=True)
@click.option("--intervals/--no-intervals", default=True, show_default=True, help="Numbers alone, as the paper prints.")
@click.pass_obj
def table(
    console: Console,
    source: Path,
    study: Path | None,
    kind: str,
    leave_out: tuple[str, ...],
    form: str,
    intervals: bool,
) -> None:
    """Print the paper's Table 2 of these ratings, for the annotators who pass the rules."""
    from univg_bench.human.analysis import analyse
    from univg_bench.human.gsb_tables import RENDERERS, table2

    ratings, plan = load(source, study, kind, leave_out)
    analysis = analyse(ratings, plan)
    made = table2(analysis.rates, ratings.dimensions, level=plan.level, intervals=intervals, induced=ratings.induced)
    rendered = RENDERERS[form](made)
    console.say(rendered.rstrip("\n"))
    for sentence in analysis.sentences():
        console.note(sentence)
    console.finish({"table": rendered, "sentences": analysis.sentences(), "plan": plan.digest})


@click.command()
@ratings_options
@click.pass_obj
def agreement(console: Console, source: Path, study: Path | None, kind: str, leave_out: tuple[str, ...]) -> None:
    """Print Krippendorff's alpha, Fleiss' kappa, Gwet's AC1 and percent agreement with the prevalence of answers.

    Of the annotators who pass the rules, as in `report`.
    """
    from univg_bench.human.agreement import agreement as agree
    from univg_bench.human.analysis import passed
    from univg_bench.human.gsb_tables import agreement_table
    from univg_bench.human.screening import summary

    ratings, plan = load(source, study, kind, leave_out)
    kept, screened = passed(ratings, plan)
    found = [agree(kept, d.code, level=plan.level, seed=plan.seed) for d in kept.dimensions]
    sentence = summary(ratings, screened, plan)
    console.say(agreement_table(found).markdown())
    console.say(sentence)
    console.finish({"agreement": [asdict(a) for a in found], "sentences": [sentence]})


def report_study(folder: Path, out: Path) -> None:
    """Hand a study folder to the verb of the annotation app that knows its database; this package does not.

    Raises InputError where the app is not installed.
    """
    found = tuple(entry_points(group=APP_VERBS, name="results"))
    if not found:
        raise InputError(f"{folder} is a study folder; only the annotation app, which is not installed, can read it")
    click.get_current_context().invoke(found[0].load(), study=folder, database=None, out=out)


@click.command()
@ratings_options
@click.option("--out", type=FILE, required=True, help="Folder for report.html, tables and figures.")
@click.option("--title", help="Of the page.  [default: Human evaluation, or the title of the study]")
@click.pass_obj
def report(
    console: Console,
    source: Path,
    study: Path | None,
    kind: str,
    leave_out: tuple[str, ...],
    out: Path,
    title: str | None,
) -> None:
    """Write one self-contained HTML page, and its tables (md, csv, tex) and figures (svg, png), into a folder.

    SOURCE may also be the folder of a study of the annotation app: its answers, by the rules of its study file.
    """
    if (source / "study.yaml").is_file():
        if study is not None or title is not None or kind != "ratings" or leave_out:
            raise InputError(f"{source} is a study with title and rules of its own; name --out and nothing else")
        report_study(source, out)
        return
    from univg_bench.human.analysis import analyse
    from univg_bench.human.gsb_report import write_report

    ratings, plan = load(source, study, kind, leave_out)
    analysis = analyse(ratings, plan)
    files = write_report(analysis, out, title=title or "Human evaluation")
    for sentence in analysis.sentences():
        console.say(sentence)
    console.say(f"{len(files)} files in {out}; open {out / 'report.html'}")
    console.finish({"files": [str(f) for f in files], "sentences": analysis.sentences(), "plan": plan.digest})
