"""YAML means one thing: what is read, and every sentence for what is refused."""

from pathlib import Path

import pytest

from univg_bench.errors import InputError
from univg_bench.strict_yaml import load_yaml, parse_yaml


def read(text: str) -> object:
    return parse_yaml(text, name="x.yaml").plain()


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, name="x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ('""', ""),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("True", "True"), ("y", "y"), ("Null", "Null"),
        ("12", 12), ("-3", -3), ("+3", 3), ("0", 0), ("'12'", "12"), ("'true'", "true"), ("'null'", "null"),
        ("1e-5", 1e-5), ("1E5", 1e5), ("1.5", 1.5), (".5", 0.5), ("2.", 2.0), ("-1.5e+3", -1500.0), ("0.5", 0.5),
        ("0x10", "0x10"), ("0o17", "0o17"), ("1_000", "1_000"), ("12:30", "12:30"), ("2024-01-09", "2024-01-09"),
        ("1.2.3", "1.2.3"), ("video7010", "video7010"), ("002a", "002a"), ("1e", "1e"), ("-", None),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like_to_a_person(text: str, value: object) -> None:
    found = read(f"key: {text}" if text != "-" else "key:")
    assert found == {"key": value}
    assert type(found["key"]) is type(value)  # type: ignore[index]


def test_lists_mappings_and_block_text_are_read() -> None:
    text = "a: [1, {b: two}]\nc:\n  - x\n  - y: |\n      12\n      13\n"
    assert read(text) == {"a": [1, {"b": "two"}], "c": ["x", {"y": "12\n13\n"}]}


def test_every_value_knows_its_line_and_column_and_those_of_its_key() -> None:
    tree = parse_yaml("# first\na:\n  b: [1, 22]\n", name="f.yaml")
    inner = tree.value["a"].value["b"]  # type: ignore[index, call-overload, union-attr]
    assert str(inner.key) == "f.yaml:3:3"
    assert str(inner.mark) == "f.yaml:3:6"
    assert str(inner.value[1].mark) == "f.yaml:3:10"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: duplicate key 'a'; it stands in line 1 already"),
        ("a: &x 1\n", "x.yaml:1:4: anchors (&x) are not used here; write the value out"),
        ("a: *x\n", "x.yaml:1:4: aliases (*x) are not used here; write the value out"),
        ("a: !!str 1\n", "x.yaml:1:4: tags (tag:yaml.org,2002:str) are not used here; remove it"),
        ("a: !thing {}\n", "x.yaml:1:4: tags (!thing) are not used here; remove it"),
        ("<<: {a: 1}\n", "x.yaml:1:1: merge keys (<<) are not used here; write the keys out, or use `extends`"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document starts here; one file holds one document"),
        ("%YAML 1.1\n---\na: 1\n", "x.yaml:1:1: YAML directives (%YAML, %TAG) are not used here; remove the line"),
        ("a: 007\n", "x.yaml:1:4: found 007, which is a number or a text; write '007' if it is a text"),
        ("a: 00.5\n", "x.yaml:1:4: found 00.5, which is a number or a text; write '00.5' if it is a text"),
        ('a: "\\ud83d"\n', "x.yaml:1:4: found an escape that is half a character; write the character itself"),
        ("a: .inf\n", "x.yaml:1:4: found .inf; numbers here are finite"),
        ("a: .NaN\n", "x.yaml:1:4: found .NaN; numbers here are finite"),
        ("a: 1e999\n", "x.yaml:1:4: found 1e999, which is too large for a number"),
        ("a: 99999999999999999999\n", "x.yaml:1:4: found 99999999999999999999, which is too large for a number"),
        ("1: a\n", "x.yaml:1:1: the key 1 is no text; write it in quotes"),
        ("true: a\n", "x.yaml:1:1: the key true is no text; write it in quotes"),
        ("? [a]\n: b\n", "x.yaml:1:3: a key must be text; found a list or a mapping"),
        ("", "x.yaml:1:1: the file is empty"),
        ("# only a comment\n", "x.yaml:1:1: the file is empty"),
        ("a: b: c\n", "x.yaml:1:5: not YAML (mapping values are not allowed here)"),
        ("a: 1\n\tb: 2\n", "x.yaml:2:1: not YAML (while scanning for the next token, found character '\\t' that cannot"
                            " start any token)"),
        ("a: 1\nb: \x07\n", "x.yaml:2:4: found the control character U+0007; remove it"),
        ("[" * 60 + "]" * 60, "x.yaml:1:41: not YAML (more than 40 levels)"),
    ],
)  # fmt: skip
def test_what_readers_of_yaml_disagree_about_is_refused(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


def test_an_unclosed_bracket_is_reported_where_it_is_noticed() -> None:
    assert refusal("a: [1, 2\nb: 3\n").startswith("x.yaml:2:2: not YAML (while parsing a flow sequence, expected")


def test_all_faults_are_listed_each_on_its_line() -> None:
    assert refusal("a: &x 1\na: 2\nb: .nan\n").splitlines() == [
        "x.yaml:1:4: anchors (&x) are not used here; write the value out",
        "x.yaml:2:1: duplicate key 'a'; it stands in line 1 already",
        "x.yaml:3:4: found .nan; numbers here are finite",
    ]


def test_a_missing_file_a_folder_and_a_binary_file_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no file .*none\.yaml; check the path"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r"cannot be read: Is a directory"):
        load_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("title: caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml is not UTF-8 text \(byte 10\); save it as UTF-8"):
        load_yaml(tmp_path / "latin.yaml")


def test_a_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "windows.yaml"
    path.write_bytes("\ufeffa: 1\r\nb: x\r\n".encode())
    assert load_yaml(path).plain() == {"a": 1, "b": "x"}
