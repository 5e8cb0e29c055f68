"""Login through an OpenID Connect provider: what the study folder says about it, and who may come in.

`.streamlit/secrets.toml` in the study folder configures Streamlit's own `st.login`; the section `[admin]` names the
people. Without that list everybody with an account at the provider would be let in, so it is demanded.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from univg_bench.errors import InputError

SECRETS = Path(".streamlit") / "secrets.toml"
NEEDED = ("client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True)
class Provider:
    """names: what `st.login` is called with, '' for the one without a name. emails: who may come in, in lower case."""

    path: Path
    names: tuple[str, ...]
    emails: frozenset[str]

    def admits(self, user: Mapping[str, object]) -> bool:
        """Return whether this logged-in user is one of the people named, with an address that the provider checked."""
        email = user.get("email")
        return isinstance(email, str) and email.lower() in self.emails and user.get("email_verified") in (True, "true")


def load_provider(folder: Path) -> Provider | None:
    """Return what the study folder says about login by OpenID Connect, or None where it says nothing.

    Raises InputError for a configuration that would not work, or that would let everybody in.
    """
    path = folder / SECRETS
    if not path.is_file():
        return None
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    auth = content.get("auth")
    if not isinstance(auth, dict):
        return None
    missing = [name for name in ("redirect_uri", "cookie_secret") if not auth.get(name)]
    named = [name for name, part in auth.items() if isinstance(part, dict) and all(part.get(n) for n in NEEDED)]
    names = ("", *named) if all(auth.get(n) for n in NEEDED) else tuple(named)
    if missing or not names:
        needed = ", ".join(missing or NEEDED)
        raise InputError(f"{path}: [auth] lacks {needed}; see `st.login` in Streamlit's documentation")
    admin = content.get("admin")
    emails = admin.get("emails") if isinstance(admin, dict) else None
    if not isinstance(emails, list) or not emails or not all(isinstance(e, str) and "@" in e for e in emails):
        raise InputError(
            f"{path} has [auth], but does not say who may come in; add a section [admin] with the line "
            'emails = ["me@example.org"], or anybody with an account there could'
        )
    if find_spec("authlib") is None:
        raise InputError(f"{path} asks for login by OpenID Connect; install `univg-bench[oidc]` for it")
    return Provider(path, names, frozenset(e.strip().lower() for e in emails))
