"""Files to take home, made when they are asked for, by the functions that the command line uses; each is logged."""

from __future__ import annotations

import tempfile
from pathlib import Path

from human_eval_app.admin.results import results_of
from human_eval_app.export import export_ratings
from human_eval_app.storage import Store, audit
from univg_bench.errors import InputError
from univg_bench.human.gsb_figures import svg
from univg_bench.human.gsb_report import figures, page

# ending -> media type
FORMATS = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet", ".jsonl": "application/jsonl"}


def file_name(store: Store, ending: str) -> str:
    """Return how a file of this study is called: `pilot-1.csv`."""
    return f"{store.study.id}-{store.study.version}{ending}"


def ratings_bytes(store: Store, ending: str, *, who: str) -> bytes:
    """Return the ratings as `export_ratings` writes them; the log notes who took them.

    Raises InputError while results are hidden, or where there is no rating; SampleError for a damaged database.
    """
    with tempfile.TemporaryDirectory(prefix="univg-export-") as folder:
        path = Path(folder) / file_name(store, ending)
        export_ratings(store, path, who=who)
        return path.read_bytes()


def report_bytes(store: Store, *, who: str) -> bytes:
    """Return the HTML report of `univg-bench human report`; the log notes who took it.

    Raises InputError as `ratings_bytes` does, and where the checks leave nobody.
    """
    found = results_of(store)
    if found.passed is None:
        raise InputError(found.none_passed)
    drawn = {name: svg(chart) for name, chart in figures(found.passed).items()}
    content = page(found.passed, drawn, title=store.study.title)
    now = store.now_ms()
    detail = f"{store.slug}: report of {len(found.passed.ratings)} ratings"
    store.database.write(lambda connection: audit(connection, now, who, "export", detail))
    return content.encode()
