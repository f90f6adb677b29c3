import numpy as np
import pyarrow as pa
import tensorflow as tf
from small_logs import BASE, UTC_MICROSECONDS

from transforms.feature import Feature
from transforms.write_examples import encode_examples

CATALOG = pa.RecordBatch.from_pydict(
    {
        "item_id": ["i0", "i1", "ü2"],
        "category_id": pa.array(["c0", None, "c2"]),
        "shop_id": ["s0", "s1", "s2"],
        "brand": pa.array([None, "b1", "b2"]),
        "price": pa.array([1.5, None, 2.5], pa.float32()),
    }
)
GROUPS = pa.array([3, 9, 8])
FEATURES = (
    Feature("gender"),
    Feature("hour", kind="numeric"),
    Feature("brand", side="item"),
    Feature("price", kind="bucketized", side="item"),
    # A namesake of the contract's: only its options count.
    Feature("item_id", side="item", num_oov_buckets=4),
)


def rows(*behaviors: list[int]) -> pa.RecordBatch:
    """Impressions of items 2, 1, … with behaviors, both as places in the catalog."""
    count = len(behaviors)
    return pa.RecordBatch.from_pydict(
        {
            "impression_id": [f"m{number}" for number in range(count)],
            "user_id": ["ann"] * count,
            "timestamp": pa.array([BASE + number for number in range(count)], UTC_MICROSECONDS),
            "clicked": [number % 2 == 0 for number in range(count)],
            "gender": pa.array(["f", None] * count)[:count],
            "hour": pa.array([None, 0.5] * count, pa.float32())[:count],
            "_item": pa.array([2, 1] * count, pa.int32())[:count],
            "_behaviors": pa.array(behaviors, pa.list_(pa.int32())),
        }
    )


def decode(batch: pa.RecordBatch) -> list[dict]:
    names = {
        **dict.fromkeys(
            ("impression_id", "user_id", "item_id", "category_id", "shop_id", "gender", "brand"), tf.string
        ),
        **dict.fromkeys(("timestamp", "clicked", "item_frequency_group"), tf.int64),
        **dict.fromkeys(("hour", "price"), tf.float32),
        **dict.fromkeys((f"behavior_{name}" for name in ("item_id", "category_id", "shop_id")), tf.string),
    }
    found = []
    for record in encode_examples(batch, FEATURES, CATALOG, GROUPS):
        assert set(tf.train.Example.FromString(record).features.feature) == set(names)
        parsed = tf.io.parse_single_example(
            record, {name: tf.io.VarLenFeature(kind) for name, kind in names.items()}
        )
        found.append(
            {
                name: [
                    value.decode() if isinstance(value, bytes) else value
                    for value in column.values.numpy().tolist()
                ]
                for name, column in parsed.items()
            }
        )
    return found


def test_two_examples_value_by_value() -> None:
    first, second = decode(rows([0, 1], []))
    assert first == {
        "impression_id": ["m0"],
        "user_id": ["ann"],
        "item_id": ["ü2"],
        "category_id": ["c2"],
        "shop_id": ["s2"],
        "gender": ["f"],
        "brand": ["b2"],
        "timestamp": [BASE],
        "clicked": [1],
        "item_frequency_group": [8],
        "hour": [],
        "price": [2.5],
        # Item 1 has no category: its place stays, so that the three lists keep in step.
        "behavior_item_id": ["i0", "i1"],
        "behavior_category_id": ["c0", ""],
        "behavior_shop_id": ["s0", "s1"],
    }
    assert second == {
        "impression_id": ["m1"],
        "user_id": ["ann"],
        "item_id": ["i1"],
        "category_id": [],
        "shop_id": ["s1"],
        "gender": [],
        "brand": ["b1"],
        "timestamp": [BASE + 1],
        "clicked": [0],
        "item_frequency_group": [9],
        "hour": [0.5],
        "price": [],
        "behavior_item_id": [],
        "behavior_category_id": [],
        "behavior_shop_id": [],
    }


def test_more_rows_than_are_encoded_at_once() -> None:
    generator = np.random.default_rng(3)
    behaviors = [generator.integers(0, 3, generator.integers(0, 4)).tolist() for _ in range(4_100)]
    batch = rows(*behaviors)
    names = ["i0", "i1", "ü2"]
    for number, record in enumerate(encode_examples(batch, FEATURES, CATALOG, GROUPS)):
        if number in (0, 1, 4_095, 4_096, 4_097, 4_099):
            features = tf.train.Example.FromString(record).features.feature
            found = [value.decode() for value in features["behavior_item_id"].bytes_list.value]
            assert features["impression_id"].bytes_list.value[0] == f"m{number}".encode()
            assert found == [names[place] for place in behaviors[number]]
    assert number == 4_099
