"""The password of the admin page: a scrypt hash in the study folder, and a door that slows down who guesses."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from human_eval_app.private_files import create_private
from univg_bench.atomic import atomic
from univg_bench.errors import InputError

FILE = "admin-password.json"
MIN_LENGTH = 12
MAX_LENGTH = 1000
# scrypt (RFC 7914) with N=2^15, r=8, p=3: one of the equally strong settings of OWASP's Password Storage Cheat Sheet,
# 32 MiB for each try
COST = {"n": 2**15, "r": 8, "p": 3}
FREE_TRIES = 5
MAX_WAIT = 60.0


@dataclass(frozen=True)
class PasswordHash:
    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def fits(self, password: str) -> bool:
        """Return whether this is the password; the comparison takes the same time wherever they differ."""
        return hmac.compare_digest(_scrypt(password, self.salt, n=self.n, r=self.r, p=self.p), self.digest)


def set_password(folder: Path, password: str) -> Path:
    """Write the hash of `password` into the study folder, readable by its owner only, and return its path.

    Raises InputError for a password that is too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InputError(
            f"the password has {len(password)} characters, expected at least {MIN_LENGTH}; nothing was set"
        )
    salt = secrets.token_bytes(16)
    content = {"scheme": "scrypt", **COST, "salt": salt.hex(), "hash": _scrypt(password, salt, **COST).hex()}
    dest = folder / FILE
    with atomic(dest) as temporary:
        create_private(temporary)
        temporary.write_text(json.dumps(content))
    return dest


def load_password(folder: Path) -> PasswordHash | None:
    """Return the hash that the study folder holds, or None where no password was set.

    Raises InputError for a file that is damaged or that others may read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise InputError(f"{path} has the mode {mode:04o}, so others can read it; run `chmod 600 {path}`")
    try:
        facts = json.loads(path.read_text())
        cost = {name: int(facts[name]) for name in COST}
        return PasswordHash(**cost, salt=bytes.fromhex(facts["salt"]), digest=bytes.fromhex(facts["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged; set the password again with `--set-password`") from None


class TooManyTriesError(InputError):
    """Nothing was compared: the door is closed for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many wrong passwords; try again in {max(1, round(seconds))} seconds")


class Door:
    """Lets in who knows the password. After FREE_TRIES wrong ones in a row everybody waits, twice as long each time.

    There is one password and no address is stored, so tries are counted for all together. One try at a time: ten
    guessers take no more memory than one.
    """

    def __init__(self, password: PasswordHash, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._password, self._clock = password, clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._closed_until = 0.0

    def opens(self, password: str) -> bool:
        """Return whether the password is right. Raises TooManyTriesError while nothing is compared."""
        with self._lock:
            left = self._closed_until - self._clock()
            if left > 0:
                raise TooManyTriesError(left)
            if len(password) <= MAX_LENGTH and self._password.fits(password):
                self._wrong = 0
                return True
            self._wrong += 1
            if self._wrong >= FREE_TRIES:
                # the exponent is kept small: 2.0**n overflows at last
                wait = min(MAX_WAIT, 2.0 ** min(self._wrong - FREE_TRIES + 1, 10))
                self._closed_until = self._clock() + wait
            return False


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    # OpenSSL refuses more than 32 MiB unless it is told; scrypt needs 128 r (N + p) bytes and a little (RFC 7914, 6)
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 4), dklen=32)
