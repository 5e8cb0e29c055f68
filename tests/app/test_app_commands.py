"""The verbs of a study, from codes to results, as somebody at a keyboard meets them."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from human_eval_app.commands.listening import allowed_names
from human_eval_app.database import Database
from human_eval_app.events import record_events
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.study_folder import StudyFolder
from tests.app.app_folder import bring_in, make_folder, make_sources
from tests.app.app_study import rate_all
from univg_bench.cli import run
from univg_bench.human.rating_files import read_ratings

ROOT = Path(__file__).parents[2]
Out = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    made = make_folder(tmp_path)
    bring_in(made, make_sources(tmp_path / "videos"))
    return made


@pytest.fixture
def rated(folder: StudyFolder) -> StudyFolder:
    """Two people have rated all; the first one's player reported something."""
    store = folder.store()
    for code in store.issue_codes(2, who="test"):
        pairs = rate_all(store, who := store.login(code))
        record_events(store, who.id, pairs[0].id, [{"t": 40, "kind": "play", "value": "x, y"}])
    return folder


def call(folder: StudyFolder, verb: str, *words: object) -> int:
    return run(["-q", "human", verb, str(folder.path), *map(str, words)])


def record(capsys: Out, folder: StudyFolder, verb: str, *words: object) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["-q", "--json", "human", verb, str(folder.path), *map(str, words)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_codes_are_shown_once_and_let_people_in(folder: StudyFolder, tmp_path: Path, capsys: Out) -> None:
    assert call(folder, "codes", 3) == 0
    shown = capsys.readouterr().out.split()
    assert len(shown) == 3
    dest = tmp_path / "codes.txt"
    assert call(folder, "codes", 2, "--dest", dest) == 0
    assert dest.stat().st_mode & 0o777 == 0o600
    store = folder.store()
    assert len({store.login(code).alias for code in shown + dest.read_text().split()}) == 5
    assert not any(code in (folder.path / "study.db").read_bytes().decode("latin-1") for code in shown)
    assert call(folder, "codes", 2, "--dest", dest) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_closed_study_gives_no_codes_and_stays_closed(folder: StudyFolder, capsys: Out) -> None:
    assert call(folder, "close") == 0
    assert call(folder, "close") == 0
    assert "was closed already" in capsys.readouterr().out
    assert call(folder, "codes", 1) == 2
    assert "pilot@1 is closed; a code would let nobody rate" in capsys.readouterr().err


def test_the_status_counts_pairs_people_leases_and_flags(folder: StudyFolder, capsys: Out) -> None:
    store = folder.store()
    one, two = (store.login(code) for code in store.issue_codes(2, who="test"))
    rate_all(store, one)
    pair = next_pair(store, two.id)
    assert isinstance(pair, Handed)
    store.flag(two.id, pair.id, reason="the left one is black")
    next_pair(store, two.id)
    found = record(capsys, folder, "status")
    assert (found["pairs"], found["ratings"], found["wanted"], found["leased"], found["complete"]) == (4, 4, 8, 1, 0)
    assert [flag["reason"] for flag in found["flags"]] == ["the left one is black"]
    assert [lease["alias"] for lease in found["leases"]] == [two.alias]
    assert {p["alias"]: p["main"] for p in found["people"]} == {one.alias: 4, two.alias: 0}
    assert call(folder, "status") == 0
    text = capsys.readouterr().out
    assert "ratings 4 of 8 are there, 1 more are being given now" in text
    assert one.alias in text


def test_a_study_is_checked_before_and_after_its_import(tmp_path: Path, capsys: Out) -> None:
    folder = make_folder(tmp_path)
    assert call(folder, "check") == 0
    assert "the study file is valid, 4 pairs; no videos were imported yet" in capsys.readouterr().out
    assert not (folder.path / "study.db").exists()
    bring_in(folder, make_sources(tmp_path / "videos"))
    assert call(folder, "check") == 0
    assert "pilot@1: database, videos and images are whole" in capsys.readouterr().out


def test_the_check_finds_lost_and_changed_videos(rated: StudyFolder, capsys: Out) -> None:
    one, two = sorted(rated.presentation.glob("[0-9a-f]*.mp4"))[:2]
    one.unlink()
    two.write_bytes(two.read_bytes()[:-1] + b"\0")
    assert call(rated, "check") == 3
    said = capsys.readouterr().err
    assert "pilot@1 has 2 faults" in said
    assert "is gone from" in said
    assert f"is not the file that was imported ({two.name})" in said
    # the same import mends it
    assert call(rated, "import", "--workers", 1) == 0
    assert call(rated, "check") == 0


def test_the_check_finds_an_answer_that_is_missing(rated: StudyFolder, capsys: Out) -> None:
    with closing(sqlite3.connect(rated.path / "study.db")) as connection:
        connection.execute("DROP TRIGGER rating_no_delete")
        connection.execute("DROP TRIGGER submission_no_update")
        connection.execute("DELETE FROM rating WHERE assignment_id = 1 AND dimension = 'OL'")
        connection.execute("UPDATE submission SET num_ratings = 2 WHERE assignment_id = 1")
        connection.commit()
    assert call(rated, "check") == 3
    assert "assignment 1 has 2 ratings, i" in capsys.readouterr().err


def test_an_export_is_refused_while_the_study_is_open(rated: StudyFolder, tmp_path: Path, capsys: Out) -> None:
    assert call(rated, "export", tmp_path / "out") == 2
    assert "keeps results hidden until it is closed; close it first" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_an_export_goes_into_a_report_and_names_nobody(
    rated: StudyFolder, tmp_path: Path, capsys: Out, form: str
) -> None:
    assert call(rated, "close") == 0
    out = tmp_path / "out"
    files = record(capsys, rated, "export", out, "--format", form)["files"]
    names = [f"ratings.{form}", "submissions.csv", "events.csv", "annotators.csv", "codebook.md", "study.json"]
    assert [Path(file).name for file in files] == names
    ratings = read_ratings(out / f"ratings.{form}", dimensions=rated.study.plan.dimensions)
    assert len(ratings) == 2 * 4 * 3
    assert set(ratings.frame["choice"]) == {"G"}
    read = ["-q", "human", "winrate", files[0], "--study", str(rated.path / "study.yaml")]
    assert run(read) == 0
    submissions = pd.read_csv(out / "submissions.csv", keep_default_na=False)
    assert len(submissions) == 8
    assert set(submissions["num_ratings"]) == {3}
    people = pd.read_csv(out / "annotators.csv", keep_default_na=False)
    assert set(people["annotator"]) == set(ratings.labels("annotator")) == set(submissions["annotator"])
    events = pd.read_csv(out / "events.csv")
    assert list(zip(events["t_ms"], events["event"], events["value"], strict=True)) == [(40, "play", "x, y")] * 2
    facts = json.loads((out / "study.json").read_text())
    assert facts["digest"] == rated.study.digest
    assert len({video["sha256"] for video in facts["videos"]}) == 8
    assert not any("path" in video for video in facts["videos"])
    assert "AM: Amount of motion" in (out / "codebook.md").read_text()
    # once more into the same folder is fine, into another one with something in it is not
    assert call(rated, "export", out) == 0
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    assert call(rated, "export", tmp_path / "notes") == 2
    assert [p.name for p in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_report_takes_a_study_folder_for_its_results(rated: StudyFolder, tmp_path: Path, capsys: Out) -> None:
    out = tmp_path / "out"
    assert call(rated, "report", "--out", out) == 2
    assert "keeps results hidden until it is closed" in capsys.readouterr().err
    assert call(rated, "close") == 0
    assert call(rated, "report", "--out", out, "--title", "mine") == 2
    assert "is a study with title and rules of its own" in capsys.readouterr().err
    assert call(rated, "report", "--out", out) == 0
    assert call(rated, "results", "--out", tmp_path / "again") == 0
    assert (out / "report.html").read_bytes() == (tmp_path / "again" / "report.html").read_bytes()


def test_a_name_with_which_nobody_could_come_in_is_refused(folder: StudyFolder, capsys: Out) -> None:
    for name in ("https://study.example.org", "study.example.org:8501", "study.example.org/", ""):
        assert call(folder, "serve", "--port", 0, "--allow-host", name) == 2
        assert "expected a name such as study.example.org" in capsys.readouterr().err
    assert allowed_names("0.0.0.0", ("Lab-PC", "[::1]", "10.0.0.7")) == ("Lab-PC", "[::1]", "10.0.0.7")
    # behind a proxy people use its name, which is not known here
    assert allowed_names("127.0.0.1", behind_proxy=True) == ()
    assert "localhost" in allowed_names("127.0.0.1")


def test_the_report_of_a_study_says_what_people_said(rated: StudyFolder, tmp_path: Path) -> None:
    assert call(rated, "results", "--out", tmp_path / "open") == 2
    assert not (tmp_path / "open").exists()
    assert call(rated, "close") == 0
    assert call(rated, "results", "--out", tmp_path / "out") == 0
    rates = pd.read_csv(tmp_path / "out" / "win_rates.csv")
    assert set(rates["G"]) == {8}
    assert set(rates["B"]) == {0}
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


def test_a_locked_database_is_said_with_the_code_of_infrastructure(
    folder: StudyFolder, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("human_eval_app.study_folder.Database", lambda url, **_: Database(url, busy_seconds=0.05))
    with closing(sqlite3.connect(folder.path / "study.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert call(folder, "codes", 1) == 5
    assert "locked by another program; nothing was saved" in capsys.readouterr().err


def test_verbs_start_without_torch_and_streamlit() -> None:
    program = (
        "import sys; from univg_bench.cli import run; run(['human', '--help'])\n"
        "heavy = {'torch', 'streamlit', 'av', 'sqlalchemy', 'pandas', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for verb in ("init", "import", "codes", "status", "check", "close", "export", "results", "backup", "forget"):
        assert f"  {verb} " in done.stdout
