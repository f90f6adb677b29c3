"""What recall is measured with: the catalog's items and the clicks of held-out days, as a model's signatures take them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from models.ctr.dataset import read_examples
from models.parquet_files import read_table
from transforms.columns import first_values
from transforms.input_error import InputError

Columns = dict[str, np.ndarray]
Specs = Mapping[str, tf.TensorSpec]

_READ_AT_ONCE = 1_024
_LABEL = "clicked"


@dataclass(frozen=True)
class CatalogItems:
    """The items that can be recalled.

    Attributes:
        item_ids: string array `[items]`.
        columns: the catalog's columns of the item's side by name, `[items]`; an empty string or NaN where missing.
        clicks: int64 `[items]`, of the training days.
        is_new: bool `[items]`, True where the training days never showed the item.
    """

    item_ids: pa.Array
    columns: Columns
    clicks: np.ndarray
    is_new: np.ndarray

    @classmethod
    def read(cls, catalog: str, item_stats: str, specs: Specs) -> "CatalogItems":
        """Reads a catalog and the statistics of its items.

        Args:
            catalog: the folder of its Parquet files.
            item_stats: the folder of LogIngest's item_stats.
            specs: of the columns to read, by name; those that the catalog lacks are missing values.
        Raises:
            InputError: no item at all.
        """
        items = read_table(catalog, list(specs), "items")
        if not items.num_rows:
            raise InputError(f"expected items in {catalog}, got none")
        item_ids = items["item_id"].combine_chunks()
        stats = read_table(item_stats, ["item_id", "impressions", "clicks"], "item_stats")
        places = pc.index_in(item_ids, stats["item_id"].combine_chunks())
        clicks, impressions = (
            pc.fill_null(stats[name].combine_chunks().take(places), 0).to_numpy()
            for name in ("clicks", "impressions")
        )
        # A model of another configuration may read features that this catalog lacks.
        missing = pa.chunked_array([pa.nulls(len(items))])
        columns = {
            name: _to_numpy(items[name] if name in items.column_names else missing, spec.dtype)
            for name, spec in specs.items()
        }
        return cls(item_ids, columns, clicks, impressions == 0)

    def __len__(self) -> int:
        return len(self.item_ids)


@dataclass(frozen=True)
class HeldOutUsers:
    """The clicks of held-out days, each with its user as the impression had it.

    Attributes:
        columns: the columns of the user's side by name, `[clicks]`, and the behaviors `[clicks, behaviors]`, most
            recent last, padded with empty strings.
        items: int64 `[clicks]`, the place of the clicked item in the catalog; -1 where the catalog lacks it.
    """

    columns: Columns
    items: np.ndarray

    @classmethod
    def read(
        cls, folders: Sequence[str], catalog: CatalogItems, specs: Specs, max_clicks: int, seed: int
    ) -> "HeldOutUsers":
        """Reads the clicked impressions of raw examples.

        Args:
            folders: of the splits.
            catalog: the items.
            specs: of the columns to read, by name.
            max_clicks: of more clicks so many are drawn.
            seed: of the draw.
        Raises:
            InputError: a folder without files.
        """
        parsing = {name: tf.io.VarLenFeature(spec.dtype) for name, spec in specs.items()}
        parsing |= {"item_id": tf.io.VarLenFeature(tf.string), _LABEL: tf.io.FixedLenFeature([], tf.int64)}
        examples = read_examples([f"{folder}/*" for folder in folders], parsing, _LABEL, _READ_AT_ONCE)
        kept = _draw(map(_clicked, examples), max_clicks, seed)
        ids = pa.array(kept.pop("item_id"), pa.binary()).cast(pa.string())
        items = pc.fill_null(pc.index_in(ids, catalog.item_ids), -1).to_numpy().astype(np.int64)
        return cls(kept, items)

    def __len__(self) -> int:
        return len(self.items)

    def batches(self, size: int) -> Iterator[Columns]:
        """The columns of `size` clicks at a time, in order."""
        for start in range(0, len(self), size):
            yield {name: column[start : start + size] for name, column in self.columns.items()}


def _to_numpy(column: pa.ChunkedArray, dtype: tf.DType) -> np.ndarray:
    """With the value that the signatures take as missing."""
    if dtype == tf.string:
        return column.cast(pa.binary()).fill_null(b"").to_numpy()
    return column.cast(pa.float32()).to_numpy(zero_copy_only=False).astype(dtype.as_numpy_dtype)


def _clicked(batch: tuple[Mapping[str, tf.SparseTensor], tf.Tensor]) -> Columns:
    """The columns of the clicked impressions of a batch."""
    features, label = batch
    clicked = label.numpy() != 0
    return {name: _to_dense(name, column)[clicked] for name, column in features.items()}


def _to_dense(name: str, column: tf.SparseTensor) -> np.ndarray:
    """`[batch, behaviors]` of behaviors, else `[batch]`."""
    missing = "" if column.dtype == tf.string else np.nan if column.dtype.is_floating else 0
    if name.startswith("behavior_"):
        return tf.sparse.to_dense(column, missing).numpy()
    return first_values(column, missing).numpy()


def _draw(batches: Iterable[Columns], count: int, seed: int) -> Columns:
    """`count` rows of all, in their order; never many more are held at once."""
    rng = np.random.default_rng(seed)
    rows, keys = None, np.empty(0)
    for batch in batches:
        rows = batch if rows is None else {name: _join(column, batch[name]) for name, column in rows.items()}
        keys = np.append(keys, rng.random(len(batch["item_id"])))
        if len(keys) > count:
            kept = np.sort(np.argpartition(keys, count)[:count])
            rows, keys = {name: column[kept] for name, column in rows.items()}, keys[kept]
    if rows is None:
        raise InputError("expected impressions in the evaluated split, got none")
    return rows


def _join(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One below the other; the narrower of two is padded with nothing."""
    if first.ndim == 1:
        return np.concatenate([first, second])
    width = max(first.shape[1], second.shape[1])
    padded = [
        np.pad(part, [(0, 0), (0, width - part.shape[1])], constant_values=b"") for part in (first, second)
    ]
    return np.concatenate(padded)
