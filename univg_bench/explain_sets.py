"""The two sets of videos behind an FVD that is to be explained: those of a run, or of two plain folders."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from univg_bench.console import Console
from univg_bench.containers import VIDEO_SUFFIXES
from univg_bench.datasets.items import name_some
from univg_bench.errors import InputError, SampleError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Extractor
from univg_bench.features.plan import FeaturePlan, ScoredVideo
from univg_bench.features.weights import Weights, find_weights
from univg_bench.frames import FramePolicy
from univg_bench.index import Source, indexed_rows
from univg_bench.measure import plan_metric
from univg_bench.problems import FAILING, Needs, find_problems
from univg_bench.protocol import Protocol
from univg_bench.protocol_metrics import TRAITS, FvdMetric, Repeats
from univg_bench.recipes import FVD_RECIPES, FvdRecipe
from univg_bench.samples import Index, Row, Run
from univg_bench.scored import scored_sets


@dataclass(frozen=True)
class VideoSets:
    """Generated and real videos, the frames taken of them, and the recipe and weights of the number as it stands.

    what: in words. repeats: the number is the mean over disjoint runs of the generated videos. dropped: videos that the
    frame policy leaves out as too short. notes: what a reader must know of the sets.
    """

    what: str
    recipe: FvdRecipe
    weights: Weights
    generated: tuple[ScoredVideo, ...]
    real: tuple[ScoredVideo, ...]
    frames: FramePolicy
    reference_frames: FramePolicy
    repeats: Repeats | None = None
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def sets_of_run(
    path: Path,
    *,
    metric_id: str | None,
    data: Path | None,
    weights: Path | None,
    workers: int,
    device: str,
    allow_missing: bool,
    console: Console,
) -> VideoSets:
    """Return what an FVD of the run in the folder `path` compares.

    metric_id: which one, where the protocol has several. data: the folder of the protocol's data; None: where it lay
    when the run was made. weights: a folder searched for weights first.

    Raises InputError for another metric, missing weights or data; SampleError for samples or references that are
    missing or cannot be scored, unless allow_missing.
    """
    run = Run.open(path)
    protocol = run.protocol()
    metric = _fvd_of(protocol, metric_id)
    recipe, found = FVD_RECIPES[metric.recipe], find_weights(metric.weights, weights)
    data = data or Path(run.facts.data)
    allow_missing = allow_missing or run.facts.allow_missing
    sets = scored_sets(run, protocol, data=data, workers=workers, allow_missing=allow_missing, console=console)
    # a plan that nobody carries out: it says which videos the metric takes
    plan = FeaturePlan.empty(FeatureCache(path))
    planned = plan_metric(
        metric, Extractor(recipe, found, device), sets.samples, sets.items.items, sets.references, plan
    )
    return VideoSets(
        what=f"{metric.id} of {run.facts.model} under {protocol.name}",
        recipe=recipe,
        weights=found,
        generated=tuple(sample.video for sample in planned.samples),
        real=tuple(sets.references[name] for name in planned.references),
        frames=metric.frames,
        reference_frames=metric.reference_frames,
        repeats=metric.repeats,
        dropped=planned.dropped,
        notes=sets.items.notes,
    )


def sets_of_folders(
    samples: Path,
    references: Path,
    *,
    policy: FramePolicy,
    recipe: FvdRecipe,
    weights: Weights,
    home: Path,
    workers: int,
    console: Console,
) -> VideoSets:
    """Return the comparison of all videos below the folder `samples` with all below `references`.

    policy: the frames taken, of both. home: the folder in which is kept what is known of the videos; nothing is written
    into theirs. The sets may differ in number, length and size.

    Raises InputError for fewer than two videos in a folder, or a policy of fewer frames than I3D takes; SampleError
    naming the videos that cannot be read, or are too short.
    """
    least = TRAITS["fvd"].least_frames
    if policy.frames is not None and policy.frames < least:
        raise InputError(f"found {policy.frames} frames, expected at least {least}: I3D has nothing to pool over fewer")
    listed = {folder: _listing(folder) for folder in (samples, references)}  # both, before anything is decoded
    notes, sets, dropped = [], {}, []
    for folder, (videos, others) in listed.items():
        if others:
            notes.append(f"{len(others)} files in {folder} are no videos by their names: {name_some(others)}")
        place = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
        rows = indexed_rows(
            [Source(name, path) for name, path in videos.items()],
            home / place,
            root=folder,
            workers=workers,
            console=console,
            title=folder.name or "videos",
        )
        _refuse_unfit(rows, folder, policy, least)
        short = {row.name for row in rows if policy.short == "drop" and policy.is_short(row.frames, row.duration)}
        dropped += sorted(short)
        sets[folder] = tuple(_scored(row, folder.absolute()) for row in rows if row.name not in short)
    return VideoSets(
        what=f"{samples} against {references}",
        recipe=recipe,
        weights=weights,
        generated=sets[samples],
        real=sets[references],
        frames=policy,
        reference_frames=policy,
        dropped=tuple(dropped),
        notes=tuple(notes),
    )


def _fvd_of(protocol: Protocol, metric_id: str | None) -> FvdMetric:
    found = {metric.id: metric for metric in protocol.metrics if isinstance(metric, FvdMetric)}
    if metric_id is not None and metric_id not in found:
        raise InputError(
            f"found --metric {metric_id}, but the FVDs of {protocol.name} are {', '.join(found) or 'none'}"
        )
    if len(found) != 1 and metric_id is None:
        hint = f"name one with --metric: {', '.join(found)}" if found else "only an FVD can be explained"
        raise InputError(f"{protocol.name} has {len(found)} metrics of kind fvd; {hint}")
    return found[metric_id or next(iter(found))]


def _listing(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the videos below `folder` by name, and the other files as relative paths; hidden ones are neither."""
    if not folder.is_dir():
        raise InputError(f"found no folder {folder}; give a folder of videos")
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [(Path(place) / name).relative_to(folder) for name in sorted(names) if not name.startswith(".")]
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if len(videos) < 2:
        beside = f" beside {len(files) - len(videos)} other files" if len(files) > len(videos) else ""
        raise InputError(
            f"found {len(videos)} videos in {folder}{beside}, expected at least 2: a Fréchet distance compares spreads;"
            f" videos end in {', '.join(VIDEO_SUFFIXES)}"
        )
    others = [file.as_posix() for file in files if file.suffix.lower() not in VIDEO_SUFFIXES]
    return {name: folder / file for name, file in _names(videos).items()}, others


def _names(videos: Sequence[Path]) -> dict[str, Path]:
    """Return a name for each video that an index takes: its own where it can be, else with a hash of its path.

    Random choices of frames depend on it, so it says nothing of the folder: equal copies elsewhere give equal frames.
    """
    stems = [video.with_suffix("").as_posix() for video in videos]
    named = {}
    for video, stem in zip(videos, stems, strict=True):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", stem) or stems.count(stem) > 1:
            tail = hashlib.sha256(os.fsencode(video.as_posix())).hexdigest()[:12]
            stem = "v-" + re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:60] + "-" + tail
        named[stem] = video
    return named


def _refuse_unfit(rows: Sequence[Row], folder: Path, policy: FramePolicy, least: int) -> None:
    found = find_problems(rows, Needs(policies=(policy,)))
    unfit = {one.name: f"{one.kind}: {one.reason}" for one in found if one.kind in FAILING}
    if policy.frames is None:
        for row in rows:
            if row.ok and row.frames < least:
                unfit[row.name] = f"short: has {row.frames} frames, I3D takes at least {least}"
    if unfit:
        of = {row.name: row.source_path or row.name for row in rows}
        listed = "; ".join(f"{of[name]} ({reason})" for name, reason in list(unfit.items())[:5])
        more = f"; and {len(unfit) - 5} more" if len(unfit) > 5 else ""
        raise SampleError(
            f"{len(unfit)} of {len(rows)} videos in {folder} cannot be compared: {listed}{more}. Put them right or take"
            " them out; --short drop or loop decides about short ones",
            unfit,
        )


def _scored(row: Row, root: Path) -> ScoredVideo:
    return ScoredVideo(
        name=row.name,
        cluster=row.name,
        path=Index.resolve(row, root, "in-place"),
        file_sha256=row.file_sha256,
        rgb_sha256=row.rgb_sha256,
        num_frames=row.frames,
        seconds=row.duration,
        size=(row.height, row.width),
    )
