"""What every request meets first: which host was meant, whether another site sent it, what a browser may do with it.

Streamlit's own check of foreign origins asks a server of Amazon for the address of this machine; a request that would
make it do so ends here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from human_eval_app.refusals import Reason
from human_eval_app.routes.replies import refusal

READING = ("GET", "HEAD")
# these are ours; everything else belongs to Streamlit
OURS = ("/api/", "/video/", "/image/", "/device/", "/healthz")
# Streamlit's counts of sessions tell how busy a study is; its interface for programs would let one rate (off by
# default, but a config.toml of the machine can switch it on)
CLOSED = ("/_stcore/metrics", "/_stcore/agent")
PLAIN = re.compile(r"/[A-Za-z0-9_./-]*")
# Scripts, styles, fonts and connections of this server alone, so a page cannot phone anywhere. Streamlit's front end
# needs inline styles and scripts, blob: for its workers, and eval for charts; frames would let another site dress us.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware. hosts: names that this server goes by, without ports; none means any."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        fault = self._fault(scope)
        if fault is None:
            await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()  # the handshake; closing before it was accepted answers 403
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(*fault)(scope, receive, _with_headers(send))

    def _fault(self, scope: Scope) -> tuple[Reason, str] | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "").lower()
        if self._hosts and _name(host) not in self._hosts:
            return "cross_site", "this server does not go by that name; use the address that you were given"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host:
            return "cross_site", "another site may not send requests here; open the study in a tab of its own"
        if scope["type"] == "websocket":
            return None
        ours = path.startswith(OURS)
        # navigation from another site (Prolific) is how people arrive; nothing else from there is
        site = headers.get("sec-fetch-site", "same-origin")
        if (ours or scope["method"] not in READING) and site not in ("same-origin", "none"):
            return "cross_site", "another site may not send requests here; open the study in a tab of its own"
        if path.startswith(CLOSED):
            return "not_found", "there is nothing here"
        if ours and (".." in path or "//" in path or not PLAIN.fullmatch(path)):
            return "not_found", "there is nothing here"
        # Streamlit would take uploads; nothing here needs one
        if scope["method"] not in READING and not path.startswith("/api/"):
            return "not_allowed", "expected GET or HEAD"
        return None


def _name(host: str) -> str:
    """Return a Host header without its port; an IPv6 address keeps its brackets."""
    return re.sub(r":[0-9]*$", "", host)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return sending
