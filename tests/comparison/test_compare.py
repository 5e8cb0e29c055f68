"""Two runs are compared only where they can be, item by item, and the verdict says what was shown and what not."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.study import Study
from univg_bench.cli import run
from univg_bench.compare import Compared, compare_runs, in_words, judged
from univg_bench.console import Console
from univg_bench.metrics.paired import PairedTest
from univg_bench.records import load_record


def compare(a: Path, b: Path, *, common: bool = False, metrics: tuple[str, ...] = (), permutations: int = 255, **other):
    arguments = {"seed": 0, "alpha": 0.05, **other}
    return compare_runs(
        a, b, metrics=metrics, permutations=permutations, common=common, console=Console(quiet=True), **arguments
    )


@pytest.fixture(scope="module")
def runs(study: Study, evaluated: Path) -> Path:
    """Two evaluated runs beside one another: `model`, and `real`, whose videos are the real ones themselves."""
    folder = evaluated.parents[1]  # where the features of the real videos are known already
    assert study.import_into(folder, videos=next(study.data.glob("*/rendering-0")), model="real") == 0
    assert study.evaluate(folder, model="real") == 0
    return folder / "eight@1"


def test_values_are_those_of_the_records_and_differences_are_b_minus_a(runs: Path) -> None:
    found = compare(runs / "model", runs / "real")
    a, b = load_record(runs / "model"), load_record(runs / "real")
    assert [one.id for one in found.metrics] == [metric.id for metric in a.metrics]
    for one in found.metrics:
        assert one.a == pytest.approx(a.metric(one.id).value, rel=1e-6)
        assert one.b == pytest.approx(b.metric(one.id).value, rel=1e-6, abs=1e-6)
        assert one.difference == pytest.approx(one.b - one.a, rel=1e-4)
        assert one.n == 8
        if one.test is None:
            assert one.untested == f"no paired test is known for {one.kind}"
        else:
            assert one.interval.low <= one.difference <= one.interval.high
            assert one.test.num_clusters == 8
    assert {"fvd", "clipsim"} <= {one.id for one in found.metrics if one.test}


def test_the_real_videos_are_nearer_to_themselves_and_the_verdict_says_so(runs: Path) -> None:
    fvd = compare(runs / "model", runs / "real", metrics=("fvd",)).metrics[0]
    assert fvd.test.p_value <= 0.02
    assert (fvd.shown, fvd.better) == (True, "B")
    assert fvd.verdict.startswith("B is lower by ")
    assert fvd.verdict.endswith(": better")
    back = compare(runs / "real", runs / "model", metrics=("fvd",)).metrics[0]
    assert back.verdict.startswith("B is higher by ")
    assert back.verdict.endswith(": worse")
    assert back.test.p_value == fvd.test.p_value


def test_the_real_videos_stand_beside_a_metric_that_has_no_better_direction(runs: Path, tmp_path: Path, capsys):
    path = altered(runs, tmp_path)
    record = json.loads((path / "results.json").read_text())
    (clipsim,) = (metric for metric in record["metrics"] if metric["id"] == "clipsim")
    clipsim["direction"] = "neither"
    (path / "results.json").write_text(json.dumps(record))
    assert run(["compare", str(path), str(runs / "real"), "--metric", "clipsim", "--permutations", "19"]) == 0
    said = capsys.readouterr().out
    assert f", real videos {clipsim['details']['real']:.6g}: " in said
    assert "largest rises: test-" in said
    assert compare(runs / "model", runs / "real", metrics=("clipsim",)).metrics[0].real is None


def test_a_run_is_not_shown_to_differ_from_itself(runs: Path) -> None:
    found = compare(runs / "model", runs / "model")
    assert "both runs hold the same videos" in found.notes
    for one in found.metrics:
        assert one.changed == ()
        assert not one.shown
        if one.test is not None:
            assert one.test.p_value == 1.0
            assert one.verdict.startswith("not shown to differ: B equals A")


def test_items_that_changed_most_are_named_losses_first(runs: Path) -> None:
    clipsim = compare(runs / "model", runs / "real", metrics=("clipsim",)).metrics[0]
    table = [
        pd.read_parquet(runs / name / "per_video.parquet").set_index("name")["clipsim"] for name in ("model", "real")
    ]
    gain = (table[1] - table[0]).sort_values()
    assert clipsim.changed[0].name == gain.index[0]
    assert clipsim.changed[-1].name == gain.index[-1]
    assert clipsim.difference == pytest.approx(gain.mean())
    signs = [change.b > change.a for change in clipsim.changed]
    assert signs == sorted(signs)
    assert clipsim.num_losses == signs.count(False) == min(3, int((gain < 0).sum()))


def test_same_seed_same_numbers(runs: Path) -> None:
    assert compare(runs / "model", runs / "real") == compare(runs / "model", runs / "real")


def test_command_prints_a_verdict_and_one_json_record_and_leaves_with_zero(runs: Path, capsys) -> None:
    paths = [str(runs / "model"), str(runs / "real")]
    assert run(["compare", *paths, "--permutations", "99", "--metric", "fvd"]) == 0
    said = capsys.readouterr().out
    assert "fvd (lower is better), n = 8/8, 8 clusters" in said
    assert "B is lower by" in said
    assert run(["--json", "compare", *paths, "--permutations", "99"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 0
    assert record["comparison"]["metrics"][0]["test"]["permutations"] == 99


def test_incomplete_runs_are_refused_by_name_and_common_items_compared_on_request(
    study: Study, runs: Path, tmp_path: Path, capsys
) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(study.videos, videos)
    (videos / "test-00003.mp4").unlink()
    study.import_into(tmp_path, videos=videos)
    assert study.evaluate(tmp_path, "--allow-missing", "--cache", str(runs.parent / ".features")) == 0
    paths = [str(tmp_path / "eight@1" / "model"), str(runs / "real")]
    assert run(["compare", *paths]) == 3
    said = capsys.readouterr().err
    assert "7 of 8 samples" in said
    assert "test-00003" in said
    assert "--common" in said
    found = compare(Path(paths[0]), Path(paths[1]), common=True)
    clipsim = next(one for one in found.metrics if one.id == "clipsim")
    whole = pd.read_parquet(runs / "real" / "per_video.parquet").set_index("name")["clipsim"]
    assert (clipsim.n, clipsim.test.num_clusters) == (7, 7)
    assert clipsim.b == pytest.approx(whole.drop("test-00003-s0").mean())
    assert any("over the 7 samples that both runs have; 1 were left out" in text for text in clipsim.warnings)
    assert any("n = 7 for A and 8 for B" in text for text in clipsim.warnings)


def test_runs_of_other_protocols_and_unevaluated_or_stale_runs_are_refused(
    study: Study, runs: Path, tmp_path: Path, capsys
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(study.protocol.read_text().replace("replicates: 20", "replicates: 21"))
    assert study._replace(protocol=other).import_into(tmp_path) == 0
    assert run(["compare", str(runs / "model"), str(tmp_path / "eight@1" / "model")]) == 2
    assert "run `univg-bench evaluate" in capsys.readouterr().err
    assert study.evaluate(tmp_path, "--cache", str(runs.parent / ".features")) == 0
    assert run(["compare", str(runs / "model"), str(tmp_path / "eight@1" / "model")]) == 2
    assert "expected one protocol; see what differs with `univg-bench protocol diff`" in capsys.readouterr().err


def altered(runs: Path, tmp_path: Path) -> Path:
    shutil.copytree(runs / "model", tmp_path / "model")
    return tmp_path / "model"


def test_features_of_another_evaluation_are_noticed(runs: Path, tmp_path: Path, capsys) -> None:
    path = altered(runs, tmp_path)
    rows = np.load(path / "features" / "fvd.samples.npy")
    (path / "features" / "fvd.samples.npy").unlink()  # it may be a link to the rows of another metric
    np.save(path / "features" / "fvd.samples.npy", rows * 1.5)
    assert run(["compare", str(path), str(runs / "real"), "--metric", "fvd", "--permutations", "19"]) == 2
    assert "the features of metric fvd make a difference of" in capsys.readouterr().err
    np.save(path / "features" / "fvd.samples.npy", rows[:5])
    assert run(["compare", str(path), str(runs / "real"), "--metric", "fvd"]) == 2
    assert "expected 8 rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda index: index.update(manifest_digest="0" * 64), "are not of one evaluation"),
        (lambda index: index.pop("metrics"), "found no readable"),
        (lambda index: index["metrics"].pop("fvd"), "found no metric fvd in"),
        (lambda index: index["metrics"]["fvd"].update(extractor="0" * 64), "computed by different extractors"),
        (lambda index: index["metrics"]["fvd"]["roles"]["references"]["names"].pop(), "expected the same ones"),
    ],
)
def test_an_index_that_does_not_fit_is_named(runs: Path, tmp_path: Path, capsys, edit, sentence: str) -> None:
    path = altered(runs, tmp_path)
    index = json.loads((path / "features" / "index.json").read_text())
    edit(index)
    (path / "features" / "index.json").write_text(json.dumps(index))
    assert run(["compare", str(path), str(runs / "real"), "--permutations", "19"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"junk"])
def test_values_of_single_videos_that_cannot_be_read_are_one_sentence(runs: Path, tmp_path: Path, capsys, content):
    path = altered(runs, tmp_path)
    (path / "per_video.parquet").unlink()
    if content is not None:
        (path / "per_video.parquet").write_bytes(content)
    assert run(["compare", str(path), str(runs / "real"), "--metric", "clipsim"]) == 2
    assert "per_video.parquet with the values of single videos; run `univg-bench evaluate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "words"), [(0.00498, "0.00498"), (58.36, "58.4"), (-10100.4, "-10100"), (999.6, "1000")]
)
def test_differences_are_read_without_exponents(value: float, words: str) -> None:
    assert in_words(value) == words


def test_unknown_metrics_are_refused_with_those_there_are(runs: Path, capsys) -> None:
    assert run(["compare", str(runs / "model"), str(runs / "real"), "--metric", "fdv"]) == 2
    assert "found no metric fdv" in capsys.readouterr().err


def test_rows_are_matched_by_name_and_not_by_their_order(runs: Path, tmp_path: Path) -> None:
    path = altered(runs, tmp_path)
    index = json.loads((path / "features" / "index.json").read_text())
    role = index["metrics"]["fvd"]["roles"]["samples"]
    role["names"], role["clusters"] = role["names"][::-1], role["clusters"][::-1]
    (path / "features" / "index.json").write_text(json.dumps(index))
    rows = np.load(path / "features" / "fvd.samples.npy")
    (path / "features" / "fvd.samples.npy").unlink()
    np.save(path / "features" / "fvd.samples.npy", rows[::-1])
    straight, turned = (compare(runs / "real", one, metrics=("fvd",)).metrics[0] for one in (runs / "model", path))
    assert turned.test == replace(straight.test, difference=turned.test.difference)
    assert turned.difference == pytest.approx(straight.difference, rel=1e-9)


BLANK = Compared(
    id="m", kind="clipsim", direction="higher", n=9, n_reference=9, a=1.0, b=0.8, difference=-0.2, real=None,
    interval=None, beyond=None, beyond_interval=None, test=None, untested="", p_adjusted=None, shown=False,
    better=None, verdict="", changed=(), num_losses=0, warnings=(),
)  # fmt: skip


def outcome(p_value: float, least: float = 0.001) -> Compared:
    return replace(BLANK, test=PairedTest(-0.2, p_value, least, 999, 9, 0))


def test_holm_counts_the_metrics_that_were_tested() -> None:
    untested = replace(BLANK, untested="no paired test is known for it")
    found = judged([outcome(0.02), untested, outcome(0.04)], alpha=0.05)
    assert [one.p_adjusted for one in found] == [0.04, None, 0.04]
    assert [one.shown for one in found] == [True, False, True]
    assert found[0].verdict == "B is lower by 0.2, p = 0.02, 0.04 after Holm over 2 metrics: worse"
    assert found[1].verdict == "B is lower by 0.2; not tested: no paired test is known for it"
    assert not any(one.shown for one in judged([outcome(0.03), outcome(0.03)], alpha=0.05))


def test_too_few_clusters_are_told_from_no_difference() -> None:
    assert judged([outcome(0.3, least=0.125)], 0.05)[0].verdict.startswith("cannot be told with 9 clusters")
    assert judged([outcome(0.3)], 0.05)[0].verdict.startswith("not shown to differ")


def test_a_metric_without_a_better_direction_differs_without_being_better() -> None:
    found = judged([replace(outcome(0.001), direction="neither")], 0.05)[0]
    assert (found.shown, found.better) == (True, None)
    assert found.verdict == "B is lower by 0.2, p = 0.001"
