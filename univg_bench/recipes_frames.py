"""Recipes of the metrics that look at pixels or at single frames: motion, flicker, spectrum, fidelity, FID.

As in `recipes.py`, a recipe says everything that can move the number except weights and the choice of frames, and its
digest stands in every cache key. FRAME_RECIPES has them all by name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from univg_bench.canonical import digest_of


class _Digested:
    """A recipe that knows its kind; the kind keeps two recipes of equal fields apart."""

    kind: ClassVar[str]

    @property
    def digest(self) -> str:
        """SHA-256 of the fields that decide the number; `source` is prose about the recipe, not a part of it."""
        fields = asdict(self)  # type: ignore[call-overload]
        del fields["source"]
        return digest_of({"kind": self.kind, **fields})


@dataclass(frozen=True)
class Matching:
    """How blocks of one frame are found again in the next.

    side: pixels of the shorter side that frames are resized to before (area average; linear where they are smaller).
    window, stride: of the blocks. reach: largest displacement searched, in pixels of the resized frame, either way.
    gate: a block counts as moved if moving it takes off at least gate / (1 + gate) of its change.
    """

    side: int
    window: int
    stride: int
    reach: int
    gate: float


@dataclass(frozen=True)
class MotionRecipe(_Digested):
    """From consecutive frames to the mean speed of the picture's blocks, in shorter sides of the picture per second."""

    kind: ClassVar[str] = "motion"
    name: str
    version: int
    matching: Matching
    source: str


@dataclass(frozen=True)
class FlickerRecipe(_Digested):
    """From consecutive frames to how unsteady their brightness is.

    method: `compensated` is the second difference in time of the luma of blocks, each followed along its motion, in
    grey levels of 255 (0: steady). `vbench` is VBench's temporal flickering, 1 - mean |difference| / 255 (1: steady),
    which counts motion as flicker.
    """

    kind: ClassVar[str] = "flicker"
    name: str
    version: int
    method: Literal["compensated", "vbench"]
    matching: Matching | None
    source: str


@dataclass(frozen=True)
class SpectrumRecipe(_Digested):
    """From frames to the power of their luma per spatial frequency, in dB.

    bins: equal steps of radial frequency from 0 to the end of the axis. lines: None ends the axis at each video's own
    Nyquist frequency, so that two sets must have one size; a number ends it at the Nyquist frequency of a picture with
    so many lines, so that sizes may differ but none may have fewer lines. floor: power added to each bin, in squared
    grey levels, so that flat pictures have a logarithm.
    """

    kind: ClassVar[str] = "spectrum"
    name: str
    version: int
    bins: int
    lines: int | None
    taper: Literal["hann"]
    floor: float
    source: str


@dataclass(frozen=True)
class FidelityRecipe(_Digested):
    """From a video and its ground truth to PSNR and SSIM of each frame, over all three colours.

    psnr_cap: in dB, of identical frames and of all that come near. window, sigma, k1, k2: of SSIM; only windows that
    lie wholly inside count. resize: of a condition image to the size of the sample it is compared with, by PIL.
    """

    kind: ClassVar[str] = "fidelity"
    name: str
    version: int
    data_range: int
    colour: Literal["rgb-mean"]
    psnr_cap: float
    window: int
    sigma: float
    k1: float
    k2: float
    resize: Literal["bicubic-antialiased"]
    source: str


@dataclass(frozen=True)
class FidRecipe(_Digested):
    """From frames to an FID.

    centres: where a pixel lies for the resize; `half` is at its middle, `corner` is TensorFlow 1's. antialias: whether
    the kernel widens when a picture shrinks. scale: from 0..255 to what the network sees. ddof: of the covariance.
    """

    kind: ClassVar[str] = "fid"
    name: str
    version: int
    network: Literal["inception-fid"]
    size: int
    kernel: Literal["bilinear", "bicubic"]
    centres: Literal["half", "corner"]
    antialias: bool
    scale: Literal["x/255*2-1", "(x-128)/128"]
    ddof: int
    dtype: Literal["float32"]
    source: str


PixelRecipe = MotionRecipe | FlickerRecipe | SpectrumRecipe
FrameRecipe = PixelRecipe | FidelityRecipe | FidRecipe

_BLOCKS = Matching(side=64, window=13, stride=4, reach=8, gate=1.0)

MOTION_RECIPES: dict[str, MotionRecipe] = {
    "motion": MotionRecipe("motion", 1, _BLOCKS, source="docs/metrics.md, motion: chosen on Moving Shapes"),
}
FLICKER_RECIPES: dict[str, FlickerRecipe] = {
    recipe.name: recipe
    for recipe in [
        FlickerRecipe("flicker", 1, "compensated", _BLOCKS, source="docs/metrics.md, flicker"),
        FlickerRecipe(
            "vbench-flicker", 1, "vbench", None,
            source="VBench (arXiv 2311.17982), vbench/temporal_flickering.py at 00c4b29; meant for static videos only",
        ),
    ]
}  # fmt: skip
SPECTRUM_RECIPES: dict[str, SpectrumRecipe] = {
    recipe.name: recipe
    for recipe in [
        # 1/12 is the power that rounding to whole grey levels adds by itself
        SpectrumRecipe("spectrum", 1, 16, None, "hann", 1 / 12, source="docs/metrics.md, spectral distance"),
        SpectrumRecipe("spectrum-240", 1, 16, 240, "hann", 1 / 12, source="the lines of MSR-VTT's 320x240 videos"),
    ]
}
FIDELITY_RECIPES: dict[str, FidelityRecipe] = {
    "fidelity": FidelityRecipe(
        "fidelity", 1, data_range=255, colour="rgb-mean", psnr_cap=60.0, window=11, sigma=1.5, k1=0.01, k2=0.03,
        resize="bicubic-antialiased",
        source="SSIM: Wang et al. 2004, as scikit-image with gaussian_weights and without sample covariance; "
        "the cap: libvmaf, 6 * 8 + 12 dB for 8 bits",
    ),
}  # fmt: skip
FID_RECIPES: dict[str, FidRecipe] = {
    recipe.name: recipe
    for recipe in [
        FidRecipe(
            "pytorch-fid", 1, "inception-fid", 299, "bilinear", "half", antialias=False, scale="x/255*2-1", ddof=1,
            dtype="float32", source="mseitzer/pytorch-fid 0.3.0",
        ),
        FidRecipe(
            "clean-fid", 1, "inception-fid", 299, "bicubic", "half", antialias=True, scale="(x-128)/128", ddof=1,
            dtype="float32", source="GaParmar/clean-fid, mode clean: cleanfid/resize.py, inception_torchscript.py",
        ),
        FidRecipe(
            "torch-fidelity", 1, "inception-fid", 299, "bilinear", "corner", antialias=False, scale="(x-128)/128",
            ddof=1, dtype="float32",
            source="toshas/torch-fidelity at 028118e, as the TensorFlow graph of Heusel et al. 2017",
        ),
    ]
}  # fmt: skip

FRAME_RECIPES: dict[str, FrameRecipe] = {
    **MOTION_RECIPES, **FLICKER_RECIPES, **SPECTRUM_RECIPES, **FIDELITY_RECIPES, **FID_RECIPES,
}  # fmt: skip
