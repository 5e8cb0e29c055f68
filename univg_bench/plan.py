"""What has to be generated: a protocol's items times its samples per item, each with its seed, conditions and key.

The plan depends on the protocol, the items and the base seed alone: not on the model, on what is there already or on
who makes it. A model is asked for one sample at a time, so no sample has neighbours that could change its bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from univg_bench.canonical import digest_of
from univg_bench.datasets.images import image_digests
from univg_bench.datasets.items import Item, ItemSet
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol import GivenImages, Protocol, ReferenceFrame
from univg_bench.samples import sample_name


@dataclass(frozen=True, slots=True)
class ConditionImage:
    """The image that a sample is conditioned on: a file, or one frame of a video. sha256: of the file."""

    path: Path
    sha256: str
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedSample:
    """One sample to be made. prompt, image: None where the protocol gives none."""

    name: str
    seed: int
    prompt: str | None
    image: ConditionImage | None


@dataclass(frozen=True)
class Shard:
    """Every `of`-th sample, beginning with the `number`-th: a part of the plan that one machine of several makes."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that `text` names: `1/4` to `4/4`. Raises InputError for anything else."""
        number, slash, of = text.partition("/")
        if slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of):
            return cls(int(number), int(of))
        raise InputError(f"found --shard {text!r}, expected i/n with i from 1 to n, as 2/4")

    def has(self, position: int) -> bool:
        """Return whether the sample at this position of the plan, from 0, belongs to this shard."""
        return position % self.of == self.number - 1


def seed_of(protocol: str, item_id: str, k: int, *, base_seed: int = 0) -> int:
    """Return the seed of sample `k` of an item under the protocol `id@version`, from 0 to 2^63 - 1.

    63 bits, since torch, NumPy and JAX all take them.
    """
    digest = hashlib.sha256(f"{protocol}|{base_seed}|{item_id}|{k}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def plan_samples(
    protocol: Protocol, items: ItemSet, images: Mapping[str, ConditionImage], *, base_seed: int = 0
) -> Iterator[PlannedSample]:
    """Yield every sample of the protocol, in the order of the manifest. images: item_id -> its image."""
    for item in items.items:
        for k in range(protocol.generation.samples_per_item):
            yield PlannedSample(
                sample_name(item.item_id, k),
                seed_of(protocol.name, item.item_id, k, base_seed=base_seed),
                item.prompt if protocol.conditions.text else None,
                images.get(item.item_id),
            )


def images_of(protocol: Protocol, items: ItemSet) -> dict[str, ConditionImage]:
    """Return the condition image of every item, by item_id; nothing where the protocol gives none.

    Every file is read once, for its digest: another image is another condition.

    Raises InputError when nobody said where the images lie, SampleError for items without the real video that the
    image is a frame of.
    """
    source = protocol.conditions.image
    if source is None:
        return {}
    if isinstance(source, ReferenceFrame):
        return _first_frames(items, source.frame)
    if isinstance(source, GivenImages) and not all(item.image for item in items.items):
        raise InputError(
            f"protocol {protocol.id} gives the model images made by {source.made_by}; name their folder with --images"
            f" (it holds {source.pattern})"
        )
    digests = image_digests(items)
    return {item.item_id: ConditionImage(_image(item), digests[item.item_id]) for item in items.items}


def _first_frames(items: ItemSet, frame: int) -> dict[str, ConditionImage]:
    lacking = {item.item_id: "no real video" for item in items.items if item.reference is None}
    if lacking:
        raise SampleError(
            f"found no real video for {len(lacking)} items, of which the protocol takes frame {frame} as condition",
            lacking,
        )
    by_video: dict[Path, ConditionImage] = {}
    for path in items.references.values():
        with path.open("rb") as file:
            by_video[path] = ConditionImage(path, hashlib.file_digest(file, "sha256").hexdigest(), frame)
    return {item.item_id: by_video[item.reference] for item in items.items if item.reference is not None}


def _image(item: Item) -> Path:
    assert item.image is not None, "load_items finds them all or raises"
    return item.image


def asked_digest(protocol: Protocol) -> str:
    """Return the SHA-256 over what the protocol asks of every sample: length, rate, size, settings."""
    generation = protocol.meaning(defaults=True)["generation"]
    return digest_of({name: generation[name] for name in ("num_frames", "fps", "height", "width", "params")})


def sample_key(sample: PlannedSample, *, asked: str, model: str) -> str:
    """Return the SHA-256 over everything that decides the pixels: a sample with another key never stands for this one.

    asked: `asked_digest`. model: of the model as it is loaded, see `made.model_digest`.
    """
    image = None if sample.image is None else [sample.image.sha256, sample.image.frame]
    return digest_of({"model": model, "asked": asked, "seed": sample.seed, "prompt": sample.prompt, "image": image})
