"""A feature is named by all that decides it, wanted once, and computed only when the cache lacks it."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from univg_bench.errors import SampleError
from univg_bench.features.cache import FeatureCache
from univg_bench.features.extract import Chunk, Extractor, extract_chunk
from univg_bench.features.plan import CAPTIONS_PER_CHUNK, VIDEOS_PER_CHUNK, FeaturePlan, ScoredVideo
from univg_bench.features.reading import VideoJob
from univg_bench.features.weights import Weights
from univg_bench.frames import FramePolicy
from univg_bench.recipes import CLIPSIM_RECIPES, FVD_RECIPES

WEIGHTS = Weights("tiny-i3d", Path("none"), "d" * 64, "safetensors", "", "tiny-i3d")
I3D = Extractor(FVD_RECIPES["tiny"], WEIGHTS, "cpu")
CLIP = Extractor(CLIPSIM_RECIPES["tiny"], WEIGHTS, "cpu")
ALL, RANDOM = FramePolicy(sampling="all"), FramePolicy(sampling="random_sorted", frames=16)


def video(name: str = "a-s0", **other) -> ScoredVideo:
    fields = {"cluster": "a", "path": Path(f"{name}.mp4"), "file_sha256": "1" * 64, "rgb_sha256": "2" * 64}
    return ScoredVideo(name=name, num_frames=24, seconds=Fraction(3), size=(32, 56), **(fields | other))


def plan(tmp_path: Path) -> FeaturePlan:
    return FeaturePlan.empty(FeatureCache(tmp_path))


def test_whatever_decides_a_feature_is_in_its_key(tmp_path: Path) -> None:
    work = plan(tmp_path)
    keys = [
        work.want_video(video(), I3D, ALL),
        work.want_video(video(), CLIP, ALL),
        work.want_video(video(rgb_sha256="3" * 64), I3D, ALL),
        work.want_video(video(), I3D, RANDOM),
        work.want_video(video(), I3D, replace(RANDOM, seed=1)),
        work.want_video(video(), replace(I3D, device="cuda:1"), ALL),
        work.want_video(video(), replace(I3D, weights=replace(WEIGHTS, digest="e" * 64)), ALL),
        work.want_video(video(), replace(I3D, recipe=replace(I3D.recipe, bn_eps=1e-5)), ALL),
    ]
    assert len(set(keys)) == len(keys)


def test_equal_pixels_under_another_name_or_container_are_the_same_feature(tmp_path: Path) -> None:
    work = plan(tmp_path)
    first = work.want_video(video("a-s0"), I3D, ALL)
    assert work.want_video(video("b-s0", file_sha256="9" * 64), I3D, ALL) == first


def test_a_random_choice_of_frames_belongs_to_the_name_of_the_video(tmp_path: Path) -> None:
    work = plan(tmp_path)
    assert work.want_video(video("a-s0"), I3D, RANDOM) != work.want_video(video("b-s0"), I3D, RANDOM)


def test_the_prose_of_a_recipe_is_not_part_of_it() -> None:
    assert replace(I3D.recipe, source="other words").digest == I3D.recipe.digest


def test_every_video_is_read_once_for_all_metrics(tmp_path: Path) -> None:
    work = plan(tmp_path)
    for extractor, policy in [(I3D, RANDOM), (CLIP, ALL), (I3D, RANDOM)]:
        work.want_video(video(), extractor, policy)
    (job,) = work.videos.values()
    assert len(job.wants) == 2
    assert work.num_features() == 2


def test_equal_captions_are_embedded_once(tmp_path: Path) -> None:
    work = plan(tmp_path)
    assert work.want_caption("a red star", CLIP) == work.want_caption("a red star", CLIP)
    work.want_caption("a blue star", CLIP)
    assert len(work.captions) == 2


def test_chunks_are_fixed_by_the_plan_and_leave_out_what_is_cached(tmp_path: Path) -> None:
    work = plan(tmp_path)
    keys = [work.want_video(video(f"v{i}-s0", rgb_sha256=f"{i:064d}"), I3D, ALL) for i in range(10)]
    for i in range(CAPTIONS_PER_CHUNK + 1):
        work.want_caption(f"caption {i}", CLIP)
    assert [len(chunk.videos) for chunk in work.chunks()] == [VIDEOS_PER_CHUNK, VIDEOS_PER_CHUNK, 2, 0, 0]
    work.cache.save(keys[0], np.zeros(3, np.float32))
    assert [video.name for video in work.chunks()[0].videos] == ["v1-s0", "v2-s0", "v3-s0", "v4-s0"]


def test_a_short_video_is_dropped_or_refused_as_the_policy_says(tmp_path: Path) -> None:
    short = replace(video(), num_frames=12)
    assert plan(tmp_path).want_video(short, I3D, replace(RANDOM, short="drop")) is None
    assert plan(tmp_path).want_video(short, I3D, replace(RANDOM, short="loop")) is not None
    with pytest.raises(SampleError, match="a-s0 has 12 frames"):
        plan(tmp_path).want_video(short, I3D, RANDOM)


def test_a_file_that_changed_since_its_import_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"other bytes")
    work = plan(tmp_path)
    work.want_video(video(path=path), I3D, ALL)
    with pytest.raises(SampleError, match=r"a\.mp4 \(a-s0\) changed since it was imported; run the import again"):
        extract_chunk(work.chunks()[0])


def test_a_file_that_vanished_since_its_import_is_refused(tmp_path: Path) -> None:
    job = VideoJob("a-s0", tmp_path / "gone.mp4", "1" * 64, 24, plan_wants(tmp_path))
    with pytest.raises(SampleError, match="cannot be read any more"):
        extract_chunk(Chunk((I3D,), FeatureCache(tmp_path), videos=(job,)))


def plan_wants(tmp_path: Path):
    work = plan(tmp_path)
    work.want_video(video(), I3D, ALL)
    (job,) = work.videos.values()
    return job.wants


def test_the_cache_gives_back_what_it_was_given_to_the_bit(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    features = np.random.Generator(np.random.PCG64(0)).standard_normal((24, 8)).astype(np.float32)
    assert not cache.has("ab" * 32)
    cache.save("ab" * 32, features)
    assert cache.has("ab" * 32)
    assert cache.load("ab" * 32).tobytes() == features.tobytes()
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".npy"]
