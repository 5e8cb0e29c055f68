"""Moving Shapes as a data set: rendered once, lossless, resumable, and never silently of another world."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.protocol.protocol_texts import VALID, written
from univg_bench.cli import run
from univg_bench.datasets import load_items, moving_shapes
from univg_bench.errors import InputError, SampleError
from univg_bench.protocol import Protocol
from univg_bench.protocol_files import load_protocol
from univg_bench.video import read_frames

DATA = VALID[VALID.index("data:") : VALID.index("conditions:")]


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    return load_protocol(protocol_file(tmp_path))


def protocol_file(folder: Path, **fields: Any) -> Path:
    fields = {"source": "moving-shapes", "split": "test", "count": 3, "height": 32, "width": 56, **fields}
    text = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return written(folder, VALID, (DATA, f"data: {{{text}}}\n"))


def prepare(folder: Path, *arguments: str) -> int:
    return run(["prepare", "moving-shapes", str(folder / "mine.yaml"), "--dest", str(folder / "data"), *arguments])


def test_items_are_the_captions_of_the_world(tmp_path: Path, protocol: Protocol) -> None:
    items = load_items(protocol, tmp_path, references=False)
    assert [item.item_id for item in items.items] == ["test-00000", "test-00001", "test-00002"]
    assert items.items[1].prompt == moving_shapes.caption(moving_shapes.scene("test", 1))


def test_prepared_videos_are_the_renderings_to_the_bit(tmp_path: Path, protocol: Protocol) -> None:
    assert prepare(tmp_path) == 0
    items = load_items(protocol, tmp_path / "data")
    assert len(items.references) == items.facts["references"] == 3
    path = items.references["test-00002"]
    shown = read_frames(path, range(24))
    assert np.array_equal(shown, moving_shapes.render(moving_shapes.scene("test", 2), height=32, width=56))


def test_another_rendering_shows_the_same_captions_with_other_pixels(tmp_path: Path, protocol: Protocol) -> None:
    prepare(tmp_path)
    prepare(tmp_path, "--rendering", "7")
    first, other = (tmp_path / "data" / "test-32x56" / f"rendering-{n}" / "test-00001.mp4" for n in (0, 7))
    assert first.read_bytes() != other.read_bytes()
    assert load_items(protocol, tmp_path / "data").references["test-00001"] == first


def test_missing_videos_say_the_command_that_renders_them(tmp_path: Path, protocol: Protocol) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(SampleError) as caught:
        load_items(protocol, tmp_path / "data")
    assert str(caught.value) == (
        "found 0 of 3 reference videos; missing: test-00000, test-00001, test-00002; run `univg-bench prepare"
        f" moving-shapes <the protocol's file> --dest {tmp_path}/data` to render them"
    )
    assert load_items(protocol, tmp_path / "data", allow_missing=True).notes


def test_an_interrupted_call_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    protocol_file(tmp_path)
    prepare(tmp_path)
    folder = tmp_path / "data" / "test-32x56" / "rendering-0"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "test-00001.mp4").unlink()
    capsys.readouterr()
    assert (
        run(["--json", "prepare", "moving-shapes", str(tmp_path / "mine.yaml"), "--dest", str(tmp_path / "data")]) == 0
    )
    record = json.loads(capsys.readouterr().out)
    assert (record["rendered"], record["videos"], record["is_reference"]) == (1, 3, True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_files_of_another_world_are_refused(tmp_path: Path, protocol: Protocol) -> None:
    prepare(tmp_path)
    mark = tmp_path / "data" / "test-32x56" / "rendering-0.json"
    mark.write_text('{"world": "another"}')
    with pytest.raises(
        InputError, match=r"were rendered by another version of Moving Shapes; remove .* and prepare them"
    ):
        load_items(protocol, tmp_path / "data")
    assert prepare(tmp_path) == 2


def test_an_unknown_split_is_refused_with_its_place(tmp_path: Path) -> None:
    path = protocol_file(tmp_path, split="demo")
    with pytest.raises(InputError, match=rf"{path}:8:38: found the Moving Shapes split 'demo', expected one of train"):
        load_items(load_protocol(path), tmp_path)
    assert prepare(tmp_path) == 2


def test_prepare_refuses_a_protocol_on_other_data(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["prepare", "moving-shapes", "msrvtt-i2v", "--dest", str(tmp_path)]) == 2
    assert (
        "found protocol msrvtt-i2v, whose data are 'msrvtt'; expected one on moving-shapes" in capsys.readouterr().err
    )
    assert run(["prepare", "msrvtt", "--data", str(tmp_path), "--protocol", "fetv-slice"]) == 2
    assert "found protocol fetv-slice, whose data are 'folder'; expected one on msrvtt" in capsys.readouterr().err


def test_the_demo_captions_are_all_different() -> None:
    for name, count in (("moving-shapes-tiny", 64), ("moving-shapes-tiny-256", 256)):
        items = load_items(load_protocol(name), Path(), references=False)
        assert len({item.prompt for item in items.items}) == len(items) == count
