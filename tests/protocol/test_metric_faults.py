"""What a protocol may not ask of its metrics, each as one sentence at its place."""

from pathlib import Path

import pytest

from tests.protocol.protocol_texts import VALID, written
from univg_bench.errors import InputError
from univg_bench.protocol_files import load_protocol
from univg_bench.protocol_metrics import TRAITS

FOLDER = "data: {source: folder, prompts: prompts.csv, expect: {items: 3}}\n"
DATA = VALID[VALID.index("data:") : VALID.index("conditions:")]
TABLE = "table:\n"
ALL = "frames: {sampling: all}"
MOTION = f"  - {{id: motion, kind: motion, recipe: motion, {ALL}}}\n"
CLIP = "recipe: vit-b32, weights: openai-vit-b32"
I3D = "recipe: univg, weights: i3d-kinetics400"


def faults(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_protocol(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def with_metrics(folder: Path, *metrics: str, changes: tuple[tuple[str, str], ...] = ()) -> Path:
    lines = "".join(f"  - {{{metric}}}\n" for metric in metrics)
    return written(folder, VALID, (TABLE, lines + TABLE), *changes)


@pytest.mark.parametrize(
    ("metric", "fault"),
    [
        (f"id: c, kind: consistency, {CLIP}, {ALL}",
         "27:5: found consistency without a motion metric: a frozen video wins it, so the motion must stand beside it"),
        (f"id: f, kind: flicker, recipe: flicker, {ALL}",
         "27:5: found flicker without a motion metric: a frozen video wins it, so the motion must stand beside it"),
        ("id: m, kind: motion, recipe: motion, frames: {sampling: uniform, frames: 8}",
         "27:62: found uniform, but motion compares frames that follow one another; take one of all, first, centre,"
         " random_consecutive, fps_matched"),
        ("id: m, kind: motion, recipe: motion, frames: {sampling: first, frames: 1}",
         "27:77: found 1 frames, expected at least 2 for motion"),
        ("id: m, kind: motion, recipe: motoin, frames: {sampling: all}",
         "27:35: unknown motion recipe 'motoin'; did you mean 'motion'?"),
        ("id: m, kind: motion, recipe: motion, weights: i3d-kinetics400, frames: {sampling: all}",
         "27:43: unknown key 'weights' in metrics[2]; known: id, recipe, select, frames, reference_frames, kind"),
        (f"id: i, kind: image-alignment, quantity: mean, {CLIP}, {ALL}",
         "27:5: image-alignment compares with the condition image, but `conditions.image` is null"),
        ("id: p, kind: first-frame, quantity: psnr, recipe: fidelity",
         "27:5: first-frame compares with the condition image, but `conditions.image` is null"),
        ("id: p, kind: fidelity, quantity: lpips, recipe: fidelity, frames: {sampling: all}",
         "27:39: found the text 'lpips', expected 'psnr' or 'ssim'"),
        ("id: p, kind: fidelity, quantity: psnr, recipe: fidelity, frames: {sampling: fps_matched, fps: 8}",
         "27:82: frames chosen by time cannot be paired one by one; use another sampling"),
        (f"id: k, kind: kvd, {I3D}, frames: {{sampling: first, frames: 8}}, reference_frames: {{sampling: all}}",
         "27:99: found 8 frames, expected at least 9 for I3D"),
        (f"id: k, kind: manifold, quantity: precision, neighbours: 0, {I3D}, {ALL},"
         " reference_frames: {sampling: all}",
         "27:62: found 0, expected at least 1"),
        (f"id: x, kind: fid, recipe: pytorch-fid, weights: inception-fid, {ALL},"
         " reference_frames: {sampling: uniform, frames: 4}",
         "27:69: an FID takes equally many frames of every video; choose how many with `frames`"),
    ],
)  # fmt: skip
def test_each_fault_of_a_metric_is_one_sentence(tmp_path: Path, metric: str, fault: str) -> None:
    found = faults(with_metrics(tmp_path, metric))
    assert fault in found, found
    assert all("without a motion metric" in other for other in set(found) - {fault})


@pytest.mark.parametrize(
    "metric",
    [
        f"kind: kvd, {I3D}, {ALL}, reference_frames: {{sampling: all}}",
        f"kind: manifold, quantity: recall, {I3D}, {ALL}, reference_frames: {{sampling: all}}",
        f"kind: spectral, recipe: spectrum, {ALL}, reference_frames: {{sampling: all}}",
        f"kind: fidelity, quantity: ssim, recipe: fidelity, {ALL}",
    ],
)
def test_real_videos_to_compare_with_must_be_there(tmp_path: Path, metric: str) -> None:
    found = faults(with_metrics(tmp_path, f"id: x, {metric}", changes=((DATA, FOLDER),)))
    assert sum("compares with real videos, but the data have no `references`" in fault for fault in found) == 2


def test_a_table_that_shows_what_a_frozen_video_wins_shows_its_motion(tmp_path: Path) -> None:
    metrics = (f"id: c, kind: consistency, {CLIP}, {ALL}", f"id: m, kind: motion, recipe: motion, {ALL}")
    consistency = "  - {label: C, metric: c, direction: higher, digits: 2}\n"
    motion = "  - {label: M, metric: m, direction: neither, digits: 2}\n"
    path = with_metrics(tmp_path, *metrics, changes=((TABLE, TABLE + consistency),))
    assert faults(path) == [
        "29:1: found a column of consistency without one of motion: a frozen video wins it, so the motion must stand"
        " beside it"
    ]
    load_protocol(with_metrics(tmp_path, *metrics, changes=((TABLE, TABLE + consistency + motion),)))
    wide = ((TABLE, TABLE + motion), ("table:", f"wide:\n{consistency}table:"))
    load_protocol(with_metrics(tmp_path, *metrics, changes=wide))
    assert "a column of consistency without one of motion" in faults(
        with_metrics(tmp_path, *metrics, changes=(wide[1],))
    )[0]  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "said", "right"), [("flicker", "higher", "lower"), ("vbench-flicker", "lower", "higher")]
)
def test_which_flicker_is_better_is_a_matter_of_its_recipe(tmp_path: Path, recipe: str, said: str, right: str) -> None:
    metrics = (f"id: f, kind: flicker, recipe: {recipe}, {ALL}", f"id: m, kind: motion, recipe: motion, {ALL}")
    motion = "  - {label: M, metric: m, direction: neither, digits: 2}\n"
    shown = "  - {label: F, metric: f, direction: %s, digits: 2}\n"
    path = with_metrics(tmp_path, *metrics, changes=((TABLE, TABLE + motion + shown % said),))
    assert faults(path) == [f"31:38: found {said}, but of flicker the {right} is better"]
    load_protocol(with_metrics(tmp_path, *metrics, changes=((TABLE, TABLE + motion + shown % right),)))


def test_of_motion_neither_more_nor_less_is_better(tmp_path: Path) -> None:
    column = "  - {label: M, metric: m, direction: higher, digits: 2}\n"
    path = with_metrics(tmp_path, f"id: m, kind: motion, recipe: motion, {ALL}", changes=((TABLE, TABLE + column),))
    assert faults(path) == ["29:38: found higher, but of motion neither is better: write `neither`"]


def test_columns_of_the_wide_table_are_not_part_of_the_meaning(tmp_path: Path) -> None:
    column = "{label: FVD, metric: fvd, direction: lower, digits: 3}"
    wide = written(tmp_path, VALID, (TABLE, f"wide: [{column}]\n{TABLE}"), name="wide.yaml")
    assert load_protocol(wide).digest == load_protocol(written(tmp_path)).digest


def test_every_kind_has_recipes_and_a_direction() -> None:
    for kind, traits in TRAITS.items():
        assert traits.recipes, kind
        assert all(name == recipe.name for name, recipe in traits.recipes.items()), kind
