"""`univg-bench human status`: how far a study is, without a look at any answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from human_eval_app.commands.opening import opened, study_options
from univg_bench.console import Console


@click.command(short_help="Say how far a study is: coverage, people, open pairs, flagged videos.")
@study_options
@click.pass_obj
def status(console: Console, study: Path, database: str | None) -> int:
    """Say how far the study in the folder STUDY is. No answer is looked at, so it may be asked at any time."""
    from datetime import UTC, datetime

    from human_eval_app.admin.coverage import coverage
    from human_eval_app.admin.people import people
    from human_eval_app.forgetting import due

    with opened(study, database) as (folder, store):
        now, everybody, overdue = coverage(store), people(store), due(store)

    def when(at_ms: int | None) -> str:
        return "-" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")

    live = [lease for lease in now.leases if lease.live]
    console.say(f"{folder.slug}: {'closed' if now.closed else 'open'}")
    console.say(f"pairs   {now.num_complete} of {len(now.pairs)} have all {now.wanted} ratings")
    console.say(f"ratings {now.num_done} of {now.num_wanted} are there, {now.num_leased} more are being given now")
    console.say(
        f"people  {len(everybody)}" + "".join(f", {n} {s}" for s, n in Counter(p.state for p in everybody).items())
    )
    if (end := now.expected_end_ms()) is not None:
        console.say(
            f"pace    {now.pace.pairs_per_hour:.1f} pairs per hour; all ratings would be there by {when(end)} UTC"
        )
    for lease in live:
        console.say(f"open    {lease.item}, {lease.kind}: {lease.alias} until {when(lease.until_ms)} UTC")
    for person in everybody:
        console.say(f"person  {person.alias}  {person.state}, {person.main} pairs, last {when(person.last_ms)} UTC")
    for flag in now.flags:
        console.say(f"flagged {flag.item}: {flag.method} / {flag.other}, by {flag.alias}: {flag.reason}")
    if overdue:
        console.warn(
            f"the time to keep personal data is over for {len(overdue)} of them;"
            f" `univg-bench human forget {study} --due` removes what ties them to their aliases"
        )
    console.finish({
        "exit_code": 0, "study": folder.slug, "closed": now.closed, "pairs": len(now.pairs),
        "complete": now.num_complete, "ratings": now.num_done, "wanted": now.num_wanted, "leased": now.num_leased,
        "people": [{k: v for k, v in asdict(p).items() if k != "comment"} for p in everybody],
        "leases": [asdict(lease) for lease in live], "flags": [asdict(flag) for flag in now.flags],
        "due": [person.alias for person in overdue], "expected_end_ms": now.expected_end_ms(),
    })  # fmt: skip
    return 0
