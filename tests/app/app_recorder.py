"""A wire with an ear: stands between people and a server, and keeps every byte that the server sends."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


class Recorder:
    """Listens on `port`. heard: what the server sent, one entry per connection."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.heard: list[bytearray] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        for one in (self._door, *self._open):
            _hang_up(one)

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(("127.0.0.1", self._server_port))
            heard = bytearray()
            self.heard.append(heard)
            self._open += [client, server]
            threading.Thread(target=_pump, args=(client, server, bytearray()), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, heard), daemon=True).start()


def _hang_up(one: socket.socket) -> None:
    """Close a socket under a thread that may be reading from it."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _pump(source: socket.socket, dest: socket.socket, heard: bytearray) -> None:
    with suppress(OSError):  # one side hung up
        while chunk := source.recv(65536):
            heard += chunk
            dest.sendall(chunk)
        dest.shutdown(socket.SHUT_WR)


@contextmanager
def recording(server_port: int) -> Iterator[Recorder]:
    """Give a recorder in front of a server."""
    recorder = Recorder(server_port)
    try:
        yield recorder
    finally:
        recorder.close()


def disguises(word: str) -> set[bytes]:
    """Return the forms in which a word could travel: as it is, in UTF-16, in hexadecimal, in base64 at any offset."""
    plain = word.encode()
    found = {plain, word.encode("utf-16-le"), plain.hex().encode()}
    for offset in range(3):
        # the groups of four that do not depend on the neighbours
        whole = (offset + len(plain)) // 3 * 4
        found.add(base64.b64encode(b"\0" * offset + plain)[4 if offset else 0 : whole])
    return {form for form in found if len(form) >= min(6, len(plain))}


def leaks(data: bytes, words: Iterable[str]) -> list[str]:
    """Return the words that are in `data` in one of their disguises; case does not matter for the plain word."""
    lower = data.lower()
    return [word for word in words if word.lower().encode() in lower or any(form in data for form in disguises(word))]
