"""The server of a study: Streamlit's app with our routes beside it, in one process, on one port.

serve(StudyFolder.open(path), host="127.0.0.1", port=8501)
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from human_eval_app.device_clip import write_device_clip
from human_eval_app.listening import listen
from human_eval_app.routes.context import Context
from human_eval_app.routes.guard import Guard
from human_eval_app.routes.replies import LOG
from human_eval_app.routes.table import routes
from human_eval_app.serving import Serving, current, serve_from_now
from human_eval_app.streamlit_settings import apply_settings
from human_eval_app.study_folder import StudyFolder

__all__ = ["build_app", "current", "serve"]

SCRIPT = Path(__file__).parent / "pages" / "app.py"
# five attempts of a second, then a browser is told to come again: better than a screen that says nothing for a minute
BUSY_SECONDS = 1.0


def build_app(folder: StudyFolder, *, hosts: Sequence[str] = (), script: Path = SCRIPT) -> st.App:
    """Return the ASGI app of a study and make it what `current()` returns; one per process.

    hosts: names that the server goes by, any by default. script: what Streamlit runs.
    """
    apply_settings(server__allowedHosts=[*hosts])
    # the path of the script reaches every browser, so it runs from a place that tells neither user nor study
    scratch = _neutral_folder()
    neutral = scratch / "app.py"
    shutil.copyfile(script, neutral)
    clip = scratch / "clip.mp4"
    write_device_clip(clip)
    store = folder.store(busy_seconds=BUSY_SECONDS)
    serving = Serving(folder, store, scratch)
    serve_from_now(serving)

    @asynccontextmanager
    async def lifespan(_: st.App) -> AsyncIterator[None]:
        try:
            yield
        finally:
            store.database.close()
            shutil.rmtree(scratch, ignore_errors=True)

    return st.App(
        neutral,
        routes=routes(Context(serving), clip=clip),
        middleware=[Middleware(Guard, hosts=tuple(hosts))],
        lifespan=lifespan,
        on_script_error=_say_sorry,
    )


def serve(
    folder: StudyFolder,
    *,
    host: str,
    port: int,
    hosts: Sequence[str] = (),
    behind_proxy: bool = False,
    started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a study until the process is told to stop (SIGINT, SIGTERM).

    port: 0 takes a free one. hosts: as of build_app. behind_proxy: believe the X-Forwarded headers of a proxy on this
    machine, so that cookies are Secure and attempts are counted by person. started: called with the address.
    Raises InputError where the address cannot be used.
    """
    listen(lambda: build_app(folder, hosts=hosts), host=host, port=port, behind_proxy=behind_proxy, started=started)


def _neutral_folder() -> Path:
    # a folder for temporary files may carry the name of a user; /tmp does not
    place = Path("/tmp")
    return Path(tempfile.mkdtemp(prefix="app-", dir=place if os.access(place, os.W_OK) else None))


def _say_sorry(error: Exception) -> bool:
    """Log what went wrong in a page and show a sentence in its place."""
    LOG.error("a page failed", exc_info=error)
    st.error("Something went wrong on our side. What you saved is safe; reload the page to go on.")
    return True
