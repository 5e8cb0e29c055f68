"""One self-contained HTML page about a study, and the files it is made of."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from univg_bench.human.analysis import Analysis
from univg_bench.human.dimensions import Dimension
from univg_bench.human.gsb_figures import agreement_dots, answer_bars, forest, png, svg
from univg_bench.human.gsb_tables import (
    agreement_table,
    annotator_table,
    counts_table,
    rates_csv,
    strength_table,
    table2,
)
from univg_bench.human.rating_files import write_atomically

if TYPE_CHECKING:
    from univg_bench.human.gsb_figures import Chart

STYLE = """
body{font:16px/1.5 system-ui,'DejaVu Sans',sans-serif;max-width:1260px;margin:2rem auto;padding:0 1rem;
  color:#1a1a1a;background:#fff}
h1{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #999}
.say{border-left:4px solid #0b3c5d;background:#f2f4f6;padding:.6rem 1rem;margin:.5rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.76rem;margin:1rem 0;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{border-bottom:1px solid #ccc;padding:.3rem .35rem;text-align:right;vertical-align:top}
td{white-space:nowrap}th[scope=row]{text-align:left;white-space:nowrap}th[scope=colgroup]{text-align:center}
thead th{border-bottom:2px solid #1a1a1a}.note{font-size:.85rem;color:#444;margin:.3rem 0}
figure{margin:1.5rem 0;overflow-x:auto}figure svg{max-width:100%;height:auto}
code{background:#f2f4f6;padding:0 .2rem}details{margin:1rem 0}summary{cursor:pointer;font-weight:600}

.words :is(td,th):last-child{white-space:normal;text-align:left;min-width:20rem}
thead th:first-child{text-align:left}
@media print{.scroll{overflow:visible}body{margin:0;max-width:none}}
"""


def figures(analysis: Analysis) -> dict[str, Chart]:
    """Return the figures that the data allow, by file name."""
    rates = analysis.rates
    dimensions = shown_dimensions(analysis)
    primary = next((d for d in dimensions if d.code == analysis.plan.primary), dimensions[-1])
    charts: dict[str, Chart] = {
        "figure4": answer_bars(rates, primary),
        "forest": forest(rates, dimensions, level=analysis.plan.level),
    }
    if any(c.value is not None for a in analysis.agreements for c in a.coefficients.values()):
        charts["agreement"] = agreement_dots(analysis.agreements)
    return charts


def shown_dimensions(analysis: Analysis) -> tuple[Dimension, ...]:
    rated = {r.dimension for r in analysis.rates}
    return tuple(d for d in analysis.ratings.dimensions if d.code in rated)


def write_report(analysis: Analysis, dest: Path, *, title: str) -> list[Path]:
    """Write report.html and its parts (tables as Markdown, CSV, LaTeX; figures as SVG, PNG) into the folder `dest`."""
    dimensions = shown_dimensions(analysis)
    level = analysis.plan.level
    rates = analysis.rates
    induced = analysis.ratings.induced
    first = table2(rates, dimensions, level=level, induced=induced)
    files: dict[str, bytes] = {
        "table2.md": first.markdown().encode(),
        "table2.csv": first.csv().encode(),
        "table2.tex": first.latex().encode(),
        "win_rates.csv": rates_csv(rates, level=level, induced=induced).encode(),
        "agreement.csv": agreement_table(analysis.agreements).csv().encode(),
        "annotators.csv": annotator_table(analysis.screened).csv().encode(),
        "strengths.csv": strength_table(analysis.strengths).csv().encode(),
    }
    if analysis.num_excluded:
        files["win_rates_all_annotators.csv"] = rates_csv(analysis.rates_all, level=level, induced=induced).encode()
    drawn = {}
    for name, chart in figures(analysis).items():
        drawn[name] = svg(chart)
        files[f"{name}.svg"] = drawn[name].encode()
        files[f"{name}.png"] = png(chart)
    files["report.html"] = page(analysis, drawn, title=title).encode()
    for name, content in files.items():
        write_atomically(dest / name, content)
    return [dest / name for name in files]


def page(analysis: Analysis, drawn: dict[str, str], *, title: str) -> str:
    """Return the report as one HTML page without scripts or links to other files. drawn: figure name -> SVG."""
    dimensions, level = shown_dimensions(analysis), analysis.plan.level
    rates = analysis.rates
    ratings = analysis.ratings
    say = "".join(f"<p class='say'>{html.escape(s)}</p>" for s in analysis.sentences())
    counts = (
        (len(ratings), "rating"),
        (len(ratings.labels("annotator")), "annotator"),
        (len(ratings.labels("item")), "item"),
        (len({(r.method, r.other) for r in analysis.rates_all}), "comparison"), (len(dimensions), "dimension"),
    )  # fmt: skip
    facts = ", ".join(f"{n:,} {thing}{'' if n == 1 else 's'}" for n, thing in counts)
    facts += f", from <code>{html.escape(ratings.source)}</code>"
    excluded = ""
    if analysis.num_excluded:
        everybody = table2(analysis.rates_all, dimensions, level=level, induced=ratings.induced).html()
        excluded = f"<h2>The same with nobody excluded</h2>{everybody}"
    source = analysis.plan.source
    origin = (
        f"From {source}." if source else "No study file was given: these are our defaults, not a plan of the study."
    )
    rules = "".join(f"<li>{html.escape(str(r))}</li>" for r in analysis.plan.screening) or "<li>none</li>"

    def asked(dimension: Dimension) -> str:
        return "not asked: induced from scores" if ratings.induced else html.escape(dimension.question)

    questions = "".join(
        f"<tr><th scope='row'>{html.escape(d.code)}</th><td style='text-align:left'>{html.escape(d.name)}</td>"
        f"<td style='text-align:left'>{asked(d)}</td></tr>"
        for d in dimensions
    )
    agreement_figure = _figure(drawn, "agreement", "Coefficients of agreement with their intervals.")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{html.escape(title)}</h1>
<p>{facts}.</p>
{say}
<h2>Win rates</h2>
{table2(rates, dimensions, level=level, induced=ratings.induced).html()}
{_figure(drawn, "forest", "Win rates with their intervals; the numbers are in the table above.")}
{_figure(drawn, "figure4", "Shares of the three answers; the counts are in the table below.")}
<details><summary>Counts, three kinds of interval, tests</summary>{counts_table(rates, level=level).html()}</details>
{excluded}
<h2>Agreement</h2>
{agreement_table(analysis.agreements).html()}
{agreement_figure}
<h2>Strength of methods</h2>
{strength_table(analysis.strengths).html()}
<h2>Annotators</h2>
<div class='words'>{annotator_table(analysis.screened).html()}</div>
<h2>Rules of the analysis</h2>
<p>{html.escape(origin)} Level {level:.0%}; primary dimension {html.escape(analysis.plan.primary or "none")};
bootstrap of {analysis.plan.draws:,} draws with seed {analysis.plan.seed}. Screening rules:</p><ul>{rules}</ul>
<p>Digest of the plan: <code>{analysis.plan.digest[:16]}</code>. How each number is computed:
docs/human_statistics.md.</p>
<div class='scroll'><table><caption>Questions</caption><tbody>{questions}</tbody></table></div>
</body></html>
"""


def _figure(drawn: dict[str, str], name: str, caption: str) -> str:
    if name not in drawn:
        return ""
    text = html.escape(caption)
    return f"<figure role='img' aria-label='{text}'>{drawn[name]}<figcaption class='note'>{text}</figcaption></figure>"
