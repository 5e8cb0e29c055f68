"""Where a server listens and under which names: options that both servers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from univg_bench.errors import InputError

Verb = TypeVar("Verb", bound=Callable[..., Any])
LOCAL = ("localhost", "127.0.0.1", "::1")
# a host of a URL (RFC 3986, 3.2.2) without its port: a name, an IPv4 address, or an IPv6 address in brackets
_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


def address_options(*, port: int) -> Callable[[Verb], Verb]:
    """Return what adds --host and --port; port: the default."""

    def add(verb: Verb) -> Verb:
        numbered = click.option(
            "--port", type=click.IntRange(0, 65535), default=port, show_default=True, help="0 takes a free one."
        )
        named = click.option(
            "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for the network."
        )
        return named(numbered(verb))

    return add


def naming_options(verb: Verb) -> Verb:
    """Add --behind-proxy and --allow-host."""
    proxy = click.option(
        "--behind-proxy", is_flag=True, help="A proxy on this machine ends TLS and sends X-Forwarded headers."
    )
    name = click.option(
        "--allow-host", "hosts", multiple=True, metavar="NAME", help="Name in people's address bar; repeatable."
    )
    return proxy(name(verb))


def allowed_names(host: str, hosts: Sequence[str] = (), *, behind_proxy: bool = False) -> tuple[str, ...]:
    """Return the names that the server answers to; none stands for any.

    Raises InputError for what is no name: with it nobody could come in.
    """
    for name in hosts:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"found --allow-host {name}, expected a name such as study.example.org, without https:// and without"
                " a port"
            )
    local = host in LOCAL and not behind_proxy
    return tuple(hosts) or (("localhost", "127.0.0.1", "[::1]") if local else ())
