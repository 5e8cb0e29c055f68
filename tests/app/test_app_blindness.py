"""Nothing that reaches a browser tells which method made a video: every byte of whole sessions is searched."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import sqlalchemy as sa

from human_eval_app.storage import Store
from human_eval_app.study_folder import StudyFolder
from human_eval_app.tables import ASSIGNMENT, PAIR
from tests.app.app_recorder import leaks, recording
from tests.app.app_served import Server, running
from tests.app.app_witness import METHODS, Witness, make_study, secrets_of, witnessed, write_tagged

# of what is told to the rating screen (human_eval_app/rating_data.py)
TOLD = {
    "assignment", "owner", "prompt", "image", "videos", "fps", "position", "total", "practice", "questions", "revise",
    "answers", "undo", "pause", "settings", "words",
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return make_study(tmp_path_factory.mktemp("blind"))


@pytest.fixture(scope="module")
def session(study: StudyFolder) -> tuple[bytes, Witness, list[dict[str, Any]]]:
    return witnessed(study)


@pytest.fixture
def store(study: StudyFolder) -> Store:
    return study.store()


def everything(session: tuple[bytes, Witness, list[dict[str, Any]]]) -> bytes:
    """Return the wire, and what was read from it: a word may lie across the seam of two chunks."""
    wire, witness, _ = session
    read = [body + repr(headers).encode() for _, _, headers, body in witness.replies]
    return b"\n".join([wire, *read, *(m.SerializeToString() for m in witness.messages)])


def test_the_session_showed_everything_there_is(session: Any, store: Store) -> None:
    _, witness, told = session
    with store.database.read() as connection:
        kinds = connection.execute(sa.select(ASSIGNMENT.c.kind).where(ASSIGNMENT.c.status == "done")).scalars().all()
    assert sorted(kinds) == ["gold", *["main"] * 5, "practice"]
    assert len(told) == 7
    assert sum(reply[0].startswith("/video/") and reply[1] == 200 for reply in witness.replies) >= 2 * 2 * 7
    assert {200, 204, 401, 403, 404, 409, 422} <= {reply[1] for reply in witness.replies}
    assert any(m.WhichOneof("type") == "new_session" for m in witness.messages)


def test_no_name_folder_file_digest_or_time_reaches_a_browser(session: Any, study: StudyFolder, store: Store) -> None:
    data = everything(session)
    assert len(data) > 100_000
    assert leaks(data, secrets_of(study, store)) == []


def test_the_rating_screen_is_told_what_it_needs_and_nothing_more(session: Any) -> None:
    for data in session[2]:
        assert set(data) == TOLD
        assert {key for question in data["questions"] for key in question} == {"code", "label", "question", "group"}
        assert all(re.fullmatch(r"/video/[A-Za-z0-9_-]{16}\.mp4", path) for path in data["videos"])
    tokens = [path for data in session[2] for path in data["videos"]]
    assert len(set(tokens)) == len(tokens), "the same video has another address in every pair"


def test_gold_looks_like_any_other_pair(session: Any) -> None:
    forms = {json.dumps({k: type(v).__name__ for k, v in data.items() if k != "image"}) for data in session[2][1:]}
    assert len(forms) == 1
    assert [data["practice"] for data in session[2]] == [True] + [False] * 6


def test_media_carry_no_validator_and_no_time(session: Any) -> None:
    for path, _, headers, _ in session[1].replies:
        if path.startswith(("/video/", "/image/", "/device/", "/api/")):
            assert not {"etag", "last-modified", "server"} & set(headers), path


def test_both_videos_of_a_pair_have_one_form(session: Any) -> None:
    bodies = {
        path: body
        for path, status, _, body in session[1].replies
        if path.startswith("/video/") and status == 200 and body
    }
    for data in session[2]:
        assert len({form(bodies[path]) for path in data["videos"]}) == 1


def form(body: bytes) -> tuple[object, ...]:
    with av.open(io.BytesIO(body)) as container:
        stream = container.streams.video[0]
        tags = {**container.metadata, **stream.metadata}
        frames = sum(1 for _ in container.decode(stream))
        codec = stream.codec_context
        boxes = tuple(re.findall(rb"ftyp|moov|mdat|free|udta|edts|stss|meta", body[:4096]))
        return (
            codec.width,
            codec.height,
            codec.pix_fmt,
            codec.profile,
            stream.average_rate,
            frames,
            str(sorted(tags.items())),
            boxes,
        )


def test_sides_and_the_order_of_the_import_do_not_show(session: Any, store: Store) -> None:
    # ours stands left as often as right, give or take one of five, and assignments count in the order of showing
    with store.database.read() as connection:
        rows = connection.execute(
            sa.select(ASSIGNMENT.c.id, ASSIGNMENT.c.side, PAIR.c.kind).join(PAIR, PAIR.c.id == ASSIGNMENT.c.pair_id)
            .where(PAIR.c.kind == "main").order_by(ASSIGNMENT.c.id)
        ).all()  # fmt: skip
    sides = [row.side for row in rows]
    assert abs(sides.count("left") - sides.count("right")) == 1
    assert [data["assignment"] for data in session[2]] == sorted(data["assignment"] for data in session[2])
    assert not re.search(rb'"(side|ours|method|other|item|pair|pair_id|kind|expected)"\s*:', everything(session))


# ------------------------------------------------------------------------------------------- the test can fail


# what a page would have to do to tell, chosen by the address; none of them but the last is what a page should do
LEAKY = f"""\
import base64
import streamlit as st
from human_eval_app.server import current
planted = st.query_params["leak"]
if planted == "name":
    st.html('<i data-x={METHODS[1]}></i>')
elif planted == "base64":
    st.html(base64.b64encode(b'..{METHODS[0]}').decode())
elif planted == "folder":
    st.write(str(current().folder.path))
else:
    st.write("nothing")
"""


@pytest.fixture(scope="module")
def leaky(study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = tmp_path_factory.mktemp("leaky") / "leaky.py"
    script.write_text(LEAKY)
    with running(study.path, script=script) as server:
        yield server


@pytest.mark.parametrize("leak", ["name", "base64", "folder", "none"])
def test_a_leak_that_is_planted_in_a_page_is_found(leaky: Server, study: StudyFolder, store: Store, leak: str) -> None:
    with recording(leaky.port) as recorder:
        witness = Witness(recorder.port, keep=True)
        witness.open(f"leak={leak}")
        witness.close()
        wire = b"".join(bytes(heard) for heard in recorder.heard)
    assert (leaks(wire, secrets_of(study, store)) == []) == (leak == "none")


def test_a_leak_that_is_planted_in_a_video_is_found(tmp_path: Path) -> None:
    write_tagged(tmp_path / "tagged.mp4", METHODS[2], size=(64, 48), fps=8, shade=3)
    assert leaks((tmp_path / "tagged.mp4").read_bytes(), METHODS) == [METHODS[2]]


@pytest.mark.parametrize("before", range(6))
def test_a_name_is_found_in_every_disguise(before: int) -> None:
    hidden = b"x" * before + METHODS[0].encode() + b"yy"
    forms = (
        hidden,
        hidden.upper(),
        hidden.hex().encode(),
        base64.b64encode(hidden),
        hidden.decode().encode("utf-16-le"),
    )
    for disguised in forms:
        assert leaks(b"..." + disguised + b"...", METHODS) == [METHODS[0]]
    assert leaks(base64.b64encode(os.urandom(200_000)), METHODS) == []
