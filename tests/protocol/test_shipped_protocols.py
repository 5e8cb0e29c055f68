"""Every shipped protocol is valid, cites its sources, and says what its name says."""

import re
import zipfile
from pathlib import Path

import pytest

from univg_bench import shipped
from univg_bench.commands.protocol import num_items
from univg_bench.protocol import MsrvttData
from univg_bench.protocol_files import find_protocol, load_protocol, shipped_ids

ROOT = Path(__file__).resolve().parents[2]
IDS = sorted(path.stem for path in (ROOT / "protocols").glob("*.yaml"))


def test_shipped_protocols_are_found_by_id() -> None:
    assert shipped_ids() == IDS
    assert {"msrvtt-t2v-59800", "msrvtt-t2v-2990", "msrvtt-ti2v-hg", "msrvtt-ti2v-lg", "msrvtt-i2v"} <= set(IDS)
    assert {"msrvtt-make-a-video", "msrvtt-videopoet", "msrvtt-show1", "fetv-slice"} <= set(IDS)


@pytest.mark.parametrize("name", IDS)
def test_each_is_valid_named_like_its_file_and_cites_sources(name: str) -> None:
    loaded = load_protocol(name)
    assert loaded.id == name
    assert loaded.sources
    assert loaded.title.strip() == loaded.title
    shown = [column.metric for column in (*loaded.table, *loaded.wide)]
    assert sorted(shown) == sorted(metric.id for metric in loaded.metrics)


@pytest.mark.parametrize("name", IDS)
def test_each_decision_it_cites_exists(name: str) -> None:
    text = find_protocol(name).read_text()
    numbers = {
        int(number)
        for listed in re.findall(r"decisions?(?:\.md)? ([0-9][0-9, ]*)", text)
        for number in re.findall(r"[0-9]+", listed)
    }
    assert numbers
    decisions = (ROOT / "docs" / "decisions.md").read_text()
    for number in numbers:
        assert re.search(rf"^### {number}\. ", decisions, re.MULTILINE), number


@pytest.mark.parametrize("name", IDS)
def test_each_row_stands_in_the_readme(name: str) -> None:
    assert f"`{name}`" in (ROOT / "protocols" / "README.md").read_text()


def test_no_two_protocols_mean_the_same() -> None:
    assert len({load_protocol(name).digest for name in IDS}) == len(IDS)


def test_tiny_numbers_are_called_tiny_in_their_tables() -> None:
    for name in IDS:
        loaded = load_protocol(name)
        tiny = [metric.id for metric in loaded.metrics if metric.recipe == "tiny"]
        assert all(("tiny" in column.label) == (column.metric in tiny) for column in (*loaded.table, *loaded.wide)), (
            name
        )
    assert "MEANINGLESS" in load_protocol("fetv-slice-tiny").title


def test_numbers_of_items_are_those_of_the_papers() -> None:
    counts = {name: num_items(load_protocol(name)) for name in IDS}
    assert counts["msrvtt-t2v-59800"] == counts["msrvtt-ti2v-hg"] == counts["msrvtt-ti2v-lg"] == 59800
    assert counts["msrvtt-t2v-2990"] == counts["msrvtt-i2v"] == 2990
    assert counts["msrvtt-make-a-video"] == counts["msrvtt-videopoet"] == counts["msrvtt-show1"] == 59794
    assert counts["moving-shapes-tiny"] == 64
    assert counts["moving-shapes-tiny-256"] == 256
    assert counts["fetv-slice"] == counts["fetv-slice-tiny"] == 22


def test_all_of_msrvtt_asserts_2990_test_videos() -> None:
    for name in IDS:
        data = load_protocol(name).data
        if isinstance(data, MsrvttData):
            assert (data.split, data.expect.videos) == ("test", 2990), name


def test_variants_differ_from_their_base_in_what_they_say_only() -> None:
    from univg_bench.commands.protocol import differing

    base, contiguous = load_protocol("msrvtt-t2v-2990"), load_protocol("msrvtt-t2v-2990-contiguous16")
    assert set(differing(base, contiguous)) == {
        "id", "metrics.fvd.frames.sampling", "metrics.fvd.reference_frames.sampling", "metrics.kvd.frames.sampling",
        "metrics.kvd.reference_frames.sampling",
    }  # fmt: skip
    cropped = load_protocol("msrvtt-t2v-2990-crop256")
    of_recipes = {name for name in differing(base, cropped) if ".recipe." in name or name.endswith(".recipe")}
    assert set(differing(base, cropped)) - of_recipes == {"id"}
    assert {name.split(".")[1] for name in of_recipes} == {"fvd", "kvd"}
    whole = load_protocol("msrvtt-t2v-59800")
    assert set(differing(whole, base)) == {
        "id", "data.select.captions_per_video", "data.select.rule", "data.select.salt",
    }  # fmt: skip


def test_an_installed_wheel_has_them_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "univg_bench"
    (package / "_shipped" / "protocols").mkdir(parents=True)
    monkeypatch.setattr(shipped, "__file__", str(package / "shipped.py"))
    assert shipped.shipped_folder("protocols") == package / "_shipped" / "protocols"


def test_the_wheel_carries_every_protocol_file(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    for name in IDS:
        assert f"univg_bench/_shipped/protocols/{name}.yaml" in names
