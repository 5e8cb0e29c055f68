"""A person without a browser: speaks HTTP and Streamlit's websocket as the front end does, and keeps every message."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

WAIT_SECONDS = 60.0
EVENTS_ID = "$$STREAMLIT_INTERNAL_KEY_{}__events"


@dataclass
class Rater:
    """One browser tab. component: id of the rating screen, once it was sent; data: what it was told last."""

    port: int
    cookie: str = ""
    component: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    messages: list[ForwardMsg] = field(default_factory=list)
    keep: bool = False

    def __post_init__(self) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_SECONDS)
        self._socket: ClientConnection | None = None
        self._opened = ExitStack()

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; tried again where a kept connection was closed meanwhile."""
        headers = {"Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin"}
        if self.cookie:
            headers["Cookie"] = self.cookie
        sent = None
        if body is not None:
            sent, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        for attempt in range(2):
            try:
                self._http.request(method, path, sent, headers)
                reply = self._http.getresponse()
                return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
            except (http.client.HTTPException, ConnectionError):
                self._http.close()
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def log_in(self, code: str) -> None:
        status, headers, body = self.request("POST", "/api/session", {"code": code})
        assert status == 204, body
        self.cookie = headers["set-cookie"].partition(";")[0]

    def open(self, query: str = "") -> None:
        """Open the page: a websocket and the first run of the script."""
        address = f"127.0.0.1:{self.port}"
        connecting = connect(
            f"ws://{address}/_stcore/stream", origin=f"http://{address}", subprotocols=["streamlit"],
            additional_headers={"Cookie": self.cookie} if self.cookie else None, max_size=2**24, compression=None,
        )  # fmt: skip
        self._socket = self._opened.enter_context(connecting)
        self._run(query=query)

    def trigger(self, name: str, value: object) -> None:
        """Fire a trigger of the rating screen and wait until the script has run."""
        self._run(trigger={"event": name, "value": value})

    def press(self, button: str) -> None:
        """Press a button of Streamlit's own and wait until the script has run."""
        self._run(button=button)

    def submit(self, answer: str = "left", client_uuid: str | None = None) -> tuple[int, bytes, float, str]:
        """Answer every question of the pair shown; return status, body, seconds that it took, and the UUID."""
        sent = client_uuid or str(uuid.uuid4())
        body = {
            "assignment": self.data["assignment"], "client_uuid": sent, "seconds": 9.5, "watched": 1.0, "revise": False,
            "answers": {question["code"]: answer for question in self.data["questions"]},
        }  # fmt: skip
        begun = time.perf_counter()
        status, _, reply = self.request("POST", "/api/ratings", body)
        return status, reply, time.perf_counter() - begun, sent

    def advance(self) -> None:
        """Go on to the next pair, as the screen does once its answers are saved."""
        before = self.data["assignment"]
        self.trigger("advance", {"assignment": before})
        assert self.data.get("assignment") != before

    def close(self) -> None:
        self._opened.close()
        self._http.close()

    def _run(self, *, query: str = "", trigger: dict[str, Any] | None = None, button: str = "") -> None:
        assert self._socket is not None
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.context_info.url = f"http://127.0.0.1:{self.port}/"
        if trigger is not None:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.json_trigger_value = EVENTS_ID.format(self.component), json.dumps([trigger])
        if button:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = button, True
        self._socket.send(message.SerializeToString())
        self.data = {}
        while True:
            raw = self._socket.recv(timeout=WAIT_SECONDS)
            assert isinstance(raw, bytes)
            found = ForwardMsg.FromString(raw)
            if self.keep:
                self.messages.append(found)
            self._look(found)
            if found.WhichOneof("type") == "script_finished" and found.script_finished == 0:
                return

    def _look(self, message: ForwardMsg) -> None:
        if message.WhichOneof("type") != "delta" or message.delta.WhichOneof("type") != "new_element":
            return
        element = message.delta.new_element
        if element.WhichOneof("type") == "bidi_component":
            text = element.bidi_component.json or element.bidi_component.mixed.json
            facts = json.loads(text) if text else {}
            if isinstance(facts, dict) and "assignment" in facts:
                self.component, self.data = element.bidi_component.id, facts
