"""Coming in and going out: POST and DELETE /api/session."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from human_eval_app import sessions
from human_eval_app.prolific import login_prolific
from human_eval_app.refusals import RefusedError
from human_eval_app.routes.context import Context
from human_eval_app.routes.replies import Endpoint, read_json
from human_eval_app.storage import Annotator


def log_in(context: Context) -> Endpoint:
    """Return the endpoint that turns a code, or Prolific's ids, into a cookie."""

    async def endpoint(request: Request) -> Response:
        address = request.client.host if request.client else None
        if not context.failures.allows(address):
            raise RefusedError("too_many", "too many codes were tried from here; wait five minutes and try again")
        body = await read_json(request)
        try:
            if "prolific" in body:
                annotator = await _prolific(context, address, body["prolific"])
            else:
                annotator = await context.read(_by_code(context, body.get("code")))
        except RefusedError as error:
            if error.reason in ("unknown_code", "expired_code"):
                context.failures.note(address)
            raise
        cookie = sessions.issue(context.serving.folder.pepper, annotator.id, context.serving.store.now_ms() / 1000)
        response = Response(status_code=204)
        # Max-Age and no Expires: the browser's clock may be wrong
        response.set_cookie(
            sessions.cookie_name(context.serving.folder.slug), cookie, max_age=sessions.LIFETIME_SECONDS, path="/",
            httponly=True, samesite="strict", secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    return endpoint


def log_out(context: Context) -> Endpoint:
    """Return the endpoint that takes the cookie back."""

    async def endpoint(request: Request) -> Response:
        response = Response(status_code=204)
        response.delete_cookie(
            sessions.cookie_name(context.serving.folder.slug), path="/",
            httponly=True, samesite="strict", secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    return endpoint


def _by_code(context: Context, code: object) -> Callable[[], Annotator]:
    if not isinstance(code, str):
        raise RefusedError("bad_request", "expected `code` to be a text")
    return lambda: context.serving.store.login(code)


async def _prolific(context: Context, address: str | None, ids: object) -> Annotator:
    if not isinstance(ids, dict):
        raise RefusedError("bad_request", "expected `prolific` to be an object with pid, study and session")
    if not context.newcomers.allows(address):
        raise RefusedError("too_many", "too many people came from this address; wait an hour and try again")
    serving = context.serving
    annotator, new = await context.write(
        lambda: login_prolific(
            serving.store, serving.folder.pepper,
            pid=ids.get("pid"), study=ids.get("study"), session=ids.get("session"),
        )
    )  # fmt: skip
    if new:
        context.newcomers.note(address)
    return annotator
