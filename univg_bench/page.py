"""One self-contained HTML page about evaluated runs: what was run, the numbers, their figures, moving samples.

No script and nothing from elsewhere: styles, figures and samples lie in the file. Whatever came from outside (prompts,
names, notes of a model's card) is escaped. Numbers with other protocol digests stand in sections of their own.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from univg_bench.atomic import write_bytes
from univg_bench.console import Console
from univg_bench.errors import InputError
from univg_bench.floor import Floor, floor_text, floors
from univg_bench.page_facts import facts_html
from univg_bench.page_figures import Dot, Mark, dot_plot
from univg_bench.page_samples import samples_html
from univg_bench.page_style import STYLE
from univg_bench.preview import REAL, Shown, by_protocol, shown_items
from univg_bench.protocol import Column, Protocol
from univg_bench.records import MetricPart, Record, load_record
from univg_bench.samples import Run
from univg_bench.tables import ARROWS, Cell, Row, Table, build_table

TASKS = {"t2v": "Text to video", "i2v": "Image to video", "ti2v": "Text and image to video"}
FEW_VIDEOS = 256  # below it a Fréchet distance on the tiny I3D is mostly bias (results/ladder: floors of 11 and 3.6)
# what a reader must know of a figure, by kind of metric; docs/metrics.md says the rest
ASKS = {
    "fvd": "Are the two sets of videos alike? Falls with n by itself.",
    "kvd": "The same question, whatever n; around 0, also below, means alike.",
    "fid": "Are single frames alike? Blind to time.",
    "manifold": "How much of one set lies near the other?",
    "spectral": "Are the videos as sharp as real ones?",
    "clipsim": "Do the frames show what the sentence says? Blind to time.",
    "consistency": "Do frames belong together? A frozen video wins this.",
    "motion": "How much moves? Neither more nor less is better.",
    "flicker": "Is the light steady? A frozen video wins this.",
    "image-alignment": "Do frames show the given image? A frozen video wins this.",
    "first-frame": "Does the video begin with its image? A frozen video wins this.",
    "fidelity": "Is it the very same video as the real one?",
}


@dataclass(frozen=True)
class Section:
    """Everything that the page says of the runs under one protocol. held_out: whose videos are real ones again."""

    protocol: Protocol
    runs: tuple[Run, ...]
    records: tuple[Record, ...]
    floor: tuple[Floor, ...]
    shown: tuple[Shown, ...]
    held_out: str | None


def write_page(
    paths: Sequence[Path],
    dest: Path,
    *,
    title: str = "",
    held_out: str | None = None,
    words: Mapping[str, str] | None = None,
    items: int = 4,
    console: Console | None = None,
) -> tuple[Section, ...]:
    """Write the page about the evaluated runs in `paths` to `dest`; return what it says, section by section.

    held_out: the name of the run whose samples are real videos of the same captions, from which the floor of FVD comes.
    words: name of a run -> what to say of it. items: how many are shown, from the first on.

    Raises InputError for no runs, or samples that changed since they were evaluated.
    """
    if not paths:
        raise InputError("found no runs for a page, expected the folders of evaluated runs")
    console = console or Console(quiet=True)
    sections = tuple(_section(runs, held_out, items) for runs in by_protocol(paths))
    title = title or f"UniVG-Bench: {'; '.join(dict.fromkeys(_heading(s).lower() for s in sections))}"
    told = {
        REAL: "what the numbers compare with",
        **({held_out: "real videos again, of the same captions"} if held_out else {}),
        **(words or {}),
    }
    progress = console.progress(sections, total=len(sections), title="page", unit="section")
    body = [_section_html(section, told) for section in progress]
    write_bytes(dest, _page(title, sections, body).encode())
    return sections


def _section(runs: Sequence[Run], held_out: str | None, items: int) -> Section:
    records = []
    for run in runs:
        record = load_record(run.folder)
        if record.status.manifest_digest != run.index.digest:
            raise InputError(
                f"the samples in {run.folder} are not those its results.json was made from; run `univg-bench evaluate"
                f" {run.folder}`"
            )
        records.append(record)
    protocol = runs[0].protocol()
    again = next((run for run in runs if run.facts.model == held_out), None)
    floor = floors(protocol, (again or runs[0]).folder, held_out=again is not None, least=4, halvings=1)
    shown = tuple(shown_items(runs, count=items))
    return Section(protocol, tuple(runs), tuple(records), floor, shown, held_out if again else None)


def _page(title: str, sections: Sequence[Section], body: Sequence[str]) -> str:
    links = "".join(
        f'<li><a href="#{html.escape(section.protocol.id)}">{html.escape(_heading(section))}</a></li>'
        for section in sections
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><main>
<h1>{html.escape(title)}</h1>
{_lead(sections)}
{_caveats(sections)}
<nav aria-label="Sections"><ul>{links}</ul></nav>
<div class="hold"><input type="checkbox" id="hold"><label for="hold">Hold the videos still: four moments of each</label></div>
{"".join(body)}
<footer><p>Made by <code>univg-bench page</code>. Every run's folder holds <code>results.json</code> with all digits, and each
sample losslessly with a record of how it was made. What each metric measures and is blind to: docs/metrics.md.</p></footer>
</main></body></html>
"""  # noqa: E501 (a line break would stand in the text)


def _heading(section: Section) -> str:
    return TASKS.get(section.protocol.task, section.protocol.task)


def _lead(sections: Sequence[Section]) -> str:
    made = [r for section in sections for r in section.records if r.model.generated is not None]
    names = list(dict.fromkeys(record.model.name for record in made))
    counts = sorted({record.status.scored for section in sections for record in section.records})
    n = " or ".join(str(count) for count in counts)
    who = _and([f"<b>{html.escape(name)}</b>" for name in names])
    first = f"{who} generated videos here, " if names else ""
    verb = "scored" if names else "Videos were scored"
    said = [s for section in sections if (s := _said_of_fvd(section))]
    return (
        f"<p class='lead'>{first}{verb} beside {'others' if names else 'one another'} with equal recipes on n = {n}"
        " items.</p>" + ("<ul>" + "".join(f"<li>{one}</li>" for one in said) + "</ul>" if said else "")
    )


def _said_of_fvd(section: Section) -> str:
    """Return one sentence: the FVD of whatever was generated, beside what real videos have at that n."""
    metric = next((m for m in section.protocol.metrics if m.kind == "fvd"), None)
    if metric is None:
        return ""
    made = [(r, r.metric(metric.id)) for r in section.records if r.model.generated is not None]
    values = [f"{html.escape(r.model.name)} has {_with_interval(part)}" for r, part in made if part is not None]
    if not values:
        return ""
    same = next((one for one in section.floor if one.same_captions is not None), None)
    floor = f"; real videos against real ones have {same.same_captions:.0f} at n = {same.n}" if same else ""
    return f"{_heading(section)}, FVD: {_and(values)}{floor}."


def _with_interval(part: MetricPart) -> str:
    if part.interval is None:
        return f"{part.value:.0f}"
    return f"{part.value:.0f} ({part.interval.low:.0f} to {part.interval.high:.0f})"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def _caveats(sections: Sequence[Section]) -> str:
    metrics = [metric for section in sections for record in section.records for metric in record.metrics]
    least = min((min(m.n, m.n_reference) for m in metrics if m.kind in ("fvd", "fid")), default=FEW_VIDEOS)
    notes = []
    if any(metric.weights is not None and metric.weights.name.startswith("tiny-") for metric in metrics):
        notes.append(
            "The networks behind these numbers are tiny and were trained on Moving Shapes alone. They order videos of"
            " that world sensibly; no number here compares with any published FVD or CLIPSIM."
        )
    if least < FEW_VIDEOS:
        notes.append(
            f"{least} videos are few. A Fréchet distance of so small sets is mostly bias, and its interval is wide:"
            " read it beside the floor, and take differences inside the intervals for none. KVD has no such bias."
        )
    untrained = sorted({r.model.name for s in sections for r in s.records if "UNTRAINED" in r.model.name})
    if untrained:
        notes.append(f"{_and(untrained)}: random weights. The videos mean nothing; this shows that everything runs.")
    if any(not record.status.complete for section in sections for record in section.records):
        notes.append("Some runs are incomplete; the tables name them.")
    if not notes:
        return ""
    told = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f'<div class="warn" role="note"><b>Read this first</b><ul>{told}</ul></div>'


def _section_html(section: Section, words: Mapping[str, str]) -> str:
    protocol, records = section.protocol, section.records
    table = build_table(protocol, records, [])
    plots = [_plot(section, column) for column in (*protocol.table, *protocol.wide)]
    floor = floor_text(section.floor)
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in table.footnotes)
    kinds = {record.model.name: _kind(record, section) for record in records}
    shown = f"The first {len(section.shown)} of {records[0].status.expected} items, not chosen."
    return f"""<section id="{html.escape(protocol.id)}">
<h2>{html.escape(_heading(section))}</h2>
<p>{html.escape(protocol.title)}. {_asked(protocol)}</p>
<h3>Samples</h3>
<p class="soft">{shown}</p>
{samples_html(section.shown, words=words, kinds=kinds)}
<h3>Numbers</h3>
{_table_html(table, section, words)}
<p class="soft">{html.escape(floor)}</p>
<details><summary>Notes on these numbers ({len(table.footnotes)})</summary><ul class="notes">{notes}</ul></details>
<div class="plots">{"".join(plots)}</div>
<p class="soft">{_legend(kinds)}</p>
{facts_html(protocol, section.runs, records)}
</section>
"""


def _legend(kinds: Mapping[str, str]) -> str:
    words = {"made": "generated here", "base": "videos taken in", "real": "real videos again"}
    shown = [f'<span class="who {kind}">{words[kind]}</span>' for kind in words if kind in kinds.values()]
    return f"{' &ensp; '.join(shown)} &ensp; Lines: 95 % intervals."


def _asked(protocol: Protocol) -> str:
    generation, given = protocol.generation, []
    if protocol.conditions.text:
        given.append("a sentence")
    if protocol.conditions.image is not None:
        given.append("an image")
    frames = "as many frames as it likes" if generation.num_frames is None else f"{generation.num_frames} frames"
    rate = "" if generation.fps is None else f" at {generation.fps:g} per second"
    size = "" if generation.width is None else f", {generation.width} × {generation.height} pixels"
    return f"A model is given {' and '.join(given)} and makes {frames}{rate}{size}."


def _kind(record: Record, section: Section) -> str:
    """Return whose row it is, for its colour: real videos again, made by a model here, or taken in."""
    if record.model.name == section.held_out:
        return "real"
    return "base" if record.model.generated is None else "made"


def _table_html(table: Table, section: Section, words: Mapping[str, str]) -> str:
    heads = "".join(f'<th scope="col">{html.escape(_label(column))}</th>' for column in table.columns)
    rows = "".join(_row_html(row, r, section, words) for row, r in zip(table.rows, section.records, strict=True))
    label = html.escape(f"Numbers of {_heading(section)}", quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table><thead><tr>'
        f'<th scope="col">videos of</th>{heads}<th scope="col">n</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _label(column: Column) -> str:
    return f"{column.label} {ARROWS[column.direction]}"


def _row_html(row: Row, record: Record, section: Section, words: Mapping[str, str]) -> str:
    said = words.get(record.model.name, "")
    more = f"<small>{html.escape(said)}</small>" if said else ""
    cells = "".join(f"<td>{_cell_html(cell)}</td>" for cell in row.cells)
    kind = _kind(record, section)
    name = f'<th scope="row"><span class="who {kind}">{html.escape(row.method)}</span>{more}</th>'
    return f"<tr>{name}{cells}<td>{html.escape(row.n.split(', ')[0])}</td></tr>"


def _cell_html(cell: Cell) -> str:
    value, space, interval = cell.text.partition(" ")
    return html.escape(value) + (f"<small>{html.escape(interval)}</small>" if space else "")


def _plot(section: Section, column: Column) -> str:
    parts = [(record, record.metric(column.metric)) for record in section.records]
    dots = [
        Dot(
            record.model.name, part.value, part.interval.low if part.interval else None,
            part.interval.high if part.interval else None, _kind(record, section),
        )
        for record, part in parts if part is not None
    ]  # fmt: skip
    if not dots:
        return ""
    first = next(part for _, part in parts if part is not None)
    mark = _mark(section, first)
    drawn = dot_plot(dots, title=column.label, direction=column.direction, digits=column.digits, mark=mark)
    dashed = f" Dashed: {mark.label}." if mark else ""
    return (
        f"<figure><figcaption><b>{html.escape(column.label)}</b>{html.escape(ASKS[first.kind] + dashed)}</figcaption>"
        f"{drawn}</figure>"
    )


def _mark(section: Section, metric: MetricPart) -> Mark | None:
    if metric.kind == "fvd":
        same = next((one for one in section.floor if one.same_captions is not None), None)
        return (
            None if same is None else Mark(same.same_captions or 0.0, f"the floor, real against real at n = {same.n}")
        )
    real = metric.details.get("real")
    return None if real is None else Mark(float(real), "the real videos")
