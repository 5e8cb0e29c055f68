"""One sample: ask the model, look at what it gave, store it losslessly with a record of how it was made.

A sample is there when its record is: `<item>-s<k>.json` is written after its video, and removed before another video
takes its place. So a process may be killed at any moment, and a record never speaks for a video that it does not know.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from univg_bench.atomic import atomic, write_bytes
from univg_bench.canonical import canonical_json, digest_of
from univg_bench.containers import UnreadableVideo
from univg_bench.encode import write_lossless
from univg_bench.errors import InfrastructureError, InputError, SampleError, UnivgError
from univg_bench.index import described
from univg_bench.model import Dtype, GeneratedVideo, ModelCard, Request, Setting, VideoModel, load_model
from univg_bench.plan import ConditionImage, PlannedSample, sample_key
from univg_bench.problems import FAILING, Needs, find_problems
from univg_bench.protocol import Protocol
from univg_bench.samples import Row, stored_path

SAMPLE_SCHEMA = "univg-bench/sample/1"


@dataclass(frozen=True)
class ModelCall:
    """Which model it is and how it is loaded, as data that can go to another process. See `model.load_model`."""

    model: str
    options: tuple[tuple[str, Setting], ...] = ()
    device: str = "cpu"
    dtype: Dtype = "float32"


@dataclass(frozen=True)
class Order:
    """What all samples of a run have in common.

    asked: `plan.asked_digest` of the protocol. model_digest: of the model that this command began with.
    """

    call: ModelCall
    protocol: Protocol
    folder: Path
    asked: str
    model_digest: str

    def key(self, sample: PlannedSample) -> str:
        """Return the key that a sample of this order is known by."""
        return sample_key(sample, asked=self.asked, model=self.model_digest)


@lru_cache(maxsize=1)
def loaded(call: ModelCall) -> VideoModel:
    """Return the model of `call`; a process loads it once. Raises InputError when it cannot be loaded."""
    try:
        return load_model(call.model, device=call.device, dtype=call.dtype, **dict(call.options))
    except UnivgError:
        raise
    except Exception as error:
        given = ", ".join(f"{name}={value}" for name, value in call.options) or "no options"
        raise InputError(
            f"the model {call.model} could not be loaded with {given}: {_in_words(error)}; check --option, --device and"
            " the model's own documentation"
        ) from error


def unload() -> None:
    """Forget the model that this process has loaded, and give its memory back."""
    loaded.cache_clear()
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def model_digest(card: ModelCard, call: ModelCall) -> str:
    """Return the SHA-256 over what makes one model differ from another: name, weights, options, type of numbers.

    An option that names a file or folder counts by the digests of the weights, where the card has any: weights may
    move. The kind of device counts, as its kernels round differently.
    """
    counted = [
        (name, value)
        for name, value in sorted(call.options)
        if not (card.weights and isinstance(value, str) and Path(value).exists())
    ]
    return digest_of(
        {
            "name": card.name,
            "weights": dict(card.weights),
            "settings": dict(card.settings),
            "lossless": card.lossless,
            "factory": None if card.weights else call.model,
            "options": counted,
            "dtype": call.dtype,
            "device": call.device.partition(":")[0],
        }
    )


def make_sample(order: Order, sample: PlannedSample) -> None:
    """Make one sample and commit it to the run, in the place of any that was made otherwise.

    Raises InputError for a setting or condition that the model refuses, SampleError for a video that is none or not
    what the protocol fixes, InfrastructureError when the model fails otherwise or the disk is full. Then nothing has
    changed.
    """
    model = loaded(order.call)
    if model_digest(model.card, order.call) != order.model_digest:
        raise InputError(
            f"the weights of {order.call.model} changed while it was at work; run the same command again: samples of"
            " the old ones are made anew"
        )
    generation = order.protocol.generation
    request = Request(
        sample.name, sample.seed, sample.prompt, None if sample.image is None else _pixels(sample.image),
        num_frames=generation.num_frames, fps=generation.fps, height=generation.height, width=generation.width,
    )  # fmt: skip
    _commit(order, sample, _asked(model, request, generation.params))


def read_made(order: Order, sample: PlannedSample) -> Row | None:
    """Return the manifest's row of a sample that was made to this order; None when it has to be made (again)."""
    folder = order.folder
    try:
        record = json.loads((folder / stored_path(sample.name, ".json")).read_bytes())
        row = Row(**record["row"])
        whole = (folder / stored_path(sample.name, ".mp4")).stat().st_size == row.bytes
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or damaged
    fitting = (row.name, row.path, row.ok) == (sample.name, stored_path(sample.name, ".mp4"), True)
    return row if fitting and whole and record.get("key") == order.key(sample) else None


def _pixels(image: ConditionImage) -> NDArray[np.uint8]:
    """Return the condition, uint8 (3, H, W). Raises SampleError when there is none in the file."""
    from univg_bench.features.reading import read_image
    from univg_bench.video import read_frames

    if image.frame is None:
        pixels: NDArray[np.uint8] = read_image(image.path)[0]
        return pixels
    try:
        frame: NDArray[np.uint8] = read_frames(image.path, [image.frame])[0]
    except UnreadableVideo as error:
        raise SampleError(
            f"frame {image.frame} of {image.path}, a condition image, cannot be read: {error.reason}; repair the data"
        ) from error
    return frame


def _asked(model: VideoModel, request: Request, params: Mapping[str, Setting]) -> GeneratedVideo:
    name = model.card.name
    try:
        with _one_thread():
            made = model.generate([request], dict(params))
    except UnivgError:
        raise
    except Exception as error:
        raise InfrastructureError(
            f"the model {name} failed on {request.name}: {_in_words(error)}; samples that are made are kept, run the"
            " same command again to go on"
        ) from error
    if not isinstance(made, list) or len(made) != 1 or not isinstance(made[0], GeneratedVideo):
        raise _unfit(name, request.name, "a list of one GeneratedVideo for one request", _kind(made))
    video = made[0]
    frames: object = video.frames
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1] != 3:
        raise _unfit(name, request.name, "frames uint8 (F, 3, H, W)", _kind(frames))
    if 0 in frames.shape:
        raise _unfit(name, request.name, "at least one frame of at least one pixel", _kind(frames))
    if not isinstance(video.fps, int | float) or not math.isfinite(video.fps) or video.fps <= 0:
        raise _unfit(name, request.name, "frames per second above 0", f"fps {video.fps!r}")
    try:
        canonical_json(dict(video.made_with))
    except (TypeError, ValueError) as error:
        raise _unfit(name, request.name, "`made_with` as plain data", f"one that is not JSON ({error})") from error
    return video


def _unfit(model: str, name: str, expected: str, found: str) -> SampleError:
    return SampleError(
        f"found {found} from the model {model} for {name}, expected {expected}; nothing of it is stored, the model has"
        " to be put right",
        {name: f"found {found}, expected {expected}"},
    )


def _kind(thing: object) -> str:
    if isinstance(thing, np.ndarray):
        return f"an array {thing.dtype} {thing.shape}"
    return f"a list of {len(thing)}" if isinstance(thing, list) else f"a {type(thing).__name__}"


def _commit(order: Order, sample: PlannedSample, video: GeneratedVideo) -> None:
    stored = stored_path(sample.name, ".mp4")
    record_path = order.folder / stored_path(sample.name, ".json")
    try:
        with atomic(order.folder / stored) as temporary:
            write_lossless(temporary, video.frames, video.fps)
            row = described(sample.name, temporary, stored)
            assert row.rgb_sha256 == _rgb_sha256(video.frames), "what is stored is what was made"
            _refuse_misfit(row, order)
            record_path.unlink(missing_ok=True)
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise _unfit(
            _name(order), sample.name, "a video that can be stored", f"one that cannot be ({error})"
        ) from error
    image = None if sample.image is None else {"sha256": sample.image.sha256, "frame": sample.image.frame}
    record = {
        "schema": SAMPLE_SCHEMA,
        "key": order.key(sample),
        "seed": sample.seed,
        "conditions": {"prompt": sample.prompt, "image": image},
        "made_with": dict(video.made_with),
        "row": {name: value for name, value in asdict(row).items() if value},
    }
    write_bytes(record_path, (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())


def _refuse_misfit(row: Row, order: Order) -> None:
    for problem in find_problems([row], Needs.of_samples(order.protocol)):
        if problem.kind in FAILING:
            raise SampleError(
                f"the model {_name(order)} made {row.name} so that it cannot be scored ({problem.kind}:"
                f" {problem.reason}); nothing of it is stored, put the model or its options right",
                {row.name: f"{problem.kind}: {problem.reason}"},
            )


def _name(order: Order) -> str:
    return loaded(order.call).card.name


def _rgb_sha256(frames: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(frame.transpose(1, 2, 0).tobytes())
    count, _, height, width = frames.shape
    digest.update(f"{count}x{height}x{width}".encode())
    return digest.hexdigest()


def _in_words(error: Exception) -> str:
    """Return type, first line and place of an error in somebody's model, where a whole traceback is no help."""
    first: Any = (str(error).strip().splitlines() or ["without a message"])[0]
    calls = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(calls[-1].filename).name}:{calls[-1].lineno})" if calls else ""
    return f"{type(error).__name__}: {first}{place}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute with one CPU thread, where torch is in use: a sum split over threads rounds differently."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
