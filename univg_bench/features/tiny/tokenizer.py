"""Captions as numbers: one token per word of Moving Shapes, and a rule for every other sentence."""

from __future__ import annotations

import re

from univg_bench.datasets.moving_shapes import VOCABULARY

CONTEXT_LENGTH = 20
PAD, START, UNKNOWN = 0, 1, 2
END = 3 + len(VOCABULARY)  # the largest: open_clip reads the text where the token is largest
VOCABULARY_SIZE = END + 1

_TOKENS = {word: 3 + i for i, word in enumerate(VOCABULARY)}


def tokenize(caption: str) -> list[int]:
    """Return START, the words' tokens, END, then PAD up to CONTEXT_LENGTH.

    Any text can be encoded: upper case counts as lower, whatever is no letter or digit separates words, a word outside
    the world's 48 becomes UNKNOWN, and words beyond the 18th are left out, as CLIP's own tokenizer does it.
    """
    words = re.findall(r"\w+", caption.lower())[: CONTEXT_LENGTH - 2]
    tokens = [START, *(_TOKENS.get(word, UNKNOWN) for word in words), END]
    return tokens + [PAD] * (CONTEXT_LENGTH - len(tokens))
