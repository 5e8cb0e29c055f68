"""`univg-bench`: one verb each. Help needs no torch; a verb's module is imported when the verb is called.

Exit codes: 0 pass, 1 regression, 2 bad input or usage, 3 incomplete or corrupt samples, 4 inconclusive,
5 infrastructure (resumable), 130 interrupted (resumable).
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import click

from univg_bench import __version__
from univg_bench.atomic import MACHINE_FAULTS
from univg_bench.console import Console
from univg_bench.errors import SampleError, UnivgError

# verb -> (module:object, the line of `univg-bench --help`), in the order in which a user needs them
VERBS: dict[str, tuple[str, str]] = {
    "doctor": ("univg_bench.commands.doctor:doctor", "Say whether this machine can do the planned run."),
    "protocol": ("univg_bench.commands.protocol:protocol", "List, show, validate and compare protocol files."),
    "prepare": ("univg_bench.commands.prepare:prepare", "Check a data set that you have, or render Moving Shapes."),
    "generate": ("univg_bench.commands.generate:generate", "Run a model over a protocol's items into a run."),
    "run": ("univg_bench.commands.run:run", "Generate, check, evaluate and tabulate models: one command, resumable."),
    "import": ("univg_bench.commands.import_:import_", "Take a folder of somebody's videos into a run."),
    "check": ("univg_bench.commands.check:check", "Name missing, short, unreadable and suspicious samples of a run."),
    "evaluate": ("univg_bench.commands.evaluate:evaluate", "Compute the protocol's metrics of runs: results.json."),
    "compare": ("univg_bench.commands.compare:compare", "Say whether run B differs from run A on the same items."),
    "explain": ("univg_bench.commands.explain:explain", "Show one FVD as every published implementation computes it."),
    "table": ("univg_bench.commands.table:table", "Print measured rows beside published ones."),
    "preview": ("univg_bench.commands.preview:preview", "Show runs and real videos side by side: sheets and videos."),
    "page": ("univg_bench.commands.page:page", "Write one HTML page about runs: numbers, figures, moving samples."),
    "weights": ("univg_bench.commands.weights:weights", "List, find and verify the weights that metrics need."),
    "ladder": ("univg_bench.commands.ladder:ladder", "Damage real videos in known ways, to see what a metric notices."),
    "human": ("univg_bench.commands.human:human", "Plan human comparisons, analyse ratings, audit published ones."),
    "demo": ("univg_bench.commands.demo:demo", "Run the whole job on Moving Shapes; nothing is downloaded."),
}


class LazyGroup(click.Group):
    """Verbs of this package by table, those of other packages by entry point `univg_bench.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *sorted(e.name for e in entry_points(group="univg_bench.commands"))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            module, _, name = VERBS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        for entry in entry_points(group="univg_bench.commands", name=cmd_name):
            loaded: click.Command = entry.load()
            return loaded
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, line) for name, (_, line) in VERBS.items()]
        for entry in sorted(entry_points(group="univg_bench.commands"), key=lambda e: e.name):
            # our own say what they do; somebody else's is not imported for the help, where it could break or be slow
            ours = entry.dist is not None and entry.dist.name == "univg-bench"
            origin = f"(from {entry.dist.name if entry.dist else entry.value})"
            rows.append((entry.name, entry.load().get_short_help_str(limit=90) if ours else origin))
        with formatter.section("Verbs"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="univg-bench")
@click.option("--json", "as_json", is_flag=True, help="Print one final JSON record on stdout and nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bars, no notes; warnings and errors stay.")
@click.option("-v", "--verbose", is_flag=True, help="Say more about what is done.")
@click.pass_context
def cli(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Evaluate video generation models under written protocols.

    A protocol file fixes everything that can change a number; flags only say where and how fast.
    Start with `univg-bench protocol list`, or run `univg-bench demo`.
    """
    ctx.obj = Console(json=as_json, quiet=quiet, verbose=verbose)


def main() -> None:
    """Run the command line and leave with the exit code of the module docstring."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str], group: click.Group = cli, *, name: str = "univg-bench") -> int:
    """Return the exit code of `univg-bench ARGUMENTS...`, or of another group of ours; errors are printed as one
    sentence."""
    as_json = "--json" in arguments
    try:
        result = group.main(args=arguments, prog_name=name, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return _report(error.format_message(), 2, {}, as_json, printed=True)
    except (click.Abort, KeyboardInterrupt):
        return _report("interrupted; what was committed is kept, run the same command again to go on", 130, {}, as_json)
    except OSError as error:
        # a folder where a file should be, no permission, a vanished disk: the user's path or the machine, not our code
        code = 5 if error.errno in MACHINE_FAULTS else 2
        place = error.filename or "a file"
        return _report(
            f"cannot use {place}: {error.strerror or error}; check the path and who may write there", code, {}, as_json
        )
    except UnivgError as error:
        items = error.items if isinstance(error, SampleError) else {}
        return _report(str(error), error.exit_code, items, as_json)
    except SystemExit:
        # `univg-bench table ... | head` closes our stdout early, the one case in which click, run like this, ends the
        # process by itself; it is nobody's error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _report(sentence: str, code: int, items: dict[str, str], as_json: bool, *, printed: bool = False) -> int:
    if not printed:
        print(f"error: {sentence}", file=sys.stderr)
    if as_json:
        record: dict[str, Any] = {"exit_code": code, "error": sentence}
        if items:
            record["items"] = items
        print(json.dumps(record, ensure_ascii=False))
    return code
