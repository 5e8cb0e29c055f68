"""What a study found, for everybody and for those who passed the checks: the same numbers as `human report` prints."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, select

from human_eval_app.export import ratings_of, require_sight
from human_eval_app.storage import Store, audit
from human_eval_app.tables import ANNOTATOR, ASSIGNMENT, SUBMISSION
from univg_bench.errors import InputError
from univg_bench.human.analysis import Analysis, analyse
from univg_bench.human.ratings import Ratings
from univg_bench.human.screening import Screened, screen


@dataclass(frozen=True)
class State:
    """What results depend on: equal states have equal results. last_ms: when the newest submission came."""

    num_submissions: int
    last_ms: int
    num_withdrawn: int


@dataclass(frozen=True)
class Results:
    """passed is None where the checks leave nobody, and `none_passed` says so. screened: everybody's checks."""

    everybody: Analysis
    passed: Analysis | None
    screened: tuple[Screened, ...]
    none_passed: str = ""


def state_of(store: Store) -> State:
    """Return the state of the answers, by counting; it is cheap, and asked for at every refresh."""
    with store.database.read() as connection:
        row = connection.execute(
            select(func.count(), func.max(SUBMISSION.c.created_ms))
            .join(ASSIGNMENT, ASSIGNMENT.c.id == SUBMISSION.c.assignment_id)
            .join(ANNOTATOR, ANNOTATOR.c.id == ASSIGNMENT.c.annotator_id)
            .where(ANNOTATOR.c.study_id == store.study_id)
        ).one()
        gone = (ANNOTATOR.c.study_id == store.study_id) & (ANNOTATOR.c.status == "withdrawn")
        withdrawn = connection.execute(select(func.count()).select_from(ANNOTATOR).where(gone)).scalar_one()
    return State(row[0], row[1] or 0, withdrawn)


def results_of(store: Store) -> Results:
    """Return the results. Raises InputError while they are hidden, or where there is nothing to analyse yet."""
    require_sight(store)
    return results(ratings_of(store), store)


def results(ratings: Ratings, store: Store) -> Results:
    """Return both analyses of `ratings` under the rules of the study file."""
    plan = replace(store.study.plan, source="the study file")
    # without rules nobody is excluded, so its rates, agreement and side bias are those of everybody
    everybody = analyse(ratings, replace(plan, screening=()))
    screened = tuple(screen(ratings, plan.screening))
    if not any(s.excluded for s in screened):
        return Results(everybody, replace(everybody, plan=plan, screened=screened), screened)
    try:
        return Results(everybody, analyse(ratings, plan), screened)
    except InputError as error:
        return Results(everybody, None, screened, str(error))


def checks_of(store: Store) -> tuple[Screened, ...]:
    """Return the checks of every annotator; they are blind to methods, so they may be seen while the study is open.

    Raises InputError where nothing was rated yet.
    """
    return tuple(screen(ratings_of(store), store.study.plan.screening))


def note_look(store: Store, *, who: str, state: State) -> None:
    """Write into the log that somebody looked at results; while a study is open that invites stopping when they please.

    Raises InputError, and writes nothing, where the study keeps them hidden.
    """
    require_sight(store)
    now = store.now_ms()
    detail = f"{store.slug}: results after {state.num_submissions} submissions"
    store.database.write(lambda connection: audit(connection, now, who, "peek", detail))
