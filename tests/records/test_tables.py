"""Tables keep measured and published rows apart, show intervals, and say when a run is incomplete."""

import csv
import io

import pytest

from tests.records.samples import record_of
from univg_bench.errors import InputError
from univg_bench.protocol_files import load_protocol
from univg_bench.published import load_published, published_names
from univg_bench.tables import NOT_COMPARABLE, build_table, render

PROTOCOL = load_protocol("moving-shapes-tiny")


def markdown(*records, published=()) -> str:
    return render(build_table(PROTOCOL, records, published), "markdown")


def test_table_1_of_the_paper_is_complete() -> None:
    rows = load_published("univg_table1")
    assert len(rows) == 14
    assert {row.method: row.values.get("fvd") for row in rows}["PixelDance"] == "381"
    univg = {(row.method, row.input): row.values for row in rows if row.method.startswith("UniVG")}
    assert univg == {
        ("UniVG-HG", "T"): {"clipsim": "0.3014", "fvd": "336"},
        ("UniVG-HG", "T+I"): {"clipsim": "0.3136", "fvd": "331"},
        ("UniVG-LG", "T+I"): {"clipsim": "0.3140", "fvd": "291"},
    }


@pytest.mark.parametrize("name", published_names())
def test_every_published_row_has_a_source(name: str) -> None:
    assert all(row.source for row in load_published(name))


def test_an_unknown_published_table_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r"found no published table 'univg_tabel1', expected one of .*univg_table1"):
        load_published("univg_tabel1")


def test_published_rows_are_marked_on_every_row_and_explained() -> None:
    text = markdown(record_of(PROTOCOL), published=load_published("univg_table1"))
    rows = [line for line in text.splitlines() if line.startswith("| ") and "method" not in line]
    assert [line.split("|")[1].strip() for line in rows] == ["measured"] + ["published"] * 14
    assert all("arXiv 2401.09084" in line for line in rows[1:])
    assert NOT_COMPARABLE in text
    assert NOT_COMPARABLE not in markdown(record_of(PROTOCOL))


def test_an_incomplete_run_says_so_in_its_row() -> None:
    assert "(incomplete: 62 of 64)" in markdown(record_of(PROTOCOL, scored=62))
    assert "incomplete" not in markdown(record_of(PROTOCOL))


def test_intervals_of_fvd_and_clipsim_look_as_different_as_they_are() -> None:
    text = markdown(record_of(PROTOCOL))
    assert "12.3 ± 4.5" in text
    assert "[0.800, 0.900]" in text


def test_warnings_and_weights_stand_below_the_table() -> None:
    text = markdown(record_of(PROTOCOL))
    assert "- fvd: 64 videos are few." in text
    assert "- tiny-i3d: trained on Moving Shapes." in text


def test_a_note_of_some_rows_names_them_and_one_of_all_rows_does_not() -> None:
    one, two = record_of(PROTOCOL, name="one"), record_of(PROTOCOL, name="two")
    text = markdown(one.model_copy(update={"notes": ["half the frames are black"]}), two)
    assert "- one: half the frames are black." in text
    assert "- fvd: 64 videos are few." in text


def test_csv_keeps_every_digit() -> None:
    record = record_of(PROTOCOL)
    rows = list(csv.DictReader(io.StringIO(render(build_table(PROTOCOL, [record], []), "csv"))))
    label = next(column.label for column in PROTOCOL.table if column.metric == "fvd")
    assert float(rows[0][label]) == record.metric("fvd").value
    assert float(rows[0][f"{label} high"]) == record.metric("fvd").interval.high
    assert rows[0]["kind"] == "measured"


def test_latex_escapes_names_and_separates_the_kinds() -> None:
    text = render(
        build_table(PROTOCOL, [record_of(PROTOCOL, name="a_b & 100%")], load_published("univg_table1")), "latex"
    )
    assert r"a\_b \& 100\%" in text
    assert text.index(r"\textit{measured}") < text.index(r"\textit{published}")
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.count(" & ") for line in body if "multicolumn" not in line}) == 1
    tabular = text[: text.index(r"\end{tabular}")]
    assert r"motion $\approx$" in tabular
    assert tabular.isascii()  # pdflatex knows no other characters by itself


def test_a_record_of_another_protocol_does_not_enter_the_table() -> None:
    other = load_protocol("msrvtt-t2v-2990")
    with pytest.raises(AssertionError, match="one table holds one protocol"):
        build_table(PROTOCOL, [record_of(other)], [])


def test_rows_of_different_n_are_said_not_to_compare() -> None:
    whole = record_of(PROTOCOL)
    fewer = [metric.model_copy(update={"n": 62}) for metric in whole.metrics]
    part = record_of(PROTOCOL, name="part").model_copy(update={"metrics": fewer})
    text = markdown(whole, part)
    assert "fvd: n differs between rows: 64/64 (model), 62/64 (part); FVD falls as n grows, so these rows" in text
    assert "clipsim: n differs between rows: 64/64 (model), 62/64 (part); the rows are not of the same videos." in text
    assert "n differs" not in markdown(whole, record_of(PROTOCOL, name="other"))
    assert "n differs" not in markdown(part)
