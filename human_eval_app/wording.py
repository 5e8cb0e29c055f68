"""Every sentence that annotators read, by language: flat keys in `wording/<language>.yaml`.

All files have the same keys and, per key, the same {placeholders}, so no page can find a hole in one language only.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from univg_bench.errors import InputError
from univg_bench.human.dimensions import GROUPS, Dimension
from univg_bench.strict_yaml import load_yaml

FOLDER = Path(__file__).parent / "wording"
LANGUAGES = {"en": "English", "zh": "简体中文"}  # each named in itself: who reads it must recognise it
HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}

Wording = Mapping[str, str]


@cache
def load_wording(language: str) -> Wording:
    """Return the sentences of a language, keys in the order of its file.

    Raises InputError for an unknown language, and for a file whose keys or placeholders differ from the English ones.
    """
    if language not in LANGUAGES:
        raise InputError(f"found the language '{language}', expected one of {', '.join(LANGUAGES)}")
    found = read_wording(FOLDER / f"{language}.yaml")
    if language != "en":
        check_alike(load_wording("en"), found, name=f"{language}.yaml")
    return MappingProxyType(found)


def read_wording(path: Path) -> dict[str, str]:
    """Return the keys and texts of one file. Raises InputError unless it is a flat mapping of texts."""
    tree = load_yaml(path).plain()
    if not isinstance(tree, dict) or not all(isinstance(text, str) and text.strip() for text in tree.values()):
        raise InputError(f"{path}: expected a flat mapping of keys to texts, none of them empty")
    return tree


def check_alike(reference: Wording, found: Wording, *, name: str) -> None:
    """Raise InputError that names every key whose text or placeholders are not those of the reference."""
    missing = [key for key in reference if key not in found]
    unknown = [key for key in found if key not in reference]
    other = [key for key in reference if key in found and placeholders(reference[key]) != placeholders(found[key])]
    if missing or unknown or other:
        raise InputError(
            f"{name} differs from the English wording: missing {', '.join(missing) or 'none'}; unknown "
            f"{', '.join(unknown) or 'none'}; other placeholders in {', '.join(other) or 'none'}. Bring both in line"
        )


def placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def dimension_words(wording: Wording, dimension: Dimension) -> tuple[str, str, str]:
    """Return (label, question, name of the group) of a dimension; a study's own keeps the words of its study file."""
    code = dimension.code
    group = wording[f"group.{dimension.group}"] if dimension.group in GROUPS else dimension.group
    return (
        wording.get(f"dimension.{code}.label", dimension.name),
        wording.get(f"dimension.{code}.question", dimension.question),
        group,
    )


def answer_words(wording: Wording, answer: str) -> str:
    """Return how the buttons of the rating screen call `left`, `same` and `right`."""
    return wording[f"answer.{answer}"]
