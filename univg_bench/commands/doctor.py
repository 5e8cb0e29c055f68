"""`univg-bench doctor`: can this machine do the planned run?"""

from __future__ import annotations

from pathlib import Path

import click

from univg_bench.commands.options import weights_option, workers_option
from univg_bench.console import Console


@click.command()
@click.argument("protocol", required=False)
@click.option(
    "--dest", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs will lie."
)
@weights_option
@workers_option
@click.pass_obj
def doctor(console: Console, protocol: str | None, dest: Path, weights: Path | None, workers: int) -> int:
    """Check decoder, disk, memory and, for the metrics of PROTOCOL, weights.

    Exit 0 when nothing stands in the way, 2 when something does; each finding says what to do.
    """
    from univg_bench.diagnosis import diagnose
    from univg_bench.protocol_files import load_protocol

    findings = diagnose(load_protocol(protocol) if protocol else None, dest=dest, weights=weights, workers=workers)
    for finding in findings:
        console.say(f"{'ok     ' if finding.ok else 'PROBLEM'} {finding.topic:<10} {finding.sentence}")
    code = 0 if all(finding.ok for finding in findings) else 2
    if protocol is None:
        console.say("give the id of a protocol to check its weights, disk and memory too")
    console.finish({"exit_code": code, "findings": [vars(finding) for finding in findings]})
    return code
