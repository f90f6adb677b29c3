"""From items' ids to the rows of their embeddings."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from models.content.item_index import ItemIndex

IMAGE_ROWS = {"a": 1, "b": 0, "c": 2, "ü": 3}
TEXT_ROWS = {"a": 0, "b": 1, "c": 2, "ü": 0}
COLUMNS = {"item_id": tf.io.VarLenFeature(tf.string), "behavior_item_id": tf.io.VarLenFeature(tf.string)}


def _index(max_behaviors: int = 3) -> ItemIndex:
    rows = {
        "image": np.array(list(IMAGE_ROWS.values()), np.int32),
        "text": np.array(list(TEXT_ROWS.values()), np.int32),
    }
    return ItemIndex(pa.array(IMAGE_ROWS), rows, max_behaviors)


def _column(values: list[list[str]]) -> tf.SparseTensor:
    return tf.ragged.constant(values, dtype=tf.string, ragged_rank=1).to_sparse()


def _as_lists(found: Mapping[str, tf.Tensor]) -> dict[str, list]:
    assert {tensor.dtype for tensor in found.values()} == {tf.int32}
    return {name: tensor.numpy().tolist() for name, tensor in found.items()}


def _example(item: str, behaviors: list[str]) -> bytes:
    def strings(values: list[str]) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in values]))

    features = {"item_id": strings([item]), "behavior_item_id": strings(behaviors)}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


EXAMPLES = [_example("a", ["c", "nobody", "ü"]), _example("nobody", []), _example("ü", ["a", "b", "c", "c"])]
# Of the last one's four behaviors the latest three.
FOUND = {
    "image_row": [1, 0, 3],
    "text_row": [0, 0, 0],
    "behavior_image_row": [[2, 0, 3], [0, 0, 0], [0, 2, 2]],
    "behavior_text_row": [[2, 0, 0], [0, 0, 0], [1, 2, 2]],
}


def test_finds_rows_of_any_shape() -> None:
    found = _as_lists(_index().find(tf.constant([["a", "ü", "b"], ["nobody", "", "c"]])))
    assert found == {"image": [[1, 3, 0], [0, 0, 2]], "text": [[0, 0, 1], [0, 0, 2]]}


def test_the_shape_is_known_in_a_graph() -> None:
    find = tf.function(_index().find, input_signature=[tf.TensorSpec([None, 7], tf.string)])
    shapes = find.get_concrete_function().output_shapes
    assert {name: shape.as_list() for name, shape in shapes.items()} == {
        "image": [None, 7],
        "text": [None, 7],
    }


def test_examples() -> None:
    assert _as_lists(_index().find_in_examples(tf.io.parse_example(EXAMPLES, COLUMNS))) == FOUND


def test_the_latest_behaviors_stay() -> None:
    behaviors = _column([["a"] * 5 + ["c", "ü"]])
    found = _as_lists(_index(max_behaviors=2).find_in_examples({"behavior_item_id": behaviors}))
    assert found == {"behavior_image_row": [[2, 3]], "behavior_text_row": [[2, 0]]}


def test_fewer_behaviors_than_there_is_room_for() -> None:
    found = _index(max_behaviors=6).find_in_examples({"behavior_item_id": _column([["c"], []])})
    assert found["behavior_image_row"].numpy().tolist() == [[2, 0, 0, 0, 0, 0], [0] * 6]


def test_examples_of_users_without_any_behavior() -> None:
    found = _as_lists(_index().find_in_examples({"behavior_item_id": _column([[], []])}))
    assert found == {"behavior_image_row": [[0] * 3] * 2, "behavior_text_row": [[0] * 3] * 2}


def test_an_example_without_an_item() -> None:
    assert _index().find_in_examples({"item_id": _column([["a"], []])})["image_row"].numpy().tolist() == [
        1,
        0,
    ]
    assert _index().find_in_examples({"item_id": _column([[], []])})["image_row"].numpy().tolist() == [0, 0]


class Server(tf.Module):
    """What a pushed model does with an index."""

    def __init__(self, index: ItemIndex) -> None:
        super().__init__()
        self.index = index

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """The rows of serialized examples."""
        return self.index.find_in_examples(tf.io.parse_example(examples, COLUMNS))


def test_a_saved_model_carries_it(tmp_path: Path) -> None:
    tf.saved_model.save(Server(_index()), str(tmp_path / "saved"))
    # Moved: nothing of it may lie elsewhere.
    (tmp_path / "saved").rename(tmp_path / "moved")
    loaded = tf.saved_model.load(str(tmp_path / "moved"))
    assert _as_lists(loaded.serve(tf.constant(EXAMPLES))) == FOUND


def test_within_an_input_pipeline() -> None:
    index = _index()
    batches = (
        tf.data.Dataset.from_tensor_slices(EXAMPLES)
        .batch(2)
        .map(
            lambda examples: index.find_in_examples(tf.io.parse_example(examples, COLUMNS)), tf.data.AUTOTUNE
        )
    )
    first, second = (_as_lists(batch) for batch in batches)
    assert {name: first[name] + second[name] for name in FOUND} == FOUND


ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.dictionaries(ids, st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=15),
    others=st.lists(ids, max_size=5),
    max_behaviors=st.integers(1, 6),
    data=st.data(),
)
def test_equals_a_dictionary(
    rows: dict[str, tuple[int, int]], others: list[str], max_behaviors: int, data: st.DataObject
) -> None:
    columns = np.array(list(rows.values()), np.int32)
    index = ItemIndex(pa.array(rows), {"image": columns[:, 0], "text": columns[:, 1]}, max_behaviors)
    asked = st.sampled_from([*rows, *others])
    users = data.draw(st.lists(st.tuples(asked, st.lists(asked, max_size=9)), min_size=1, max_size=5))
    raw = {
        "item_id": _column([[item] for item, _ in users]),
        "behavior_item_id": _column([behaviors for _, behaviors in users]),
    }
    found = _as_lists(index.find_in_examples(raw))
    for place, modality in enumerate(("image", "text")):
        row = {item: values[place] for item, values in rows.items()}
        assert found[f"{modality}_row"] == [row.get(item, 0) for item, _ in users]
        latest = [[row.get(item, 0) for item in behaviors][-max_behaviors:] for _, behaviors in users]
        padded = [values + [0] * (max_behaviors - len(values)) for values in latest]
        assert found[f"behavior_{modality}_row"] == padded
