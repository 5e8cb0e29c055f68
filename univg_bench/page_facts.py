"""What exactly stands behind the numbers of a page: protocol, recipes, weights, models, all by digest."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from univg_bench.protocol import Protocol
from univg_bench.records import MetricPart, Record
from univg_bench.samples import Run

SHORT = 12  # hexadecimal digits of a digest that are shown


def facts_html(protocol: Protocol, runs: Sequence[Run], records: Sequence[Record]) -> str:
    """Return the folded part of a section: the conditions, the recipe of every metric, the models and their weights."""
    return (
        "<details><summary>What exactly was computed, and by whom the videos were made</summary>"
        f"{_conditions(protocol, runs)}{_metrics(records[0])}{_models(runs, records)}</details>"
    )


def _conditions(protocol: Protocol, runs: Sequence[Run]) -> str:
    params = ", ".join(f"{name} = {value}" for name, value in protocol.generation.params.items()) or "none"
    return _list(
        [
            ("protocol", f"<code>{html.escape(protocol.name)}</code> digest {_digest(protocol.digest)}"),
            ("items", f"digest {_digest(runs[0].facts.items_digest)} over ids and sentences"),
            ("settings handed to models", html.escape(params)),
            ("intervals", f"{protocol.intervals.replicates} replicates, seed {protocol.intervals.seed}"),
        ]
    )


def _metrics(record: Record) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(m.id)}</th>"
        f"<td class='words'>{html.escape(_recipe(m))} {_recipe_digest(m)}</td>"
        f"<td class='words'>{_weights(m)}</td><td class='words'>{html.escape(_frames(m))}</td>"
        f"<td>{m.n}/{m.n_reference}</td></tr>"
        for m in record.metrics
    )
    heads = "".join(f'<th scope="col" class="words">{name}</th>' for name in ("metric", "recipe", "weights", "frames"))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Recipes">'
        f'<table><thead><tr>{heads}<th scope="col">n</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _models(runs: Sequence[Run], records: Sequence[Record]) -> str:
    return "".join(_model(run, record) for run, record in zip(runs, records, strict=True))


def _model(run: Run, record: Record) -> str:
    facts = run.model_facts()
    rows: list[tuple[str, str]] = []
    if facts is None:
        # the end of the path alone: a page is given away, and a path names its owner
        source = "/".join(Path(record.model.source).parts[-2:])
        rows.append(("videos", f"taken in from <code>{html.escape(source)}</code>"))
    else:
        card: dict[str, Any] = facts["card"]
        weights = "; ".join(
            f"{html.escape(part)} {_digest(digest)}" for part, digest in sorted(card.get("weights", {}).items())
        )
        rows += [
            ("made by", f"<code>{html.escape(str(facts['model']))}</code> ({html.escape(str(card['name']))})"),
            ("weights", weights or "none named by the model"),
            ("numbers", html.escape(f"{facts['dtype']} on {facts['device']}, base seed {facts['base_seed']}")),
        ]
        for name, words in (("licence", card.get("licence")), ("trained on", ", ".join(card.get("training_data", ())))):
            rows += [(name, html.escape(str(words)))] if words else []
        rows += [("note", html.escape(str(note))) for note in card.get("notes", ())]
    rows.append(("pixels", f"digest {_digest(record.samples.digest)} over {record.samples.num_videos} videos"))
    return f"<h4>{html.escape(record.model.name)}</h4>{_list(rows)}"


def _list(rows: Sequence[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{html.escape(name)}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


def _recipe(metric: MetricPart) -> str:
    return f"{metric.kind}: {metric.recipe.get('name')}, version {metric.recipe.get('version')}"


def _recipe_digest(metric: MetricPart) -> str:
    digest = metric.recipe.get("digest")
    return _digest(digest) if isinstance(digest, str) else ""


def _weights(metric: MetricPart) -> str:
    if metric.weights is None:
        return "no network"
    return f"{html.escape(metric.weights.name)} {_digest(metric.weights.sha256)}"


def _frames(metric: MetricPart) -> str:
    frames = metric.frames
    count = "" if frames.get("frames") is None else f"{frames['frames']} "
    return f"{count}{str(frames.get('sampling')).replace('_', ' ')}"


def _digest(digest: str) -> str:
    return f'<code title="{html.escape(digest, quote=True)}">{html.escape(digest[:SHORT])}</code>'
