"""Latents and embeddings on disk: what a frozen network makes of a clip or a caption, made once.

A value is found by the weights that made it and by what it was made of, so other weights or other data never meet it,
and what comes out of the cache is to the bit what would be computed. Files are complete or not there: any number of
processes may share a folder, and one that is killed leaves at most a temporary file. Two that make the same value at
once write the same bytes. A damaged file is as one that is not there.

Where all clips have the same few frames, `training.latents` keeps them in one array; this is for anything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reference_models.checkpoints import tensor_digest
from univg_bench.atomic import atomic

_NAME = "value"


@dataclass(frozen=True)
class Key:
    """weights: digest of the network. source: identity of what it looks at. index: which clip, or the caption itself.

    geometry: everything else that decides the value: frames, size, first frame, type of the numbers.
    """

    weights: str
    source: str
    index: int | str
    geometry: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


class TensorCache:
    """Tensors in a folder, one file each, in 256 folders.

    limit: of bytes this process finds or adds; beyond it values are made again each time and not kept. With P processes
    at once a folder may grow to P times what was free when they began. Nothing is ever thrown out.
    """

    def __init__(self, folder: Path, *, limit: int | None = None) -> None:
        self.folder, self.limit = folder, limit
        # looked up only where it counts: a folder may hold millions of files
        self._size = 0 if limit is None else sum(p.stat().st_size for p in folder.glob("*/*.safetensors"))

    def value(self, key: Key, make: Callable[[], Tensor]) -> Tensor:
        """Return what is kept under a key, on the CPU, else what `make` makes, kept from now on.

        Raises InfrastructureError when the disk is full, and what `make` raises.
        """
        digest = key.digest
        path = self.folder / digest[:2] / f"{digest}.safetensors"
        found = _read(path)
        if found is not None:
            return found
        made = make().detach().cpu().contiguous()
        size = made.numel() * made.element_size()
        if self.limit is None or self._size + size <= self.limit:
            with atomic(path) as temporary:
                save_file({_NAME: made}, temporary, metadata={"digest": tensor_digest({_NAME: made})})
            self._size += size
        return made


def _read(path: Path) -> Tensor | None:
    try:
        with safe_open(path, framework="pt") as file:
            value: Tensor = file.get_tensor(_NAME)
            digest = (file.metadata() or {}).get("digest")
    except (FileNotFoundError, SafetensorError):
        return None
    return value if tensor_digest({_NAME: value}) == digest else None
