"""One process, one port: how both servers, of annotators and of the researcher, listen."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from univg_bench.errors import InputError

# a browser that lost its connection is told within a minute, and the outbox does not wait for it anyway
PING_SECONDS = 30
GRACE_SECONDS = 3
SETTINGS: dict[str, Any] = {
    "lifespan": "on",
    # sans-io: the one implementation that is not deprecated
    "ws": "websockets-sansio",
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": PING_SECONDS,
    "ws_max_size": 2**20,
    "ws_per_message_deflate": False,
    # no line per request: it would hold addresses and tokens
    "access_log": False,
    "log_level": "warning",
    "server_header": False,
    "timeout_graceful_shutdown": GRACE_SECONDS,
}


def listen(
    make_app: Callable[[], Any], *, host: str, port: int, behind_proxy: bool, started: Callable[[str], None]
) -> None:
    """Serve an ASGI app until the process is told to stop (SIGINT, SIGTERM).

    make_app: called once the address is ours. port: 0 takes a free one. behind_proxy: believe the X-Forwarded headers
    of a proxy on this machine. started: called with the address. Raises InputError where the address cannot be used.
    """
    import uvicorn

    door = _bind(host, port)
    try:
        # by name, because an environment variable of uvicorn's could make it believe everybody
        config = uvicorn.Config(
            make_app(), proxy_headers=behind_proxy, forwarded_allow_ips="127.0.0.1,::1", **SETTINGS
        )  # fmt: skip
        name = f"[{host}]" if ":" in host else host
        started(f"http://{name}:{door.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[door])
    finally:
        door.close()


def _bind(host: str, port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(2048)  # who comes while Streamlit starts waits at the door
    except (OSError, OverflowError) as error:
        door.close()
        raise InputError(f"cannot listen on {host}, port {port} ({error}); choose another --port or --host") from None
    return door
