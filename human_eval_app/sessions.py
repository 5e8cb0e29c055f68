"""Who is asking: a cookie that says which annotator, until when, signed under the pepper. The server keeps no list.

A session ends by the server's clock. A clock that is set back keeps everybody in, one that jumps ahead asks people to
log in again; the answers wait in their browsers meanwhile. Logging out removes the cookie from that browser alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

# longer than a day of sessions with breaks, shorter than a lost laptop is looked for; who is late logs in again
LIFETIME_SECONDS = 12 * 3600
_FORM = re.compile(r"1\.([0-9]{1,18})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")


def cookie_name(slug: str) -> str:
    """Return the name of the cookie of a study. Cookies know hosts and no ports (RFC 6265, 8.5): under one name for
    all, whoever comes into one study would be thrown out of another one on the same host."""
    return f"univg_session_{hashlib.sha256(slug.encode()).hexdigest()[:12]}"


def issue(pepper: bytes, annotator_id: int, now: float) -> str:
    """Return the cookie of an annotator, good for `LIFETIME_SECONDS` from `now` (seconds since 1970)."""
    assert annotator_id >= 0
    facts = f"1.{annotator_id}.{int(now) + LIFETIME_SECONDS}"
    return f"{facts}.{_sign(pepper, facts)}"


def read(pepper: bytes, cookie: str | None, now: float) -> int | None:
    """Return whose cookie this is, None where it is missing, expired, cut, or not signed by us."""
    found = _FORM.fullmatch(cookie or "")
    if found is None:
        return None
    facts = f"1.{found[1]}.{found[2]}"
    if not hmac.compare_digest(_sign(pepper, facts), found[3]):
        return None
    return int(found[1]) if now < int(found[2]) else None


def _sign(pepper: bytes, facts: str) -> str:
    # a key of its own, so that a code's hash can never serve as a signature
    key = hashlib.blake2b(b"session", key=pepper[:64], digest_size=32).digest()
    return base64.urlsafe_b64encode(hmac.digest(key, facts.encode(), "sha256")).rstrip(b"=").decode()
