"""An index describes exactly its sources, changes with its plan, and refuses what was edited by hand."""

from pathlib import Path

import pytest

from tests.samples.small_protocol import (
    everything,
    import_videos,
    run_path,
)
from univg_bench.errors import InputError, SampleError
from univg_bench.index import Source, index_videos
from univg_bench.samples import Index, Run


def test_references_are_described_where_they_lie(world: Path) -> None:
    sources = [Source(f"v00{i}", world / "videos" / f"v00{i}.mp4") for i in range(3)] + [Source("v009", None)]
    tally = index_videos(sources, world / "refs", root=world / "videos", place="in-place")
    assert (tally.decoded, tally.reused) == (3, 1)
    index = Index(world / "refs")
    assert [row.status for row in index.rows()] == ["ok", "ok", "ok", "missing"]
    assert [index.path_of(row) for row in index.rows() if row.ok] == [source.path for source in sources[:3]]
    assert index_videos(sources, world / "refs", root=world / "videos", place="in-place").decoded == 0
    assert {path.name for path in (world / "refs").iterdir()} == {"index.json", "manifest", ".lock"}


def test_an_index_can_change_its_plan(world: Path, decoded: list[str]) -> None:
    sources = [Source(f"v00{i}", world / "videos" / f"v00{i}.mp4") for i in range(4)]
    index_videos(sources, world / "index", root=world / "videos")
    index_videos(sources[2:], world / "index", root=world / "videos")
    assert [row.name for row in Index(world / "index").rows()] == ["v002", "v003"]
    stored = sorted(path.name for path in (world / "index" / "samples").rglob("*") if path.is_file())
    assert stored == ["v002.mp4", "v003.mp4"]
    assert len(decoded) == 4, "of the same part, what is known already is not decoded again"


@pytest.mark.parametrize("name", ["a/b", "..", "", "a b", ".hidden", "-"])
def test_names_that_cannot_be_files_are_refused(world: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a file"):
        index_videos([Source(name, None)], world / "index", root=world)
    with pytest.raises(InputError, match="a second time"):
        index_videos([Source("a", None), Source("a", None)], world / "index", root=world)
    with pytest.raises(InputError, match="does not lie in"):
        index_videos([Source("a", Path("/etc/passwd"))], world / "index", root=world)


def test_damaged_manifests_are_made_again(world: Path) -> None:
    assert import_videos(world, world / "videos") == 0
    before = everything(run_path(world))
    part = run_path(world) / "manifest" / "00000.jsonl"
    part.write_text("{half a li")
    with pytest.raises(SampleError, match="run the same import again"):
        list(Run.open(run_path(world)).rows())
    assert import_videos(world, world / "videos") == 0
    assert everything(run_path(world)) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", "{}", "not of the form univg-bench/run/1"),
        ("run.json", "][", "is not JSON"),
        ("protocol.json", "{}", "not a protocol that this version can read"),
    ],
)
def test_edited_runs_are_refused(world: Path, name: str, content: str, message: str) -> None:
    assert import_videos(world, world / "videos") == 0
    (run_path(world) / name).write_text(content)
    with pytest.raises(InputError, match=message):
        Run.open(run_path(world)).protocol()


def test_what_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no run in"):
        Run.open(tmp_path)
    with pytest.raises(InputError, match=r"found no .*index\.json"):
        list(Index(tmp_path).rows())
