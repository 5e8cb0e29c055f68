"""Time to hand out a pair and to save one, in a study of 655 pairs on SQLite: python -m benchmarks.app_core."""

from __future__ import annotations

import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

from human_eval_app.creation import create_study
from human_eval_app.database import Database
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Store
from human_eval_app.study import Item, Method, Session, Study

NUM_PAIRS, NUM_ANNOTATORS, PAIRS_EACH = 655, 5, 120


def main() -> None:
    """Print CPU milliseconds per pair and the median and 95th percentile of both steps."""
    study = Study(
        schema_="univg-bench/study/1", id="bench", version=1, title="A study to time",
        methods=(Method(id="ours"), Method(id="theirs")), ours="ours", others=("theirs",),
        items=tuple(Item(id=f"i{k}", prompt="a ball") for k in range(NUM_PAIRS)),
        ratings_per_pair=6, session=Session(pairs=NUM_PAIRS),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        database = Database(str(Path(folder) / "study.db"))
        slug = create_study(database, study, who="benchmark", now_ms=int(time.time() * 1000))
        store = Store(database, slug, pepper=b"no secret: a benchmark")
        staff = [store.login(code) for code in store.issue_codes(NUM_ANNOTATORS, who="benchmark")]
        asked = [d.code for d in study.questions(study.items[0])]
        handing, saving, started = [], [], time.process_time()
        for who in staff:
            for _ in range(PAIRS_EACH):
                begin = time.perf_counter()
                pair = next_pair(store, who.id)
                middle = time.perf_counter()
                assert isinstance(pair, Handed)
                store.submit(who.id, pair.id, client_uuid=str(uuid.uuid4()), answers=dict.fromkeys(asked, "left"))
                handing.append(middle - begin)
                saving.append(time.perf_counter() - middle)
        cpu = (time.process_time() - started) / len(saving)
        database.close()
    print(f"{len(saving)} pairs of {len(asked)} questions; {1000 * cpu:.1f} ms CPU per pair, both steps")
    for name, seconds in (("next pair", handing), ("submission", saving)):
        median, late = 1000 * np.quantile(seconds, [0.5, 0.95])
        print(f"{name}: median {median:.1f} ms, 95th percentile {late:.1f} ms")


if __name__ == "__main__":
    main()
