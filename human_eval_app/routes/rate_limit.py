"""How often one address may try, without writing down any address."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections import deque
from collections.abc import Callable

MAX_KEYS = 10_000


class RateLimit:
    """At most `most` noted deeds per address in any `seconds`; keeps salted hashes, in memory, that long."""

    def __init__(self, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._salt = secrets.token_bytes(32)
        self._deeds: dict[bytes, deque[float]] = {}

    def allows(self, address: str | None) -> bool:
        """Return whether this address may try now."""
        deeds = self._deeds.get(self._key(address))
        return deeds is None or len(self._young(deeds)) < self._most

    def note(self, address: str | None) -> None:
        """Count one deed of this address."""
        if len(self._deeds) >= MAX_KEYS:
            self._deeds = {key: deeds for key, deeds in self._deeds.items() if self._young(deeds)}
        if len(self._deeds) >= MAX_KEYS:
            # a flood from everywhere: the oldest are forgotten, memory stays bounded
            del self._deeds[next(iter(self._deeds))]
        deeds = self._deeds.setdefault(self._key(address), deque(maxlen=self._most))
        deeds.append(self._clock())

    def _young(self, deeds: deque[float]) -> deque[float]:
        while deeds and deeds[0] <= self._clock() - self._seconds:
            deeds.popleft()
        return deeds

    def _key(self, address: str | None) -> bytes:
        return hashlib.blake2b(_network(address).encode(), key=self._salt, digest_size=16).digest()


def _network(address: str | None) -> str:
    """Return what one person controls: an IPv4 address, or the /64 that a home is given (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
