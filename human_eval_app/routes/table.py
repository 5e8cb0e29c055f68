"""Every address of ours, in one table. What is not in it below our prefixes is 404, not Streamlit's start page."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from human_eval_app.player.assets import asset_route
from human_eval_app.refusals import RefusedError
from human_eval_app.routes.context import Context
from human_eval_app.routes.media import show_clip, show_image, show_video
from human_eval_app.routes.ratings import flag_pair, save_answers, take_events
from human_eval_app.routes.replies import guarded
from human_eval_app.routes.session import log_in, log_out

ALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def routes(context: Context, *, clip: Path) -> list[BaseRoute]:
    """Return the routes of a study; clip: the file of the device check."""
    table = (
        ("POST", "/api/session", log_in(context)),
        ("DELETE", "/api/session", log_out(context)),
        ("POST", "/api/ratings", save_answers(context)),
        ("POST", "/api/flag", flag_pair(context)),
        ("POST", "/api/events", take_events(context)),
        ("GET", "/video/{token}.mp4", show_video(context)),
        ("GET", "/image/{token}", show_image(context)),
        ("GET", "/device/clip.mp4", show_clip(clip)),
        ("GET", "/healthz", _healthy),
    )
    known: list[BaseRoute] = [Route(path, guarded(endpoint), methods=[method]) for method, path, endpoint in table]
    others = [Route(path, guarded(_wrong_method), methods=ALL_METHODS) for path in {row[1] for row in table}]
    rest = [
        Route(f"{prefix}/{{rest:path}}", guarded(_nothing), methods=ALL_METHODS)
        for prefix in ("/api", "/video", "/image", "/device")
    ]
    return [*known, asset_route(), *others, *rest]


async def _healthy(_: Request) -> Response:
    return JSONResponse({"ok": True})


async def _wrong_method(request: Request) -> Response:
    raise RefusedError("not_allowed", f"this address does not take {request.method}")


async def _nothing(_: Request) -> Response:
    raise RefusedError("not_found", "there is nothing here")
