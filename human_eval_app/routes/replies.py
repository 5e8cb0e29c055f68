"""How every address of ours reads a request and says no: JSON in, JSON out, never a page with an exception."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from human_eval_app.refusals import NOT_FINAL, STATUS, Reason, RefusedError
from univg_bench.errors import InfrastructureError

LOG = logging.getLogger("univg_bench.serve")
MAX_BODY = 64 * 1024
RETRY_SECONDS = 2
Endpoint = Callable[[Request], Awaitable[Response]]


def refusal(reason: Reason, message: str) -> JSONResponse:
    """Return the reply to what is not granted. final: sending it again cannot help."""
    body = {"reason": reason, "message": message, "final": reason not in NOT_FINAL}
    headers = {"Retry-After": "60"} if reason == "too_many" else None
    return JSONResponse(body, STATUS[reason], headers=headers)


def guarded(endpoint: Endpoint) -> Endpoint:
    """Return `endpoint` with every error turned into a reply."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RefusedError as error:
            return refusal(error.reason, str(error))
        except InfrastructureError as error:
            LOG.warning("a request could not be served: %s", error)
            return later("busy", "the server is busy; your answers are kept and sent again in a moment")
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        except Exception:
            LOG.exception("a request failed")
            return later(
                "internal", "something went wrong on our side; your answers are kept and sent again", status=500
            )

    return answer


def later(reason: str, message: str, *, status: int = 503) -> JSONResponse:
    """Return the reply to what may well succeed when it is sent again."""
    body = {"reason": reason, "message": message, "final": False}
    return JSONResponse(body, status, headers={"Retry-After": str(RETRY_SECONDS)})


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object of the body. Raises RefusedError for anything else, and for a body beyond MAX_BODY."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError("bad_request", "expected a body of the type application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise RefusedError("too_large", f"expected a body of at most {MAX_BODY} bytes")
    try:
        found = json.loads(body.decode("utf-8"))
        # a lone surrogate is good JSON and no text; no database takes it
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise RefusedError("bad_request", "expected JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise RefusedError("bad_request", "expected a JSON object")
    return found


def whole_number(body: dict[str, Any], key: str) -> int:
    """Return an id from a body. Raises RefusedError for what no database could have given out."""
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise RefusedError("bad_request", f"expected `{key}` to be a positive number")
    return value
