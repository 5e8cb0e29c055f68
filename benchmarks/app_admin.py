"""CPU time behind the admin page, of 656 pairs rated 3 times by 30 people: python -m benchmarks.app_admin."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from human_eval_app.admin.coverage import coverage
from human_eval_app.admin.people import people
from human_eval_app.admin.results import checks_of, results_of, state_of
from human_eval_app.creation import create_study
from human_eval_app.database import Database
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Annotator, Store
from human_eval_app.study import Item, Method, Session, Study

NUM_ITEMS, RATINGS_PER_PAIR, NUM_PEOPLE, NUM_CARELESS, ROUNDS = 328, 3, 30, 2, 5
METHODS = ("ours", "plain", "frozen")


def main() -> None:
    """Print the median CPU milliseconds of what the page asks for; careless people make both analyses necessary."""
    study = Study(
        schema_="univg-bench/study/1", id="bench", version=1, title="A study to time",
        methods=tuple(Method(id=name) for name in METHODS), ours=METHODS[0], others=METHODS[1:],
        items=tuple(Item(id=f"i{k}", prompt="a ball", image=f"images/{k}.png") for k in range(NUM_ITEMS)),
        ratings_per_pair=RATINGS_PER_PAIR, session=Session(pairs=2 * NUM_ITEMS),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        database = Database(str(Path(folder) / "study.db"))
        slug = create_study(database, study, who="benchmark", now_ms=int(time.time() * 1000))
        store = Store(database, slug, pepper=b"no secret: a benchmark")
        num_answers = _rate(store)
        store.close(who="benchmark")
        print(f"{2 * NUM_ITEMS} pairs, {NUM_PEOPLE} people, {num_answers} answers; CPU ms, median of {ROUNDS}")
        parts: dict[str, Callable[[], object]] = {
            "has anything changed": lambda: state_of(store),
            "overview": lambda: (coverage(store), people(store)),
            "ratings, checked": lambda: checks_of(store),
            "results, everybody and who passed": lambda: results_of(store),
        }
        for name, work in parts.items():
            print(f"  {name}: {median(_cpu_ms(work) for _ in range(ROUNDS)):.0f}")
        left_out = sum(s.excluded for s in results_of(store).screened)
        print(f"  left out by the checks: {left_out}")
        database.close()


def _rate(store: Store) -> int:
    """Let everybody rate in turn until nothing is left, and return how many questions were answered."""
    rng = np.random.default_rng(0)
    asked = [d.code for d in store.study.questions(store.study.items[0])]
    staff = [store.login(code) for code in store.issue_codes(NUM_PEOPLE, who="benchmark")]
    careless = set(staff[:NUM_CARELESS])
    waiting: list[Annotator] = list(staff)
    num_answers = 0
    while waiting:
        who = waiting.pop(0)
        pair = next_pair(store, who.id)
        if not isinstance(pair, Handed):
            continue
        waiting.append(who)
        clicks = (
            ["left"] * len(asked) if who in careless else rng.choice(["left", "same", "right"], len(asked)).tolist()
        )
        store.submit(
            who.id, pair.id, client_uuid=str(uuid.uuid4()), answers=dict(zip(asked, clicks, strict=True)),
            seconds=float(rng.lognormal(3.7, 0.25)), watched=1.0,
        )  # fmt: skip
        num_answers += len(asked)
    return num_answers


def _cpu_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
