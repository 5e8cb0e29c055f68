"""One row per sample in a parquet file beside the record: what was scored, and each sample's own values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from univg_bench.atomic import atomic
from univg_bench.datasets import ItemSet
from univg_bench.measure import Planned
from univg_bench.measures.data import Rows
from univg_bench.samples import Row


def write_per_video(
    dest: Path,
    rows: Mapping[str, Row],
    items: ItemSet,
    planned: Sequence[Planned],
    columns: Sequence[Mapping[str, Rows]],
) -> None:
    """Write a row for every sample of the protocol, scored or not, in the order of the items.

    Columns: name, item_id, cluster, reference_id, status, num_frames, height, width, rgb_sha256; per metric
    `<id>_row`, the sample's row in features/<id>.samples.npy (-1 when it was not scored), and the metric's own values
    per sample, NaN where there is none. No captions: MSR-VTT's are not ours to hand on.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(rows)
    by_id = {item.item_id: item for item in items.items}
    owners = [by_id[name.rpartition("-s")[0]] for name in names]
    table: dict[str, Any] = {
        "name": names,
        "item_id": [item.item_id for item in owners],
        "cluster": [item.cluster for item in owners],
        "reference_id": [item.reference_id for item in owners],
        "status": [row.status for row in rows.values()],
        "num_frames": [row.frames for row in rows.values()],
        "height": [row.height for row in rows.values()],
        "width": [row.width for row in rows.values()],
        "rgb_sha256": [row.rgb_sha256 for row in rows.values()],
    }
    place = {name: number for number, name in enumerate(names)}
    for metric, values in zip(planned, columns, strict=True):
        where = [place[sample.video.name] for sample in metric.samples]
        row_of = np.full(len(names), -1, dtype=np.int64)
        row_of[where] = np.arange(len(where))
        table[f"{metric.metric.id}_row"] = row_of
        for column, numbers in values.items():
            spread = np.full(len(names), np.nan)
            spread[where] = numbers
            table[column] = spread
    with atomic(dest) as temporary:
        pq.write_table(pa.table(table), temporary)
