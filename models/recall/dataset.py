"""Clicked impressions, as the recall model learns from them."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from models.input_pipeline import BATCHES_AT_ONCE, without_autotune

CLICKS = "item_clicks"
CLICKS_BEFORE = "clicks_before"
# Of a training that goes on: the clicks that all its examples come after.
EARLIER_CLICKS = "earlier_clicks"

Features = Mapping[str, tf.Tensor]


def read_clicks(
    impressions: tf.data.Dataset, batch_size: int, shuffle_buffer: int, seed: int
) -> tf.data.Dataset:
    """Keeps the clicked impressions alone, in another order at each pass.

    The others of a batch are the negatives of each; in the order of time they would be of one hour and much
    alike.

    Args:
        impressions: batches of (features by name, label float32 `[batch]`), as `read_examples` gives them.
        batch_size: int > 0, of what comes out; the last batch may be smaller.
        shuffle_buffer: impressions that are held to pick the next from.
        seed: of the order.
    Returns:
        A dataset of features by name.
    """

    def keep_clicked(features: Features, label: tf.Tensor) -> tf.data.Dataset:
        clicked = tf.not_equal(label, 0)
        kept = {name: tf.boolean_mask(values, clicked) for name, values in features.items()}
        return tf.data.Dataset.from_tensor_slices(kept)

    rows = impressions.flat_map(keep_clicked).shuffle(
        shuffle_buffer, seed=seed, reshuffle_each_iteration=True
    )
    return without_autotune(rows.batch(batch_size).prefetch(BATCHES_AT_ONCE))


def with_clicks_before(clicks: tf.data.Dataset, seed: int) -> tf.data.Dataset:
    """Says of each example how many clicks its item may have had before it.

    An item's clicks have 0, 1, … c - 1 clicks before them, each number once. So a draw from these has, over an
    item's examples, the distribution of what was known of it at the time, whatever the order of reading. All clicks
    but the example's own would be too many: nearly no example would be of an item without clicks, while items that
    are new today are clicked all the time. Where training goes on from an earlier one, an item's examples come after
    the clicks of the days before, so the draw begins there.

    Args:
        clicks: batches of features by name, `item_clicks` int64 `[batch]` among them, and where training goes on
            `earlier_clicks` int64 `[batch]`.
        seed: of the draw, another one at each pass.
    Returns:
        The same with `clicks_before` int64 `[batch]`, from `earlier_clicks`, or 0, to below `item_clicks`.
    """

    def draw(features: Features, batch_seed: tf.Tensor) -> dict[str, tf.Tensor]:
        counts = features[CLICKS]
        earlier = features.get(EARLIER_CLICKS, tf.zeros_like(counts))
        share = tf.random.stateless_uniform(tf.shape(counts), batch_seed, dtype=tf.float64)  # below 1
        later = tf.cast(share * tf.cast(counts - earlier, tf.float64), tf.int64)
        return {**features, CLICKS_BEFORE: earlier + later}

    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip(clicks, seeds).map(draw)


def with_earlier_items(
    clicks: tf.data.Dataset, item_columns: Sequence[str], queue_size: int
) -> tf.data.Dataset:
    """Puts beside each batch the items of the batches before it, as further negatives.

    What is kept is what an item's vector is computed from, not the vector: those of earlier steps would be of
    another model, while these are always the present one's, for the price of the item tower. Each pass begins
    with none.

    Args:
        clicks: of `read_clicks`.
        item_columns: the names of the features of the item's side, each `[batch]`.
        queue_size: int >= 0, how many items are held, first in, first out.
    Returns:
        A dataset of one-tuples, as `fit` takes them, of (features by name `[batch]`, earlier items by name
        `[earlier]`, the newest last).
    """

    def push(
        earlier: dict[str, tf.Tensor], features: dict[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], tuple]:
        joined = {name: tf.concat([earlier[name], features[name]], axis=0) for name in item_columns}
        newest = {name: values[-queue_size:] if queue_size else values[:0] for name, values in joined.items()}
        return newest, ((features, earlier),)

    none = {name: tf.zeros([0], clicks.element_spec[name].dtype) for name in item_columns}
    return without_autotune(clicks.scan(none, push).prefetch(BATCHES_AT_ONCE))
