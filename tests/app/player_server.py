"""The rating screen alone: a page with the component, two videos with bar codes, and a server that can be made to fail.

Run by the browser tests as a program, `python player_server.py FOLDER PORT`; Streamlit knows one app per process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402
import uvicorn  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import FileResponse, JSONResponse, Response  # noqa: E402
from starlette.routing import Route  # noqa: E402

from human_eval_app.handing_out import Handed  # noqa: E402
from human_eval_app.player.assets import asset_route  # noqa: E402
from human_eval_app.player.component import mount  # noqa: E402
from human_eval_app.rating_data import Place, rating_data  # noqa: E402
from human_eval_app.streamlit_settings import apply_settings  # noqa: E402
from human_eval_app.study import Study  # noqa: E402
from human_eval_app.wording import load_wording  # noqa: E402

STUDY = {
    "schema": "univg-bench/study/1", "id": "pilot", "version": 1, "title": "Pilot", "ratings_per_pair": 1,
    "methods": [{"id": "secret-ours"}, {"id": "secret-theirs"}], "ours": "secret-ours", "others": ["secret-theirs"],
    "items": [
        {"id": "text", "prompt": "an astronaut riding a horse"},
        {"id": "both", "prompt": "the red circle moves to the right", "image": "images/one.png"},
        {"id": "long", "prompt": "A very long text about <b>a cat</b> & a dog. <img src=x onerror=alert(1)> " * 12},
    ],
}  # fmt: skip


class Stub:
    """What the page and the routes share. fault: a status to answer ratings with, or 0."""

    def __init__(self) -> None:
        self.folder = Path()
        self.assignment = 1
        self.fault = 0
        self.posts: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []


STUB = Stub()


def page() -> None:
    query = st.query_params
    shown = {"must_watch": float(query.get("watch", 0)), "touch": query.get("touch", "refuse")}
    study = Study.model_validate_json(json.dumps(STUDY | {"presentation": shown}))
    item, videos = query.get("item", "text"), query.get("videos", "24,24").split(",")
    handed = Handed(STUB.assignment, 1, item, "main", 7, "left", "l" * 16, "r" * 16)
    data = rating_data(
        handed, study, load_wording(query.get("lang", "en")), fps=float(query.get("fps", 24)), place=Place(7, 25),
        owner=query.get("owner", "anna"), can_undo=True, revised=None,
    )  # fmt: skip
    data["videos"] = [f"/video/{name}.mp4" for name in videos]
    mount("rating.js", data, key="rating", triggers=("advance", "undo", "break"))


async def video(request: Request) -> Response:
    name = request.path_params["name"]
    if STUB.fault == -1:
        return Response(status_code=503)
    return FileResponse(STUB.folder / f"{name}.mp4") if name.isalnum() else Response(status_code=404)


async def image(_: Request) -> Response:
    return FileResponse(STUB.folder / "one.png")


async def ratings(request: Request) -> Response:
    body = await request.json()
    if STUB.fault:
        refused = {"reason": "already_answered" if STUB.fault == 409 else "busy", "message": "not now"}
        return JSONResponse(refused, STUB.fault)
    STUB.posts.append(body)
    STUB.assignment = body["assignment"] + 1
    return JSONResponse({"revision": 0, "duplicate": False})


async def events(request: Request) -> Response:
    STUB.events += (await request.json())["events"]
    return Response(status_code=204)


async def control(request: Request) -> Response:
    if request.method == "POST":
        for name, value in (await request.json()).items():
            setattr(STUB, name, value)
    return JSONResponse({"posts": STUB.posts, "events": STUB.events, "assignment": STUB.assignment})


def main(folder: Path, port: int) -> None:
    STUB.folder = folder
    sys.modules["player_server"] = sys.modules["__main__"]
    script = folder / "app.py"
    script.write_text("import player_server\nplayer_server.page()\n")
    apply_settings()
    routes = [
        asset_route(), Route("/video/{name}.mp4", video), Route("/image/{token}", image),
        Route("/api/ratings", ratings, methods=["POST"]), Route("/api/flag", ratings, methods=["POST"]),
        Route("/api/events", events, methods=["POST"]), Route("/stub", control, methods=["GET", "POST"]),
    ]  # fmt: skip
    uvicorn.run(st.App(script, routes=routes), port=port, log_level="warning", ws="websockets-sansio")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
