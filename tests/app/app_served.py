"""A study folder that can be served, and a server that runs in a process of its own until the test is over."""

from __future__ import annotations

import atexit
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from human_eval_app.creation import create_study
from human_eval_app.database import Database
from human_eval_app.device_clip import write_device_clip
from human_eval_app.routes.context import Context
from human_eval_app.routes.guard import Guard
from human_eval_app.routes.table import routes
from human_eval_app.serving import Serving
from human_eval_app.storage import Annotator, Store
from human_eval_app.study_folder import StudyFolder, write_pepper
from human_eval_app.tables import VIDEO
from tests.app.app_study import Clock, write_study

ROOT = Path(__file__).parents[2]


def served_study(folder: Path, *, database: str | None = None, text: str | None = None, **facts: object) -> StudyFolder:
    """Return a study folder as an import leaves it: every method has a video of every item.

    text: a study file; without it, that of `write_study(**facts)`.
    """
    folder.mkdir(exist_ok=True)
    if text is None:
        text = write_study(folder, **facts).read_text()  # type: ignore[arg-type]
    if database is not None:
        return _make(folder, text, database)
    shutil.copytree(_made(text), folder, dirs_exist_ok=True)
    return StudyFolder.open(folder)


@cache
def _made(text: str) -> Path:
    """Return a study folder that is made once and copied to wherever a test wants it."""
    folder = Path(tempfile.mkdtemp(prefix="univg-served-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _make(folder, text, None).path


def _make(folder: Path, text: str, database: str | None) -> StudyFolder:
    (folder / "study.yaml").write_text(text)
    write_pepper(folder / "pepper")
    (folder / "presentation").mkdir()
    study = StudyFolder.open(folder, database)
    opened = study.open_database(create=True)
    slug = create_study(opened, study.study, who="test", now_ms=int(time.time() * 1000))
    opened.close()
    assert slug == study.slug
    store = study.store()
    write_device_clip(folder / "clip.mp4")
    clip = (folder / "clip.mp4").read_bytes()
    for item in study.study.items:
        for method in study.study.methods:
            name = f"{secrets.token_hex(12)}.mp4"
            # a box that players skip makes every file another one
            (folder / "presentation" / name).write_bytes(clip + b"\0\0\0\x18free" + secrets.token_bytes(16))
            values = {
                "study_id": store.study_id, "item": item.id, "method": method.id, "status": "ok", "path": name,
                "sha256": "0" * 64, "bytes": len(clip) + 24, "width": 320, "height": 192, "fps": 24.0, "frames": 24,
                "seconds": 1.0,
            }  # fmt: skip
            store.database.write(lambda connection, values=values: connection.execute(insert(VIDEO).values(**values)))
    store.database.close()
    return study


class Web:
    """The addresses of a study without Streamlit; `client()` is a browser with cookies of its own."""

    def __init__(self, folder: StudyFolder, *, clock: Clock | None = None, busy_seconds: float = 5.0) -> None:
        self.folder = folder
        database = Database(folder.database, busy_seconds=busy_seconds)
        self.store = Store(database, folder.slug, pepper=folder.pepper, clock=clock or time.time)
        self.context = Context(Serving(folder, self.store, folder.path))
        self.app = Starlette(
            routes=routes(self.context, clip=folder.path / "clip.mp4"),
            middleware=[Middleware(Guard, hosts=("testserver",))],
        )

    def client(self, code: str | None = None, **facts: Any) -> TestClient:
        """Return a browser, logged in where a code is given."""
        client = TestClient(self.app, **facts)
        if code is not None:
            assert client.post("/api/session", json={"code": code}).status_code == 204
        return client

    def annotator(self) -> tuple[TestClient, Annotator]:
        """Return a new person in front of their browser."""
        (code,) = self.store.issue_codes(1, who="test")
        return self.client(code), self.store.login(code)


PROGRAM = """
import sys
from pathlib import Path
from human_eval_app import server
from human_eval_app.study_folder import StudyFolder

folder = StudyFolder.open(Path(sys.argv[1]))
if sys.argv[3]:
    server.SCRIPT = Path(sys.argv[3])
    server.build_app.__kwdefaults__["script"] = server.SCRIPT
server.serve(folder, host="127.0.0.1", port=int(sys.argv[2]), started=lambda address: print(address, flush=True))
"""


class Server:
    """A running server; `kill` ends it as a power failure would, `start` brings it back on the same port."""

    def __init__(self, folder: Path, *, script: Path | None = None) -> None:
        self._folder, self._script, self.port = folder, script, 0
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-c", PROGRAM, str(self._folder), str(self.port), str(self._script or "")]
        log = (self._folder / "server.log").open("a")
        with log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        self.port = int(line.strip().rpartition(":")[2])

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._end()

    def log(self) -> str:
        """Return what it wrote for the researcher so far."""
        return (self._folder / "server.log").read_text()

    def stop(self) -> str:
        """Stop it as a service manager does and return its log."""
        assert self.process is not None
        self.process.terminate()
        self._end()
        return self.log()

    def _end(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.wait(timeout=30)
        self.process.stdout.close()


@contextmanager
def running(folder: Path, *, script: Path | None = None) -> Iterator[Server]:
    """Give a running server of the study in `folder`."""
    server = Server(folder, script=script)
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()
