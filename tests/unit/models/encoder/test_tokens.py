"""From texts to tokens."""

import numpy as np
import pytest
import tensorflow as tf

from models.encoder.tokens import Tokens, clean

# Numbers: padding 0, unknown 1, begin 2, end 3, mask 4, red 5, shoe 6, ##s 7, 鞋 8.
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "shoe", "##s", "鞋"]


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("Red SHOES", [2, 5, 6, 7, 3, 0]),
        ("", [2, 3, 0, 0, 0, 0]),
        (" \t\n", [2, 3, 0, 0, 0, 0]),
        ("blue shoe", [2, 1, 6, 3, 0, 0]),
        # Cut to four tokens between begin and end.
        ("red shoe " * 50_000, [2, 5, 6, 5, 6, 3]),
        ("x" * 100_000, [2, 1, 3, 0, 0, 0]),
        # Each Chinese character is a word.
        ("鞋鞋red", [2, 8, 8, 5, 3, 0]),
        # Nobody can write a token that means begin, end or padding: brackets are words of their own.
        ("[SEP]", [2, 1, 1, 1, 3, 0]),
        ("red\0shoe\x07", [2, 5, 6, 3, 0, 0]),
        (b"\xff\xfered", [2, 1, 3, 0, 0, 0]),
    ],
)
def test_by_hand(text: str | bytes, tokens: list[int]) -> None:
    prepare = Tokens.of_vocabulary(VOCABULARY, 6)
    output = prepare(tf.constant([text, "red"]))
    assert output.dtype == tf.int32
    np.testing.assert_array_equal(output, [tokens, [2, 5, 3, 0, 0, 0]])


def test_clean_gives_valid_text_without_control_characters() -> None:
    texts = [b"a\xffb\0c\x7f\n", "é\u200b\u202e👟".encode(), b""]
    cleaned = [text.decode() for text in clean(tf.constant(texts)).numpy()]
    assert cleaned == ["a\ufffdb c  ", "é  👟", ""]


def test_a_vocabulary_is_learned_from_what_is_frequent() -> None:
    words = tf.data.Dataset.from_tensor_slices([b"Shoes red", b"shoes blue \xff"] * 200 + [b"shirt"])
    prepare = Tokens.learned(words, 100, 6)
    vocabulary = prepare.tokenizer.get_vocabulary()
    assert vocabulary[:5] == VOCABULARY[:5]
    assert {"shoes", "red", "blue"} <= set(vocabulary)
    assert "Shoes" not in vocabulary
    # A rare word is written in pieces, none of them unknown.
    assert prepare.tokenizer.token_to_id("[UNK]") not in prepare(tf.constant(["shirt"])).numpy()
