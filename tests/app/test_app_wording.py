"""The words of the pages: both languages say the same things, and say everything that is asked for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from human_eval_app.pages.device import refusals
from human_eval_app.study import Presentation
from human_eval_app.wording import (
    FOLDER,
    LANGUAGES,
    check_alike,
    dimension_words,
    load_wording,
    placeholders,
    read_wording,
)
from univg_bench.errors import InputError
from univg_bench.human.dimensions import GROUPS, UNIVG, Dimension

PACKAGE = Path(__file__).parents[2] / "human_eval_app"
# a key that a page asks for in so many letters
KEY = re.compile(
    r"(common|answer|login|welcome|consent|device|instructions|example|feedback|why|break|later|done|refused|error|rating)"
    r"(\.[a-zA-Z_]+)+"
)


def test_every_language_has_the_same_keys_and_placeholders() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(LANGUAGES)
    english = load_wording("en")
    for language in LANGUAGES:
        found = load_wording(language)
        assert list(found) == list(english), "the same order too, so that the files can be read side by side"
        assert {key: placeholders(text) for key, text in found.items()} == {
            key: placeholders(text) for key, text in english.items()
        }


def test_a_missing_key_and_another_placeholder_are_named() -> None:
    english = {"a": "{n} pairs", "b": "yes", "c": "no"}
    with pytest.raises(InputError, match=r"xx\.yaml differs .* missing b; unknown d; other placeholders in a"):
        check_alike(english, {"a": "{m} pairs", "c": "no", "d": "?"}, name="xx.yaml")


def test_an_unknown_language_and_an_empty_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found the language 'de', expected one of en, zh"):
        load_wording("de")
    (tmp_path / "en.yaml").write_text("a: yes\nb: ' '\n")
    with pytest.raises(InputError, match="expected a flat mapping"):
        read_wording(tmp_path / "en.yaml")


def test_no_language_was_left_in_english() -> None:
    for key, text in load_wording("zh").items():
        assert re.search(r"[\u4e00-\u9fff]", text) or not re.search(r"[a-zA-Z]{3}", re.sub(r"\{\w+\}", "", text)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_that_a_page_names_exists(language: str) -> None:
    wording = load_wording(language)
    named = set()
    for path in (PACKAGE / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and KEY.fullmatch(node.value):
                named.add(node.value)
    # keys of the session and names of files are of the same form
    own = {"instructions.page", "device.round", "feedback.seen", "pause.asked", "pause.open", "page.error", "rating.js"}
    assert len(named) > 50
    assert sorted(name for name in named - own if name not in wording) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_keys_that_are_put_together_exist_for_every_case(language: str) -> None:
    wording = load_wording(language)
    for dimension in UNIVG:
        for part in (f"dimension.{dimension.code}.label", f"dimension.{dimension.code}.question"):
            assert part in wording
        assert f"example.{dimension.code}" in wording
        assert f"why.{dimension.code}" in wording
    assert all(f"group.{group}" in wording for group in GROUPS)
    for reason in ("withdrawn", "study_closed", "practice_failed", "expired_code", "unknown_code"):
        assert f"refused.{reason}.title" in wording
        assert f"refused.{reason}.text" in wording
    worst = {"decodes": False, "touch": True, "width": 1, "height": 1}
    assert all(f"device.refused.{reason}" in wording for reason in refusals(Presentation(), worst))


def test_english_questions_are_those_of_the_statistics() -> None:
    # "given image" and "given picture" aside, one question must not have two wordings
    wording = load_wording("en")
    for dimension in UNIVG:
        assert wording[f"dimension.{dimension.code}.question"] == dimension.question.replace("image", "picture")


def test_a_dimension_of_the_study_keeps_its_own_words() -> None:
    own = Dimension("GLOW", "Glow", "Light", "Which video glows more?")
    assert dimension_words(load_wording("zh"), own) == ("Glow", "Which video glows more?", "Light")
    label, question, group = dimension_words(load_wording("zh"), UNIVG[0])
    assert (label, group) == ("清晰度", "画面质量")
    assert question.endswith("？")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_speaks_of_methods_or_letters(language: str) -> None:
    for key, text in load_wording(language).items():
        assert not re.search(r"\b(video|videos) [AB]\b|\b[GSB]/[GSB]\b|baseline|\bmethod|\bours\b|模型", text), key
