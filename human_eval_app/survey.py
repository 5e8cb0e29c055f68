"""What an import has to work with, known before anything is written: every source looked at, every pair judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from human_eval_app.creation import PlannedPair, Shown, pairs_of
from human_eval_app.encoding import look
from human_eval_app.presentation import Copy, SourceFacts, plan_copies
from human_eval_app.sources import Folder, Found, find_image, find_videos
from human_eval_app.study import Study
from human_eval_app.study_folder import StudyFolder
from human_eval_app.videos import inside
from univg_bench.console import Console
from univg_bench.engine.local import run_chunks

# two videos of one pair whose width : height differ by more than rounding to even sides explains
ASPECT_TOLERANCE = 0.02
SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class Candidate:
    """A video that some pair needs. status: ok, missing or unplayable; problem: why, where it is not ok."""

    path: Path | None
    facts: SourceFacts | None
    status: str
    problem: str = ""


@dataclass(frozen=True)
class Survey:
    """videos: all that the pairs need. images: where the condition image of an item is, None where there is none."""

    study: Study
    videos: Mapping[Shown, Candidate]
    images: Mapping[str, Path | None]

    @cached_property
    def pairs(self) -> list[PlannedPair]:
        """Every pair of the study."""
        return pairs_of(self.study)

    @cached_property
    def kept(self) -> list[PlannedPair]:
        """The pairs that can be shown."""
        return [
            pair
            for pair in self.pairs
            if all(self.videos[key].status == "ok" for key in pair.videos)
            and self.images.get(pair.item, Path()) is not None
        ]

    @cached_property
    def problems(self) -> dict[str, str]:
        """`item/method`, or `item` for a condition image -> what is wrong, in the order of the study."""
        found = {f"{item}/{method}": c.problem for (item, method), c in self.videos.items() if c.status != "ok"}
        missing = {item: "it has no condition image" for item, path in self.images.items() if path is None}
        return {**found, **missing}

    @cached_property
    def plans(self) -> dict[Shown, Copy]:
        """How each video of a pair that can be shown is copied; those of one item are made equal together."""
        needed = {key for pair in self.kept for key in pair.videos}
        by_item: dict[str, dict[str, SourceFacts]] = {}
        for (item, method), candidate in self.videos.items():
            if (item, method) in needed and candidate.facts is not None:
                by_item.setdefault(item, {})[method] = candidate.facts
        return {
            (item, method): copy
            for item, sources in by_item.items()
            for method, copy in plan_copies(sources, self.study.presentation).items()
        }

    def differing(self) -> dict[str, int]:
        """Return in how many pairs the copies still differ in what a browser can see: size, frame rate, length.

        `aspect` is about the sources: no policy but a box makes these equal.
        """
        counted = {"aspect": 0, "size": 0, "frame rate": 0, "length": 0}
        for pair in self.kept:
            a, b = (self.plans[key] for key in pair.videos)
            one, two = (self.videos[key].facts for key in pair.videos)
            assert one is not None
            assert two is not None
            ratio = one.width * two.height / (one.height * two.width)
            counted["aspect"] += not 1 / (1 + ASPECT_TOLERANCE) <= ratio <= 1 + ASPECT_TOLERANCE
            counted["size"] += (a.width, a.height) != (b.width, b.height)
            counted["frame rate"] += a.fps != b.fps
            counted["length"] += a.ticks != b.ticks
        return counted

    def table(self) -> list[str]:
        """Return lines for people: one per method, with what came and what it becomes."""
        rows = [["method", "videos", "good", "missing", "unplayable", "as they came", "as they are shown"]]
        for method in [m.id for m in self.study.methods]:
            mine = {key: c for key, c in self.videos.items() if key[1] == method}
            states = Counter(c.status for c in mine.values())
            facts = [c.facts for c in mine.values() if c.facts is not None]
            plans = [plan for key, plan in self.plans.items() if key[1] == method]
            came = _span([(f.width, f.height, float(f.fps), float(f.seconds)) for f in facts])
            shown = _span([(p.width, p.height, float(p.fps), p.ticks / 90_000) for p in plans])
            counts = [len(mine), states["ok"], states["missing"], states["unplayable"]]
            rows.append([method, *map(str, counts), came, shown])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def survey_sources(
    folder: StudyFolder,
    sources: Mapping[str, Folder],
    *,
    images: Path | None,
    workers: int,
    console: Console,
) -> Survey:
    """Find and decode every video that the study needs. sources: method -> where its videos are.

    Raises InputError for a source that does not fit the study at all; what is wrong with single videos is in the
    result.
    """
    study = folder.study
    asked = [item for item in study.items if item.image is not None]
    lacking = [item for item in asked if not inside(folder.path, str(item.image)).is_file()]
    found = {name: find_videos(study, source, want_images=bool(lacking)) for name, source in sources.items()}
    needed = dict.fromkeys(key for pair in pairs_of(study) for key in pair.videos)
    paths = {key: found[key[1]].paths[key[0]] for key in needed if key[1] in found and key[0] in found[key[1]].paths}
    keys = list(paths)
    looked = dict(
        console.progress(
            ((keys[index], result) for index, result in run_chunks(look, [paths[k] for k in keys], workers=workers)),
            total=len(keys), title="look at videos", unit="video",
        )
    )  # fmt: skip
    videos = {}
    for key in needed:
        if key in looked:
            facts, problem = looked[key].facts, looked[key].problem
            videos[key] = Candidate(paths[key], facts, "ok" if facts is not None else "unplayable", problem)
        else:
            videos[key] = _absent(key, found)
    return Survey(study, videos, {str(i.id): _image(folder, i.id, str(i.image), found, images) for i in asked})


def _absent(key: Shown, found: Mapping[str, Found]) -> Candidate:
    item, method = key
    if method not in found:
        return Candidate(None, None, "missing", f"no videos of {method} were named; add --method {method}=PATH")
    if item in found[method].problems:
        return Candidate(None, None, "unplayable", found[method].problems[item])
    return Candidate(None, None, "missing", "there is no file for it")


def _image(folder: StudyFolder, item: str, name: str, found: Mapping[str, Found], images: Path | None) -> Path | None:
    """Return the condition image of an item: the study's own, else from --images, else from a run."""
    own = inside(folder.path, name)
    if own.is_file():
        return own
    given = find_image(images, item) if images is not None else None
    return given or next((f.images[item] for f in found.values() if item in f.images), None)


def _span(rows: Sequence[tuple[int, int, float, float]]) -> str:
    """Return sizes, rates and lengths in few words: `256x256, 8 fps, 2.00 s`."""
    if not rows:
        return "-"
    sizes = Counter(f"{width}x{height}" for width, height, _, _ in rows)
    size = next(iter(sizes)) if len(sizes) == 1 else f"{len(sizes)} sizes, mostly {sizes.most_common(1)[0][0]}"
    return f"{size}, {_range([r[2] for r in rows], 'g')} fps, {_range([r[3] for r in rows], '.2f')} s"


def _range(values: Sequence[float], form: str) -> str:
    low, high = (format(round(value, 3), form) for value in (min(values), max(values)))
    return low if low == high else f"{low}-{high}"
