"""A study whose names are unmistakable, and somebody who lives through it with every address written down."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import av
import numpy as np
import sqlalchemy as sa
from PIL import Image

from human_eval_app import progress
from human_eval_app.importing import import_videos
from human_eval_app.sources import Folder
from human_eval_app.storage import Store
from human_eval_app.study_folder import StudyFolder, write_pepper
from human_eval_app.tables import VIDEO
from tests.app.app_rater import Rater
from tests.app.app_recorder import recording
from tests.app.app_served import ROOT, running

# names that no library uses, so that finding one is a leak and nothing else
METHODS = ("zqmethodours", "zqmethodtheirs", "zqmethodfrozen")
ITEMS = tuple(f"zqitem{k}x" for k in range(5))
STUDY = f"""\
schema: univg-bench/study/1
id: zqstudyname
version: 1
title: Zqtitle of what is compared
methods:
  - {{id: {METHODS[0]}, label: Zqlabelours}}
  - {{id: {METHODS[1]}, label: Zqlabeltheirs}}
  - {{id: {METHODS[2]}, label: Zqlabelfrozen}}
ours: {METHODS[0]}
others: [{METHODS[1]}]
items:
  - {{id: {ITEMS[0]}, prompt: a red ball rolls, category: zqcategory}}
  - {{id: {ITEMS[1]}, prompt: a blue ball rolls, image: images/zqimagefile.png, category: zqcategory}}
  - {{id: {ITEMS[2]}, prompt: a dog runs}}
  - {{id: {ITEMS[3]}, prompt: a cat sleeps}}
  - {{id: {ITEMS[4]}, prompt: rain on a lake}}
ratings_per_pair: 3
practice:
  pairs: [{{item: {ITEMS[0]}, method: {METHODS[0]}, other: {METHODS[2]}, expected: {{AM: G}}}}]
gold:
  pairs: [{{item: {ITEMS[1]}, method: {METHODS[0]}, other: {METHODS[2]}, expected: {{OL: G}}}}]
  per_session: 1
session: {{pairs: 5}}
presentation: {{resolution: fit_height, height: 64, fps: 12, duration: trim_to_shortest}}
analysis: {{dimensions: [PS, AM, OL], primary: OL}}
"""


def make_study(place: Path) -> StudyFolder:
    """Return an imported study whose methods differ in size, rate, length, day and container tags of their files."""
    path = place / "zqstudyfolder"
    path.mkdir()
    (path / "study.yaml").write_text(STUDY)
    write_pepper(path / "pepper")
    sources = {}
    for number, method in enumerate(METHODS):
        for k, item in enumerate(ITEMS):
            file = place / f"zqsource-{method}" / f"{item}.mp4"
            file.parent.mkdir(exist_ok=True)
            write_tagged(
                file, method, size=(96 + 48 * number, 64 + 32 * number), fps=8 + 4 * number, shade=40 * number + k
            )
            os.utime(file, (1.7e9 + 86_400 * number,) * 2)
        sources[method] = Folder(place / f"zqsource-{method}")
    images = place / "zqimages"
    images.mkdir()
    Image.fromarray(np.full((32, 48, 3), 90, np.uint8)).save(images / f"{ITEMS[1]}.png")
    folder = StudyFolder.open(path)
    import_videos(folder, sources, images=images, now_ms=int(time.time() * 1000))
    return folder


def write_tagged(path: Path, method: str, *, size: tuple[int, int], fps: int, shade: int) -> None:
    """Write a video whose container says who made it, as those of many models do."""
    with av.open(path, "w", format="mp4") as container:
        container.metadata.update({"comment": f"made by {method}", "title": method})
        stream = container.add_stream("libx264", rate=fps, options={"threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for k in range(fps):
            picture = np.full((size[1], size[0], 3), 20 + shade + k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def secrets_of(folder: StudyFolder, store: Store) -> list[str]:
    """Return every word that would tell something: names, folders, files, digests, times."""
    words = [
        *METHODS,
        *ITEMS,
        "zqlabel",
        "zqtitle",
        "zqstudyname",
        "zqstudyfolder",
        "zqsource",
        "zqimagefile",
        "zqcategory",
    ]
    words += [str(folder.path), str(ROOT), f"/{getpass.getuser()}/", folder.pepper.hex()]
    with store.database.read() as connection:
        for row in connection.execute(sa.select(VIDEO)):
            words += [row.path, row.path.removesuffix(".mp4"), row.sha256, row.source_sha256]
    for number in range(len(METHODS)):
        words += [str(int(1.7e9 + 86_400 * number)), formatdate(1.7e9 + 86_400 * number, usegmt=True)]
    for path in (folder.path / "presentation").iterdir():
        words.append(formatdate(path.stat().st_mtime, usegmt=True))
    return words


class Witness(Rater):
    """A rater who writes down what every address answered."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.replies: list[tuple[str, int, dict[str, str], bytes]] = []

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, str], bytes]:
        reply = super().request(method, path, body)
        self.replies.append((path, *reply))
        return reply


def live_through(witness: Witness, store: Store, code: str) -> list[dict[str, Any]]:
    """Go through a whole session, every page and every kind of reply, and return what was told about each pair."""
    for path in (
        "/",
        "/_stcore/health",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/healthz",
        "/device/clip.mp4",
        "/favicon.ico",
    ):
        witness.request("GET", path)
    witness.open()  # the page that asks for a code
    witness.request("POST", "/api/session", {"code": "AAAA-AAAA-AAAA"})
    witness.log_in(code)
    who = store.login(code).id
    steps: list[Callable[[], object]] = [
        lambda: progress.choose_language(store, who, "en"),
        lambda: progress.give_consent(store, who, digest="0" * 64),
        lambda: progress.keep_device(store, who, {"width": 1366, "height": 768}, ok=True),
        lambda: progress.finish_instructions(store, who),
    ]
    for step in steps:
        witness.open()
        step()
    told = []
    witness.open()
    while witness.data:
        told.append(witness.data)
        look_at(witness)
        assert witness.submit("left")[0] == 200
        witness.submit("right")  # as from a second tab
        try:
            witness.advance()
        except AssertionError:
            break
        if not witness.data:
            witness.open(
                "lang=en"
            )  # feedback of practice: a reload shows it again; its button is a widget of Streamlit
            press(witness)
    witness.request("DELETE", "/api/session")
    witness.request("GET", told[-1]["videos"][0].replace("/video/", "/video/x"))
    return told


def press(witness: Witness) -> None:
    """Press the one button of a page."""
    for message in reversed(witness.messages):
        element = message.delta.new_element
        if element.WhichOneof("type") == "button":
            witness.press(element.button.id)
            return


def look_at(witness: Witness) -> None:
    """Ask for all that the rating screen asks for, and for some that it does not."""
    for path in witness.data["videos"]:
        witness.request("GET", path)
        witness.request("HEAD", path)
        witness.request("GET", path.replace("/video/", "/image/").removesuffix(".mp4"))
        witness.request("GET", path[:-5] + "_.mp4")
    if witness.data["image"]:
        assert witness.request("GET", witness.data["image"])[0] == 200
    events = [{"t": 5, "kind": "shown", "value": None}]
    witness.request("POST", "/api/events", {"assignment": witness.data["assignment"], "events": events})
    witness.request("POST", "/api/ratings", {"assignment": witness.data["assignment"], "answers": {"nothing": "left"}})
    witness.request("POST", "/api/flag", {"assignment": 999_999, "reason": "broken"})


def witnessed(folder: StudyFolder, script: Path | None = None) -> tuple[bytes, Witness, list[dict[str, Any]]]:
    """Return every byte that a server sent in a whole session, who lived it, and what was told about each pair."""
    store = folder.store()
    try:
        (code,) = store.issue_codes(1, who="test")
        with running(folder.path, script=script) as server, recording(server.port) as recorder:
            witness = Witness(recorder.port, keep=True)
            try:
                told = live_through(witness, store, code)
            finally:
                witness.close()
            time.sleep(0.2)
            return b"".join(bytes(heard) for heard in recorder.heard), witness, told
    finally:
        store.database.close()
