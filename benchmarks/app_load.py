"""Load on the server of a study: python -m benchmarks.app_load [--dest FILE.md]

20 people speak Streamlit's websocket and POST their answers, as browsers do, from another process on the same machine.
Measured at the client: milliseconds until answers are acknowledged (on the disk), and until the next pair is there.
Measured at the server: CPU time per pair (all that one pair costs: answers, next pair, one run of the script), and
resident memory per open session. Videos are not fetched: how long they take depends on their size and the network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil

from tests.app.app_crowd import admitted
from tests.app.app_rater import Rater
from tests.app.app_served import ROOT, Server, running, served_study

PEOPLE, PAIRS, THINK_SECONDS, SESSIONS = 20, 10, 2.0, 200
CLIENT = """
import json, sys
from tests.app.app_crowd import rate_together
port, pairs, think, *codes = sys.argv[1:]
crowd = rate_together(int(port), codes, pairs=int(pairs), think=float(think))
print(json.dumps({"saving": crowd.saving, "going_on": crowd.going_on, "faults": crowd.faults}))
"""


def main() -> None:
    """Print a Markdown table of what the module docstring lists, and write it to --dest."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--dest", type=Path)
    dest = parser.parse_args().dest
    others = os.getloadavg()[0]
    rows = [load(think=THINK_SECONDS), load(think=0.0)]
    text = table(rows, memory(), others)
    print(text)
    if dest is not None:
        dest.write_text(text)


def load(*, think: float) -> dict[str, float]:
    """Return figures of one run."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        codes = prepare(folder, people=PEOPLE + 1)
        with running(folder) as server:
            # the first person pays for imports and caches
            crowd(server, codes[:1], pairs=2, think=0.0)
            process = process_of(server)
            before, busy = sum(process.cpu_times()[:2]), psutil.cpu_times()
            found = crowd(server, codes[1:], pairs=PAIRS, think=think)
            cpu = sum(process.cpu_times()[:2]) - before
            others = share_of_others(busy, psutil.cpu_times())
        assert not found["faults"], found["faults"]
    saving, going_on = 1000 * np.array(found["saving"]), 1000 * np.array(found["going_on"])
    return {
        "think": think, "count": len(saving), "p50": float(np.median(saving)), "p95": float(np.quantile(saving, 0.95)),
        "most": float(saving.max()), "next50": float(np.median(going_on)), "next95": float(np.quantile(going_on, 0.95)),
        "cpu": 1000 * cpu / len(saving), "busy": others,
    }  # fmt: skip


def memory() -> tuple[float, float]:
    """Return MB of the server with its first session, and MB for each further open session."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        codes = prepare(folder, people=SESSIONS + 10)
        with running(folder) as server:
            raters = []
            for number, code in enumerate(codes):
                rater = Rater(server.port)
                rater.log_in(code)
                rater.open()
                raters.append(rater)
                if number == 9:  # pools and caches are filled
                    first = process_of(server).memory_info().rss
            last = process_of(server).memory_info().rss
            for rater in raters:
                rater.close()
    return first / 1e6, (last - first) / 1e6 / SESSIONS


def prepare(folder: Path, *, people: int) -> list[str]:
    study = served_study(folder, items=PAIRS, target=people, more="session: {pairs: 50}\n")
    store = study.store()
    codes = admitted(store, people)
    store.database.close()
    return codes


def crowd(server: Server, codes: list[str], *, pairs: int, think: float) -> dict[str, list[float]]:
    words = [sys.executable, "-c", CLIENT, str(server.port), str(pairs), str(think), *codes]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def process_of(server: Server) -> psutil.Process:
    assert server.process is not None
    return psutil.Process(server.process.pid)


def share_of_others(before: object, after: object) -> float:
    """Return the share of all cores that was busy, with us or with others."""
    spent = np.subtract(tuple(after), tuple(before))  # type: ignore[call-overload]
    idle = spent[3] + spent[4]  # idle, waiting for the disk
    return float(1 - idle / spent.sum())


def table(rows: list[dict[str, float]], held: tuple[float, float], others: float) -> str:
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    lines = [
        "# Load on the server of a study",
        "",
        f"`python -m benchmarks.app_load`, {datetime.now(UTC):%Y-%m-%d}, {machine}; SQLite (WAL, synchronous=FULL), "
        f"{PEOPLE} people x {PAIRS} pairs over real websockets; client and server on the same machine, which had "
        f"a load average of {others:.1f} before.",
        "",
        "| think time | pairs | saved: p50 | p95 | most | next pair: p50 | p95 | server CPU per pair | cores busy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['think']:g} s | {r['count']} | {r['p50']:.0f} ms | {r['p95']:.0f} ms | {r['most']:.0f} ms "
        f"| {r['next50']:.0f} ms | {r['next95']:.0f} ms | {r['cpu']:.1f} ms | {r['busy']:.0%} |"
        for r in rows
    ]
    lines += [
        "",
        f"Memory: {held[0]:.0f} MB with ten sessions, and {held[1]:.2f} MB for each of {SESSIONS} more that stay open.",
        "",
        "Goals: p95 below 60 ms with think time, 10 ms CPU, below 1 MB per session.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
