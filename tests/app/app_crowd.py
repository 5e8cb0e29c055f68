"""Many people at once, each in a thread with a websocket; some never give up, as the outbox of a browser does not."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from websockets.exceptions import WebSocketException

from human_eval_app import progress
from human_eval_app.storage import Store
from tests.app.app_rater import Rater

# what a browser sees of a server that is gone or not there yet
GONE = (OSError, http.client.HTTPException, WebSocketException, AssertionError)


@dataclass
class Crowd:
    """What happened. acknowledged: UUIDs answered with 200; saving, going_on: seconds; faults: what went wrong."""

    acknowledged: list[str] = field(default_factory=list)
    saving: list[float] = field(default_factory=list)
    going_on: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def admitted(store: Store, count: int) -> list[str]:
    """Return codes of people who have everything before the first pair behind them."""
    codes = store.issue_codes(count, who="test")
    for code in codes:
        who = store.login(code).id
        progress.choose_language(store, who, "en")
        progress.give_consent(store, who, digest="0" * 64)
        progress.keep_device(store, who, {"width": 1366, "height": 768}, ok=True)
        progress.finish_instructions(store, who)
    return codes


def rate_together(port: int, codes: Sequence[str], *, pairs: int, think: float = 0.0) -> Crowd:
    """Let everybody rate `pairs` pairs with `think` seconds before each on average; the first fault ends a person."""
    crowd = Crowd()

    def person(number: int) -> None:
        rng = np.random.default_rng(number)
        rater = Rater(port)
        try:
            rater.log_in(codes[number])
            rater.open()
            for _ in range(pairs):
                time.sleep(think * rng.uniform(0.5, 1.5))
                status, body, seconds, sent = rater.submit(("left", "same", "right")[rng.integers(3)])
                assert status == 200, body
                crowd.acknowledged.append(sent)
                crowd.saving.append(seconds)
                begun = time.perf_counter()
                rater.advance()
                crowd.going_on.append(time.perf_counter() - begun)
        except Exception as error:
            crowd.faults.append(repr(error))
        finally:
            rater.close()

    _all(len(codes), person)
    return crowd


def rate_stubbornly(port: int, codes: Sequence[str], *, pairs: int, meanwhile: Callable[[Crowd], None]) -> Crowd:
    """Let everybody rate `pairs` pairs through whatever `meanwhile` does to the server.

    What was not acknowledged is sent again with the same UUID until it is, as the outbox of the screen does.
    """
    crowd = Crowd()

    def person(number: int) -> None:
        rater = _reopened(port, codes[number])
        for _ in range(pairs):
            sent = str(uuid.uuid4())
            shown = dict(rater.data)
            while True:
                try:
                    rater.data = shown
                    status, body, seconds, _ = rater.submit("left", sent)
                    if status == 200:
                        break
                    assert status >= 500, body
                except GONE:
                    time.sleep(0.1)
            crowd.acknowledged.append(sent)
            crowd.saving.append(seconds)
            try:
                rater.advance()
            except (*GONE, TimeoutError):
                rater.close()
                rater = _reopened(port, codes[number])
        rater.close()

    worker = threading.Thread(target=meanwhile, args=(crowd,))
    worker.start()
    _all(len(codes), person)
    worker.join()
    return crowd


def _reopened(port: int, code: str) -> Rater:
    for _ in range(600):
        rater = Rater(port)
        try:
            rater.log_in(code)
            rater.open()
            return rater
        except (*GONE, TimeoutError):
            rater.close()
            time.sleep(0.1)
    raise AssertionError("the server did not come back within a minute")


def _all(count: int, person: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=person, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
