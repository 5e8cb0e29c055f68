"""What every page gets: who looks at it, where they stand, and in which language."""

from __future__ import annotations

from dataclasses import dataclass

from human_eval_app.handing_out import Handed
from human_eval_app.progress import Person, State
from human_eval_app.serving import Serving
from human_eval_app.storage import Annotator, Store
from human_eval_app.study import Study
from human_eval_app.wording import Wording


@dataclass(frozen=True)
class Visit:
    """One run of the script. person: None before the login, and for a cookie of somebody who is not in the study."""

    serving: Serving
    person: Person | None
    state: State
    language: str
    wording: Wording

    @property
    def store(self) -> Store:
        return self.serving.store

    @property
    def study(self) -> Study:
        return self.serving.store.study

    @property
    def known(self) -> Person:
        """The person, on pages that come after the login."""
        assert self.person is not None
        return self.person

    @property
    def annotator(self) -> Annotator:
        return Annotator(self.known.id, self.known.alias)

    @property
    def handed(self) -> Handed:
        assert self.state.handed is not None
        return self.state.handed

    def say(self, key: str, **values: object) -> str:
        """Return a sentence of the wording with its placeholders filled in."""
        return self.wording[key].format(**values)
