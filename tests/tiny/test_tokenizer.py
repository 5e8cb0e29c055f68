"""Captions as tokens."""

import subprocess
import sys

from univg_bench.datasets.moving_shapes import VOCABULARY, caption, scene
from univg_bench.features.tiny import CONTEXT_LENGTH, TINY_CLIP, TINY_I3D, tokenize
from univg_bench.features.tiny.tokenizer import END, PAD, START, UNKNOWN


def test_every_word_of_the_world_has_its_own_token() -> None:
    tokens = [tokenize(word)[1] for word in VOCABULARY]
    assert sorted(tokens) == list(range(3, END))
    assert TINY_CLIP["text_cfg"]["vocab_size"] == END + 1


def test_captions_of_the_world_have_no_unknown_word_and_lose_none() -> None:
    for i in range(200):
        sentence = caption(scene("test", i))
        tokens = tokenize(sentence)
        assert len(tokens) == CONTEXT_LENGTH == TINY_CLIP["text_cfg"]["context_length"]
        end = tokens.index(END)
        assert tokens[0] == START
        assert end == len(sentence.split()) + 1
        assert UNKNOWN not in tokens
        assert set(tokens[end + 1 :]) <= {PAD}


def test_any_text_can_be_encoded() -> None:
    assert tokenize("") == [START, END] + [PAD] * 18
    assert tokenize("A RED, circle!")[:5] == tokenize("a red circle")[:5]
    assert tokenize("a zebra")[2] == UNKNOWN
    assert tokenize("日本語 ¿qué?")[1:3] == [UNKNOWN, UNKNOWN]


def test_a_long_text_loses_its_last_words_and_keeps_its_end() -> None:
    tokens = tokenize("red " * 50)
    assert len(tokens) == CONTEXT_LENGTH
    assert tokens[-1] == END
    # open_clip reads the text at its largest token
    assert max(tokens) == END


def test_logits_are_those_of_the_seven_attributes_one_after_the_other() -> None:
    assert TINY_I3D.class_count == 37
    ends = [0, *(end for _, end in TINY_I3D.attribute_slices.values())]
    assert [first for first, _ in TINY_I3D.attribute_slices.values()] == ends[:-1]


def test_importing_the_package_needs_no_torch() -> None:
    code = "import univg_bench.features.tiny, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
