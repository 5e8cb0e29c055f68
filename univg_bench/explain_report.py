"""An explanation as people and spreadsheets read it: a table for the terminal, and CSV."""

from __future__ import annotations

import csv
import io

from univg_bench.explain import KNOBS, Explanation, Line
from univg_bench.recipes import FvdRecipe

_HEADINGS = {"geometry": "geometry", "bn_eps": "BN eps", "ddof": "ddof", "dtype": "dtype"}


def text_table(explanation: Explanation) -> str:
    """Return the table for a terminal: a line per recipe, and beneath it what a reader must know.

    A knob that is set as in the baseline is a dot; one that is not shows its setting and what it does when turned
    alone. Differences do not add up, as the knobs act on one another.
    """
    compared, lines = explanation.compared, explanation.lines
    base = lines[0]
    knobs = [knob for knob in KNOBS if any(knob in line.alone for line in lines)]
    cells = [["recipe", "FVD", "difference", *(_HEADINGS[knob] for knob in knobs), "mean part"]]
    for line in lines:
        cells.append(
            [
                line.recipe.name, f"{line.parts.distance:.6g}", _percent(line.relative) if line is not base else "",
                *(_knob(line, knob, whole=line is base) for knob in knobs), _mean_share(line),
            ]
        )  # fmt: skip
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    frames, other = compared.frames, compared.reference_frames
    policy = f"{frames.sampling} {frames.frames or ''}".strip()
    if other != frames:
        policy += f"; of the real ones {other.sampling} {other.frames or ''}".rstrip()
    return "\n".join(
        [
            compared.what,
            f"n = {len(compared.generated)}/{len(compared.real)}; frames: {policy}; weights: {compared.weights.name}",
            "",
            rows[0],
            "  ".join("-" * width for width in widths),
            *rows[1:],
            "",
            f"difference: to {base.recipe.name}, of the whole recipe; beside a setting, of it alone. A dot: set alike."
            " The rest of an FVD beside its mean part is its trace part.",
        ]
    )


def csv_table(explanation: Explanation) -> str:
    """Return a row per recipe: value, parts, differences as shares of the baseline, and each knob's setting."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    knobs = list(KNOBS)
    columns = ["recipe", "digest", "value", "mean_part", "trace_part", "relative"]
    writer.writerow([*columns, *knobs, *(f"{knob}_alone" for knob in knobs), "n", "n_reference", "weights_sha256"])
    compared = explanation.compared
    for line in explanation.lines:
        turned = [line.alone.get(knob) for knob in knobs]
        writer.writerow(
            [
                line.recipe.name, line.recipe.digest, repr(line.parts.distance), repr(line.parts.mean),
                repr(line.parts.trace), _number(line.relative), *(_setting(line.recipe, knob) for knob in knobs),
                *(_number(None if one is None else one.relative) for one in turned), len(compared.generated),
                len(compared.real), compared.weights.digest,
            ]
        )  # fmt: skip
    return buffer.getvalue()


def _knob(line: Line, knob: str, *, whole: bool) -> str:
    if whole:
        return _setting(line.recipe, knob)
    turned = line.alone.get(knob)
    return "." if turned is None else f"{_setting(line.recipe, knob)}  {_percent(turned.relative)}"


def _setting(recipe: FvdRecipe, knob: str) -> str:
    """Return how `recipe` sets a knob, in a few words."""
    if knob == "bn_eps":
        return f"{recipe.bn_eps:.0e}".replace("e-0", "e-")
    if knob != "geometry":
        return str(getattr(recipe, knob))
    words = recipe.geometry + (" TF1" if recipe.kernel == "bilinear-tf1" else "")
    first = recipe.through
    if first is not None:
        words = f"crop {first.size}, {'floor' if first.rounding == 'floor' else 'round'}, {words}"
    return words


def _mean_share(line: Line) -> str:
    whole = line.parts.distance
    if whole <= 0:
        return "-"
    return f"{100 * line.parts.mean / whole:.0f} %"


def _percent(relative: float | None) -> str:
    return "-" if relative is None else f"{100 * relative:+.2f} %"


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
