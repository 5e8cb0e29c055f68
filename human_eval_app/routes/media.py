"""Videos, condition images and the clip of the device check: whole or in ranges, from the disk, to whom they belong.

A reply says nothing about the file but its length: no name, no time, no ETag. Two methods whose files were written in
two batches would else be told apart by the second.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from human_eval_app.refusals import RefusedError
from human_eval_app.routes.context import Context
from human_eval_app.routes.replies import LOG, Endpoint
from human_eval_app.storage import audit
from human_eval_app.tables import AUDIT
from human_eval_app.videos import image_of, video_of
from univg_bench.errors import SampleError

# what browsers show and what can hold no script
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}
HEADERS = {"Cache-Control": "private, no-store", "Content-Disposition": "inline"}


class PlainFile(FileResponse):
    """A file with its length and nothing else about it. A range that makes no sense is ignored (RFC 9110, 14.2)."""

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        self.headers.setdefault("content-length", str(stat_result.st_size))

    def _should_use_range(self, http_if_range: str) -> bool:
        return False  # there is no validator that could match

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        # several ranges at once are for download managers; players ask for one
        found = re.fullmatch(r"\s*bytes\s*=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-[0-9]{1,18})\s*", http_range)
        if found is None or (found[1] and found[2] and int(found[2]) < int(found[1])):
            return []
        return super()._parse_range_header(http_range, file_size)


def show_video(context: Context) -> Endpoint:
    """Return the endpoint of GET /video/{token}.mp4."""
    serving = context.serving

    async def endpoint(request: Request) -> Response:
        who, token = context.annotator(request), request.path_params["token"]
        try:
            found = await context.read(lambda: video_of(serving.store, serving.folder, token, annotator_id=who))
        except SampleError as error:
            await _note(context, error)
            raise RefusedError("not_found", "this video cannot be found; say that it is broken and go on") from None
        return PlainFile(found.path, media_type="video/mp4", headers=HEADERS)

    return endpoint


def show_image(context: Context) -> Endpoint:
    """Return the endpoint of GET /image/{token}: what both methods were given."""
    serving = context.serving

    async def endpoint(request: Request) -> Response:
        who, token = context.annotator(request), request.path_params["token"]
        try:
            path = await context.read(lambda: image_of(serving.store, serving.folder, token, annotator_id=who))
            if path.suffix.lower() not in IMAGES:
                raise SampleError(f"found the image {path.name}, expected one of {', '.join(IMAGES)}; convert it")
        except SampleError as error:
            await _note(context, error)
            raise RefusedError(
                "not_found", "the image cannot be found; say that the pair is broken and go on"
            ) from None
        return PlainFile(path, media_type=IMAGES[path.suffix.lower()], headers=HEADERS)

    return endpoint


def show_clip(path: Path) -> Endpoint:
    """Return the endpoint of GET /device/clip.mp4, for everybody."""

    async def endpoint(_: Request) -> Response:
        return PlainFile(path, media_type="video/mp4", headers=HEADERS)

    return endpoint


async def _note(context: Context, error: SampleError) -> None:
    """Tell the researcher; once in the study's log, because players ask again and again."""
    LOG.warning("%s", error)
    store, detail = context.serving.store, str(error)[:500]

    def work(connection: Connection) -> None:
        told = select(AUDIT.c.id).where(AUDIT.c.what == "file_missing", AUDIT.c.detail == detail).limit(1)
        if connection.execute(told).one_or_none() is None:
            audit(connection, store.now_ms(), "server", "file_missing", detail)

    await context.write(lambda: store.database.write(work))
