"""A study folder opens as the study that it is, or says in one sentence what is wrong with it."""

import os
from pathlib import Path

import pytest

from human_eval_app.backup import back_up
from human_eval_app.creation import create_study
from human_eval_app.database import Database
from human_eval_app.new_study import new_study
from human_eval_app.study_files import load_study
from human_eval_app.study_folder import StudyFolder
from tests.app.app_folder import bring_in, make_folder, make_sources
from tests.app.app_study import open_store, people, small_study
from univg_bench.cli import run
from univg_bench.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    made = make_folder(tmp_path, items=1)
    bring_in(made, make_sources(tmp_path / "videos", items=1))
    return made


def test_a_code_issued_in_one_process_lets_in_in_another(folder: StudyFolder) -> None:
    (code,) = folder.store().issue_codes(1, who="test")
    assert StudyFolder.open(folder.path).store().login(code).alias.startswith("p-")


def test_the_pepper_is_for_its_owner_only(folder: StudyFolder) -> None:
    path = folder.path / "pepper"
    assert path.stat().st_mode & 0o777 == 0o600
    assert repr(folder.pepper) not in repr(folder)
    path.chmod(0o644)
    with pytest.raises(InputError, match=r"can be read by others \(mode 644\); run `chmod 600"):
        StudyFolder.open(folder.path)


@pytest.mark.skipif(
    os.name != "posix", reason="modes of files are a thing of POSIX: run on Linux or macOS to enable it"
)
def test_the_database_with_its_logs_and_copies_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    store = open_store(folder.database, folder.study)
    people(store, 1)
    back_up(folder.database, tmp_path / "copy.db")
    files = [*folder.path.glob("study.db*"), tmp_path / "copy.db"]
    assert {file.name for file in files} == {"study.db", "study.db-wal", "study.db-shm", "copy.db"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "found no .*pepper; put it back"), ("abc\n", "is no pepper: expected 64 hex")]
)
def test_a_missing_or_strange_pepper_is_said(folder: StudyFolder, content: str | None, sentence: str) -> None:
    (folder.path / "pepper").unlink()
    if content is not None:
        (folder.path / "pepper").write_text(content)
    with pytest.raises(InputError, match=sentence):
        StudyFolder.open(folder.path)


def test_a_wrong_pepper_is_noticed_before_it_turns_people_away(folder: StudyFolder) -> None:
    (folder.path / "pepper").write_text("0" * 64 + "\n")
    with pytest.raises(InputError, match=r"is not the pepper of .*study.db: no code would let anybody in"):
        StudyFolder.open(folder.path).store()


def test_the_database_of_another_study_is_refused(folder: StudyFolder, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    database = Database(other)
    create_study(database, small_study(tmp_path).model_copy(update={"id": "another"}), who="test", now_ms=0)
    with pytest.raises(InputError, match=r"other.db holds another@1, not pilot@1"):
        StudyFolder.open(folder.path, other).store()
    Database(str(tmp_path / "empty.db")).close()
    with pytest.raises(InputError, match=r"empty.db is empty, not pilot@1"):
        StudyFolder.open(folder.path, str(tmp_path / "empty.db")).store()


def test_a_folder_before_its_import_has_no_database_and_gets_none_by_looking(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with pytest.raises(InputError, match=r"found no database .*study.db; `univg-bench human import"):
        folder.store()
    assert not (folder.path / "study.db").exists()


def test_the_database_can_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIVG_STUDY_DATABASE", "postgresql://me:secret@somewhere/ratings")
    folder = make_folder(tmp_path)
    assert folder.database == "postgresql://me:secret@somewhere/ratings"
    assert folder.shown_database == "postgresql://me:***@somewhere/ratings"


def test_a_new_study_is_valid_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-q", "human", "init", str(tmp_path / "My Study")]) == 0
    folder = StudyFolder.open(tmp_path / "My Study")
    assert (folder.slug, folder.study.ours, folder.study.others) == ("my-study@1", "ours", ("other",))
    assert run(["-q", "human", "init", str(tmp_path / "My Study")]) == 2
    assert "is there already" in capsys.readouterr().err
    # what is wrong is told of what was given, not of a file that is gone by then
    assert run(["-q", "human", "init", str(tmp_path / "other"), "--method", "a b", "--method", "c"]) == 2
    said = capsys.readouterr().err
    assert "these make no study file: line 12:" in said
    assert "found 'a b', expected letters" in said
    assert ".tmp-" not in said


def test_a_new_study_takes_its_items_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "prompts.csv"
    table.write_text("item_id,source,category,prompt\n002,x,actions,\"people, dancing: 'well'\"\n005,x,,rabbits\n")
    words = ["--method", "a-1", "--method", "B.2", "--items-from", str(table), "--title", 'A "blind" one: ours']
    assert run(["-q", "human", "init", str(tmp_path / "s"), *words]) == 0
    study = load_study(tmp_path / "s" / "study.yaml")
    assert [(i.id, i.prompt, i.category) for i in study.items] == [
        ("002", "people, dancing: 'well'", "actions"), ("005", "rabbits", None)
    ]  # fmt: skip
    assert study.title == 'A "blind" one: ours'


def test_a_name_that_no_method_can_have_is_refused_before_a_file_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected letters, digits"):
        new_study(tmp_path / "s", methods=["ours", "../theirs"])
    assert not (tmp_path / "s" / "study.yaml").exists()
    with pytest.raises(InputError, match="expected at least two methods with different names"):
        new_study(tmp_path / "s", methods=["ours", "ours"])
