"""An annotator who walks through the pages, without a browser: a test stands in for the components."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from human_eval_app import progress
from human_eval_app.handing_out import Handed, next_pair
from human_eval_app.serving import Serving
from human_eval_app.storage import Annotator, Store
from human_eval_app.wording import load_wording
from tests.app.app_served import served_study
from tests.app.app_study import Clock, answer

GOOD_DEVICE = {"width": 1366, "height": 768, "touch": False, "decodes": True, "agent": "a test"}


def script(serving, annotator_id) -> None:  # type: ignore[no-untyped-def]
    """Run inside AppTest, which reads the source of this function, where no name of this file is known."""
    from human_eval_app.pages.app import run

    run(serving, annotator_id)


class Way:
    """One study and one annotator in front of it. `measured` is what their device component says at the next run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, come_in: bool = True, **facts: Any) -> None:
        study = served_study(folder / "study", **facts)
        self.clock = Clock()
        self.clock.seconds = time.time()
        store = study.store()
        self.store = Store(store.database, study.slug, pepper=study.pepper, clock=self.clock)
        self.serving = Serving(study, self.store, folder)
        self.measured: dict[str, Any] | None = None
        self.shown: list[Handed] = []
        monkeypatch.setattr("human_eval_app.pages.device.device", self._device)
        monkeypatch.setattr("human_eval_app.pages.rating.show", lambda *args: self.shown.append(args[3]))
        self.annotator: Annotator | None = None
        if come_in:
            (code,) = self.store.issue_codes(1, who="test")
            self.annotator = self.store.login(code)
        self.reload()

    def _device(self, *_: object, **__: object) -> dict[str, Any] | None:
        found, self.measured = self.measured, None
        return found

    @property
    def me(self) -> Annotator:
        assert self.annotator is not None
        return self.annotator

    def reload(self, *, query: dict[str, str] | None = None) -> AppTest:
        """Open the page in a new browser tab."""
        who = None if self.annotator is None else self.annotator.id
        # generous: the first run imports Streamlit's parts, on a machine that may be busy
        self.page = AppTest.from_function(script, args=(self.serving, who), default_timeout=60)
        for key, value in (query or {}).items():
            self.page.query_params[key] = value
        return self.page.run()

    def press(self, key: str) -> AppTest:
        self.page.button(key=key).click()
        return self.page.run()

    def title(self) -> str:
        assert not self.page.exception, self.page.exception
        return str(self.page.title[0].value) if self.page.title else ""

    def text(self) -> str:
        """Everything that can be read on the page."""
        kinds = (
            self.page.title,
            self.page.header,
            self.page.markdown,
            self.page.caption,
            self.page.success,
            self.page.info,
        )
        return "\n".join(str(element.value) for kind in kinds for element in kind)

    def state(self) -> str:
        return progress.state(self.store, None if self.annotator is None else self.annotator.id).name

    def go_to_practice(self, language: str = "en") -> None:
        """Walk from the welcome page to the first pair."""
        progress.choose_language(self.store, self.me.id, language)
        progress.give_consent(self.store, self.me.id, digest="0" * 64)
        progress.keep_device(self.store, self.me.id, GOOD_DEVICE, ok=True)
        progress.finish_instructions(self.store, self.me.id)
        self.reload()

    def rate(self, clicked: str | None = None, **facts: Any) -> Handed:
        """Answer the pair on the screen (for our method, unless told) and let the script run, as the player does."""
        handed = next_pair(self.store, self.me.id)
        assert isinstance(handed, Handed)
        answer(self.store, self.me, handed, clicked or handed.side, **facts)
        self.page.run()
        return handed

    def words(self, language: str = "en") -> dict[str, str]:
        return dict(load_wording(language))
