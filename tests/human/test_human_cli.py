"""`univg-bench human ...` as a user meets it: output, exit codes, JSON, and a group that two packages share."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.human.gsb_examples import rows
from univg_bench.cli import run
from univg_bench.commands import human as group

STUDY = """
analysis:
  dimensions: [PS, OL]
  bootstrap: {draws: 200}
  screening: [{measure: straight_line, max: 0.9}]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    assert run(["-q", "human", "simulate", str(path), "--truth", "OL=0.3,PS=-0.2", "--gold", "2", "--items", "20"]) == 0
    return path


def test_help_names_every_verb_without_loading_torch_or_figures():
    code = "import sys; from univg_bench.cli import run; run(['human', '--help']); " \
           "print('torch' in sys.modules, 'altair' in sys.modules, 'scipy' in sys.modules)"  # fmt: skip
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for verb in group.VERBS:
        assert f"  {verb}  " in out
    assert out.strip().endswith("False False False")


def test_no_module_of_human_evaluation_needs_torch():
    names = sorted(p.stem for p in (Path(group.__file__).parents[1] / "human").glob("*.py") if p.stem != "__init__")
    code = "import sys\n" + "".join(f"import univg_bench.human.{n}\n" for n in names)
    code += "print([m for m in ('torch', 'altair', 'vl_convert', 'statsmodels', 'krippendorff') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_from_simulation_to_table(csv: Path, study: Path, capsys):
    capsys.readouterr()
    assert run(["human", "table", str(csv), "--study", str(study)]) == 0
    out, err = capsys.readouterr()
    assert "by the 1 rule of study.yaml" in err
    assert "| ours against | PS | OL |" in out
    assert "two-way cluster-robust" in err
    assert run(["human", "table", str(csv), "--format", "latex", "--no-intervals"]) == 0
    assert r"\begin{tabular}{lrr}" in capsys.readouterr().out
    assert run(["human", "table", str(csv), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("ours against,PS,OL\n")


def test_winrate_prints_three_intervals_and_writes_every_field(csv: Path, tmp_path: Path, capsys):
    out = tmp_path / "rates.csv"
    assert run(["human", "winrate", str(csv), "--out", str(out), "--everybody"]) == 0
    text = capsys.readouterr().out
    assert "naive (too narrow)" in text
    assert "pigeonhole bootstrap" in text
    assert "Davidson" in text
    assert "by the 0 rules of our defaults" in text
    assert out.read_text().startswith("method,other,dimension,n,G,S,B")


@pytest.mark.parametrize("verb", ["winrate", "table", "agreement", "screen"])
def test_json_is_one_record_and_nothing_else(csv: Path, study: Path, capsys, verb):
    capsys.readouterr()
    assert run(["--json", "-q", "human", verb, str(csv), "--study", str(study)]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)


def test_report_writes_a_folder(csv: Path, tmp_path: Path, capsys):
    assert run(["human", "report", str(csv), "--out", str(tmp_path / "r"), "--title", "T"]) == 0
    assert "open" in capsys.readouterr().out
    assert "<title>T</title>" in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.parametrize("verb", ["table", "winrate", "agreement", "report"])
def test_where_everybody_is_excluded_there_is_one_sentence_and_no_number(tmp_path: Path, capsys, verb):
    source = tmp_path / "r.csv"
    rows(*["GGGGG"] * 40).to_csv(source, index=False)
    out = ["--out", str(tmp_path / "r")] if verb == "report" else []
    assert run(["human", verb, str(source), *out]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "5 of 5 annotators fail the rules of our defaults" in shown.err
    assert not (tmp_path / "r").exists()
    assert run(["human", "winrate", str(source), "--everybody"]) == 0


def test_agreement_leaves_out_whom_the_report_leaves_out(tmp_path: Path, capsys):
    source, study = tmp_path / "r.csv", tmp_path / "s.yaml"
    rows(*["GGB", "SSB", "BBB", "GGB"] * 5).to_csv(source, index=False)
    study.write_text("analysis: {screening: [{measure: agreement, min: 0.4, min_count: 1}]}\n")
    assert run(["human", "agreement", str(source), "--study", str(study)]) == 0
    out = capsys.readouterr().out
    assert "| OL | 20 | 2 |" in out
    assert "1 of 3 annotators and 20 of 60 ratings excluded" in out


def test_induced_numbers_say_so_everywhere_and_known_columns_are_the_ten(tmp_path: Path, capsys):
    scores = tmp_path / "s.csv"
    lines = [f"{r},{i},{m},{(i * r + len(m)) % 5},{i % 3}" for i in range(6) for m in ("a", "bb") for r in range(3)]
    scores.write_text("annotator,item,model,OL,PS\n" + "\n".join(lines) + "\n")
    assert run(["human", "report", str(scores), "--from", "scores", "--out", str(tmp_path / "r")]) == 0
    assert "nobody compared two videos side by side" in capsys.readouterr().out
    page = (tmp_path / "r" / "report.html").read_text()
    assert "Which video" not in page
    assert "not asked: induced from scores" in page
    assert "primary dimension OL" in page
    assert "Overall likeness" in page
    assert "induced" in (tmp_path / "r" / "table2.md").read_text()
    assert "| PS | OL |" in (tmp_path / "r" / "table2.md").read_text()
    assert ",induced," in (tmp_path / "r" / "win_rates.csv").read_text()


GOOD = '{"item": "1", "annotator": "a", "method": "o", "other": "x", "dimension": "OL", "choice": "G", "side": "left"}'
HEAD = "item,annotator,method,other,dimension,choice,side\n"
GOOD_ROW = HEAD + "i1,a,o,x,OL,G,left"


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        ("r.jsonl", GOOD + "\n" + GOOD.replace('"1"', '{"a": 1}'), "ratings", "line 2: item is a list or object"),
        ("r.csv", f"{GOOD_ROW}\n\n\ni2,a,o,x,OL,Q,left\n", "ratings",
         "choice 'Q', expected one of G, S, B (row 5)"),
        ("r.csv", HEAD + "i1,a,o,x,OL,G,left\ni2,a,o,x,OL,Q\n", "ratings", "row 3: 6 cells under a header of 7"),
        ("s.csv", "item,model,rater,OL\n1,a,r,3\n1,b,r,inf\n", "scores",
         "OL is not a finite number in 1 rows (first: row 3)"),
        ("s.csv", "item,model,rater,OL\n1,a,r,3\n1,b,,4\n", "scores", "rater is empty in 1 rows (first: row 3)"),
        ("s.csv", "item,model,rater,RO/S,ROS\n1,a,r,3,3\n1,b,r,1,4\n", "scores", "has one dimension in two columns"),
        ("d.json", "[" * 50_000, "vbench", "is not JSON that can be read"),
    ],
)  # fmt: skip
def test_bad_input_is_one_message_with_its_row_and_no_traceback(tmp_path: Path, capsys, name, content, kind, message):
    path = tmp_path / name
    path.write_text(content)
    assert run(["human", "convert", str(path), str(tmp_path / "out.csv"), "--from", kind]) == 2
    assert message in capsys.readouterr().err


def test_blank_lines_at_the_end_of_a_csv_do_no_harm(tmp_path: Path):
    path = tmp_path / "r.csv"
    path.write_text(HEAD + "i1,a,o,x,OL,G,left\n\n\n")
    assert run(["human", "convert", str(path), str(tmp_path / "out.csv")]) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("screening: [{measure: [a], max: 1}]", "unknown measure ['a']"),
        ("dimensions: [{code: A, name: a, question: q, needs: sound}]", "needs is 'sound', expected text, image or ''"),
    ],
)
def test_a_study_file_with_odd_values_is_refused(tmp_path: Path, csv: Path, capsys, line, message):
    (tmp_path / "s.yaml").write_text(f"analysis:\n  {line}\n")
    assert run(["human", "table", str(csv), "--study", str(tmp_path / "s.yaml")]) == 2
    assert message in capsys.readouterr().err


def test_practice_alone_is_nothing_to_report(tmp_path: Path, capsys):
    source = tmp_path / "r.csv"
    rows("GS").assign(kind="practice").to_csv(source, index=False)
    assert run(["human", "report", str(source), "--out", str(tmp_path / "r")]) == 2
    assert "holds no main rating" in capsys.readouterr().err


def test_scores_and_vbench_files_are_read_by_the_same_verbs(tmp_path: Path, capsys):
    scores = tmp_path / "scores.csv"
    lines = [f"{i},{m},r{r},{(i * r + len(m)) % 5}" for i in range(6) for m in ("a", "bb", "ccc") for r in range(3)]
    scores.write_text("item_id,model,rater,quality\n" + "\n".join(lines) + "\n")
    assert run(["human", "table", str(scores), "--from", "scores", "--leave-out", "ccc"]) == 0
    out, err = capsys.readouterr()
    assert "| a against | quality |" in out
    assert "Too few annotators to generalise: with 3 annotators" in err
    dest = tmp_path / "ratings.jsonl"
    assert run(["human", "convert", str(scores), str(dest), "--from", "scores"]) == 0
    assert "declare its dimensions (quality) in a study file" in capsys.readouterr().err
    assert run(["human", "table", str(dest)]) == 2
    assert "unknown dimension 'quality'" in capsys.readouterr().err
    study = tmp_path / "study.yaml"
    study.write_text("analysis: {dimensions: [{code: quality, name: Quality, question: 'Which?'}]}")
    assert run(["human", "table", str(dest), "--study", str(study)]) == 0
    assert run(["human", "agreement", str(scores), "--from", "scores", "--study", str(study)]) == 0


def test_convert_to_vbench_and_back(tmp_path: Path, capsys):
    source, labels = tmp_path / "r.csv", tmp_path / "OL.json"
    rows("G", "S", "B").to_csv(source, index=False)
    assert run(["human", "convert", str(source), str(labels)]) == 2
    assert "say which with --dimension CODE" in capsys.readouterr().err
    assert run(["human", "convert", str(source), str(labels), "--dimension", "OL"]) == 0
    assert run(["--json", "human", "convert", str(labels), str(tmp_path / "back.csv"), "--from", "vbench"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["ratings"] == 3
    assert sorted(c for c in (tmp_path / "back.csv").read_text() if c in "GSB") == ["B", "G", "S"]


def test_bad_input_is_one_sentence_and_exit_2(tmp_path: Path, csv: Path, study: Path, capsys):
    capsys.readouterr()
    broken = tmp_path / "broken.csv"
    rows("GSB").assign(side=["left", "", "left"]).to_csv(broken, index=False)
    for arguments, message in (
        (["table", str(broken)], "side is empty (row 3)"),
        (["table", str(tmp_path / "none.csv")], "there is no file"),
        (["table", str(csv), "--leave-out", "x"], "--leave-out belongs to --from scores"),
        (["table", str(csv), "--study", str(tmp_path / "no.yaml")], "found no file"),
        (["simulate", str(tmp_path / "x.csv"), "--truth", "OL"], "--truth: 'OL' is not CODE=RATE"),
        (["simulate", str(tmp_path / "x.csv"), "--truth", "XX=1"], "unknown dimension 'XX'"),
        (["power", "--win-rate", "0"], "a win rate of 0 is no difference"),
        (["grim", str(tmp_path / "none.csv")], "there is no file"),
    ):
        assert run(["human", *arguments]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert "Traceback" not in captured.err


def test_a_study_must_speak_of_the_dimensions_that_the_file_brings(tmp_path: Path, study: Path, capsys):
    scores = tmp_path / "scores.csv"
    scores.write_text("item_id,model,rater,taste\n1,a,r,3\n1,b,r,4\n")
    assert run(["human", "table", str(scores), "--from", "scores", "--study", str(study)]) == 2
    assert "has the dimension taste, which" in capsys.readouterr().err


def test_power_speaks_of_panel_and_people(capsys):
    assert run(["human", "power", "--runs", "20"]) == 0
    out = capsys.readouterr().out
    assert "| 131 x 6 of 6 | +10.0% | 20% | 0.8 / 0.2 | 0.29 / 0.018 | 0.52 | 0.22 |" in out
    assert "general, 20 simulated" in out
    assert run(["human", "power", "--annotators", "3", "--runs", "0"]) == 0
    out = capsys.readouterr().out
    assert "fewer than 5, who cannot speak for others" in out
    assert "| - | - |" in out


def test_power_makes_a_table_of_every_combination(capsys):
    arguments = ["--items", "131,600", "--annotators", "6,12,30", "--ratings-per-item", "3", "--tie-share", ".2,.5"]
    assert run(["--json", "human", "power", "--runs", "0", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)["designs"]
    assert len(found) == 12
    assert {(d["items"], d["annotators"], d["tie_share"]) for d in found} == {
        (n, a, t) for n in (131, 600) for a in (6, 12, 30) for t in (0.2, 0.5)
    }
    assert run(["human", "power", "--items", "131,6.5"]) == 2
    assert "--items: '131,6.5' is not a whole number" in capsys.readouterr().err
    assert run(["human", "power", "--tie-share", "few"]) == 2
    assert "--tie-share: 'few' is not a number" in capsys.readouterr().err


def test_grim_audits_the_paper_by_default(tmp_path: Path, capsys):
    assert run(["human", "grim", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for n in (663, 655, 683, 915):
        assert f"| {n} |" in out
    assert json.loads((tmp_path / "audit.json").read_text())["stated_n"] == 786


def test_the_app_adds_verbs_by_entry_point_and_cannot_replace_ours(monkeypatch, capsys):
    @click.command()
    def serve() -> None:
        """Serve the study to annotators."""
        click.echo("serving")

    @click.command()
    def report() -> None:
        """Somebody else's report."""

    class Entry:
        def __init__(self, name: str, command: click.Command) -> None:
            self.name, self.command = name, command

        def load(self) -> click.Command:
            return self.command

    app = [Entry("serve", serve), Entry("report", report)]

    def entry_points(*, group: str, name: str | None = None):
        assert group == "univg_bench.commands.human"
        return [e for e in app if name in (None, e.name)]

    monkeypatch.setattr(group, "entry_points", entry_points)
    assert run(["human", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Annotation app" in out
    assert "Serve the study to annotators." in out
    assert "Somebody else's" not in out
    assert run(["human", "serve"]) == 0
    assert "serving" in capsys.readouterr().out
    assert run(["human", "dance"]) == 2


def test_entry_points_of_the_group_are_looked_up_for_real():
    assert list(importlib.metadata.entry_points(group=group.APP_VERBS)) == list(
        group.entry_points(group=group.APP_VERBS)
    )


def test_a_truth_given_twice_is_refused(tmp_path: Path, capsys):
    assert run(["human", "simulate", str(tmp_path / "r.csv"), "--truth", "OL=.1,OL=.3"]) == 2
    assert "OL stands twice" in capsys.readouterr().err
