"""`univg-bench human ...`: one group served by two packages.

The statistics of human evaluation live here; the annotation app adds its verbs (`init`, `serve`, ...) through the entry
point group `univg_bench.commands.human`, so this package need not know it:

    [project.entry-points."univg_bench.commands.human"]
    serve = "human_eval_app.commands:serve"

A verb of this file wins over an entry point of the same name. `report` of a study folder runs the app's `results`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

import click

APP_VERBS = "univg_bench.commands.human"

# verb -> (module:object, the line of `univg-bench human --help`), in the order in which a study needs them
VERBS: dict[str, tuple[str, str]] = {
    "power": ("univg_bench.commands.human_planning:power", "Say how many items and annotators a study needs."),
    "simulate": ("univg_bench.commands.human_planning:simulate", "Write ratings of synthetic annotators."),
    "convert": ("univg_bench.commands.human_ratings:convert", "Turn ratings, scores, VBench labels into ratings."),
    "screen": ("univg_bench.commands.human_ratings:screen", "Check annotators without seeing which method was which."),
    "winrate": ("univg_bench.commands.human_ratings:winrate", "Counts, win rates, intervals and tests in full."),
    "table": ("univg_bench.commands.human_ratings:table", "Table 2 as Markdown, CSV or LaTeX."),
    "agreement": ("univg_bench.commands.human_ratings:agreement", "How far annotators agree."),
    "report": ("univg_bench.commands.human_ratings:report", "One HTML page with its tables and figures."),
    "grim": ("univg_bench.commands.human_planning:grim", "Recover the n behind a published table of percentages."),
}  # fmt: skip


class HumanGroup(click.Group):
    """Verbs of this package by table, those of the annotation app by entry point."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*VERBS, *sorted(e.name for e in entry_points(group=APP_VERBS) if e.name not in VERBS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            module, _, name = VERBS[cmd_name][0].partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        for entry in entry_points(group=APP_VERBS, name=cmd_name):
            loaded: click.Command = entry.load()
            return loaded
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Statistics"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])
        app = [e for e in entry_points(group=APP_VERBS) if e.name not in VERBS]
        if app:
            with formatter.section("Annotation app"):
                formatter.write_dl([(e.name, _short_help(e.load())) for e in sorted(app, key=lambda e: e.name)])


def _short_help(command: click.Command) -> str:
    return command.get_short_help_str(limit=90)


@click.group(cls=HumanGroup)
def human() -> None:
    """Human comparison of videos: plan a study, analyse its ratings, audit published ones.

    A ratings file (.csv, .parquet, .jsonl) has one row per answer: item, annotator, method, other, dimension,
    choice (G, S, B: method better, same, other better) and side (where method stood: left, right, none).
    """
