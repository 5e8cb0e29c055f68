"""The ten sub-dimensions of UniVG's human evaluation, with our own wording, and how a study declares others.

Source of codes and groups: UniVG (arXiv 2401.09084) section 4.1 and Table 2, which takes seven of them from Emu Video
(arXiv 2311.10709). Neither paper prints the questions that annotators saw, so the wording here is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from univg_bench.errors import InputError


@dataclass(frozen=True)
class Dimension:
    """One question about a pair of videos.

    code: what stands in a ratings file. needs: `text`, `image` or `` (asked for every pair); ISA and ITA make no sense
    without a condition image, TSA and TTA none without a prompt.
    """

    code: str
    name: str
    group: str
    question: str
    needs: str = ""


GROUPS = {
    "VQ": "Visual quality",
    "MQ": "Motion quality",
    "TF": "Text faithfulness",
    "IF": "Image faithfulness",
    "OL": "Overall",
}

# In the column order of the paper's Table 2.
UNIVG = (
    Dimension("PS", "Pixel sharpness", "VQ", "Which video is sharper and shows finer detail?"),
    Dimension("ROS", "Recognizable objects/scenes", "VQ", "In which video are things and places easier to recognise?"),
    Dimension("MS", "Motion smoothness", "MQ", "Which video moves more smoothly, without jumps or flicker?"),
    Dimension("FC", "Frame consistency", "MQ", "In which video do things keep their look better from frame to frame?"),
    Dimension("AM", "Amount of motion", "MQ", "Which video shows more motion?"),
    Dimension(
        "TSA", "Text-spatial alignment", "TF", "Which video better shows the things the text names, as it says?", "text"
    ),
    Dimension("TTA", "Text-temporal alignment", "TF", "In which video does what happens fit the text better?", "text"),
    Dimension("ISA", "Image-spatial alignment", "IF", "Which video keeps the look of the given image better?", "image"),
    Dimension(
        "ITA", "Image-temporal alignment", "IF", "Which video moves in a way that fits the given image better?", "image"
    ),
    Dimension("OL", "Overall likeness", "OL", "Which video do you like better, all in all?"),
)
PRIMARY = "OL"
NEEDS = ("", "text", "image")

# Other spellings that papers and files use for the same ten.
ALIASES = {"RO/S": "ROS"}


def find_dimensions(codes: Iterable[str]) -> tuple[Dimension, ...]:
    """Return the dimensions with `codes` in Table 2's order.

    Raises InputError for a code that is none of the ten.
    """
    wanted = [ALIASES.get(code, code) for code in codes]
    known = {d.code for d in UNIVG}
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise InputError(
            f"unknown dimension {', '.join(map(repr, unknown))}; the ten are {', '.join(d.code for d in UNIVG)}. "
            "A study with dimensions of its own declares them under `analysis: dimensions:` in its study file"
        )
    return tuple(d for d in UNIVG if d.code in wanted)


def plain_dimension(code: str) -> Dimension:
    """Return one of the ten if `code` is theirs, else a dimension of which nothing is known but its code."""
    for dimension in UNIVG:
        if dimension.code == ALIASES.get(code, code):
            return dimension
    words = code.replace("_", " ")
    return Dimension(code, words[:1].upper() + words[1:], "", f"Which video is better in {words}?")
