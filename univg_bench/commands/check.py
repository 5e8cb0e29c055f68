"""`univg-bench check`: name what is wrong with the samples of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from univg_bench.console import Console


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--deep", is_flag=True, help="Read every stored file again and name those that have changed.")
@click.pass_obj
def check(console: Console, runs: tuple[Path, ...], deep: bool) -> int:
    """Name missing, unreadable, cut-off, short and unfit samples of RUN... (exit 3), and suspicious ones (exit 0).

    Reads the manifests; videos are read again only with --deep. At most 10 names of a class are shown; `--json` has
    them all, with the reasons.
    """
    records = [_checked(console, path, deep=deep) for path in runs]
    exit_code = 0 if all(record["good"] == record["expected"] for record in records) else 3
    console.finish({"exit_code": exit_code, "runs": records})
    return exit_code


def _checked(console: Console, path: Path, *, deep: bool) -> dict[str, Any]:
    from univg_bench.datasets.items import name_some
    from univg_bench.errors import SampleError
    from univg_bench.problems import FAILING, SUSPICIOUS, Needs, find_changed, find_problems
    from univg_bench.samples import Run

    run = Run.open(path)
    found: dict[str, dict[str, str]] = {}
    failed: set[str] = set()
    try:
        problems = list(find_problems(run.rows(), Needs.of_samples(run.protocol())))
        if deep:
            problems += find_changed(run.index)
    except SampleError as error:
        console.say(f"{path}: {error}")
        return {**_whose(run), "good": 0, "unfinished": str(error), "problems": {}}
    for problem in problems:
        found.setdefault(problem.kind, {})[problem.name] = problem.reason
        if problem.kind in FAILING:
            failed.add(problem.name)
    good = run.facts.expected - len(failed)
    marked = " (its import allowed missing ones: results are incomplete)" if run.facts.allow_missing else ""
    console.say(f"{path}: {good} of {run.facts.expected} samples are good{marked}")
    for kind, words in {**FAILING, **SUSPICIOUS}.items():
        if kind in found:
            verdict = "failing" if kind in FAILING else "suspicious, scored"
            console.say(f"  {kind} ({words}; {verdict}): {len(found[kind])}: {name_some(found[kind])}")
    return {**_whose(run), "good": good, "problems": found}


def _whose(run: Any) -> dict[str, Any]:
    facts = run.facts
    return {
        "run": str(run.folder),
        "protocol": f"{facts.protocol_id}@{facts.protocol_version}",
        "protocol_digest": facts.protocol_digest,
        "model": facts.model,
        "allow_missing": facts.allow_missing,
        "expected": facts.expected,
    }
