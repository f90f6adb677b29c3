"""The inputs of the models' signatures, from a request, stored items and vectors."""

from collections.abc import Mapping, Sequence

import numpy as np

from serving.gateway.columns import Value, item_column, user_column
from serving.gateway.requests import Behavior
from serving.gateway.signature import Signature
from serving.gateway.tensors import Strings, Tensor
from serving.item_store.stored_item import StoredItem

# By item id, by modality.
NewVectors = Mapping[str, Mapping[str, np.ndarray]]


def user_inputs(signature: Signature, user: Mapping[str, Value], size: int | None) -> dict[str, Tensor]:
    """The user's features; `size` as in `Signature.features`."""
    return {name: user_column(name, user.get(name), each) for name, each in signature.features(size).items()}


def behavior_inputs(behaviors: Sequence[Behavior]) -> dict[str, Tensor]:
    """`behavior_item_id`, `behavior_category_id` and `behavior_shop_id`, `[1, behaviors]`."""
    shape = (1, len(behaviors))
    return {
        f"behavior_{name}": Strings([(getattr(each, name) or "").encode() for each in behaviors], shape)
        for name in ("item_id", "category_id", "shop_id")
    }


def item_inputs(
    signature: Signature, item_ids: Sequence[str], items: Sequence[StoredItem | None]
) -> dict[str, Tensor]:
    """The items' features, `[items]`; of an item that the store does not know all but its id are missing."""
    return {
        name: item_column([_feature(name, *each) for each in zip(item_ids, items, strict=True)], wanted)
        for name, wanted in signature.features(None).items()
    }


def new_item_inputs(signature: Signature, vectors: NewVectors) -> dict[str, Tensor]:
    """`new_item_id` and `new_<modality>_embedding` of a model that takes them."""
    dims = signature.embeddings("new_")
    if not dims:
        return {}
    inputs: dict[str, Tensor] = {
        f"new_{modality}_embedding": matrix([each.get(modality) for each in vectors.values()], dim)
        for modality, dim in dims.items()
    }
    return inputs | {"new_item_id": Strings([item_id.encode() for item_id in vectors])}


def matrix(vectors: Sequence[np.ndarray | None], dim: int) -> np.ndarray:
    """float32 `[vectors, dim]`, zeros where there is none, or one of another dim, which no encoder of the model made."""
    rows = [row for row, vector in enumerate(vectors) if vector is not None and len(vector) == dim]
    result = np.zeros((len(vectors), dim), np.float32)
    if rows:
        result[rows] = [vectors[row] for row in rows]
    return result


def _feature(name: str, item_id: str, item: StoredItem | None) -> Value:
    if name == "item_id":
        return item_id
    if item is None:
        return None
    return getattr(item, name) if name in ("category_id", "shop_id") else item.features.get(name)
