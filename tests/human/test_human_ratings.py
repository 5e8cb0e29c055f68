"""The data model: what is accepted, what is refused and how, and that files give back what went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.human.gsb_examples import ratings, rows
from univg_bench.human.dimensions import PRIMARY, UNIVG, find_dimensions
from univg_bench.human.rating_files import READERS, read_ratings, write_ratings
from univg_bench.human.ratings import combine, swap_methods, validate
from univg_bench.human.simulate import Design, simulate_ratings


def test_the_ten_dimensions_stand_in_the_order_of_table_2():
    assert [d.code for d in UNIVG] == ["PS", "ROS", "MS", "FC", "AM", "TSA", "TTA", "ISA", "ITA", "OL"]
    assert [d.group for d in UNIVG] == ["VQ", "VQ", "MQ", "MQ", "MQ", "TF", "TF", "IF", "IF", "OL"]
    assert PRIMARY == "OL"
    assert all(d.question.endswith("?") and len(d.question) < 80 for d in UNIVG)
    assert {d.code for d in UNIVG if d.needs == "image"} == {"ISA", "ITA"}


def test_the_papers_spelling_of_ros_is_understood():
    assert [d.code for d in find_dimensions(["RO/S", "PS"])] == ["PS", "ROS"]
    assert validate(rows("GS", dimension="RO/S"), source="t").labels("dimension") == ["ROS"]


def test_an_unknown_dimension_code_is_refused(refused):
    with refused("unknown dimension 'XX'", "the ten are PS, ROS"):
        find_dimensions(["PS", "XX"])


def test_scores_follow_choices():
    assert ratings("GSB").y.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("column", "value", "parts"),
    [
        ("dimension", "sharpness", ["unknown dimension 'sharpness'", "(row 3)", "declare it in the study file"]),
        ("choice", "better", ["unknown choice 'better'", "G, S, B", "(row 3)"]),
        ("side", "up", ["unknown side 'up'", "left, right, none", "write none", "(row 3)"]),
        ("side", "", ["side is empty (row 3)"]),
        ("item", "", ["item is empty (row 3)"]),
        ("annotator", None, ["annotator is empty (row 3)"]),
        ("other", "ours", ["method and other are the same (row 3)"]),
    ],
)
def test_a_bad_cell_is_named_with_its_row(refused, column, value, parts):
    raw = rows("GSB")
    raw.loc[1, column] = value
    with refused("x.csv is not a valid ratings file", *parts):
        validate(raw, source="x.csv")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("kind", "trial", "unknown kind 'trial', expected one of main, practice, gold, repeat (row 3)"),
        ("kind", "gold", "gold rating without expected: G, S or B (row 3)"),
        ("answer", "both", "unknown answer 'both'"),
        ("answer", "right", "answer contradicts choice and side (G means: the side where method stood) (row 3)"),
        ("expected", "?", "unknown expected '?'"),
        ("repeat", "1.5", "repeat is not a whole number from 0 (row 3)"),
        ("seconds", "fast", "seconds is not a number from 0 (row 3)"),
        ("video_seconds", "-1", "video_seconds is not a number from 0 (row 3)"),
        ("watched", "1.2", "watched is not a share from 0 to 1 (row 3)"),
    ],
)
def test_a_bad_optional_cell_is_named_with_its_row(refused, column, value, message):
    raw = rows("GGG")
    raw[column] = ""
    raw.loc[1, column] = value
    with refused(message):
        validate(raw, source="x.csv")


def test_an_answer_without_a_side_is_refused(refused):
    raw = rows("GG", side="none").assign(answer="left")
    with refused("answer given, but side is none (rows 2, 3)"):
        validate(raw, source="x.csv")


def test_answers_that_agree_with_choice_and_side_pass():
    raw = rows("GSB").assign(side=["left", "right", "left"], answer=["left", "same", "right"])
    assert len(validate(raw, source="t")) == 3


def test_a_duplicate_is_named_by_the_row_that_repeats(refused):
    raw = pd.concat([rows("GS"), rows("BB").iloc[:1]])
    with refused("duplicate rating", "(row 4)"):
        validate(raw, source="x.csv")


def test_the_same_pair_again_is_no_duplicate_as_a_repeat():
    raw = pd.concat([rows("GS").assign(repeat=0, kind="main"), rows("BB").assign(repeat=1, kind="repeat")])
    checked = validate(raw, source="t")
    assert len(checked) == 4
    assert len(checked.main) == 2


def test_a_pair_rated_again_counts_once_whatever_its_kind_is_called():
    raw = pd.concat([rows("GS").assign(repeat=0), rows("BB").assign(repeat=1)])
    assert validate(raw, source="t").main.y.tolist() == [1, 0]


def test_a_pair_in_both_orders_is_refused_with_the_rarer_rows(refused):
    raw = rows("GSB")
    raw.loc[2, ["method", "other"]] = ["rival", "ours"]
    with refused("'ours' and 'rival' stand in both orders", "(row 4)"):
        validate(raw, source="x.csv")


def test_many_bad_rows_are_counted_and_the_first_five_named(refused):
    raw = rows(*["GS"] * 10).assign(side="")
    with refused("side is empty (rows 2, 3, 4, 5, 6 and 15 more)"):
        validate(raw, source="x.csv")


def test_every_kind_of_problem_is_listed_at_once(refused):
    raw = rows("GSB")
    raw.loc[0, "choice"] = "Q"
    raw.loc[1, "side"] = ""
    with refused("unknown choice 'Q'", "side is empty"):
        validate(raw, source="x.csv")


def test_columns_are_checked_by_name(refused):
    with refused("lacks the column 'choice', 'side'", "it has item,"):
        validate(rows("G").drop(columns=["choice", "side"]), source="x.csv")
    with refused("unknown column 'colour'", "Remove it or correct its name"):
        validate(rows("G").assign(colour=1), source="x.csv")
    twice = pd.concat([rows("G"), rows("G")[["item"]]], axis=1)
    with refused("the column 'item' more than once"):
        validate(twice, source="x.csv")
    with refused("holds no ratings"):
        validate(rows("G").iloc[:0], source="x.csv")


def test_swapping_methods_twice_gives_the_same_back():
    raw = rows("GSB", "BBG").assign(side=["left", "right", "none"] * 2, kind="gold", expected="G")
    checked = validate(raw, source="t")
    once = swap_methods(checked)
    assert once.y.tolist() == (-checked.y).tolist()
    assert once.labels("method") == ["rival"]
    assert once.frame["side"].tolist() == ["right", "left", "none"] * 2
    assert once.frame["expected"].tolist() == ["B"] * 6
    pd.testing.assert_frame_equal(swap_methods(once).frame, checked.frame)


@given(st.lists(st.tuples(*[st.integers(0, 2**40)] * 3), min_size=1, max_size=30))
def test_combined_codes_are_equal_exactly_where_all_columns_are(table):
    columns = [np.array(c, dtype=np.int64) for c in zip(*table, strict=True)]
    codes = combine(columns)
    assert len(set(codes.tolist())) == len(set(table))
    assert len(set(zip(codes.tolist(), table, strict=True))) == len(set(table))


@pytest.mark.parametrize("suffix", list(READERS))
def test_a_file_gives_back_what_was_written(tmp_path: Path, suffix):
    made = simulate_ratings({"OL": 0.2, "PS": 0.0}, design=Design(7, 5, 3), num_gold=2, num_repeats=1)
    path = tmp_path / f"ratings{suffix}"
    write_ratings(made, path)
    pd.testing.assert_frame_equal(read_ratings(path).frame, made.frame)
    assert read_ratings(path).dimensions == made.dimensions
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_item_names_that_look_like_numbers_stay_text(tmp_path: Path):
    raw = rows("GS").assign(item="007")
    path = tmp_path / "r.csv"
    write_ratings(validate(raw, source="t"), path)
    assert read_ratings(path).labels("item") == ["007"]


def test_rows_are_numbered_as_the_file_shows_them(tmp_path: Path, refused):
    raw = rows("GSB")
    raw.loc[1, "choice"] = "Q"
    raw.to_csv(tmp_path / "r.csv", index=False)
    raw.to_json(tmp_path / "r.jsonl", orient="records", lines=True)
    with refused("(row 3)"):
        read_ratings(tmp_path / "r.csv")
    with refused("(row 2)"):
        read_ratings(tmp_path / "r.jsonl")


def test_unreadable_files_are_refused_with_a_sentence(tmp_path: Path, refused):
    with refused("there is no file", "absent.csv"):
        read_ratings(tmp_path / "absent.csv")
    with refused("cannot tell what", ".csv, .parquet, .jsonl"):
        read_ratings(tmp_path / "ratings.xlsx")
    (tmp_path / "empty.csv").write_text("")
    with refused("empty.csv is empty"):
        read_ratings(tmp_path / "empty.csv")
    (tmp_path / "short.csv").write_text("item,annotator\na,b\nc\n")
    with refused("short.csv, row 3: 1 cells under a header of 2"):
        read_ratings(tmp_path / "short.csv")
    (tmp_path / "bad.parquet").write_text("no parquet")
    with refused("bad.parquet cannot be read"):
        read_ratings(tmp_path / "bad.parquet")
    (tmp_path / "bad.jsonl").write_text('{"item": 1}\n{"item": \n')
    with refused("bad.jsonl, line 2: not JSON"):
        read_ratings(tmp_path / "bad.jsonl")
    (tmp_path / "list.jsonl").write_text("[1]\n")
    with refused("list.jsonl, line 1: expected one object per line, found list"):
        read_ratings(tmp_path / "list.jsonl")
    (tmp_path / "none.jsonl").write_text("")
    with refused("none.jsonl is empty"):
        read_ratings(tmp_path / "none.jsonl")
    (tmp_path / "latin.csv").write_bytes(b"item,annotator\n\xff,b\n")
    with refused("latin.csv cannot be read"):
        read_ratings(tmp_path / "latin.csv")


def test_a_number_that_is_none_is_named_in_a_csv_too(tmp_path: Path, refused):
    rows("GS").assign(seconds=["3", "soon"]).to_csv(tmp_path / "r.csv", index=False)
    with refused("seconds is not a number from 0 (row 3)"):
        read_ratings(tmp_path / "r.csv")


def test_a_byte_order_mark_and_blanks_around_labels_do_no_harm(tmp_path: Path):
    text = rows("GS").assign(choice=[" G", "S "]).to_csv(index=False)
    (tmp_path / "r.csv").write_text("\ufeff" + text, encoding="utf-8")
    assert read_ratings(tmp_path / "r.csv").y.tolist() == [1, 0]


def test_writing_to_an_impossible_place_or_kind_is_refused(tmp_path: Path, refused):
    with refused("cannot tell what", "ratings.txt"):
        write_ratings(ratings("G"), tmp_path / "ratings.txt")
    (tmp_path / "file").write_text("")
    with refused("cannot write"):
        write_ratings(ratings("G"), tmp_path / "file" / "ratings.csv")
