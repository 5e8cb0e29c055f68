"""What every verb needs that works on a study: its folder, its database, and both closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from human_eval_app.storage import Store
    from human_eval_app.study_folder import StudyFolder

Verb = TypeVar("Verb", bound=Callable[..., Any])
WHO = "command line"  # in the log of the study


def study_options(verb: Verb) -> Verb:
    """Add the folder STUDY and --database."""
    option = click.option("--database", help="URL or file of the database [study.db, or $UNIVG_STUDY_DATABASE].")
    return click.argument("study", type=click.Path(path_type=Path))(option(verb))


@contextmanager
def opened(study: Path, database: str | None) -> Iterator[tuple[StudyFolder, Store]]:
    """Give the folder and its open storage. Raises what `StudyFolder.open` and `StudyFolder.store` raise."""
    from human_eval_app.study_folder import StudyFolder

    folder = StudyFolder.open(study, database)
    store = folder.store()
    try:
        yield folder, store
    finally:
        store.database.close()
