"""The player's files for browsers, under an address that changes when one of them does.

Streamlit would send inline code anew with every run of the script (13.9 kB of 15.9 kB in a prototype). It can also
serve files of a component itself, but finds its manifest only inside a package that is named like the distribution,
and serves them without a validator. So each component is two lines that import from a route of ours, which a browser
keeps for a year.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

FOLDER = Path(__file__).parent
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@cache
def files() -> dict[str, bytes]:
    """Return every file that browsers may have, by name. Nothing else below this folder is served."""
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


@cache
def digest() -> str:
    """Return 16 hexadecimal digits that stand for all contents together."""
    state = hashlib.sha256()
    for name, content in files().items():
        state.update(f"{name}\0{len(content)}\0".encode())
        state.update(content)
    return state.hexdigest()[:16]


def loader(module: str) -> str:
    """Return JavaScript that hands a component over to `module`, a name in `files()`."""
    assert module in files()
    # code of components runs from a blob, from where no relative address leads anywhere
    return (
        f"const url = `${{location.origin}}/player/{digest()}/{module}`;\n"
        "export default async (component) => (await import(url)).default(component);\n"
    )


def asset_route() -> Route:
    """Return GET /player/{digest}/{name}."""
    from starlette.responses import Response
    from starlette.routing import Route

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        content = files().get(name) if request.path_params["digest"] == digest() else None
        if content is None:
            return Response("not found", 404, media_type="text/plain")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(content, media_type=TYPES[Path(name).suffix], headers=headers)

    return Route("/player/{digest}/{name}", asset, methods=["GET"])
