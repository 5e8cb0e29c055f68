"""Figure 6 in small: what the guidance weights of text and image do, as numbers and as one item over the grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from reference_models.studies.bench import Bench, prepare, score_folder, score_model
from reference_models.studies.figures import heat_maps, write_figure
from reference_models.studies.text import cost_lines, table, write_page
from univg_bench.atomic import atomic
from univg_bench.made import ModelCall
from univg_bench.paired_runs import EvaluatedRun
from univg_bench.sheet import INK, PAPER, resized
from univg_bench.video import decode

PROTOCOL = "moving-shapes-fb-ti2v-tiny-grid"
# (0, 0) is no guidance at all: F(0), the unconditional network. The paper shows 9.5 and 5.5, or 0 of each;
# this grid ends lower, for its cost
TEXT_WEIGHTS, IMAGE_WEIGHTS = (0.0, 1.0, 2.5, 5.0), (0.0, 1.0, 2.5)
PANELS = (
    ("clipsim", "CLIPSIM to the text (tiny)"),
    ("image-alignment", "CLIP-I to the image (tiny)"),
    ("fvd", "FVD (tiny)"),
)
SHOWN_FRAMES = (0, 12, 23)


@dataclass(frozen=True, eq=False)
class Cell:
    """One point of the grid: its weights and its run."""

    w_T: float  # noqa: N815 (the symbol of the paper)
    w_I: float  # noqa: N815
    run: EvaluatedRun


def evaluate(
    bench: Bench, weights: Path, *, protocol: str = PROTOCOL, text_weights: Sequence[float] = TEXT_WEIGHTS,
    image_weights: Sequence[float] = IMAGE_WEIGHTS,
) -> tuple[list[Cell], EvaluatedRun]:  # fmt: skip
    """Return a run per point of the grid, and that of real videos again.

    weights: folder of F_B. All points are rows of one protocol (`rows.base`), so they share items and noise.
    """
    scene = prepare(bench, protocol)
    real = score_folder(bench, scene, scene.held_out, name="held-out")
    cells = []
    for w_i in image_weights:
        for w_t in text_weights:
            call = ModelCall(
                "reference_models.studies.rows:base", (("weights", str(weights)), ("w_T", w_t), ("w_I", w_i))
            )
            name = f"wt{w_t:g}-wi{w_i:g}".replace(".", "p")
            cells.append(Cell(w_t, w_i, score_model(bench, scene, call, name=name)))
    return cells, real


def write(bench: Bench, cells: Sequence[Cell], real: EvaluatedRun, dest: Path) -> list[Path]:
    """Write heat maps, sheet, numbers and page; return the files."""
    frame = cells_frame(cells)
    n, item = cells[0].run.record.status.scored, next(cells[0].run.run.index.rows()).name
    files = write_figure(heat_maps(frame, PANELS), dest / "figure6", frame)
    grid_sheet(cells, item, dest / "grid.png")
    floor = {metric: part.value for metric, _ in PANELS if (part := real.record.metric(metric)) is not None}
    generated = cells[0].run.record.model.generated
    assert generated is not None
    facts = {
        "study": "figure6", "n": n, "weights": generated.weights, "real": floor,
        "protocol_digest": cells[0].run.record.protocol.digest,
        "cells": json.loads(frame.to_json(orient="records")), "cpu_seconds": bench.costs,
    }  # fmt: skip
    best = {
        metric: frame[frame["metric"] == metric].sort_values("value", ascending=metric == "fvd").iloc[0]
        for metric, _ in PANELS
    }
    rows = [
        [title, f"{best[m]['w_T']:g}", f"{best[m]['w_I']:g}", f"{best[m]['value']:.4g}", f"{floor[m]:.4g}"]
        for m, title in PANELS
    ]
    parts = [
        "# Figure 6 in small: the weights of text and image",
        "Made by `python -m reference_models.studies figure6`; how to read it: docs/studies.md. Values are of a tiny"
        " model on Moving Shapes, scored by tiny extractors: they compare with no paper.",
        "![metrics over the grid](figure6.svg)",
        f"n = {n} per cell, the same items and noise in all. CLIPSIM and CLIP-I are higher where the video shows more"
        " of what text or image say; FVD is lower where it is more like real videos.",
        table(["metric", "best w_T", "best w_I", "value there", "real videos again"], rows),
        "The best cell is picked from as many as there are, so its value is a little too good.",
        f"Item `{item}` over the grid, frames {', '.join(map(str, SHOWN_FRAMES))}:",
        "![one item over the grid](grid.png)",
        cost_lines(bench.costs),
    ]
    return [*files, dest / "grid.png", *write_page(dest, parts, facts, name="figure6-record")]


def cells_frame(cells: Sequence[Cell]) -> pd.DataFrame:
    """Return a row per cell and metric, with the interval of the record."""
    rows: list[dict[str, Any]] = []
    for cell in cells:
        for name, _ in PANELS:
            part = cell.run.record.metric(name)
            assert part is not None, f"the protocol of the grid has {name}"
            low, high = (part.interval.low, part.interval.high) if part.interval else (None, None)
            rows.append({
                "w_T": cell.w_T, "w_I": cell.w_I, "metric": name, "value": part.value, "low": low, "high": high,
                "n": part.n,
            })  # fmt: skip
    return pd.DataFrame(rows)


def grid_sheet(cells: Sequence[Cell], item: str, dest: Path, *, width: int = 84) -> None:
    """Write a PNG of one sample over the grid: w_T to the right, w_I upwards, a few frames in each cell."""
    texts, images = sorted({c.w_T for c in cells}), sorted({c.w_I for c in cells}, reverse=True)
    strips = {(c.w_T, c.w_I): _strip(c, item, width) for c in cells}
    tall, wide = next(iter(strips.values())).shape[:2]
    left, top, gap = 90, 26, 6
    sheet = Image.new("RGB", (left + len(texts) * (wide + gap), top + len(images) * (tall + gap)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, w_t in enumerate(texts):
        draw.text((left + column * (wide + gap), 4), f"w_T = {w_t:g}", fill=INK, font=font)
        for row, w_i in enumerate(images):
            place = (left + column * (wide + gap), top + row * (tall + gap))
            sheet.paste(Image.fromarray(strips[w_t, w_i]), place)
    for row, w_i in enumerate(images):
        draw.text((4, top + row * (tall + gap) + tall // 2 - 8), f"w_I = {w_i:g}", fill=INK, font=font)
    with atomic(dest) as temporary:
        sheet.save(temporary, format="PNG")


def _strip(cell: Cell, item: str, width: int) -> Any:
    index = cell.run.run.index
    frames = [frame.rgb for frame in decode(next(index.path_of(row) for row in index.rows() if row.name == item))]
    chosen = [frames[min(at, len(frames) - 1)] for at in SHOWN_FRAMES]
    height = round(chosen[0].shape[1] * width / chosen[0].shape[2])
    return np.concatenate([np.asarray(resized(frame, width, height)) for frame in chosen], axis=1)
