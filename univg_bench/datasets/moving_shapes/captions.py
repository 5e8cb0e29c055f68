"""The sentence of a scene: every attribute is named in every wording, in at most 18 words."""

from __future__ import annotations

from univg_bench.datasets.moving_shapes.world import ATTRIBUTES, TEMPLATE_COUNT, Scene

TEMPLATES = (
    "a {size} {colour} {texture} {shape} {motion} on {background} while the camera {camera}",
    "the camera {camera} as a {size} {texture} {colour} {shape} {motion} on {background}",
    "on {background} a {texture} {colour} {shape} {motion} it is {size} and the camera {camera}",
    "a {colour} {shape} {motion} on {background} it is {size} and {texture} while the camera {camera}",
)
assert len(TEMPLATES) == TEMPLATE_COUNT

# every word that a caption can have: 48
VOCABULARY: tuple[str, ...] = tuple(
    sorted(
        {word for choices in ATTRIBUTES.values() for value in choices for word in value.split()}
        | {word for template in TEMPLATES for word in template.split() if "{" not in word}
    )
)


def caption(scene: Scene) -> str:
    """Return the caption of `scene`, lower case, words separated by one space, no punctuation."""
    return TEMPLATES[scene.template].format(**{name: getattr(scene, name) for name in ATTRIBUTES})
