"""Many annotators at once, and a server that is killed under them: every saved answer is there, once."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from human_eval_app.export import check
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import ASSIGNMENT, RATING, SUBMISSION
from tests.app.app_crowd import Crowd, admitted, rate_stubbornly, rate_together
from tests.app.app_served import Server, running, served_study


def prepare(folder: Path, *, people: int, pairs: int) -> tuple[StudyFolder, list[str]]:
    """Return a study in which everybody rates every pair, and a code for each."""
    study = served_study(folder, items=pairs, target=people, more=f"session: {{pairs: {pairs + 10}}}\n")
    store = study.store()
    codes = admitted(store, people)
    store.database.close()
    return study, codes


def assert_exact(study: StudyFolder, acknowledged: Sequence[str], *, people: int, pairs: int) -> None:
    """Every acknowledged submission is there, once and whole, and nothing else."""
    store = study.store()
    try:
        with store.database.read() as connection:
            stored = connection.execute(sa.select(SUBMISSION.c.client_uuid)).scalars().all()
            ratings = connection.execute(sa.select(sa.func.count()).select_from(RATING)).scalar_one()
            per_pair = Counter(connection.execute(sa.select(ASSIGNMENT.c.pair_id)).scalars())
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        assert sorted(stored) == sorted(acknowledged)
        assert len(stored) == people * pairs
        assert ratings == 3 * people * pairs
        assert set(per_pair.values()) == {people}
        assert check(store) == []
    finally:
        store.database.close()


def rated_by_a_crowd(folder: Path, *, people: int, pairs: int, think: float) -> None:
    study, codes = prepare(folder, people=people, pairs=pairs)
    with running(folder) as server:
        crowd = rate_together(server.port, codes, pairs=pairs, think=think)
        log = server.stop()
    assert crowd.faults == []
    assert_exact(study, crowd.acknowledged, people=people, pairs=pairs)
    assert "Traceback" not in log


def test_five_annotators_at_once_leave_exact_counts(tmp_path: Path) -> None:
    rated_by_a_crowd(tmp_path / "study", people=5, pairs=4, think=0.0)


@pytest.mark.slow
def test_twenty_annotators_at_once_leave_exact_counts(tmp_path: Path) -> None:
    rated_by_a_crowd(tmp_path / "study", people=20, pairs=10, think=2.0)


@pytest.mark.slow
def test_twenty_annotators_without_a_pause_leave_exact_counts(tmp_path: Path) -> None:
    rated_by_a_crowd(tmp_path / "study", people=20, pairs=10, think=0.0)


def killed_under_load(folder: Path, *, people: int, pairs: int, kills: int) -> None:
    study, codes = prepare(folder, people=people, pairs=pairs)
    rng = random.Random(5)
    survived: list[int] = []

    def kill(crowd: Crowd, server: Server) -> None:
        for number in range(kills):
            while len(crowd.acknowledged) < people * pairs * (number + 1) // (kills + 1):
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.05))
            server.kill()
            survived.append(len(crowd.acknowledged))
            server.start()

    with running(folder) as server:
        crowd = rate_stubbornly(server.port, codes, pairs=pairs, meanwhile=lambda c: kill(c, server))
        server.stop()
    assert len(survived) == kills
    assert survived[-1] < people * pairs, "the last kill came when all was done; it proves nothing"
    assert_exact(study, crowd.acknowledged, people=people, pairs=pairs)


def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    killed_under_load(tmp_path / "study", people=4, pairs=6, kills=1)


@pytest.mark.slow
def test_six_killed_servers_lose_and_double_nothing(tmp_path: Path) -> None:
    killed_under_load(tmp_path / "study", people=10, pairs=20, kills=6)
