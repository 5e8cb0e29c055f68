"""The process of the admin page: which study it shows, who may come in, and how Streamlit is set up for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from human_eval_app.admin.passwords import Door, load_password
from human_eval_app.admin.providers import SECRETS, Provider, load_provider
from human_eval_app.listening import listen
from human_eval_app.storage import Store
from human_eval_app.streamlit_settings import apply_settings
from human_eval_app.study_folder import StudyFolder
from univg_bench.errors import InputError

if TYPE_CHECKING:
    import streamlit as st

SCRIPT = Path(__file__).parent / "script.py"


@dataclass(frozen=True)
class Desk:
    """A study and the ways in. door: by password; provider: by OpenID Connect; one of them at least."""

    store: Store
    folder: StudyFolder
    door: Door | None
    provider: Provider | None


_DESK: Desk | None = None


def open_desk(folder: StudyFolder) -> Desk:
    """Return the desk of a study; the caller closes `desk.store.database`.

    Raises InputError where nobody could come in, or anybody.
    """
    password = load_password(folder.path)
    provider = load_provider(folder.path)
    if password is None and provider is None:
        raise InputError(
            f"nobody could log in to the admin page of {folder.slug}: set a password with `univg-bench human admin "
            f"{folder.path} --set-password`, or configure [auth] in {folder.path / SECRETS} (docs/annotation_app.md)"
        )
    return Desk(folder.store(), folder, Door(password) if password else None, provider)


def use(desk: Desk | None) -> None:
    """Say which study this process shows: one per process, as Streamlit's settings are one per process too."""
    global _DESK
    _DESK = desk


def current() -> Desk:
    assert _DESK is not None, "the script runs only inside a server that called `use`"
    return _DESK


def build_app(desk: Desk, *, hosts: Sequence[str] = ()) -> st.App:
    """Return the ASGI app of the admin page; one per process. hosts: names that the server goes by, any by default."""
    import streamlit as st
    from starlette.middleware import Middleware

    from human_eval_app.routes.guard import Guard

    use(desk)
    more = {"secrets__files": [str(desk.provider.path)]} if desk.provider is not None else {}
    # tables of results are larger than what an annotator is ever sent
    apply_settings(server__allowedHosts=[*hosts], server__maxMessageSize=50, **more)
    return st.App(SCRIPT, middleware=[Middleware(Guard, hosts=tuple(hosts))])


def serve(
    desk: Desk,
    *,
    host: str,
    port: int,
    hosts: Sequence[str] = (),
    behind_proxy: bool = False,
    started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve the admin page until the process is told to stop.

    port: 0 takes a free one. hosts: as of build_app. behind_proxy: believe the X-Forwarded headers of a proxy on this
    machine. started: called with the address. Raises InputError where the address cannot be used.
    """
    listen(lambda: build_app(desk, hosts=hosts), host=host, port=port, behind_proxy=behind_proxy, started=started)
