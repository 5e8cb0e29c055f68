"""A token opens one video, for one person; everything else that may be asked for is unknown."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from human_eval_app.creation import held_videos
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.refusals import RefusedError
from human_eval_app.storage import Annotator, Store
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import PAIR, VIDEO
from human_eval_app.videos import Timeline, image_of, inside, timeline_of, video_of
from tests.app.app_folder import bring_in, make_folder, make_sources, write_video
from tests.app.app_study import answer, people
from univg_bench.errors import SampleError

Opened = tuple[StudyFolder, Store, Annotator, Handed]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    folder = make_folder(tmp_path)
    bring_in(folder, make_sources(tmp_path / "videos"))
    store = folder.store()
    (who,) = people(store, 1)
    pair = next_pair(store, who.id)
    assert isinstance(pair, Handed)
    return folder, store, who, pair


def unknown(opened: Opened, token: str, annotator_id: int) -> None:
    folder, store, *_ = opened
    with pytest.raises(RefusedError) as caught:
        video_of(store, folder, token, annotator_id=annotator_id)
    assert caught.value.reason == "unknown_token"


def test_left_and_right_are_what_the_server_says_they_are(opened: Opened) -> None:
    folder, store, who, pair = opened
    with store.database.read() as connection:
        rows = held_videos(connection, store.study_id)
        row = connection.execute(sa.select(PAIR).where(PAIR.c.id == pair.pair_id)).one()
    while isinstance(pair, Handed):
        ours = pair.token_left if pair.side == "left" else pair.token_right
        theirs = pair.token_right if pair.side == "left" else pair.token_left
        for token, method in ((ours, row.method), (theirs, row.other)):
            found = video_of(store, folder, token, annotator_id=who.id)
            assert found.path == folder.presentation / str(rows[pair.item, method].path)
            assert found.path.stat().st_size == found.bytes
        answer(store, who, pair)
        pair = next_pair(store, who.id)  # type: ignore[assignment]


def test_a_token_is_good_for_its_owner_only(opened: Opened) -> None:
    folder, store, who, pair = opened
    (other,) = people(store, 1)
    unknown(opened, pair.token_left, other.id)
    video_of(store, folder, pair.token_left, annotator_id=who.id)
    store.withdraw(who.id, who="test")
    unknown(opened, pair.token_left, who.id)


@pytest.mark.parametrize("token", ["", "x" * 16, "../../study.db", "..%2Fpepper", "a" * 500, "'; --", "\0" * 16])
def test_what_is_no_token_opens_nothing(opened: Opened, token: str) -> None:
    unknown(opened, token, opened[2].id)


def test_a_file_that_is_gone_or_cut_is_said(opened: Opened) -> None:
    folder, store, who, pair = opened
    found = video_of(store, folder, pair.token_left, annotator_id=who.id)
    found.path.write_bytes(found.path.read_bytes()[:-1])
    with pytest.raises(SampleError, match=r"found no whole file for .* restore the folder, or run the same import"):
        video_of(store, folder, pair.token_left, annotator_id=who.id)
    found.path.unlink()
    with pytest.raises(SampleError, match="found no whole file"):
        video_of(store, folder, pair.token_left, annotator_id=who.id)


def test_a_database_that_was_tampered_with_leads_nowhere(opened: Opened) -> None:
    folder, store, who, pair = opened
    store.database.write(lambda c: c.execute(sa.update(VIDEO).values(path="../pepper")))
    with pytest.raises(SampleError, match="leads out of"):
        video_of(store, folder, pair.token_left, annotator_id=who.id)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "c:\\x", "link/x"])
def test_no_path_leads_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(SampleError, match="leads out of"):
        inside(tmp_path / "in", name)


def test_both_players_share_the_finer_rate_and_the_longer_length(tmp_path: Path) -> None:
    folder, sources = make_folder(tmp_path, items=1), make_sources(tmp_path / "videos", items=1)
    write_video(tmp_path / "videos" / "theirs" / "i0.mp4", fps=24, frames=12)
    bring_in(folder, sources)
    store = folder.store()
    pair = next_pair(store, people(store, 1)[0].id)
    assert isinstance(pair, Handed)
    assert timeline_of(store, pair.pair_id) == Timeline(24.0, 0.75)
    with pytest.raises(SampleError, match="has 0 of 2 videos"):
        timeline_of(store, 99)


def test_a_condition_image_has_the_left_token_only(tmp_path: Path) -> None:
    from PIL import Image

    folder, sources = make_folder(tmp_path, items=2), make_sources(tmp_path / "videos", items=2)
    text = (folder.path / "study.yaml").read_text().replace("id: i0,", "id: i0, image: images/one.png,")
    (folder.path / "study.yaml").write_text(text)
    (folder.path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(folder.path / "images" / "one.png")
    folder = StudyFolder.open(folder.path)
    bring_in(folder, sources)
    store = folder.store()
    (who,) = people(store, 1)
    seen = 0
    while isinstance(pair := next_pair(store, who.id), Handed):
        if pair.item == "i0":
            assert image_of(store, folder, pair.token_left, annotator_id=who.id) == folder.path / "images" / "one.png"
            seen += 1
        wrong = [pair.token_right] + ([pair.token_left] if pair.item != "i0" else [])
        for token in wrong:
            with pytest.raises(RefusedError):
                image_of(store, folder, token, annotator_id=who.id)
        answer(store, who, pair)
    assert seen == 1
