"""What annotators send: answers, flags, events. A reply of 200 means that it is on the disk."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from human_eval_app.events import record_events
from human_eval_app.refusals import RefusedError
from human_eval_app.routes.context import Context
from human_eval_app.routes.replies import Endpoint, read_json, whole_number


def save_answers(context: Context) -> Endpoint:
    """Return the endpoint of POST /api/ratings; the same client_uuid again is acknowledged again and stored once."""

    async def endpoint(request: Request) -> Response:
        who, body = context.annotator(request), await read_json(request)
        assignment, revise = whole_number(body, "assignment"), body.get("revise", False)
        if not isinstance(revise, bool):
            raise RefusedError("bad_request", "expected `revise` to be true or false")
        receipt = await context.write(
            lambda: context.serving.store.submit(
                who, assignment, client_uuid=body.get("client_uuid"), answers=body.get("answers"),
                seconds=body.get("seconds"), watched=body.get("watched"), revise=revise,
            )
        )  # fmt: skip
        return JSONResponse({"revision": receipt.revision, "duplicate": receipt.duplicate})

    return endpoint


def flag_pair(context: Context) -> Endpoint:
    """Return the endpoint of POST /api/flag; a pair that is flagged already stays so."""

    async def endpoint(request: Request) -> Response:
        who, body = context.annotator(request), await read_json(request)
        assignment, reason = whole_number(body, "assignment"), body.get("reason")
        if not isinstance(reason, str):
            raise RefusedError("bad_request", "expected `reason` to be a text")
        await context.write(lambda: context.serving.store.flag(who, assignment, reason=reason.replace("\0", "")))
        return JSONResponse({"flagged": True})

    return endpoint


def take_events(context: Context) -> Endpoint:
    """Return the endpoint of POST /api/events."""

    async def endpoint(request: Request) -> Response:
        who, body = context.annotator(request), await read_json(request)
        assignment = whole_number(body, "assignment")
        await context.write(lambda: record_events(context.serving.store, who, assignment, body.get("events")))
        return Response(status_code=204)

    return endpoint
