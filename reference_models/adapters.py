"""The reference models as the benchmark asks for them: factories of `VideoModel`, by entry points `univg_bench.models`.

    univg-hg               F_B, then F_SR      base=FOLDER super_resolution=FOLDER, or weights=FOLDER with both in it
    univg-lg               F_A, then F_SR      animation=FOLDER super_resolution=FOLDER, or the same
    univg-base, univg-animation, univg-super-resolution      one stage, weights=FOLDER

A folder is what `univg-bench convert` or training writes (`checkpoints.py`), so published weights of the right shape do
(docs/convert.md); they are called by their own names, never UniVG. `weights="tiny"`, the default where nothing is
named, is the family that ships with this package, trained on Moving Shapes alone. `weights="random-tiny"` needs no
folder and makes videos of nothing, at reduced width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reference_models.convert.published import licence_of
from reference_models.presets import PRESETS, Stage
from reference_models.stages.animation import AnimationStage
from reference_models.stages.base import BaseStage
from reference_models.stages.loading import load_networks, random_networks
from reference_models.stages.networks import Conditions, Networks, Shape
from reference_models.stages.params import configured, refused
from reference_models.stages.pipelines import AnyStage, Pipeline
from reference_models.stages.sampling import Watch
from reference_models.stages.settings import Execution, Sampling, default_settings
from reference_models.stages.super_resolution import SuperResolutionStage
from univg_bench.errors import InputError
from univg_bench.model import Condition, GeneratedVideo, ModelCard, Request, Setting

RANDOM = "random-tiny"
RANDOM_SEED = 0
TINY = "tiny"
SHIPPED = Path(__file__).parent / "weights" / TINY  # base, animation, super-resolution
# 24 frames at 8 fps, section 1; the published families show their videos at 8 too, whatever their fps embedding is told
FPS = 8.0
_TINY: dict[Stage, str] = {"base": "tiny-fb", "animation": "tiny-fa", "super_resolution": "tiny-fsr"}
_STAGES: dict[Stage, Callable[[Networks, Sampling, Execution], AnyStage]] = {
    "base": BaseStage,
    "animation": AnimationStage,
    "super_resolution": SuperResolutionStage,
}


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """A pipeline as the benchmark sees it. See `univg_bench.model.VideoModel`. watch: told after each step."""

    pipeline: Pipeline
    watch: Watch | None = None

    @property
    def card(self) -> ModelCard:
        """Who this is; `weights` are the digests of all parts."""
        stages = self.pipeline.stages
        first, last = stages[0], stages[-1]
        presets = [stage.networks.preset.name for stage in stages]
        trained = all(stage.networks.trained for stage in stages)
        notes = [f"stages: {', '.join(presets)}"]
        if not trained:
            notes.append("UNTRAINED: random weights, the videos mean nothing")
        elif not all(name.startswith(("univg", "tiny")) for name in presets):
            notes.append("weights of other authors in UniVG's stages: a number made with them is none of UniVG's")
        return ModelCard(
            name=self.pipeline.name,
            accepts=_accepted(first),
            weights={
                f"{stage.networks.preset.stage}/{part}": digest
                for stage in stages
                for part, digest in stage.networks.weights.items()
            },
            num_frames=(
                max(stage.networks.frames[0] for stage in stages),
                min(stage.networks.frames[1] for stage in stages),
            ),
            fps=FPS,
            height=last.networks.preset.height,
            width=last.networks.preset.width,
            licence="; ".join(dict.fromkeys(licence_of(name) for name in presets)) if trained else "",
            notes=tuple(notes),
            settings={"dtype": str(first.networks.dtype).removeprefix("torch.")},
        )

    def generate(self, requests: Sequence[Request], settings: Mapping[str, Setting]) -> list[GeneratedVideo]:
        """Return one video per request, in order; requests of one kind and shape are sampled together.

        settings: `params.setting_names` has those there are. Raises InputError for others, for values that no stage
        takes, and for a request that the stages cannot serve; all of that before any work.
        """
        pipeline = configured(self.pipeline, settings)
        groups: dict[tuple[Any, ...], list[int]] = {}
        for index, request in enumerate(requests):
            shape = self._shape(pipeline, request)
            video = None if request.video is None else request.video.shape
            kind = (shape, request.prompt is None, request.image is None, video)
            groups.setdefault(kind, []).append(index)
            with refused(request.name):
                pipeline.check(_conditions([request]), shape)
            _check_weights_asked(request, settings)
        made: dict[int, GeneratedVideo] = {}
        for (shape, *_), indices in groups.items():
            batch = [requests[i] for i in indices]
            conditions = _conditions(batch)
            names = ", ".join(request.name for request in batch)
            with refused(names):
                videos = pipeline.sample(conditions, [r.seed for r in batch], shape, watch=self.watch)
            recipe = pipeline.describe(conditions, shape)
            cut = pipeline.stages[0].networks.encoders.cut_prompts(conditions.prompts or ())
            for place, (i, video) in enumerate(zip(indices, videos, strict=True)):
                own = {"model": self.pipeline.name, "seed": requests[i].seed, "prompt_tokens_cut_from": cut.get(place)}
                made[i] = GeneratedVideo(video.numpy(), shape.fps, {**own, **recipe})
        return [made[i] for i in range(len(requests))]

    def _shape(self, pipeline: Pipeline, request: Request) -> Shape:
        preset, first = pipeline.stages[-1].networks.preset, pipeline.stages[0]
        fps = FPS if request.fps is None else float(request.fps)
        # F_SR alone keeps the times of the video that it is given
        hears = isinstance(first, SuperResolutionStage) or all(
            stage.networks.unet.config.fps_embedding and stage.settings.fps_embedding is None
            for stage in pipeline.stages
        )
        if fps != FPS and not hears:
            raise InputError(
                f"found {fps:g} frames per second for {request.name}, expected {FPS:g}: {pipeline.name} is not told"
                " the frame rate of its video"
            )
        length = request.num_frames
        if length is None:
            length = first.networks.preset.num_frames if request.video is None else len(request.video)
        return Shape(length, request.height or preset.height, request.width or preset.width, fps)


def univg_hg(
    *, device: str, dtype: str, weights: Setting = None, base: Setting = None, super_resolution: Setting = None,
    vae_chunk: Setting = 1, branches_at_once: Setting = False,
) -> ReferenceModel:  # fmt: skip
    """Return UniVG-HG: F_B, then F_SR. Folders: weights/base and weights/super-resolution, or one by one."""
    return _model(
        "univg-hg", {"base": base, "super_resolution": super_resolution}, weights, device=device, dtype=dtype,
        execution=_execution(vae_chunk, branches_at_once),
    )  # fmt: skip


def univg_lg(
    *, device: str, dtype: str, weights: Setting = None, animation: Setting = None, super_resolution: Setting = None,
    vae_chunk: Setting = 1, branches_at_once: Setting = False,
) -> ReferenceModel:  # fmt: skip
    """Return UniVG-LG: F_A, then F_SR. Folders: weights/animation and weights/super-resolution, or one by one."""
    return _model(
        "univg-lg", {"animation": animation, "super_resolution": super_resolution}, weights, device=device,
        dtype=dtype, execution=_execution(vae_chunk, branches_at_once),
    )  # fmt: skip


def _alone(stage: Stage) -> Callable[..., ReferenceModel]:
    def factory(
        *, device: str, dtype: str, weights: Setting = None, vae_chunk: Setting = 1, branches_at_once: Setting = False,
    ) -> ReferenceModel:  # fmt: skip
        return _model(
            f"univg-{stage.replace('_', '-')}", {stage: weights}, None, device=device, dtype=dtype,
            execution=_execution(vae_chunk, branches_at_once),
        )  # fmt: skip

    factory.__doc__ = f"Return the stage {stage} alone, with the weights of the folder `weights`."
    return factory


base, animation, super_resolution = _alone("base"), _alone("animation"), _alone("super_resolution")


def _check_weights_asked(request: Request, settings: Mapping[str, Setting]) -> None:
    """Raise InputError for the weight of a condition that a request lacks: it would be passed over in silence."""
    for name, condition, what in (("w_T", request.prompt, "prompt"), ("w_I", request.image, "image")):
        if settings.get(name) is not None and condition is None:
            raise InputError(f"found {name} = {settings[name]} for {request.name}, which has no {what}; drop it")


def _model(
    name: str,
    folders: Mapping[Stage, Setting],
    weights: Setting,
    *,
    device: str,
    dtype: str,
    execution: Execution,
) -> ReferenceModel:
    stages: list[AnyStage] = []
    numbers = {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    random = RANDOM in (weights, *folders.values())
    if weights is None and not any(folders.values()):
        weights = TINY
    for stage, folder in folders.items():
        if random:
            networks = random_networks(PRESETS[_TINY[stage]], seed=RANDOM_SEED, device=device, dtype=numbers)
        else:
            networks = load_networks(_weights(name, stage, folder, weights), stage=stage, device=device, dtype=numbers)
        settings = default_settings(networks.preset)
        with refused(name):
            stages.append(_STAGES[stage](networks, settings, execution))
    return ReferenceModel(Pipeline(_title(name, stages), tuple(stages)))


def _weights(name: str, stage: Stage, folder: Setting, weights: Setting) -> Path:
    """Return the folder of one stage: named by itself, or in the folder of all. Raises InputError where there is none.

    A stage is never filled up with the tiny one beside weights that somebody named.
    """
    part = stage.replace("_", "-")
    if TINY in (folder, None if folder else weights):
        if not (SHIPPED / part).is_dir():
            raise InputError(
                f"found no shipped weights for {stage} of {name} in {SHIPPED / part}, expected those of this release;"
                f" install the package anew, name a folder of your own (weights=FOLDER), or take {RANDOM!r} to see that"
                " everything runs"
            )
        return SHIPPED / part
    if folder:
        return Path(str(folder))
    if weights is None:
        raise InputError(f"found no weights for {stage} of {name}, expected a folder (or {TINY!r} or {RANDOM!r})")
    return Path(str(weights)) / part


def _title(name: str, stages: Sequence[AnyStage]) -> str:
    """Return the model's name: UniVG's for its own presets, the weights' own for others, UNTRAINED for random ones."""
    presets = [stage.networks.preset.name for stage in stages]
    if not all(stage.networks.trained for stage in stages):
        return f"{name}-tiny-UNTRAINED"
    if all(preset.startswith("univg") for preset in presets):
        return name
    if all(preset.startswith("tiny") for preset in presets):
        return f"{name}-tiny"
    return "+".join(presets)


def _accepted(stage: AnyStage) -> frozenset[Condition]:
    if isinstance(stage, SuperResolutionStage):
        return frozenset({"text", "video"})
    return frozenset({"text", "image"} if isinstance(stage, AnimationStage) or stage.networks.takes_image else {"text"})


def _conditions(batch: Sequence[Request]) -> Conditions:
    """Return the conditions of requests of one kind."""
    prompts = tuple(request.prompt for request in batch if request.prompt is not None)
    images = tuple(torch.from_numpy(request.image.copy()) for request in batch if request.image is not None)
    videos = [torch.from_numpy(request.video.copy()) for request in batch if request.video is not None]
    with refused(batch[0].name):
        return Conditions(prompts or None, images or None, torch.stack(videos) if videos else None)


def _execution(vae_chunk: Setting, branches_at_once: Setting) -> Execution:
    if not isinstance(vae_chunk, int) or isinstance(vae_chunk, bool) or vae_chunk < 1:
        raise InputError(f"found vae_chunk {vae_chunk!r}, expected 1 frame or more")
    if not isinstance(branches_at_once, bool):
        raise InputError(f"found branches_at_once {branches_at_once!r}, expected true or false")
    return Execution(vae_chunk, branches_at_once)
