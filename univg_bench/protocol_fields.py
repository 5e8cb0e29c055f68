"""The kinds of values a protocol file is made of: sections without unknown keys, ids, paths that stay inside, frames.

Nothing is converted: "16" is not a number, 1 is not true. What pydantic cannot say as a sentence of ours is said here.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetPydanticSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from univg_bench.errors import InputError
from univg_bench.frames import FramePolicy, Sampling, Short

Scalar = bool | int | float | str | None


def _fault(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def _check_inner_path(path: str) -> str:
    if not path or path.startswith("/") or "\\" in path or ":" in path or ".." in path.split("/"):
        raise _fault(f"found the path '{path}', expected one below the data folder, with / between names and no '..'")
    return path


def _check_pattern(pattern: str) -> str:
    rest = pattern.replace("{item_id}", "")
    if "{" in rest or "}" in rest or rest == pattern:
        raise _fault(f"found the pattern '{pattern}', expected a path with {{item_id}} in it and no other braces")
    return _check_inner_path(pattern)


def _check_id(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,79}", name):
        raise _fault(f"found '{name}', expected a name of lower-case letters, digits and '-', at most 80")
    return name


def _check_line(line: str) -> str:
    if not line.strip() or len(line.splitlines()) != 1:
        raise _fault("found an empty text or more than one line, expected one line of text")
    return line


Id = Annotated[str, AfterValidator(_check_id)]
Line = Annotated[str, AfterValidator(_check_line)]
Count = Annotated[int, Field(ge=1)]
InnerPath = Annotated[str, AfterValidator(_check_inner_path)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]  # {item_id} is filled in


class Strict(BaseModel):
    """A section of a protocol file: immutable, no unknown keys, no conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Select(Strict):
    """A part of a data set chosen by rule: by hashes, never by a random generator, so it is the same everywhere."""

    captions_per_video: Literal["all"] | Count = Field(default="all", description="`all`, or how many `rule` picks")
    videos: Literal["all"] | Count = Field(default="all", description="`all`, or how many videos `rule` picks")
    rule: Literal["hash_min"] | None = Field(
        default=None,
        description='hash_min: the captions with the smallest sha256("salt|video_id|caption_id"), the videos with the '
        'smallest sha256("salt|video_id")',
    )
    salt: Line | None = Field(default=None, description="of `rule`; another salt is another choice")
    first: Count | None = Field(default=None, description="of these, only the first, in the order of the data set")


class Frames(Strict):
    """Which frames of a video a metric sees (univg_bench.frames says the exact indices)."""

    sampling: Sampling = Field(description="how frames are chosen; random ones depend on seed and video id alone")
    frames: Count | None = Field(default=None, description="how many; not with `all`")
    seed: int = Field(default=0, ge=0, description="of the random samplings")
    short: Short = Field(default="error", description="of a video with too few frames: refuse, leave out, repeat")
    fps: float | None = Field(default=None, gt=0, description="of `fps_matched` only")


def _frame_policy(_: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    def build(spec: Frames) -> FramePolicy:
        try:
            return FramePolicy(**spec.model_dump())
        except InputError as error:
            raise _fault(str(error)) from error

    return core_schema.no_info_after_validator_function(
        build,
        handler.generate_schema(Frames),
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda policy: {key: value for key, value in asdict(policy).items() if value is not None}
        ),
    )


Policy = Annotated[FramePolicy, GetPydanticSchema(_frame_policy)]
