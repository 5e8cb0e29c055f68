"""A component of ours on a page: its data in, its triggers out. The code comes from `assets.asset_route`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from human_eval_app.player.assets import loader


def mount(module: str, data: Mapping[str, Any], *, key: str, triggers: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """Return the values of those `triggers` that caused this run of the script; the others are None.

    The component stays the same element on the page as long as `key` is the same, whatever the data.
    """
    # a trigger needs a callback to be known; what it asks for is done in the script's body, because the first trigger
    # after a restart of the server runs no callback
    callbacks: dict[str, Any] = {f"on_{name}_change": _nothing for name in triggers}
    result = _renderer(module)(key=key, data=dict(data), **callbacks)
    return {name: result.get(name) for name in triggers}


@cache
def _renderer(module: str) -> ComponentRenderer:
    return st.components.v2.component(f"univg_{module.removesuffix('.js')}", js=loader(module))


def _nothing() -> None:
    pass
