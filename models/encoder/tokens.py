"""From texts to tokens, in the graph: training and serving see the same."""

from collections.abc import Sequence

import keras_hub
import tensorflow as tf

from models.encoder.pretrained import resolve_preset

# Longer texts are cut before they are tokenized; a token is rarely longer than this many characters.
_CHARACTERS_PER_TOKEN = 32
_RESERVED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Tokens:
    """Turns texts into tokens of a fixed length: word pieces of lowercase words, as BERT has them.

    Args:
        tokenizer: a KerasHub tokenizer whose start, end and padding tokens are known to it.
        max_length: tokens of a text, begin and end among them; longer texts are cut, shorter ones padded.
    """

    def __init__(self, tokenizer: keras_hub.tokenizers.Tokenizer, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length

    @classmethod
    def learned(cls, texts: tf.data.Dataset, vocabulary_size: int, max_length: int) -> "Tokens":
        """Learns a vocabulary of word pieces.

        Args:
            texts: string scalars.
            vocabulary_size: word pieces, at most.
            max_length: see above.
        """
        vocabulary = keras_hub.tokenizers.compute_word_piece_vocabulary(
            texts.batch(1_024).map(clean), vocabulary_size, lowercase=True, reserved_tokens=list(_RESERVED)
        )
        return cls.of_vocabulary(vocabulary, max_length)

    @classmethod
    def of_vocabulary(cls, vocabulary: Sequence[str], max_length: int) -> "Tokens":
        """Takes a vocabulary as it is, its reserved tokens among it."""
        return cls(keras_hub.models.BertTokenizer(list(vocabulary), lowercase=True), max_length)

    @classmethod
    def of_preset(cls, backbone: str, max_length: int) -> "Tokens":
        """Takes the tokenizer that a pretrained backbone was trained with."""
        return cls(keras_hub.tokenizers.Tokenizer.from_preset(resolve_preset(backbone)), max_length)

    @tf.function(reduce_retracing=True)  # a KerasHub tokenizer gives tensors only within a graph
    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Tokenizes.

        Args:
            texts: string `[batch]`, UTF-8; bytes that are none become the replacement character.
        Returns:
            int32 `[batch, max_length]`, padded at the end.
        """
        texts = tf.strings.substr(clean(texts), 0, self.max_length * _CHARACTERS_PER_TOKEN, unit="UTF8_CHAR")
        tokens = self.tokenizer(texts)[:, : self.max_length - 2]
        rows = tf.fill([tokens.nrows(), 1], 1)
        tokens = tf.concat(
            [self.tokenizer.cls_token_id * rows, tokens, self.tokenizer.sep_token_id * rows], axis=1
        )
        padding = self.tokenizer.pad_token_id
        return tf.ensure_shape(
            tokens.to_tensor(padding, shape=(None, self.max_length)), (None, self.max_length)
        )


def clean(texts: tf.Tensor) -> tf.Tensor:
    """Texts as valid UTF-8, control characters as spaces."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.regex_replace(texts, r"\pC", " ")
