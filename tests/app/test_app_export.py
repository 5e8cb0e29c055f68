"""What leaves the database is what was answered, under aliases, in the form that reports read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from human_eval_app.export import check, export_ratings, ratings_of
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Store
from tests.app.app_study import GOLD, PRACTICE, answer, open_store, people, rate_all, small_study, write_study
from univg_bench.cli import run
from univg_bench.errors import InputError, SampleError
from univg_bench.human.rating_files import read_ratings
from univg_bench.human.winrate import win_rates

EVERYTHING = PRACTICE + GOLD


@pytest.fixture(scope="module")
def rated(module_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Twelve pairs, three ratings each: all find ours moving more and like both; two of three find ours sharper.

    For reading: made once per database.
    """
    store = open_store(module_url, small_study(tmp_path_factory.mktemp("rated"), items=12, target=3, more=EVERYTHING))
    for number, who in enumerate(people(store, 3)):
        while isinstance(pair := next_pair(store, who.id), Handed):
            clicked = {"PS": pair.side if number < 2 else "same", "AM": pair.side, "OL": "same"}
            answer(store, who, pair, answers=clicked, seconds=9.5, watched=1.0)
    store.close(who="test")
    yield store
    store.database.close()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_an_export_is_read_back_as_the_same_ratings(rated: Store, tmp_path: Path, suffix: str) -> None:
    dest = tmp_path / f"ratings.{suffix}"
    written = export_ratings(rated, dest, who="test")
    read = read_ratings(dest, dimensions=rated.study.plan.dimensions)
    assert read.frame.astype(str).equals(written.frame[read.frame.columns].astype(str))
    kinds = written.frame["kind"].value_counts()
    # 3 people: 12 pairs and 2 repeats with 3 questions each; of practice and gold the known answers only
    assert dict(kinds) == {"main": 108, "repeat": 18, "gold": 9, "practice": 6}


def test_win_rates_of_an_export_are_those_of_the_answers(rated: Store) -> None:
    rates = win_rates(ratings_of(rated), rated.study.plan)
    assert {r.dimension: (r.G, r.S, r.B) for r in rates} == {"PS": (24, 12, 0), "AM": (36, 0, 0), "OL": (0, 36, 0)}


def test_the_report_reads_what_the_app_exports(rated: Store, tmp_path: Path) -> None:
    study = write_study(tmp_path, items=12, target=3, more=EVERYTHING)
    export_ratings(rated, tmp_path / "ratings.csv", who="test")
    out = tmp_path / "report"
    code = run(["-q", "human", "report", str(tmp_path / "ratings.csv"), "--study", str(study), "--out", str(out)])
    assert code == 0
    assert (out / "report.html").stat().st_size > 10_000


def test_an_export_knows_people_by_alias_only(rated: Store, tmp_path: Path) -> None:
    ratings = export_ratings(rated, tmp_path / "ratings.csv", who="test")
    assert all(alias.startswith("p-") and len(alias) == 12 for alias in ratings.labels("annotator"))
    header = (tmp_path / "ratings.csv").read_text().splitlines()[0]
    assert set(header.split(",")) == {
        "item", "annotator", "method", "other", "dimension", "choice", "side", "answer", "kind", "expected",
        "repeat", "seconds", "watched",
    }  # fmt: skip


def test_results_stay_hidden_until_the_study_is_closed(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path))
    (who,) = people(store, 1)
    rate_all(store, who)
    with pytest.raises(InputError, match="keeps results hidden until it is closed"):
        export_ratings(store, tmp_path / "ratings.csv", who="test")
    assert not (tmp_path / "ratings.csv").exists()
    store.close(who="test")
    assert len(export_ratings(store, tmp_path / "ratings.csv", who="test")) == 12


def test_the_last_revision_counts_and_who_withdrew_does_not(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path, items=2, more="peek: true\n"))
    a, b = people(store, 2)
    for who in (a, b):
        pair = next_pair(store, who.id)
        assert isinstance(pair, Handed)
        answer(store, who, pair, "left")
        answer(store, who, pair, "same", revise=True)
    store.withdraw(b.id, who="test")
    ratings = ratings_of(store)
    assert ratings.labels("annotator") == [a.alias]
    assert list(ratings.frame["choice"]) == ["S"] * 3


def test_an_empty_study_has_nothing_to_export(url: str, tmp_path: Path) -> None:
    store = open_store(url, small_study(tmp_path, more="peek: true\n"))
    with pytest.raises(InputError, match="holds no ratings yet"):
        export_ratings(store, tmp_path / "ratings.csv", who="test")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE rating SET choice = CASE choice WHEN 'G' THEN 'B' ELSE 'G' END", "its click says otherwise"),
        ("DELETE FROM rating WHERE dimension = 'OL'", "has 2 of 3 ratings"),
        ("DELETE FROM rating; DELETE FROM submission", "is done without answers"),
        ("UPDATE assignment SET status = 'released', position = NULL", "has answers, but is released"),
    ],
)
def test_a_database_that_contradicts_itself_is_not_exported(tmp_path: Path, damage: str, sentence: str) -> None:
    store = open_store(str(tmp_path / "s.db"), small_study(tmp_path, items=2, more="peek: true\n"))
    (who,) = people(store, 1)
    rate_all(store, who)
    assert check(store) == []
    triggers = [f"DROP TRIGGER {name}" for name in ("rating_no_update", "rating_no_delete", "submission_no_delete")]
    for statement in [*triggers, *damage.split("; ")]:
        store.database.write(lambda connection, statement=statement: connection.exec_driver_sql(statement))
    with pytest.raises(SampleError, match=sentence):
        export_ratings(store, tmp_path / "ratings.csv", who="test")
    assert not (tmp_path / "ratings.csv").exists()
