"""Videos go to whom they were given, in ranges, from files of any size, and tell nothing about their files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.storage import Annotator
from human_eval_app.tables import ASSIGNMENT, AUDIT, VIDEO
from human_eval_app.videos import video_of
from tests.app.app_served import ROOT, Web, served_study

IMAGE_STUDY = """\
schema: univg-bench/study/1
id: pilot
version: 1
title: One of ours against one of theirs
methods: [{id: ours}, {id: theirs}]
ours: ours
others: [theirs]
items: [{id: i0, prompt: a red ball, image: images/i0.png}]
ratings_per_pair: 2
analysis: {dimensions: [PS, AM, OL], primary: OL}
"""


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(served_study(tmp_path / "study"))


def open_pair(web: Web) -> tuple[TestClient, Annotator, Handed]:
    client, who = web.annotator()
    pair = next_pair(web.store, who.id)
    assert isinstance(pair, Handed)
    return client, who, pair


def on_disk(web: Web, who: Annotator, token: str) -> bytes:
    return video_of(web.store, web.folder, token, annotator_id=who.id).path.read_bytes()


def test_a_video_arrives_whole_and_left_is_not_right(web: Web) -> None:
    client, who, pair = open_pair(web)
    bodies = [client.get(f"/video/{token}.mp4").content for token in (pair.token_left, pair.token_right)]
    assert bodies[0] == on_disk(web, who, pair.token_left)
    assert bodies[1] == on_disk(web, who, pair.token_right)
    assert bodies[0] != bodies[1]


def test_a_reply_tells_the_length_of_the_file_and_nothing_else(web: Web) -> None:
    client, who, pair = open_pair(web)
    reply = client.get(f"/video/{pair.token_left}.mp4")
    assert int(reply.headers["content-length"]) == len(on_disk(web, who, pair.token_left))
    assert reply.headers["content-type"] == "video/mp4"
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-disposition"] == "inline"
    assert not {"etag", "last-modified"} & set(reply.headers)


def test_files_of_another_day_give_the_same_headers(web: Web) -> None:
    client, who, pair = open_pair(web)
    before = client.get(f"/video/{pair.token_left}.mp4").headers
    os.utime(video_of(web.store, web.folder, pair.token_left, annotator_id=who.id).path, (1, 1))
    assert client.get(f"/video/{pair.token_left}.mp4").headers == before


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=100-", 100, None), ("bytes=-50", -50, None), ("bytes=0-999999999", 0, None),
     (" bytes = 5-5 ", 5, 5)],
)  # fmt: skip
def test_ranges_are_parts_of_the_whole(web: Web, asked: str, first: int, last: int | None) -> None:
    client, who, pair = open_pair(web)
    whole = on_disk(web, who, pair.token_left)
    reply = client.get(f"/video/{pair.token_left}.mp4", headers={"Range": asked})
    assert reply.status_code == 206
    assert reply.content == whole[first : None if last is None else last + 1]
    start = first % len(whole)
    assert reply.headers["content-range"] == f"bytes {start}-{start + len(reply.content) - 1}/{len(whole)}"
    assert not {"etag", "last-modified"} & set(reply.headers)


def test_a_range_behind_the_end_is_416(web: Web) -> None:
    client, who, pair = open_pair(web)
    size = len(on_disk(web, who, pair.token_left))
    reply = client.get(f"/video/{pair.token_left}.mp4", headers={"Range": f"bytes={size}-"})
    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{size}"
    assert reply.content == b""


@pytest.mark.parametrize("asked", ["bytes=9-3", "bytes=a-b", "lines=0-5", "bytes", "bytes=0-1,4-5", "bytes=-", "é"])
def test_a_range_that_makes_no_sense_gives_the_whole(web: Web, asked: str) -> None:
    client, who, pair = open_pair(web)
    reply = client.get(f"/video/{pair.token_left}.mp4", headers={"Range": asked.encode()})
    assert reply.status_code == 200
    assert reply.content == on_disk(web, who, pair.token_left)


def test_if_range_never_matches_because_there_is_no_validator(web: Web) -> None:
    client, _, pair = open_pair(web)
    reply = client.get(f"/video/{pair.token_left}.mp4", headers={"Range": "bytes=0-9", "If-Range": '"an etag"'})
    assert reply.status_code == 200


def test_head_tells_the_length(web: Web) -> None:
    client, who, pair = open_pair(web)
    reply = client.head(f"/video/{pair.token_left}.mp4")
    assert reply.content == b""
    assert int(reply.headers["content-length"]) == len(on_disk(web, who, pair.token_left))


def test_a_video_goes_to_nobody_but_its_annotator(web: Web) -> None:
    client, _, pair = open_pair(web)
    other, _ = web.annotator()
    address = f"/video/{pair.token_left}.mp4"
    assert client.get(address).status_code == 200
    refused = other.get(address)
    assert (refused.status_code, refused.json()["reason"]) == (404, "unknown_token")
    # somebody else's token and one that never was look the same
    assert refused.content == other.get("/video/AAAAAAAAAAAAAAAA.mp4").content
    assert web.client().get(address).status_code == 401


def test_who_withdrew_sees_no_more_videos(web: Web) -> None:
    client, who, pair = open_pair(web)
    web.store.withdraw(who.id, who="test")
    assert client.get(f"/video/{pair.token_left}.mp4").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/video/../study.yaml", "/video/..%2f..%2fpepper", "/video/%2e%2e/pepper", "/video//etc/passwd", "/video/.mp4",
     "/video/a.mp4", "/video/AAAAAAAAAAAAAAA%00.mp4", "/video/AAAAAAAAAAAAAAAA.mp4/..", "/video/AAAAAAAAAAAAAAAA",
     "/video/\\\\host\\share.mp4", "/video/", "/video", "/image/../pepper", "/image/" + "A" * 5000, "/device/x",
     "/video/%D0%B0AAAAAAAAAAAAAAA.mp4", "/api/../pepper"],
)  # fmt: skip
def test_tricks_with_paths_are_404_without_detail(web: Web, path: str) -> None:
    client, _, _ = open_pair(web)
    reply = client.get(f"http://testserver{path}")
    assert reply.status_code == 404, reply.content
    if path not in ("/video", "/pepper") and reply.content != b"Not Found":
        assert set(reply.json()) == {"reason", "message", "final"}
    assert b"study" not in reply.content
    assert b"/" not in reply.content.replace(b"application/json", b"")


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_missing_video_is_said_to_both_sides(web: Web, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    client, who, pair = open_pair(web)
    path = video_of(web.store, web.folder, pair.token_left, annotator_id=who.id).path
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    for _ in range(3):
        reply = client.get(f"/video/{pair.token_left}.mp4")
        assert reply.status_code == 404
        assert reply.json() == {
            "reason": "not_found", "message": "this video cannot be found; say that it is broken and go on",
            "final": True,
        }  # fmt: skip
    with web.store.database.read() as connection:
        lines = connection.execute(sa.select(AUDIT).where(AUDIT.c.what == "file_missing")).all()
    assert len(lines) == 1, "players ask again and again; the log does not"
    assert pair.item in lines[0].detail
    assert pair.item in caplog.text
    # the other one still plays, and the pair can be flagged
    assert client.get(f"/video/{pair.token_right}.mp4").status_code == 200
    flagged = client.post("/api/flag", json={"assignment": pair.id, "client_uuid": "x", "reason": "missing"})
    assert flagged.status_code == 200


def test_a_file_name_from_another_hand_does_not_leave_the_folder(web: Web) -> None:
    client, _, pair = open_pair(web)
    with web.store.database.engine.connect() as connection:
        connection.execute(sa.update(VIDEO).values(path="../pepper", bytes=65))
        connection.commit()
    reply = client.get(f"/video/{pair.token_left}.mp4")
    assert reply.status_code == 404
    assert web.folder.pepper.hex().encode() not in reply.content


def test_the_image_goes_to_its_annotator_under_the_left_token(tmp_path: Path) -> None:
    web = Web(served_study(tmp_path / "study", text=IMAGE_STUDY))
    client, _, pair = open_pair(web)
    assert client.get(f"/image/{pair.token_left}").status_code == 404  # not there yet
    (web.folder.path / "images").mkdir()
    (web.folder.path / "images" / "i0.png").write_bytes(b"\x89PNG...")
    reply = client.get(f"/image/{pair.token_left}")
    assert (reply.status_code, reply.content) == (200, b"\x89PNG...")
    assert reply.headers["content-type"] == "image/png"
    assert not {"etag", "last-modified"} & set(reply.headers)
    assert client.get(f"/image/{pair.token_right}").status_code == 404
    assert web.annotator()[0].get(f"/image/{pair.token_left}").status_code == 404
    assert web.client().get(f"/image/{pair.token_left}").status_code == 401


def test_an_image_that_could_hold_a_script_is_not_shown(tmp_path: Path) -> None:
    web = Web(served_study(tmp_path / "study", text=IMAGE_STUDY.replace("i0.png", "i0.svg")))
    client, _, pair = open_pair(web)
    (web.folder.path / "images").mkdir()
    (web.folder.path / "images" / "i0.svg").write_text("<svg onload='alert(1)'/>")
    assert client.get(f"/image/{pair.token_left}").status_code == 404


def test_a_text_item_has_no_image(web: Web) -> None:
    client, _, pair = open_pair(web)
    assert client.get(f"/image/{pair.token_left}").status_code == 404


def test_the_device_clip_is_for_everybody_and_plays(web: Web) -> None:
    reply = web.client().get("/device/clip.mp4", headers={"Range": "bytes=0-"})
    assert reply.status_code == 206
    assert reply.content[4:8] == b"ftyp"
    probe = "import av, io, sys; c = av.open(io.BytesIO(sys.stdin.buffer.read())); s = c.streams.video[0];"
    probe += "print(s.codec_context.name, s.codec_context.pix_fmt, s.average_rate, sum(1 for _ in c.decode(s)))"
    done = subprocess.run([sys.executable, "-c", probe], input=reply.content, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["h264", "yuv420p", "24", "24"]


BIG = """
import resource, sys
from pathlib import Path
from human_eval_app.handing_out import next_pair
from tests.app.app_served import Web
from human_eval_app.study_folder import StudyFolder

web = Web(StudyFolder.open(Path(sys.argv[1])))
client, who = web.annotator()
pair = next_pair(web.store, who.id)

def read(token):
    # ASGI by hand: a test client would gather the body in memory
    import asyncio
    cookie = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
             "path": f"/video/{token}.mp4", "raw_path": b"", "query_string": b"", "scheme": "http", "root_path": "",
             "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())], "client": ("1.2.3.4", 5),
             "server": ("testserver", 80)}
    total = 0
    async def send(message):
        nonlocal total
        total += len(message.get("body", b""))
    async def receive():
        await asyncio.sleep(3600)
    asyncio.run(web.app(scope, receive, send))
    return total

read("A" * 16)  # what is imported late is imported now
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = read(pair.token_left)
print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
web.store.database.close()
"""


def test_memory_stays_flat_whatever_the_size(web: Web) -> None:
    size = 400 * 2**20
    with web.store.database.engine.connect() as connection:
        for path in (web.folder.path / "presentation").iterdir():
            os.truncate(path, size)  # sparse: it takes no room on the disk
        connection.execute(sa.update(VIDEO).values(bytes=size))
        connection.commit()
    done = subprocess.run(
        [sys.executable, "-c", BIG, str(web.folder.path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    total, grown = map(int, done.stdout.split())
    assert total == size
    # ru_maxrss is in KiB on Linux and in bytes on macOS
    assert grown / (1 if sys.platform == "darwin" else 1 / 1024) < 16 * 2**20, f"{grown} more at the peak"


def test_tokens_of_released_pairs_still_show_their_videos(web: Web) -> None:
    # a lease ran out while somebody was looking: they may finish what they began
    client, _, pair = open_pair(web)
    with web.store.database.engine.connect() as connection:
        connection.execute(sa.update(ASSIGNMENT).values(status="released", position=None))
        connection.commit()
    assert client.get(f"/video/{pair.token_left}.mp4").status_code == 200
