"""Texts of a study file inside Streamlit's Markdown."""

from __future__ import annotations

MARKS = frozenset(r"\`*_{}[]()#+-!|<>~$:")


def plain(text: str) -> str:
    """Return Markdown that shows `text` as it stands: no emphasis, no links, no formulas, no icons."""
    return "".join(f"\\{letter}" if letter in MARKS else letter for letter in text)
